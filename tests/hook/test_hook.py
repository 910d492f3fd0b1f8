"""The hook: no request is lost, few exports do many, and the caller never waits unless it asks to."""

import contextlib
import fcntl
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from exporter.cli import exit_codes
from exporter.errors import ExporterError, SourceError
from exporter.hook import last_export, queue, queue_worker, spool
from exporter.hook.queue import Lock, Requests
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.verify import verify
from tests.support.platform import Platform, export

PATIENCE = 60.0
RUNS = [101 + 100 * number for number in range(10)]
PASSWORD = "CANARY-p4ssw0rd"
UNREACHABLE = f"mysql+pymysql://exporter:{PASSWORD}@127.0.0.1:1/platform"


def until(condition: Callable[[], Any]) -> Any:
    """Wait for something to be so; give what the condition gives."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


class Site:
    """A platform with ten runs, each in a partition of its own, that are not yet in the store beside it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.root, self.spool = folder / "site", folder / "spool"
        self.requests = Requests(self.spool)
        platform = Platform(f"sqlite:///{folder}/platform.sqlite")
        platform.insert("fork", id=1, github="https://github.com/CCExtractor/ccextractor.git")
        platform.run(1, "completed", fork_id=1)
        export(platform.url, self.root)
        for run in RUNS:
            platform.run(run, "completed", fork_id=1)
        self.settings = {
            "EXPORTER_DATABASE_URL": platform.url,
            "EXPORTER_STORE": str(self.root),
            "EXPORTER_SPOOL": str(self.spool),
            "EXPORTER_WORKERS": "0",
        }

    def begin(self, *arguments: str, command: str = "hook", **settings: str) -> "subprocess.Popen[str]":
        """Begin a command as the platform would, from a folder where anything may lie about."""
        around = {name: value for name, value in os.environ.items() if not name.startswith("EXPORTER_")}
        return subprocess.Popen(
            [sys.executable, "-m", "exporter", *command.split(), *arguments],
            env={**around, **self.settings, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, command: str = "hook", **settings: str) -> tuple[int, str]:
        """Run a command; give its exit code and all that it said."""
        # Reads to the end: so the worker has none of the caller's streams, or this would last as long as it does.
        with self.begin(*arguments, command=command, **settings) as process:
            out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out + err

    def published(self) -> set[int]:
        return {run for run in RUNS if (self.root / f"v1/runs/{run}.json").exists()}

    def log(self) -> str:
        file = self.spool / "hook.log"
        return file.read_text() if file.exists() else ""

    def last(self) -> Any:
        return orjson.loads((self.spool / "last.json").read_bytes())

    def idle(self) -> bool:
        """Whether no worker is there."""
        lock = Lock.of(self.spool)
        with contextlib.closing(lock):
            return lock.take()

    def worker(self) -> int | None:
        """The process of the queue_worker."""
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"EXPORTER_SPOOL={self.spool}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    return int(folder.name)
        return None

    @contextlib.contextmanager
    def stuck(self) -> Iterator[None]:
        """Nothing can be published in this block: an export that has something to write waits for its end."""
        with (self.root / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    if process := site.worker():
        os.kill(process, signal.SIGKILL)


# --- real hooks


def test_ten_hooks_at_once_are_one_or_two_exports(site: Site) -> None:
    with site.stuck():
        hooks = [site.begin("--run", str(run)) for run in RUNS]
        for process in hooks:
            _, err = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0 and "queued" in err
        # Each hook has returned, and the worker is still at it.
        assert site.worker() and not site.published()
        assert len(site.requests.names()) == 10
    until(lambda: site.published() == set(RUNS))
    until(site.idle)
    assert 1 <= site.log().count(" published ") <= 2
    assert not site.requests.names()
    assert site.last()["exit_code"] == 0


@pytest.mark.parametrize("workers", ["0", "2"])
def test_ten_hooks_at_once_are_one_or_two_exports_with_nothing_in_the_way(site: Site, workers: str) -> None:
    hooks = [site.begin("--run", str(run), EXPORTER_WORKERS=workers) for run in RUNS]
    for process in hooks:
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    until(lambda: site.published() == set(RUNS))
    until(lambda: site.idle() and not site.requests.names())
    assert 1 <= site.log().count(" published ") <= 2


def test_a_wrong_database_keeps_what_is_published_and_the_request(site: Site, tmp_path: pathlib.Path) -> None:
    runs = [option for run in RUNS for option in ("--run", str(run))]
    assert site.run("--wait", *runs)[0] == 0
    wrong = Platform(f"sqlite:///{tmp_path}/wrong.sqlite")
    wrong.run(1, "completed")
    code, said = site.run("--wait", *runs, EXPORTER_DATABASE_URL=wrong.url)
    assert code == 3 and "would delete 10 of 11 runs" in said
    assert site.published() == set(RUNS) and site.requests.names()
    assert site.last()["exit_code"] == 3
    assert site.run("--wait")[0] == 0
    assert site.published() == set(RUNS) and not site.requests.names()


@pytest.mark.soak
def test_no_request_is_lost_whenever_workers_are_killed(site: Site) -> None:
    """Each hook's worker is killed a little later in its life: starting, waiting, reading, writing, done."""
    for number, run in enumerate(RUNS):
        assert site.run("--run", str(run), EXPORTER_WORKERS=str(2 * (number % 2)))[0] == 0
        time.sleep(0.25 * number)
        while process := site.worker():  # and its processes, one after the other
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        missing = set(RUNS[: number + 1]) - site.published()
        assert missing <= set(site.requests.runs(site.requests.names()) or ())
    assert site.run("--wait")[0] == 0
    assert site.published() == set(RUNS) and not site.requests.names()


@pytest.mark.soak
def test_no_request_of_a_storm_is_lost_while_exports_run(site: Site) -> None:
    """Four hooks of each run, at odd moments, while workers export and somebody exports by hand."""
    chance = random.Random(1)
    runs = chance.sample(RUNS * 4, 4 * len(RUNS))
    by_hand = site.begin(command="export")
    hooks = []
    for run in runs:
        hooks.append(site.begin("--run", str(run)))
        time.sleep(chance.random() / 2)
    for process in (by_hand, *hooks):
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    until(lambda: site.idle() and not site.requests.names())
    assert site.published() == set(RUNS)
    assert verify(LocalStore(site.root)).problems == []
    assert 1 <= site.log().count("published ") < len(runs)
    assert site.last()["exit_code"] == 0


def test_the_code_for_the_platform_works_as_it_stands_in_the_documentation(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    text = (pathlib.Path(__file__).parent.parent.parent / "docs/hook.md").read_text()
    code: dict[str, Any] = {"__name__": "ci"}
    exec(text.partition("```python\n")[2].partition("```")[0], code)
    assert code["HOOK"][1:] == ["hook", "--run"]
    code["HOOK"][:1] = [sys.executable, "-m", "exporter"]
    for name, value in site.settings.items():
        monkeypatch.setenv(name, value)
    code["publish"](RUNS[0])
    assert not caplog.records
    until(lambda: RUNS[0] in site.published())
    monkeypatch.setenv("EXPORTER_WORKERS", "many")
    code["publish"](RUNS[1])
    assert "run 201 is not published yet" in caplog.text and "EXPORTER_WORKERS" in caplog.text
    code["HOOK"][0] = "/nowhere"
    code["publish"](RUNS[1])
    assert "No such file" in caplog.text


def test_a_killed_worker_loses_no_request(site: Site) -> None:
    with site.stuck():
        assert site.run("--run", str(RUNS[0]))[0] == 0
        until(lambda: "exporting runs 101" in site.log())
        assert site.run("--run", str(RUNS[1]))[0] == 0
        os.kill(until(site.worker), signal.SIGKILL)
        until(site.idle)
        assert len(site.requests.names()) == 2
    assert not site.published()
    assert site.run()[0] == 0  # without --run: what was left is done
    until(lambda: site.published() == set(RUNS[:2]))
    until(lambda: not site.requests.names())


def test_a_failed_export_keeps_the_requests_for_the_next_and_no_secret_gets_out(site: Site) -> None:
    code, said = site.run("--run", str(RUNS[0]), EXPORTER_DATABASE_URL=UNREACHABLE)
    assert code == 0
    last = until(lambda: (site.spool / "last.json").exists() and site.last())
    until(site.idle)
    assert (last["exit_code"], last["runs"], last["succeeded_at"]) == (1, [RUNS[0]], None)
    assert last["message"] and "\n" not in last["message"]
    assert len(site.requests.names()) == 1

    code, waiting = site.run("--run", str(RUNS[1]), "--wait", EXPORTER_DATABASE_URL=UNREACHABLE)
    assert code == 1 and len(site.requests.names()) == 2
    everything = b"".join(file.read_bytes() for file in site.spool.rglob("*") if file.is_file())
    assert PASSWORD not in everything.decode() + said + waiting

    assert site.run("--run", str(RUNS[2]), "--wait")[0] == 0
    assert site.published() == set(RUNS[:3]) and not site.requests.names()
    assert (site.last()["exit_code"], site.last()["runs"]) == (0, RUNS[:3])


def test_the_worker_gets_the_options_and_no_secret_on_its_command_line(site: Site, tmp_path: pathlib.Path) -> None:
    url = site.settings.pop("EXPORTER_DATABASE_URL")
    site.settings["EXPORTER_STORE"] = "/nowhere"
    settings = tmp_path / "settings.toml"
    settings.write_text("log-level = 'debug'")
    with site.stuck():
        options = [
            "--database-url",
            url,
            "--store",
            str(site.root),
            "--result-documents",
            "failures",
            "--file-mode",
            "640",
        ]
        assert (
            site.run("--run", str(RUNS[0]), "--run", str(RUNS[1]), *options, command=f"--config {settings} hook")[0]
            == 0
        )
        process = until(site.worker)
        assert url.encode() not in pathlib.Path(f"/proc/{process}/cmdline").read_bytes()
        environment = pathlib.Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
        assert {"EXPORTER_RESULT_DOCUMENTS=failures", "EXPORTER_FILE_MODE=640", f"EXPORTER_CONFIG={settings}"} <= set(
            environment
        )
        assert os.getsid(process) == process
    until(lambda: site.published() == set(RUNS))  # all: with other options everything is built anew


def test_wait_has_a_limit(site: Site) -> None:
    with site.stuck():
        assert site.run("--run", str(RUNS[0]))[0] == 0
        code, said = site.run("--run", str(RUNS[1]), "--wait", "--timeout", "0.2")
        assert code == 1 and "still running after 0.2 s" in said
    until(lambda: site.published() == set(RUNS[:2]))  # the worker has seen it all the same


@pytest.mark.parametrize("run", ["0", "2147483648", "x"])
def test_what_no_run_can_be_called_is_not_recorded(site: Site, run: str) -> None:
    assert site.run("--run", run)[0] == 2
    assert not site.requests.names()


def test_nothing_to_do(site: Site) -> None:
    code, said = site.run()
    assert code == 0 and "nothing is left to do" in said
    assert not site.spool.exists()


def test_an_export_by_hand_is_noted_as_well(site: Site) -> None:
    assert site.run(command="export")[0] == 0
    first = site.last()
    assert (first["exit_code"], first["runs"]) == (0, None)
    assert first["full_succeeded_at"] == first["succeeded_at"] == first["finished_at"]
    assert site.run("--run", "1", command="export")[0] == 0
    assert site.last()["succeeded_at"] > first["succeeded_at"] == site.last()["full_succeeded_at"]
    assert site.run(command="export", EXPORTER_DATABASE_URL=UNREACHABLE)[0] == 1
    assert site.last()["exit_code"] == 1 and site.last()["succeeded_at"] > first["succeeded_at"]


def test_the_hook_does_not_load_the_database_library() -> None:
    code = "import sys, exporter.cli, exporter.hook; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- the rules of the worker


class Exports:
    """Exports that only note what they were asked for; `step` is what happens meanwhile."""

    def __init__(self, step: Callable[[int], None] = lambda _: None) -> None:
        self.done: list[tuple[int, ...] | None] = []
        self._step = step

    def __call__(self, runs: tuple[int, ...] | None) -> int:
        self.done.append(runs)
        try:
            self._step(len(self.done))
        except Exception as error:
            return exit_codes.report(error)
        return 0


@pytest.fixture
def requests(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Requests:
    """Of which none is waited for."""
    monkeypatch.setattr(queue, "SETTLE", 0)
    return Requests(tmp_path / "spool")


@pytest.fixture
def lock(requests: Requests) -> Iterator[Lock]:
    requests.spool.mkdir(exist_ok=True)
    with contextlib.closing(Lock.of(requests.spool)) as lock:
        yield lock


def test_requests_are_merged_and_what_comes_meanwhile_is_next(requests: Requests, lock: Lock) -> None:
    exports = Exports(lambda number: number == 1 and requests.record([4]) and None)
    for runs in ([3], [1, 2], [2]):
        requests.record(runs)
    assert queue_worker.work(requests, lock, exports) == 0
    assert exports.done == [(1, 2, 3), (4,)]
    assert not requests.names()


def test_a_burst_is_waited_for_but_not_for_ever(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        requests.record([len(slept)])  # one more each time

    monkeypatch.setattr(queue, "SETTLE", 100)
    monkeypatch.setattr(queue.time, "sleep", sleep)
    requests.settle()
    assert slept == [], "there is none"
    requests.record([1])
    requests.settle()
    assert len(slept) == 5 and all(99 < seconds <= 100 for seconds in slept)


def test_what_is_recorded_after_the_last_look_is_done(
    requests: Requests, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports, release, late = Exports(), Lock.release, [[2], [3]]

    def recording(self: Lock) -> None:
        if late:
            requests.record(late.pop(0))  # its hook finds the lock taken
        release(self)

    monkeypatch.setattr(Lock, "release", recording)
    requests.record([1])
    assert queue_worker.work(requests, lock, exports) == 0
    assert exports.done == [(1,), (2,), (3,)]


def test_a_failure_is_not_repeated_unless_something_new_came(requests: Requests, lock: Lock) -> None:
    def fail(number: int) -> None:
        if number == 1:
            requests.record([2])
        raise SourceError("the database is away")

    exports = Exports(fail)
    requests.record([1])
    assert queue_worker.work(requests, lock, exports) == 1
    assert exports.done == [(1,), (1, 2)]
    assert len(requests.names()) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), OSError(28, "full")], ids=repr)
def test_whatever_fails_the_requests_stay(requests: Requests, lock: Lock, error: BaseException) -> None:
    def fail(_: int) -> None:
        raise error

    requests.record([1])
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            queue_worker.work(requests, lock, Exports(fail))
    else:
        assert queue_worker.work(requests, lock, Exports(fail)) == 1
    assert len(requests.names()) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), OSError(28, "full")], ids=repr)
