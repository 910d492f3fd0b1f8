"""What only a folder can do or suffer: links, leftovers, permissions, full disks."""

import contextlib
import errno
import itertools
import multiprocessing
import os
import pathlib
import resource
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import pytest

from exporter.errors import ConflictError, StoreError
from exporter.publish.local import folder_store, scratch, tree
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.store import ABSENT
from tests.support.store_suite import contents

NOBODY = 65534


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "site"


@pytest.fixture
def store(root: pathlib.Path) -> LocalStore:
    return LocalStore(root)


@pytest.fixture
def outside(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder beside the store that must stay as it is."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "a.json").write_bytes(b"theirs")
    yield folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.json": b"theirs"}


CALLS: dict[str, Callable[[LocalStore], object]] = {
    "get": lambda store: store.get("v1/a.json"),
    "replace": lambda store: store.replace("v1/a.json", b"ours", ABSENT),
    "write": lambda store: store.write([("v1/a.json", b"ours")]),
    "delete": lambda store: store.delete(["v1/a.json"]),
    "list": lambda store: list(store.list("v1/")),
    "sweep": lambda store: store.sweep(),
}


def files(root: pathlib.Path) -> set[str]:
    """All files below a folder, the hidden ones as well."""
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


def test_the_root_is_made_by_the_first_write_only(store: LocalStore, root: pathlib.Path) -> None:
    for name in ("get", "delete", "list", "sweep"):
        CALLS[name](store)
    store.write([])
    assert not root.exists()
    store = LocalStore(root / "with" / "parents", grace=60)
    assert (store.name, store.grace) == (str(root / "with" / "parents"), 60)
    store.write([("v1/a.json", b"ours")])
    assert contents(store) == {"v1/a.json": b"ours"}


def test_a_folder_holds_the_documents_and_nothing_else(store: LocalStore, root: pathlib.Path) -> None:
    store.write([("v1/a.json", b"a"), ("v1/b/c.json", b"c")])
    assert files(root) == {"v1/a.json", "v1/b/c.json"}
    store.replace("v1/manifest.json", b"1", ABSENT)
    assert files(root) == {"v1/a.json", "v1/b/c.json", "v1/manifest.json", ".lock"}
    assert not list((root / ".tmp").iterdir())
    assert {entry.path for entry in store.list("")} == {"v1/a.json", "v1/b/c.json", "v1/manifest.json"}


@pytest.mark.parametrize("path", [".lock", ".tmp", ".tmp/x", ".tmp/1-a/new", ".htaccess", "..."])
def test_dot_entries_of_the_root_are_the_stores_own(store: LocalStore, path: str) -> None:
    store.replace("v1/a.json", b"a", ABSENT)
    for call in (
        lambda: store.get(path),
        lambda: store.replace(path, b"x", ABSENT),
        lambda: store.write([(path, b"x")]),
        lambda: store.delete([path]),
        lambda: list(store.list(path)),
    ):
        with pytest.raises(StoreError):
            call()


def test_files_of_others_with_dots_are_not_listed(store: LocalStore, root: pathlib.Path) -> None:
    store.write([("v1/a.json", b"a")])
    (root / ".git").mkdir()
    (root / ".git" / "config").touch()
    (root / ".htaccess").touch()
    (root / "v1" / "back\\slash").touch()
    assert {entry.path for entry in store.list("")} == {"v1/a.json"}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002, 0])
@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o644, 0o755), (0o640, 0o750), (0o600, 0o700), (0o664, 0o775)])
def test_modes_are_the_stores_own_whatever_the_umask(
    root: pathlib.Path, umask: int, file_mode: int, folder_mode: int
) -> None:
    """A job with umask 077 must not publish what the web server's user cannot read."""
    store = LocalStore(root / "made" / "too", file_mode=file_mode)
    before = os.umask(umask)
    try:
        store.write([("v1/a.json", b"a"), ("v1/b/c/d.json", b"d")])
        store.replace("v1/b.json", b"b", ABSENT)
        store.write([("v1/a.json", b"changed")])
    finally:
        os.umask(before)
    for name in ("v1/a.json", "v1/b/c/d.json", "v1/b.json"):
        assert stat.S_IMODE((store.root / name).stat().st_mode) == file_mode
    for name in ("v1/b/c", "v1/b", "v1", ".", ".."):
        assert stat.S_IMODE((store.root / name).stat().st_mode) == folder_mode
    assert stat.S_IMODE((store.root / ".tmp").stat().st_mode) == folder_mode


