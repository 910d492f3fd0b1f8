"""Real exports to a bucket: killed, three at once, asleep, on a bad network, refused."""

import contextlib
import datetime
import gzip
import http.client
import os
import pathlib
import random
import signal
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson
import pytest

from exporter.cli.main import run
from exporter.export import pipeline
from exporter.publish import prune, publisher
from exporter.publish.gcs.bucket_store import GcsStore
from exporter.publish.publisher import Publisher
from exporter.publish.verify import verify
from exporter.state import state_file
from tests.export.test_kill import History, history  # noqa: F401
from tests.support import faulty_proxy
from tests.support.emulator import Emulator, bucket, emulator  # noqa: F401
from tests.support.faulty_proxy import Fault, Proxy, Refusal
from tests.support.processes import Commands, commands
from tests.support.reader import look

pytestmark = pytest.mark.soak

Tree = dict[str, bytes]


@dataclass
class Scene:
    """A bucket, and a platform in two states that is exported to it by three processes: the first unless said.

    `trees` is what readers find after an undisturbed export of each state.
    """

    url: str
    store: GcsStore
    databases: tuple[str, str]
    trees: tuple[Tree, Tree]
    exports: tuple[Commands, ...]

    def begin(self, state: int, *, by: int = 0, at: str | None = None, workers: int = 0) -> Commands:
        """Begin an export of a state; at another URL than the emulator's where faults are wanted."""
        options = ["--workers", workers, "--grace", f"{self.store.grace}s", "--max-writes-per-second", 100_000]
        self.exports[by].begin(
            *("export", "--database-url", self.databases[state], "--store", self.store.name, "--log-level", "error"),
            *options,
            "--allow-shrink",
            environment={"STORAGE_EMULATOR_HOST": at or self.url},
        )
        return self.exports[by]

    def export(self, state: int, *, by: int = 0, at: str | None = None, workers: int = 0) -> None:
        """Export a state; see that nothing goes wrong."""
        export = self.begin(state, by=by, at=at, workers=workers)
        assert export.exit_code() == 0, export.stderr.read_text()

    def export_here(self, state: int) -> None:
        """Export a state in this very process."""
        pipeline.export(pipeline.Settings(self.databases[state], self.store, 0, allow_shrink=True))

    def objects(self) -> Tree:
        """All that the bucket holds, read as readers do."""
        found = {}
        with contextlib.closing(http.client.HTTPConnection(self.url.removeprefix("http://"))) as connection:
            for entry in self.store.list(""):
                name = urllib.parse.quote(f"/{self.store.bucket}/{self.store.prefix}/{entry.path}")
                connection.request("GET", name, headers={"Accept-Encoding": "gzip"})
                reply = connection.getresponse()
                body = reply.read()
                assert reply.status == 200, name
                found[entry.path] = gzip.decompress(body) if reply.headers["Content-Encoding"] == "gzip" else body
        return found

    def published(self) -> Tree:
        """What readers can know, without the manifest's time."""
        found = {path: data for path, data in self.objects().items() if path.startswith("v1/")}
        manifest = orjson.loads(found["v1/manifest.json"]) | {"generated_at": None}
        return found | {"v1/manifest.json": orjson.dumps(manifest)}

    def holds(self, state: int) -> bool:
        """Whether readers find a state, with or without what is kept for the grace period."""
        return self.trees[state].items() <= self.published().items()

    def snapshot(self) -> str:
        """What the manifest says is published."""
        found = self.store.get("v1/manifest.json")
        return str(found and orjson.loads(found.data)["snapshot"])


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Commands, ...]]:
    with contextlib.ExitStack() as stack:
        yield tuple(stack.enter_context(commands(tmp_path_factory.mktemp("exports"))) for _ in range(3))


@pytest.fixture
def scene(
    exports: tuple[Commands, ...],
    history: History,  # noqa: F811
    emulator: Emulator,  # noqa: F811
    bucket: str,  # noqa: F811
) -> Scene:
    one, other = ({path: data for path, data in files.items() if path.startswith("v1/")} for files in history.files)
    return Scene(emulator.url, GcsStore(bucket, "api", grace=0), history.urls, (one, other), exports)


@pytest.fixture
def front(emulator: Emulator) -> Iterator[Callable[..., Proxy]]:  # noqa: F811
    """Starts faulty proxies before the emulator."""
    with contextlib.ExitStack() as stack:
        yield lambda plan, stall=0.3: stack.enter_context(faulty_proxy.running(emulator.url, plan, stall))