def test_whatever_fails_is_noted(tmp_path: pathlib.Path, error: BaseException) -> None:
    with pytest.raises(type(error)), last_export.noted(tmp_path, [1], exit_codes.explain):
        raise error
    last = last_export.read(tmp_path)
    assert last is not None and last.exit_code and last.message


def test_there_is_one_worker(requests: Requests, lock: Lock) -> None:
    assert lock.take()
    requests.record([1])
    exports = Exports()
    with contextlib.closing(Lock.of(requests.spool)) as other:
        assert queue_worker.work(requests, other, exports) == 0
    queue_worker.start_worker(requests.spool, {})
    assert exports.done == [] and not (requests.spool / "hook.log").exists()


def test_a_damaged_request_asks_for_everything(requests: Requests, lock: Lock) -> None:
    requests.record([1])
    (requests.spool / "requests" / "damaged.json").write_bytes(b"{")
    exports = Exports()
    assert queue_worker.work(requests, lock, exports) == 0
    assert exports.done == [None] and not requests.names()


def test_half_written_requests_count_for_nothing_and_go(requests: Requests, lock: Lock) -> None:
    requests.record([1])
    fresh, stale = (requests.spool / "requests" / f".{name}" for name in ("fresh", "stale"))
    for file in (fresh, stale):
        file.write_bytes(b"{")
    os.utime(stale, (0, 0))
    exports = Exports()
    assert queue_worker.work(requests, lock, exports) == 0
    assert exports.done == [(1,)] and fresh.exists() and not stale.exists()