def test_folders_keep_the_group_that_their_parent_passes_on(store: LocalStore, root: pathlib.Path) -> None:
    root.mkdir()
    root.chmod(0o2775)
    store.write([("v1/a.json", b"a")])
    assert stat.S_IMODE((root / "v1").stat().st_mode) == 0o2755
    assert stat.S_IMODE(root.stat().st_mode) == 0o2775, "what was there keeps its mode"


def test_longest_and_deepest_paths(store: LocalStore) -> None:
    longest = ["x" * 255, "é" * 127 + "x", "d/" * 511 + "dd", "/".join(["l" * 255] * 4)]
    documents = dict.fromkeys(longest, b"x")
    assert max(map(len, longest)) == 1024
    assert store.write(documents.items()) == len(documents)
    assert contents(store) == documents
    assert store.delete(documents) == len(documents)
    assert contents(store) == {}


def test_skipped_files_are_not_touched(store: LocalStore, root: pathlib.Path) -> None:
    store.write([("v1/a.json", b"a")])
    before = (root / "v1/a.json").stat()
    store.write([("v1/a.json", b"a")])
    assert (root / "v1/a.json").stat() == before


def test_a_hard_linked_copy_keeps_its_bytes(store: LocalStore, root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    store.write([("v1/a.json", b"old")])
    os.link(root / "v1/a.json", tmp_path / "mirror.json")
    store.write([("v1/a.json", b"new")])
    assert (tmp_path / "mirror.json").read_bytes() == b"old"


@pytest.mark.parametrize("call", [call for name, call in CALLS.items() if name != "sweep"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_linked_folder_is_refused(
    store: LocalStore, root: pathlib.Path, outside: pathlib.Path, call: Callable[[LocalStore], object], inside: bool
) -> None:
    root.mkdir()
    if inside:
        outside = outside.rename(root / "elsewhere")
    (root / "v1").symlink_to(outside)
    try:
        with pytest.raises(StoreError, match="v1 is a symbolic link: put a real folder in its place"):
            call(store)
        assert [entry.path for entry in store.list("")] == (["elsewhere/a.json"] if inside else [])
    finally:
        if inside:
            outside.rename(root.parent / "outside")


def test_a_linked_folder_further_down_is_refused(store: LocalStore, root: pathlib.Path, outside: pathlib.Path) -> None:
    store.write([("v1/runs/1.json", b"1")])
    (root / "v1/runs/1").symlink_to(outside, target_is_directory=True)
    for path in ("v1/runs/1/a.json", "v1/runs/1/new/b.json"):
        with pytest.raises(StoreError, match="symbolic link"):
            store.write([(path, b"x")])
    assert contents(store) == {"v1/runs/1.json": b"1"}


def test_a_linked_file_is_no_object(store: LocalStore, root: pathlib.Path, outside: pathlib.Path) -> None:
    store.write([("v1/b.json", b"b")])
    for name in ("a", "c", "d", "dangling"):
        (root / f"v1/{name}.json").symlink_to(outside / ("none" if name == "dangling" else "a.json"))
    assert store.get("v1/a.json") is None
    assert contents(store) == {"v1/b.json": b"b"}
    assert store.write([("v1/a.json", b"theirs"), ("v1/dangling.json", b"x")]) == 2
    store.replace("v1/c.json", b"c", ABSENT)
    store.delete(["v1/d.json"])
    assert contents(store) == {"v1/a.json": b"theirs", "v1/b.json": b"b", "v1/c.json": b"c", "v1/dangling.json": b"x"}
    assert not (root / "v1/a.json").is_symlink()


@pytest.mark.parametrize("name", [".tmp", ".lock"])
def test_the_stores_own_entries_are_no_links(
    store: LocalStore, root: pathlib.Path, outside: pathlib.Path, name: str
) -> None:
    root.mkdir()
    (root / name).symlink_to(outside if name == ".tmp" else outside / "new")
    with pytest.raises(StoreError, match="symbolic link"):
        store.replace("v1/a.json", b"ours", ABSENT)
    assert store.get("v1/a.json") is None


def test_a_link_to_the_root_is_followed(tmp_path: pathlib.Path, root: pathlib.Path) -> None:
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    store = LocalStore(tmp_path / "link")
    store.write([("v1/a.json", b"a")])
    store.replace("v1/b.json", b"b", ABSENT)
    assert contents(LocalStore(root)) == contents(store) == {"v1/a.json": b"a", "v1/b.json": b"b"}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_root_that_is_a_file(root: pathlib.Path, call: Callable[[LocalStore], object], below: str) -> None:
    root.write_bytes(b"precious")
    with pytest.raises(StoreError, match=r"is not a folder: choose another, or move the file away$"):
        call(LocalStore(root / below))
    assert root.read_bytes() == b"precious"


def test_a_root_that_is_a_link_to_nothing(store: LocalStore, root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    root.symlink_to(tmp_path / "none")
    assert store.get("v1/a.json") is None
    with pytest.raises(StoreError, match="is not a folder"):
        store.write([("v1/a.json", b"a")])
    assert not (tmp_path / "none").exists()


def test_a_file_where_a_folder_is_needed(store: LocalStore) -> None:
    store.write([("v1/a", b"a")])
    assert store.get("v1/a/b.json") is None
    assert store.delete(["v1/a/b.json"]) == 0
    assert list(store.list("v1/a/")) == []
    for call in (
        lambda: store.write([("v1/a/b.json", b"b")]),
        lambda: store.replace("v1/a/b.json", b"b", ABSENT),
        lambda: store.write([("v1/a/b/c.json", b"b")]),
    ):
        with pytest.raises(StoreError, match="where a folder is needed"):
            call()
    assert contents(store) == {"v1/a": b"a"}


def test_a_folder_where_a_file_is_needed(store: LocalStore, root: pathlib.Path) -> None:
    store.write([("v1/a/b.json", b"b")])
    assert store.get("v1/a") is None
    assert store.delete(["v1/a"]) == 0
    for call in (lambda: store.write([("v1/a", b"a")]), lambda: store.replace("v1/a", b"a", ABSENT)):
        with pytest.raises(StoreError, match="move it away"):
            call()
    assert contents(store) == {"v1/a/b.json": b"b"}
    assert not list((root / ".tmp").iterdir())


def test_a_pipe_does_not_block(store: LocalStore, root: pathlib.Path) -> None:
    (root / "v1").mkdir(parents=True)
    os.mkfifo(root / "v1/a.json")
    assert store.get("v1/a.json") is None
    assert list(store.list("")) == []
    assert store.write([("v1/a.json", b"")]) == 1
    assert contents(store) == {"v1/a.json": b""}


def test_delete_removes_emptied_folders_only(store: LocalStore, root: pathlib.Path) -> None:
    store.write((path, b"x") for path in ("v1/a/b/c/d.json", "v1/a/b/e.json", "v1/f/g.json"))
    (root / "v1/h/i").mkdir(parents=True)
    store.delete(["v1/a/b/c/d.json", "v1/none/none.json", "v1/h/i/none.json"])
    assert not (root / "v1/a/b/c").exists()
    assert (root / "v1/h/i").exists()
    store.delete(["v1/a/b/e.json", "v1/f/g.json"])
    assert {path.name for path in (root / "v1").iterdir()} == {"h"}
    store.write([("v2/a.json", b"x")])
    store.delete(["v2/a.json"])
    assert root.is_dir()
    assert not (root / "v2").exists()


def test_a_folder_that_vanishes_between_two_documents(
    store: LocalStore, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_store, "_BATCH", 1)

    def documents() -> Iterator[tuple[str, bytes]]:
        yield "v1/a/1.json", b"1"
        store.delete(["v1/a/1.json"])
        assert not (root / "v1").exists()
        yield "v1/a/2.json", b"2"

    assert store.write(documents()) == 2
    assert contents(store) == {"v1/a/2.json": b"2"}


def test_a_scratch_folder_that_vanishes(store: LocalStore, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_store, "_BATCH", 1)

    def documents() -> Iterator[tuple[str, bytes]]:
        yield "v1/1.json", b"1"
        subprocess.run(["rm", "-r", root / ".tmp"], check=True)
        yield "v1/2.json", b"2"

    assert store.write(documents()) == 2
    assert contents(store) == {"v1/1.json": b"1", "v1/2.json": b"2"}


def test_a_folder_that_vanishes_for_ever_ends_in_an_error(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanish(*_: object, **__: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "gone")

    monkeypatch.setattr(os, "rename", vanish)
    with pytest.raises(StoreError, match="see that nothing deletes it"):
        store.write([("v1/a.json", b"a")])


def test_descriptors_are_few_and_closed(store: LocalStore, outside: pathlib.Path) -> None:
    def open_files() -> int:
        return len(list(pathlib.Path("/proc/self/fd").iterdir()))

    most = 0

    def documents() -> Iterator[tuple[str, bytes]]:
        nonlocal most
        for round_ in range(2):
            for folder in range(300):
                yield f"v1/{folder}/{round_}.json", b"x"
                most = max(most, open_files())

    before = open_files()
    assert store.write(documents()) == 600
    store.replace("v1/a.json", b"a", ABSENT)
    assert len(list(store.list(""))) == 601
    with pytest.raises(ConflictError):
        store.replace("v1/a.json", b"a", ABSENT)
    with pytest.raises(StoreError):
        store.write([("v1/0/0.json/x", b"")])
    next(store.list(""))
    assert store.delete(f"v1/{folder}/0.json" for folder in range(300)) == 300
    store.sweep()
    assert open_files() == before
    assert most < before + 80


def test_nothing_is_visible_before_the_disk_has_it(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is synced before its first rename, and a control object's name when it is written.

    As long as there is no manifest, data is waited for before the first one alone.
    """
    happened: list[str] = []

    def noting(name: str, what: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **how: object) -> object:
            happened.append(name)
            return what(*arguments, **how)

        return call

    monkeypatch.setattr(folder_store, "_BATCH", 3)
    monkeypatch.setattr(os, "write", noting("write", os.write))
    monkeypatch.setattr(os, "rename", noting("rename", os.rename))
    monkeypatch.setattr(os, "fsync", noting("fsync", os.fsync))
    monkeypatch.setattr(scratch.Scratch, "sync", noting("wait", scratch.Scratch.sync))
    monkeypatch.setattr(tree, "sync", noting("sync", scratch.sync))
    batch = ["write"] * 3 + ["wait"] + ["rename"] * 3
    store.write((f"v1/new/{number}.json", b"a") for number in range(4))
    assert happened == [*(["write"] * 3), *(["rename"] * 3), "write", "rename"]
    happened.clear()
    version = store.replace("v1/manifest.json", b"same", ABSENT)
    store.replace("v1/manifest.json", b"same", version)
    assert happened == ["sync", "write", "wait", "rename", "fsync"] * 2
    happened.clear()
    store.write((f"v1/{number}/a.json", b"a") for number in range(7))
    assert happened == [*batch, *batch, "write", "wait", "rename"]
    happened.clear()
    store.write((f"v1/{number}/a.json", b"a") for number in range(7))
    assert happened == []


def test_what_is_written_while_a_first_manifest_comes_is_waited_for(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch looks for the manifest itself: another exporter may have published since the last one."""
    monkeypatch.setattr(folder_store, "_BATCH", 2)
    waits: list[int] = []
    monkeypatch.setattr(scratch.Scratch, "sync", lambda _: waits.append(len(contents(store))))

    def documents() -> Iterator[tuple[str, bytes]]:
        for number in range(6):
            if number == 3:
                LocalStore(store.root).replace("v1/manifest.json", b"another's", ABSENT)
                waits.clear()
            yield f"v1/{number}.json", b"a"

    store.write(documents())
    assert waits == [3, 5]


def test_large_documents_are_synced_before_many_are_held_in_memory(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.replace("v1/manifest.json", b"published", ABSENT)
    monkeypatch.setattr(folder_store, "_BATCH_BYTES", 1000)
    synced: list[int] = []
    monkeypatch.setattr(scratch, "_keeps_order", lambda _: False)
    monkeypatch.setattr(scratch, "sync", lambda folder: synced.append(len(os.listdir(folder))))  # noqa: PTH208
    assert store.write((f"v1/{number}.json", bytes(400)) for number in range(7)) == 7
    assert synced == [3, 3, 1]


def test_a_check_comes_before_the_first_document_is_visible(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long building or syncing took: the check is the last act before anything is visible."""
    seen: list[int] = []
    clock = itertools.count(0, 0.6)
    monkeypatch.setattr(time, "time", lambda: next(clock))
    store.write([(f"v1/{number}.json", b"") for number in range(9)], lambda: seen.append(len(contents(store))))
    assert seen[0] == 0 and len(seen) > 3


def test_one_store_in_many_threads(store: LocalStore) -> None:
    def write(who: int) -> int:
        mine = [(f"v1/{number}/{who}.json", b"%d" % who) for number in range(50)]
        return store.write(mine) + store.write(mine) + store.delete(path for path, _ in mine[::2])

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(write, range(8))) == [75] * 8
    assert len(contents(store)) == 200


def _write_half(store: LocalStore, who: int, line: Connection) -> None:
    """Write a document, and another one when told to."""
    folder_store._BATCH = 1

    def documents() -> Iterator[tuple[str, bytes]]:
        yield f"v1/{who}/first.json", b"1"
        line.send("halfway")
        line.recv()
        yield f"v1/{who}/second.json", b"2"

    line.send(store.write(documents()))


def test_sweep_removes_what_the_dead_left_and_nothing_of_the_living(store: LocalStore, root: pathlib.Path) -> None:
    context = multiprocessing.get_context("forkserver")
    lines, processes = [], []
    for who in range(2):
        ours, theirs = context.Pipe()
        process = context.Process(target=_write_half, args=(store, who, theirs))
        process.start()
        assert ours.poll(30)
        assert ours.recv() == "halfway"
        lines.append(ours)
        processes.append(process)
    scratch = root / ".tmp"
    assert len(list(scratch.iterdir())) == 2

    processes[0].kill()
    processes[0].join(10)
    (left,) = scratch.glob(f"{processes[0].pid}-*")
    (left / "new").write_bytes(b"half")
    store.sweep()
    assert [path.name.split("-")[0] for path in scratch.iterdir()] == [str(processes[1].pid)]

    lines[1].send("on")
    assert lines[1].poll(30)
    assert lines[1].recv() == 2
    processes[1].join(10)
    assert not list(scratch.iterdir())
    assert contents(store) == {"v1/0/first.json": b"1", "v1/1/first.json": b"1", "v1/1/second.json": b"2"}
    for line in lines:
        line.close()


def test_sweep_follows_no_links(store: LocalStore, root: pathlib.Path, outside: pathlib.Path) -> None:
    (root / ".tmp" / "1-dead" / "deep").mkdir(parents=True)
    (root / ".tmp" / "1-dead" / "link").symlink_to(outside)
    (root / ".tmp" / "link").symlink_to(outside)
    (root / ".tmp" / "file").touch()
    store.sweep()
    assert not list((root / ".tmp").iterdir())


def test_sweep_beside_many_beginning_writers(store: LocalStore) -> None:
    ended = threading.Event()

    def sweep() -> None:
        while not ended.is_set():
            store.sweep()

    def write(who: int) -> int:
        return sum(store.write([(f"v1/{who}.json", b"%d" % number)]) for number in range(100))

    with ThreadPoolExecutor(5) as threads:
        sweeper = threads.submit(sweep)
        assert list(threads.map(write, range(4))) == [100] * 4
        ended.set()
        sweeper.result(30)


@contextlib.contextmanager
def mounted(folder: pathlib.Path, *options: str) -> Iterator[None]:
    """A small file system of its own at a folder: in most containers not even root may mount one."""
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.root
@pytest.mark.parametrize("limit", ["size=256k", "nr_inodes=40"])
def test_a_full_disk(store: LocalStore, root: pathlib.Path, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_store, "_BATCH", 1)
    root.mkdir()
    with mounted(root, limit):
        published = {f"v1/{number}.json": b"%d" % number * 1000 for number in range(10)}
        store.write(published.items())
        before = store.replace("v1/manifest.json", b"1", ABSENT)
        published["v1/manifest.json"] = b"1"
        with pytest.raises(StoreError, match=r": v1/new/\d+.json: disk full .*: free some space .* and export again$"):
            store.write((f"v1/new/{number}.json", b"x" * 30_000) for number in range(100))
        with pytest.raises(StoreError, match="disk full"):
            store.replace("v1/manifest.json", b"2" * 300_000, before)
        assert contents(store).items() >= published.items()
        assert all(data == b"x" * 30_000 for path, data in contents(store, "v1/new/").items())
        assert not list((root / ".tmp").iterdir())
        assert store.write(published.items()) == 0
        store.delete([entry.path for entry in store.list("v1/new/")])
        assert contents(store) == published
        store.replace("v1/manifest.json", b"2", before)


@pytest.mark.root
def test_a_read_only_disk(store: LocalStore, root: pathlib.Path) -> None:
    root.mkdir()
    with mounted(root, "size=256k"):
        store.write([("v1/a.json", b"a")])
        subprocess.run(["mount", "-o", "remount,ro", root], check=True)
        assert store.write([("v1/a.json", b"a")]) == 0
        for call in (
            lambda: store.write([("v1/a.json", b"b")]),
            lambda: store.write([("v1/new/a.json", b"a")]),
            lambda: store.replace("v1/b.json", b"b", ABSENT),
            lambda: store.delete(["v1/a.json"]),
        ):
            with pytest.raises(StoreError, match="read-only: mount it writable"):
                call()
        assert contents(store) == {"v1/a.json": b"a"}


@pytest.mark.root
def test_another_file_system_inside(store: LocalStore, root: pathlib.Path) -> None:
    (root / "v1/runs").mkdir(parents=True)
    with mounted(root / "v1/runs", "size=256k"):
        store.write([("v1/a.json", b"a")])
        with pytest.raises(StoreError, match="another file system is mounted inside"):
            store.write([("v1/runs/1.json", b"1")])
        store.delete(["v1/runs/1.json", "v1/a.json"])


def test_a_file_that_grows_too_large(store: LocalStore, root: pathlib.Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        store.write([("v1/a.json", b"a" * 10_000)])
        with pytest.raises(StoreError, match="larger than a file may be"):
            store.write([("v1/a.json", b"b" * 10_001)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert contents(store) == {"v1/a.json": b"a" * 10_000}
    assert not list((root / ".tmp").iterdir())


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Root may do everything, so be somebody else."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_folder_of_somebody_else() -> None:
    with tempfile.TemporaryDirectory() as folder:  # not below tmp_path, which nobody else may enter
        root = pathlib.Path(folder)
        store = LocalStore(root)
        store.replace("v1/a.json", b"a", ABSENT)
        store.write([("v1/b.json", b"b")])
        for path in (root / "v1", root / ".tmp", root):
            path.chmod(0o555)
        (root / "v1/b.json").chmod(0)
        with unprivileged():
            for call in (
                lambda: store.write([("v1/a.json", b"new")]),
                lambda: store.write([("v1/new/a.json", b"new")]),
                lambda: store.delete(["v1/a.json"]),
                lambda: store.get("v1/b.json"),
                lambda: LocalStore(root / "new").write([("v1/a.json", b"a")]),
                lambda: LocalStore(root / "new").replace("v1/a.json", b"a", ABSENT),
            ):
                with pytest.raises(StoreError, match="not permitted: give this user access"):
                    call()
            assert store.write([("v1/a.json", b"a")]) == 0
        (root / "v1/b.json").chmod(0o644)
        assert contents(store) == {"v1/a.json": b"a", "v1/b.json": b"b"}
        for path in (root, root / ".tmp", root / "v1"):
            path.chmod(0o755)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "disk full or quota used up: free some space (or inodes) and export again"),
        (errno.EDQUOT, "disk full or quota used up: free some space (or inodes) and export again"),
        (errno.EIO, "Input/output error: check the disk, and export again"),
    ],
)
def test_a_failing_disk(store: LocalStore, monkeypatch: pytest.MonkeyPatch, number: int, message: str) -> None:
    before = store.replace("v1/manifest.json", b"1", ABSENT)

    def fail(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    for module, function in ((os, "write"), (tree, "sync"), (os, "rename")):
        with monkeypatch.context() as patch:
            patch.setattr(module, function, fail)
            with pytest.raises(StoreError) as caught:
                store.replace("v1/manifest.json", b"2", before)
        assert str(caught.value) == f"{store.name}: v1/manifest.json: {message}"
        assert contents(store) == {"v1/manifest.json": b"1"}


def test_short_writes_are_continued(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    store.write([("v1/a.json", b"0123456789")])
    assert contents(store) == {"v1/a.json": b"0123456789"}


def test_a_lock_that_is_never_released_is_an_error(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may be stopped while it holds the lock."""
    store.write([("v1/a.json", b"a")])
    monkeypatch.setattr(tree, "_LONGEST_LOCK", 0.1)
    stuck = pytest.raises(StoreError, match=r"the process that holds \.lock is stuck")
    with tree.Tree(store.root, 0o644) as other, other.locked(), stuck:
        store.replace("v1/b.json", b"b", ABSENT)
    store.replace("v1/b.json", b"b", ABSENT)


def test_a_fence_makes_a_deletion_that_is_under_way_look_at_its_lease_again(store: LocalStore) -> None:
    """What another export has made anew, while this one slept, stays."""
    store.write([("v1/a.json", b"a"), ("v1/b.json", b"b")])
    taken_over = False

    def check() -> None:
        if taken_over:
            raise ConflictError("taken over")

    def gone() -> Iterator[str]:
        nonlocal taken_over
        yield "v1/a.json"
        LocalStore(store.root).fence()
        taken_over = True
        yield "v1/absent.json"
        yield "v1/b.json"

    with pytest.raises(ConflictError):
        store.delete(gone(), check)
    assert contents(store) == {"v1/b.json": b"b"}
    with pytest.raises(ConflictError):
        store.delete(["v1/b.json"], check)
    assert contents(store) == {"v1/b.json": b"b"}


def test_a_fence_makes_a_write_that_is_under_way_look_at_its_lease_again(store: LocalStore) -> None:
    """It sleeps between its check and its rename; then another export takes over."""
    store.write([("v1/a.json", b"old"), ("v1/b.json", b"old")])
    checks: list[int] = []

    def check() -> None:
        checks.append(1)
        if len(checks) == 1:
            LocalStore(store.root).fence()  # after the check, before the rename
        else:
            raise ConflictError("taken over")

    with pytest.raises(ConflictError, match="taken over"):
        store.write([("v1/a.json", b"late"), ("v1/b.json", b"late")], check)
    assert {data for path, data in contents(store).items()} == {b"old"}
    assert not list((store.root / ".tmp").iterdir())


def test_a_check_of_the_folder(store: LocalStore, root: pathlib.Path) -> None:
    store.check_writable(1000)
    assert not files(root)
    with pytest.raises(StoreError, match="MB are free, and this export may write 1000000000 MB"):
        store.check_writable(10**15)
    file = root.parent / "file"
    file.touch()
    with pytest.raises(StoreError, match="is not a folder"):
        LocalStore(file).check_writable()
