"""Real exports to a bucket: killed, two at once, asleep, on a bad network, refused."""

import contextlib
import datetime
import os
import pathlib
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from exporter import pipeline, prune
from exporter.cli import run
from exporter.publish import publisher
from exporter.publish.gcs import GcsStore
from exporter.publish.publisher import Publisher
from exporter.publish.verify import verify
from tests.processes import Commands, commands
from tests.publish import faulty_proxy
from tests.publish.emulator import Emulator, bucket, emulator  # noqa: F401
from tests.publish.faulty_proxy import Fault, Proxy, Refusal
from tests.reader import look
from tests.test_kill import History, history  # noqa: F401

pytestmark = pytest.mark.soak


Tree = dict[str, bytes]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Commands, Commands]]:
    with (
        commands(tmp_path_factory.mktemp("exports")) as one,
        commands(tmp_path_factory.mktemp("exports")) as other,
    ):
        yield one, other


@pytest.fixture
def trees(history: History) -> list[Tree]:  # noqa: F811
    """What readers find after an undisturbed export of each state."""
    return [{path: data for path, data in files.items() if path.startswith("v1/")} for files in history.files]


@pytest.fixture
def store(bucket: str) -> GcsStore:  # noqa: F811
    return GcsStore(bucket, "api", grace=0)


@pytest.fixture
def front(emulator: Emulator) -> Iterator[Callable[..., Proxy]]:  # noqa: F811
    """Starts faulty proxies before the emulator."""
    with contextlib.ExitStack() as stack:
        yield lambda plan, stall=0.3: stack.enter_context(faulty_proxy.running(emulator.url, plan, stall))


def objects(store: GcsStore) -> Tree:
    """All that the bucket holds."""
    with ThreadPoolExecutor(8) as threads:
        paths = [entry.path for entry in store.list("")]
        return {path: found.data for path, found in zip(paths, threads.map(store.get, paths), strict=True) if found}


def published(store: GcsStore) -> Tree:
    """What readers can know, without the manifest's time."""
    found = {path: data for path, data in objects(store).items() if path.startswith("v1/")}
    manifest = orjson.loads(found["v1/manifest.json"]) | {"generated_at": None}
    return found | {"v1/manifest.json": orjson.dumps(manifest)}


def begin(exports: Commands, url: str, store: GcsStore, *, at: str, workers: int = 0) -> None:
    """Begin an export to the store as it is reached at a URL."""
    arguments = ["--workers", workers, "--grace", f"{store.grace}s", "--log-level", "error"]
    place = {"STORAGE_EMULATOR_HOST": at}
    exports.begin("export", "--database-url", url, "--store", store.name, *arguments, environment=place)


def export(exports: Commands, url: str, store: GcsStore, *, at: str, workers: int = 0) -> None:
    begin(exports, url, store, at=at, workers=workers)
    assert exports.exit_code() == 0, exports.stderr.read_text()


class Strike:
    """A plan that lets everything go well, and sends the export a signal when it has made so many requests."""

    def __init__(self, exports: Commands) -> None:
        self.exports, self.seen, self.at = exports, 0, 0
        self.signal = signal.SIGKILL
        self.ready = False

    def __call__(self, line: str) -> Fault | None:
        self.seen += 1
        if self.seen == self.at:
            while not self.ready:  # its number is not known yet
                time.sleep(0.001)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.exports.process, self.signal)
        return None

    def begin(self, number: int, url: str, store: GcsStore, at: str, workers: int = 0) -> None:
        """Begin an export that is struck at a request, from 1."""
        self.seen, self.at, self.ready = 0, number, False
        begin(self.exports, url, store, at=at, workers=workers)
        self.ready = True


def quiet(proxy: Proxy, exports: Commands) -> None:
    """Wait until nothing of a dead export is on its way any more."""
    until = time.monotonic() + 10
    while proxy.asking or exports.orphans():
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.05)


@pytest.mark.parametrize(
    ("workers", "kills"),
    [(0, 4), pytest.param(0, 85, marks=pytest.mark.soak), pytest.param(2, 15, marks=pytest.mark.soak)],
)
def test_a_killed_export_leaves_a_whole_bucket_and_the_next_one_completes_it(
    exports: tuple[Commands, Commands],
    history: History,  # noqa: F811
    trees: list[Tree],
    store: GcsStore,
    emulator: Emulator,  # noqa: F811
    front: Callable[..., Proxy],
    workers: int,
    kills: int,
) -> None:
    strike = Strike(exports[0])
    proxy = front(strike)
    export(exports[1], history.urls[0], store, at=emulator.url)
    assert published(store) == trees[0]
    requests = []
    for state in (1, 0):
        strike.begin(0, history.urls[state], store, proxy.url, workers)
        assert exports[0].exit_code() == 0
        assert published(store) == trees[state]
        requests.append(strike.seen)
    chance = random.Random(workers)
    here, died = 0, 0
    for number in range(kills):
        there = 1 - here
        moment = 1 + int((number + chance.random()) / kills * requests[here])
        strike.begin(moment, history.urls[there], store, proxy.url, workers)
        died += exports[0].exit_code() == -signal.SIGKILL
        quiet(proxy, exports[0])
        look(objects(store))
        # Now and then the rows are again as they were.
        here = there if chance.random() < 0.75 else here
        export(exports[1], history.urls[here], store, at=emulator.url)
        assert published(store) == trees[here], f"after a death at request {moment}"
    assert died >= kills * 0.75
    assert not verify(store).problems and not verify(store, content=True).problems
    assert not list(prune.strays(store))


