"""The sample repository is read only below its root, whatever rows and folders hold."""

import os
import pathlib
import pickle
import signal
import socket
from collections.abc import Callable, Iterator

import pytest

from exporter.errors import SourceError
from exporter.source import sample_repository as source
from exporter.source.sample_repository import Content, Log, SampleRepository

SECRET = b"CANARY: outside of the root"


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    root = tmp_path / "repository"
    for folder in (source.OUTPUTS, source.LOGS):
        (root / folder / "folder.txt").mkdir(parents=True)
    (root / source.OUTPUTS / "abc.srt").write_bytes(b"caption\r\n")
    (root / source.LOGS / "7.txt").write_bytes(b"log\n")
    (tmp_path / "secret.srt").write_bytes(SECRET)
    (root / "secret.srt").write_bytes(SECRET)
    return root


@pytest.fixture(autouse=True)
def _no_hanging() -> Iterator[None]:
    """A reader that waits for a FIFO's writer dies here, instead of the whole test run."""
    signal.alarm(20)
    yield
    signal.alarm(0)


def whats(files: SampleRepository) -> list[str]:
    return [problem.what for problem in files.problems]


def test_outputs_are_read_up_to_the_limit(root: pathlib.Path) -> None:
    files = SampleRepository(root)
    assert files.output("abc", ".srt", 100) == Content(9, b"caption\r\n") == files.output("abc", ".srt", 9)
    assert files.output("abc", ".srt", 8) == Content(9, None)
    assert files.output("abd", ".srt", 100) is None
    assert files.problems == []


def test_logs_are_read_whole(root: pathlib.Path) -> None:
    files = SampleRepository(root)
    assert files.log(7) == Log(4, b"log\n", None)
    assert files.log(8) is None
    assert files.log(-7) is None
    assert files.problems == []


def test_missing_folders_are_empty(tmp_path: pathlib.Path) -> None:
    files = SampleRepository(tmp_path)
    assert (files.output("abc", ".srt", 9), files.log(7), files.log_fingerprints()) == (None, None, {})
    assert files.problems == []