class Strike:
    """A plan that lets everything go well, and sends an export a signal when it has made so many requests."""

    def __init__(self, scene: Scene, front: Callable[..., Proxy], signal_: int = signal.SIGKILL) -> None:
        self._scene, self._signal = scene, signal_
        self._begun = threading.Event()
        self.seen, self._at = 0, 0
        self.struck, self.woken = threading.Event(), threading.Event()
        self.proxy = front(self)

    def __call__(self, line: str) -> Fault | None:
        self.seen += 1
        if self.woken.is_set() and not line.startswith(("POST /upload/", "DELETE ")):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._scene.exports[0].process, signal.SIGKILL)
        if self.seen == self._at:
            self._begun.wait()  # before that its number is not known
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._scene.exports[0].process, self._signal)
            self.struck.set()
        return None

    def begin(self, number: int, state: int, workers: int = 0) -> Commands:
        """Begin an export that is struck at a request, from 1."""
        self.seen, self._at = 0, number
        self._begun.clear()
        self.struck.clear()
        self.woken.clear()
        export = self._scene.begin(state, at=self.proxy.url, workers=workers)
        self._begun.set()
        return export

    def count(self, state: int, workers: int = 0) -> int:
        """Export a state undisturbed; give the number of requests that takes."""
        assert self.begin(0, state, workers).exit_code() == 0
        return self.seen

    def kill(self, number: int, state: int, workers: int = 0) -> bool:
        """Export a state and kill that at a request; whether it died, and nothing of it is on its way any more."""
        export = self.begin(number, state, workers)
        died = export.exit_code() == -signal.SIGKILL
        until = time.monotonic() + 10
        while self.proxy.connections or export.orphans():
            assert time.monotonic() < until
            time.sleep(0.005)
        return died


ONE_PARTITION = 1, 2
"""Distances of runs with which one partition holds all: then all documents are written after one look."""


@pytest.mark.parametrize(
    ("workers", "kills", "history"),
    [(0, 80, (9, 12)), (2, 20, (9, 12)), (0, 60, ONE_PARTITION)],
    indirect=["history"],
)
def test_a_killed_export_leaves_a_whole_bucket_and_the_next_one_completes_it(
    scene: Scene, front: Callable[..., Proxy], workers: int, kills: int
) -> None:
    """At requests that lie evenly over the whole export, but for some chance; a hundred deaths in all."""
    strike = Strike(scene, front)
    scene.export(0, by=1)
    assert scene.published() == scene.trees[0]
    requests = [strike.count(1, workers), strike.count(0, workers)]
    chance = random.Random(workers)
    here, died, tries = 0, 0, 0
    while died < kills:
        there = 1 - here
        moment = 1 + int((tries % kills + chance.random()) / kills * requests[here])
        died += strike.kill(moment, there, workers)
        tries += 1
        look(scene.objects())
        # Now and then the rows are again as they were.
        here = there if chance.random() < 0.75 else here
        scene.export(here, by=1)
        assert scene.published() == scene.trees[here], f"after a death at request {moment}"
    assert tries <= kills * 1.1
    assert not verify(scene.store).problems and not verify(scene.store, content=True).problems
    assert not list(prune.strays(scene.store, state_file.named_files))