@pytest.mark.parametrize("rounds", [3, pytest.param(40, marks=pytest.mark.soak)])
def test_two_exports_at_once_end_right(
    exports: tuple[Commands, Commands],
    history: History,  # noqa: F811
    trees: list[Tree],
    store: GcsStore,
    front: Callable[..., Proxy],
    rounds: int,
) -> None:
    chance = random.Random(rounds)
    slow = front(faulty_proxy.some(0.2, ("stall",), seed=1), 0.05)
    met = set()
    for number in range(rounds):
        states = (0, 1) if number % 4 else (number // 4 % 2,) * 2  # now and then both have the same rows
        for one, state in zip(exports, states, strict=True):
            begin(one, history.urls[state], store, at=slow.url)
            time.sleep(chance.random())
        for one in exports:
            assert one.exit_code() == 0, one.stderr.read_text()
        found = published(store)
        assert found in [trees[state] for state in states], f"in round {number}"
        met.add(trees.index(found))
        assert not verify(store).problems
    assert met == {0, 1} or rounds < 10


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.soak)])
def test_an_export_that_sleeps_while_another_takes_over_changes_nothing_of_its_work(
    exports: tuple[Commands, Commands],
    history: History,  # noqa: F811
    trees: list[Tree],
    store: GcsStore,
    emulator: Emulator,  # noqa: F811
    front: Callable[..., Proxy],
    monkeypatch: pytest.MonkeyPatch,
    rounds: int,
) -> None:
    """By a clock that is ahead of the sleeper's: the lease is no lock, and clocks may disagree."""
    now = publisher.now
    store.grace = 3600  # deletions have no precondition, but wait for so long
    strike = Strike(exports[0])
    proxy = front(strike)
    chance = random.Random(rounds)
    export(exports[1], history.urls[0], store, at=emulator.url)
    strike.begin(0, history.urls[1], store, proxy.url)
    assert exports[0].exit_code() == 0
    requests = strike.seen
    strike.signal = signal.SIGSTOP
    for _ in range(rounds):
        strike.begin(chance.randrange(3, requests), history.urls[0], store, proxy.url)
        while strike.seen < strike.at and not exports[0].ended(0.01):
            pass
        if exports[0].ended(0.1):  # it needed fewer requests than the one that was measured
            assert exports[0].exit_code() == 0
            export(exports[1], history.urls[1], store, at=emulator.url)
            continue
        with monkeypatch.context() as patch:
            patch.setattr(publisher, "now", lambda: now() + datetime.timedelta(minutes=11))
            pipeline.export(pipeline.Settings(history.urls[1], store, 0))
        os.kill(exports[0].process, signal.SIGCONT)
        # It begins again from what the other published, and has other rows.
        assert exports[0].exit_code() == 0, exports[0].stderr.read_text()
        assert trees[0].items() <= published(store).items() and not verify(store, content=True).problems
        export(exports[1], history.urls[1], store, at=emulator.url)
        assert trees[1].items() <= published(store).items() and not verify(store, content=True).problems


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.soak)])
def test_a_tenth_of_all_requests_failing_changes_nothing(
    exports: tuple[Commands, Commands],
    history: History,  # noqa: F811
    trees: list[Tree],
    store: GcsStore,
    front: Callable[..., Proxy],
    workers: int,
) -> None:
    proxy = front(faulty_proxy.some(0.1, seed=7))
    for state in (0, 1):
        export(exports[0], history.urls[state], store, at=proxy.url, workers=workers)
        assert published(store) == trees[state]
    assert set(proxy.made) == set(faulty_proxy.ALL)