def test_a_missing_root_is_said(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        SampleRepository(tmp_path / "nowhere").log_fingerprints()


def test_the_root_may_be_a_link(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "link").symlink_to(root)
    files = SampleRepository(tmp_path / "link")
    assert files.output("abc", ".srt", 9) == Content(9, b"caption\r\n")
    assert list(files.log_fingerprints()) == [7]


@pytest.mark.parametrize(
    ("content_hash", "extension"),
    [
        ("../secret", ".srt"),
        ("../../secret", ".srt"),
        ("..", "/secret.srt"),
        ("../TestResults/abc", ".srt"),
        ("./abc", ".srt"),
        ("abc.srt", "/../abc.srt"),
        ("/etc/passwd", ""),
        ("", "/etc/passwd"),
        ("abc.srt\0", ".srt"),
        ("abc.srt", "\0"),
        ("abc.srt", "/"),
        ("", ""),
        (".", ""),
        (".", "."),
        ("a" * 300, ".srt"),
        ("é" * 130, ""),
        ("\ud800", ".srt"),
        ("a/" * 5_000, ".srt"),
        ("folder", ".txt"),
    ],
)
def test_hostile_names_are_refused_and_counted(root: pathlib.Path, content_hash: str, extension: str) -> None:
    files = SampleRepository(root)
    assert files.output(content_hash, extension, 10**6) is None
    (problem,) = files.problems
    assert problem.table == source.OUTPUTS
    assert problem.what.startswith("refused: ")
    assert not problem.row


@pytest.mark.parametrize("name", ["..\\secret", "~", "$HOME", "%2e%2e%2fsecret", "a\nb", "-rf", "*", "\udc80"])
def test_odd_names_are_only_missing(root: pathlib.Path, name: str) -> None:
    files = SampleRepository(root)
    assert files.output(name, ".srt", 10**6) is None
    assert files.problems == []


def link_out(place: pathlib.Path) -> None:
    place.symlink_to("../../secret.srt")


def link_in(place: pathlib.Path) -> None:
    place.symlink_to("abc.srt")


def link_to_nothing(place: pathlib.Path) -> None:
    place.symlink_to("nothing")


def link_to_itself(place: pathlib.Path) -> None:
    place.symlink_to(place.name)


def listening_socket(place: pathlib.Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(place.parent)  # a socket's path may have 107 bytes only
        server.bind(place.name)


def device(place: pathlib.Path) -> None:
    try:
        os.mknod(place, 0o20666, os.makedev(1, 5))  # /dev/zero
    except PermissionError:
        pytest.skip("no devices may be made here")


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (link_out, "refused: it is a symbolic link"),
        (link_in, "refused: it is a symbolic link"),
        (link_to_nothing, "refused: it is a symbolic link"),
        (link_to_itself, "refused: it is a symbolic link"),
        (pathlib.Path.mkdir, "refused: it is a folder"),
        (os.mkfifo, "refused: it is a FIFO"),
        (listening_socket, "refused: it is a socket"),
        pytest.param(device, "refused: it is a device", marks=pytest.mark.root),
    ],
)
def test_only_regular_files_are_opened(
    root: pathlib.Path, make: Callable[[pathlib.Path], None], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    make(root / source.OUTPUTS / "odd.srt")
    make(root / source.LOGS / "9.txt")
    files = SampleRepository(root)
    assert files.output("odd", ".srt", 10**6) is None
    assert files.log(9) is None
    assert whats(files) == [what, what]
    assert [problem.row for problem in files.problems] == ["", "9.txt"]


def test_linked_folders_are_refused(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for folder in (source.OUTPUTS, source.LOGS):
        (root / folder).rename(tmp_path / folder)
        (root / folder).symlink_to(tmp_path / folder)
    files = SampleRepository(root)
    assert (files.output("abc", ".srt", 9), files.log(7)) == (None, None)
    assert whats(files) == ["refused: it is a symbolic link"] * 2
    with pytest.raises(SourceError, match="it is a symbolic link"):
        files.log_fingerprints()


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (link_out, "cannot be read: ELOOP"),
        (os.mkfifo, "refused: it is a FIFO"),
        (pathlib.Path.mkdir, "refused: it is a folder"),
        pytest.param(device, "refused: it is a device", marks=pytest.mark.root),
    ],
)
def test_a_file_that_is_swapped_before_it_is_opened_is_refused(
    root: pathlib.Path, make: Callable[[pathlib.Path], None], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = root / source.OUTPUTS / "abc.srt"
    look = os.stat

    def look_and_swap(path: object, **named: object) -> os.stat_result:
        status = look(path, **named)
        if path == b"abc.srt":
            place.unlink()
            make(place)
        return status

    monkeypatch.setattr(os, "stat", look_and_swap)
    files = SampleRepository(root)
    assert files.output("abc", ".srt", 100) is None
    assert whats(files) == [what]


def test_a_folder_that_is_swapped_before_it_is_opened_is_refused(
    root: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.stat

    def look_and_swap(path: object, **named: object) -> os.stat_result:
        status = look(path, **named)
        if path == source.OUTPUTS:
            (root / source.OUTPUTS).rename(tmp_path / "moved")
            (root / source.OUTPUTS).symlink_to(tmp_path / "moved")
        return status

    monkeypatch.setattr(os, "stat", look_and_swap)
    files = SampleRepository(root)
    assert files.output("abc", ".srt", 100) is None
    assert [what.removeprefix("cannot be read: ") for what in whats(files)] in (["ENOTDIR"], ["ELOOP"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_are_counted(root: pathlib.Path) -> None:
    for place in (root / source.OUTPUTS / "abc.srt", root / source.LOGS / "7.txt"):
        place.chmod(0)
    files = SampleRepository(root)
    assert (files.output("abc", ".srt", 9), files.log(7)) == (None, None)
    assert whats(files) == ["cannot be read: EACCES"] * 2


@pytest.mark.parametrize("call", ["open", "pread", "stat"])
@pytest.mark.parametrize("code", [5, 13], ids=["EIO", "EACCES"])
def test_any_failure_to_read_is_counted(
    root: pathlib.Path, call: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(os, call)

    def failing(*arguments: object, **named: object) -> object:
        if call == "pread" or "dir_fd" in named:
            raise OSError(code, os.strerror(code))
        return real(*arguments, **named)

    monkeypatch.setattr(os, call, failing)
    files = SampleRepository(root)
    assert (files.output("abc", ".srt", 9), files.log(7)) == (None, None)
    assert whats(files) == [f"cannot be read: {'EIO' if code == 5 else 'EACCES'}"] * 2


def test_of_a_huge_log_only_the_ends_are_read(root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 1 << 40
    with (root / source.LOGS / "9.txt").open("wb") as file:
        file.write(b"first\n")
        file.seek(size - 6)
        file.write(b"\nlast\n")
    monkeypatch.setattr(source, "LOG_LIMIT", 1000)
    log = SampleRepository(root).log(9)
    assert log == Log(size, b"first\n" + b"\0" * 494, b"\0" * 494 + b"\nlast\n")


@pytest.mark.parametrize("size", [999, 1000, 1001])
def test_logs_are_cut_above_the_limit(root: pathlib.Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(size)
    (root / source.LOGS / "9.txt").write_bytes(data)
    monkeypatch.setattr(source, "LOG_LIMIT", 1000)
    assert SampleRepository(root).log(9) == (
        Log(size, data, None) if size <= 1000 else Log(size, data[:500], data[-500:])
    )


def test_of_a_huge_output_nothing_is_read(root: pathlib.Path) -> None:
    os.truncate(root / source.OUTPUTS / "abc.srt", 1 << 40)
    assert SampleRepository(root).output("abc", ".srt", 100) == Content(1 << 40, None)


def test_marks_name_the_runs_with_a_log_and_change_with_it(root: pathlib.Path) -> None:
    logs = root / source.LOGS
    for name in ("12.txt", "-3.txt", "0.txt", "07.txt", "7.txt.bak", "x.txt", "٣.txt", "7.log", "7.TXT"):
        (logs / name).write_bytes(b"")
    files = SampleRepository(root)
    found = files.log_fingerprints()
    assert set(found) == {7, 12, -3, 0}
    assert files.log_fingerprints() == found
    status = (logs / "7.txt").stat()
    os.utime(logs / "7.txt", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    (logs / "12.txt").write_bytes(b"grown")
    again = files.log_fingerprints()
    assert {run_id for run_id in found if found[run_id] != again[run_id]} == {7, 12}
    assert files.problems == []


def test_nothing_stays_open_and_it_can_be_sent_to_workers(root: pathlib.Path) -> None:
    files = pickle.loads(pickle.dumps(SampleRepository(root)))
    before = len(list(pathlib.Path("/proc/self/fd").iterdir()))
    for name in ("abc", "../abc", "folder.txt", "none"):
        files.output(name, ".srt", 3)
        files.log(7)
        files.log_fingerprints()
    assert len(list(pathlib.Path("/proc/self/fd").iterdir())) == before