@pytest.mark.parametrize("number_of_exports", [2, 3])
def test_exports_at_once_end_right(scene: Scene, front: Callable[..., Proxy], number_of_exports: int) -> None:
    rounds = 40
    chance = random.Random(rounds)
    slow = front(faulty_proxy.some(0.2, ("stall",), seed=1), 0.05)
    met = set()
    for number in range(rounds):
        states = (0, 1, number % 2) if number % 4 else (number // 4 % 2,) * 3  # now and then all have the same rows
        states = states[:number_of_exports]
        for by, state in enumerate(states):
            scene.begin(state, by=by, at=slow.url)
            time.sleep(chance.random() / 2)
        for one in scene.exports[:number_of_exports]:
            assert one.exit_code() == 0, one.stderr.read_text()
        found = scene.published()
        assert found in [scene.trees[state] for state in states], f"in round {number}"
        met.add(scene.trees.index(found))
        assert not verify(scene.store).problems
    assert met == {0, 1}


@pytest.mark.parametrize(("grace", "dies"), [(0, False), (3600, True)])
@pytest.mark.parametrize("history", [(9, 12), ONE_PARTITION], indirect=True)
def test_an_export_that_sleeps_while_another_takes_over_changes_nothing_of_its_work(
    scene: Scene, front: Callable[..., Proxy], monkeypatch: pytest.MonkeyPatch, grace: int, dies: bool
) -> None:
    """By a clock that is ahead of the sleeper's: the lease is no lock, and clocks may disagree.

    `dies`: after the writes that it was about to do, so that it mends nothing.
    """
    rounds = 20
    now = publisher.now
    scene.store.grace = grace
    strike = Strike(scene, front, signal.SIGSTOP)
    chance = random.Random(rounds)
    for state in (0, 1):  # later exports find there what this one leaves for the grace period
        scene.export(state)
    requests = strike.count(0)
    wanted = scene.snapshot()
    scene.export(1)
    slept = 0
    for number in range(rounds):
        sleeper = strike.begin(3 + int((number + chance.random()) / rounds * (requests - 3)), 0)
        while not strike.struck.wait(0.01) and not sleeper.ended(0):
            pass
        if sleeper.ended(0):  # it needed fewer requests than the one that was measured
            assert sleeper.exit_code() == 0
        else:
            slept += 1
            left = scene.snapshot()
            with monkeypatch.context() as patch:
                patch.setattr(publisher, "now", lambda: now() + datetime.timedelta(minutes=11))
                scene.export_here(1)
            if dies:
                strike.woken.set()
            os.kill(sleeper.process, signal.SIGCONT)
            # Who was stopped at the last request ends with it.
            assert sleeper.exit_code() in ((0, -signal.SIGKILL) if dies else (0,)), sleeper.stderr.read_text()
            # It begins again from what the other published, and has other rows; but after the flip its work was done.
            assert (not dies and scene.holds(0)) or ((dies or left == wanted) and scene.holds(1)), f"in round {number}"
            assert not verify(scene.store, content=True).problems
        scene.export(1, by=1)
        assert scene.holds(1)
        assert not verify(scene.store, content=True).problems
    assert slept >= rounds * 0.9


@pytest.mark.parametrize("workers", [0, 2])
def test_a_tenth_of_all_requests_failing_changes_nothing(
    scene: Scene, front: Callable[..., Proxy], workers: int
) -> None:
    proxy = front(faulty_proxy.some(0.1, seed=7))
    for state in (0, 1):
        scene.export(state, at=proxy.url, workers=workers)
        assert scene.published() == scene.trees[state]
    assert set(proxy.made) == set(faulty_proxy.ALL)


def test_requests_that_stall_for_half_a_minute_change_nothing(scene: Scene, front: Callable[..., Proxy]) -> None:
    """A first one alone, whatever it is for, and documents among others."""
    proxy = front(faulty_proxy.script("stall", *[None] * 50, *["stall"] * 10, only="POST"), 30)
    scene.export(0, at=proxy.url)
    assert scene.published() == scene.trees[0]
    assert proxy.made["stall"] == 11


@pytest.mark.parametrize("part", [0.0, 0.5])
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
def test_a_refusal_is_one_line_and_leaves_what_was_published(
    scene: Scene, front: Callable[..., Proxy], refusal: Refusal, message: str, part: float
) -> None:
    """Of all uploads, or from the middle of the export on."""
    scene.export(0)
    before = scene.objects()
    uploads = iter(range(int(part * len(scene.trees[1]))))

    def plan(line: str) -> Refusal | None:
        return refusal if line.startswith("POST") and next(uploads, None) is None else None

    refused = scene.begin(1, at=front(plan).url)
    assert refused.exit_code() == 1
    (line,) = refused.stderr.read_text().splitlines()
    assert message in line and scene.store.name in line
    after = scene.objects()
    look(after)
    assert after["v1/manifest.json"] == before["v1/manifest.json"]
    assert part or after == before
    scene.export(1)
    assert scene.published() == scene.trees[1]


def test_what_is_there_is_not_written_again(scene: Scene, front: Callable[..., Proxy]) -> None:
    """After a death in the first export, when no manifest tells what is there, either."""
    strike = Strike(scene, front)
    assert strike.kill(len(scene.trees[0]) // 2, 0)
    there = sum(1 for _ in scene.store.list("v1/"))
    strike.proxy.lines.clear()
    scene.export(0, at=strike.proxy.url)
    written = sum(line.startswith("POST") for line in strike.proxy.lines)
    remembered = sum(1 for _ in scene.store.list("_state/"))
    manifests = sum(1 for _ in scene.store.list("v1/manifests/"))  # sent without a look, and refused
    assert there > 50 and written < len(scene.trees[0]) - there + remembered + manifests + 20
    assert scene.published() == scene.trees[0]


def test_commands_on_a_bucket(
    scene: Scene,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = scene.store
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for url in scene.databases:
        assert run(["export", "--database-url", url, "--store", store.name, "--workers", "0", "--allow-shrink"]) == 0
    kept = {entry.path for entry in store.list("v1/")} - scene.trees[1].keys()
    assert kept, "for a day"
    for arguments in (["verify"], ["verify", "--content"], ["status"], ["prune"]):
        assert run([*arguments, store.name]) == 0
    out, err = capsys.readouterr()
    assert "links not checked" in out and "all is well" in out and "nothing to delete" in err

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
    assert run(["export", "--database-url", scene.databases[1], "--store", store.name, "--workers", "0"]) == 0
    assert not verify(store, content=True).problems


@pytest.mark.parametrize("damage", ["missing", "changed", "foreign"])
def test_verify_sees_by_the_listing_what_is_wrong(scene: Scene, damage: str) -> None:
    store = scene.store
    scene.export_here(0)
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
    scene: Scene,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = scene.store
    scene.export_here(0)
    store.write([("v1/runs/7.json", b"stray")])
    with Publisher(store, owner="another.machine").alone():
        assert run(["prune", store.name, "--yes"]) == 1
        assert "an export is publishing" in capsys.readouterr().err
    assert run(["prune", store.name, "--yes"]) == 0