@pytest.mark.soak
def test_requests_that_stall_for_half_a_minute_change_nothing(
    exports: tuple[Commands, Commands],
    history: History,  # noqa: F811
    trees: list[Tree],
    store: GcsStore,
    front: Callable[..., Proxy],
) -> None:
    proxy = front(faulty_proxy.script("stall", "stall", None, "stall", only="POST"), 30)
    export(exports[0], history.urls[0], store, at=proxy.url)
    assert published(store) == trees[0]
    assert proxy.made["stall"] == 3


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (Refusal(401, "authError", "Invalid Credentials"), "credentials have expired"),
        (Refusal(403, "forbidden", "x@y does not have storage.objects.create access"), "permission denied"),
        (Refusal(403, "quotaExceeded", "Quota exceeded"), "a quota is used up"),
        (Refusal(404, "notFound", "The specified bucket does not exist."), "no such bucket"),
    ],
    ids=["expired", "forbidden", "quota", "no bucket"],
)
@pytest.mark.parametrize("part", [0.5, pytest.param(0.0, marks=pytest.mark.soak)])
def test_a_refusal_is_one_line_and_leaves_what_was_published(
    exports: tuple[Commands, Commands],
    history: History,  # noqa: F811
    trees: list[Tree],
    store: GcsStore,
    emulator: Emulator,  # noqa: F811
    front: Callable[..., Proxy],
    refusal: Refusal,
    message: str,
    part: float,
) -> None:
    export(exports[0], history.urls[0], store, at=emulator.url)
    before = objects(store)
    uploads = iter(range(int(part * len(trees[1]))))
    proxy = front(lambda line: refusal if line.startswith("POST") and next(uploads, None) is None else None)
    begin(exports[0], history.urls[1], store, at=proxy.url)
    assert exports[0].exit_code() == 1
    (line,) = exports[0].stderr.read_text().splitlines()
    assert message in line and store.name in line
    after = objects(store)
    look(after)
    assert after["v1/manifest.json"] == before["v1/manifest.json"]
    assert part or after == before
    export(exports[0], history.urls[1], store, at=emulator.url)
    assert published(store) == trees[1]


def test_what_is_there_is_not_written_again(
    exports: tuple[Commands, Commands],
    history: History,  # noqa: F811
    trees: list[Tree],
    store: GcsStore,
    front: Callable[..., Proxy],
) -> None:
    """After a death in the first export, when no manifest tells what is there, either."""
    strike = Strike(exports[0])
    proxy = front(strike)
    strike.begin(len(trees[0]) // 2, history.urls[0], store, proxy.url)
    assert exports[0].exit_code() == -signal.SIGKILL
    quiet(proxy, exports[0])
    there = sum(1 for _ in store.list("v1/"))
    proxy.lines.clear()
    export(exports[0], history.urls[0], store, at=proxy.url)
    written = sum(line.startswith("POST") for line in proxy.lines)
    assert there > 50 and written < len(trees[0]) - there + 20
    assert published(store) == trees[0]


def test_commands_on_a_bucket(
    history: History,  # noqa: F811
    store: GcsStore,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for url in history.urls:
        assert run(["export", "--database-url", url, "--store", store.name, "--workers", "0"]) == 0
    kept = {entry.path for entry in store.list("v1/")} - history.files[1].keys()
    assert kept, "for a day"
    for arguments in (["verify"], ["verify", "--content"], ["status"], ["prune"]):
        assert run([*arguments, store.name]) == 0
    out, err = capsys.readouterr()
    assert "links not looked at" in out and "all is well" in out and "0 objects of 0 bytes" in err

    store.write([("v1/runs/7.json", b"stray"), ("_state/partitions/0-0.json", b"{}"), ("other.txt", b"not ours")])
    assert run(["verify", store.name]) == 1
    assert run(["prune", store.name]) == 0
    out, err = capsys.readouterr()
    assert "v1/runs/7.json: no manifest names it" in out and "\n_state/partitions/0-0.json\n" in out
    assert store.get("v1/runs/7.json") is not None
    assert run(["prune", store.name, "--yes"]) == 0
    assert "2 objects deleted" in capsys.readouterr().err
    assert store.get("v1/runs/7.json") is None and store.get("other.txt") is not None
    assert kept <= {entry.path for entry in store.list("v1/")}

    assert run(["prune", store.name, "--yes", "--grace", "0s"]) == 0
    assert not kept & {entry.path for entry in store.list("v1/")}
    store.delete(["other.txt"])
    assert run(["export", "--database-url", history.urls[1], "--store", store.name, "--workers", "0"]) == 0
    assert not verify(store, content=True).problems


@pytest.mark.parametrize("damage", ["missing", "changed", "foreign"])
def test_verify_sees_by_the_listing_what_is_wrong(history: History, store: GcsStore, damage: str) -> None:  # noqa: F811
    pipeline.export(pipeline.Settings(history.urls[0], store, 0))
    path = next(entry.path for entry in store.list("v1/samples/") if entry.path.endswith("1.json"))
    match damage:
        case "missing":
            store.delete([path])
        case "changed":
            store.write([(path, b"{}")])
        case "foreign":  # without our metadata
            store._link().bucket.blob(f"api/{path}").upload_from_string(b"{}")
    (problem,) = verify(store).problems
    assert problem.startswith(path.removeprefix("v1/"))
    assert any(one.startswith(path.removeprefix("v1/")) for one in verify(store, content=True).problems)


def test_nothing_is_pruned_while_an_export_publishes(
    history: History,  # noqa: F811
    store: GcsStore,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipeline.export(pipeline.Settings(history.urls[0], store, 0))
    store.write([("v1/runs/7.json", b"stray")])
    with Publisher(store, owner="another.machine").alone():
        assert run(["prune", store.name, "--yes"]) == 1
        assert "an export is publishing" in capsys.readouterr().err
    assert run(["prune", store.name, "--yes"]) == 0