def test_a_request_is_whole_or_not_there(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr(spool.os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        requests.record([1])
    assert list((requests.spool / "requests").iterdir()) == []


def test_wait_takes_what_another_process_has_done(
    requests: Requests, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = frozenset({requests.record([1])})
    assert lock.take()
    monkeypatch.setattr(queue_worker.time, "sleep", lambda _: requests.done(mine))
    exports = Exports()
    assert queue_worker.wait(requests, mine, exports, 60) == 0
    assert exports.done == []


def test_wait_does_what_another_process_could_not(
    requests: Requests, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = frozenset({requests.record([1])})
    assert lock.take()
    monkeypatch.setattr(queue_worker.time, "sleep", lambda _: lock.release())
    exports = Exports()
    assert queue_worker.wait(requests, mine, exports, 60) == 0
    assert exports.done == [(1,)]


def test_wait_tells_of_its_own_request_not_of_later_ones(requests: Requests) -> None:
    def fail(number: int) -> None:
        if number == 1:
            requests.record([2])
        else:
            raise SourceError("the database is away")

    exports = Exports(fail)
    assert queue_worker.wait(requests, frozenset({requests.record([1])}), exports, 60) == 0
    assert exports.done == [(1,), (2,)] and len(requests.names()) == 1


def test_wait_does_not_wait_for_ever(requests: Requests, lock: Lock) -> None:
    mine = frozenset({requests.record([1])})
    assert lock.take()
    with pytest.raises(ExporterError, match="still running"):
        queue_worker.wait(requests, mine, Exports(), 0)
    assert requests.names() == mine


def test_an_outcome_that_cannot_be_noted_harms_nothing(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool").write_text("in the way")
    with last_export.noted(tmp_path / "spool", None, exit_codes.explain):
        pass
    assert "could not be noted" in caplog.text


def test_a_store_has_one_spool_however_it_is_named(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "site")
    spools = {spool.default_spool(name) for name in ("site", "./site/", str(tmp_path / "site"), "link")}
    assert len(spools) == 1 and spools.pop().parent == tmp_path / "state/exporter"
    assert spool.default_spool("gs://bucket") == spool.default_spool("gs://bucket/") != spool.default_spool("site")
    assert spool.existing_spool("site") is None
