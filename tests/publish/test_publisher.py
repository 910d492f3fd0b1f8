"""Publication: what a reader can see at every moment, and after every death."""

import contextlib
import datetime
import itertools
import pathlib
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from exporter.errors import ConflictError, StoreError
from exporter.export import pipeline
from exporter.publish import prune, publisher
from exporter.publish.deletions import Deletions
from exporter.publish.manifest import Pending
from exporter.publish.publisher import Publisher
from exporter.publish.store import Stored
from exporter.publish.verify import verify
from exporter.state.state_file import named_files
from tests.support.memory_store import DistantMemoryStore, Fault, MemoryStore, expire, published
from tests.support.platform import HASH, Platform, files
from tests.support.reader import look


class Death(BaseException):
    """A SIGKILL, as far as one process can tell."""


@pytest.fixture
def history(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> list[str]:
    """Three states of one platform: as first exported, with new and changed and deleted rows, and some more.

    A parameter is the id of the newest run: by default it is of another partition than the rest.
    """
    far = getattr(request, "param", 201)
    urls = []
    for state in range(3):
        platform = Platform(f"sqlite:///{tmp_path}/{state}.sqlite")
        platform.insert("sample", id=1, sha=HASH["a"], extension="ts", original_name=f"name {state // 2}")
        platform.insert("regression_test", id=1, sample_id=1, command="--out=srt", expected_rc=0, active=1)
        runs = {0: (1, 99), 1: (1, 2, far), 2: (2, far)}[state]
        for run in runs:
            branch = "a" if run % 2 else f"b{state}"
            platform.run(run, "testing", "completed", results={1: run % 2}, branch=branch)
            files(platform, run, {10: HASH["e"] if state else None})
        urls.append(platform.url)
    return urls


def _export(url: str, store: Any) -> pipeline.Report:
    return pipeline.export(pipeline.Settings(url, store, 0))


def _undisturbed(url: str) -> dict[str, bytes]:
    store = MemoryStore()
    _export(url, store)
    return published(store)


def _look(store: MemoryStore) -> None:
    """Look at all that a store holds."""
    look({path: stored.data for path, stored in store.objects.items()})


@pytest.mark.parametrize(
    ("kind", "history"), [(MemoryStore, 201), (DistantMemoryStore, 3)], indirect=["history"], ids=["near", "distant"]
)
def test_a_reader_finds_everything_whole_at_every_moment(history: list[str], kind: type[MemoryStore]) -> None:
    store = kind()
    store.watch = lambda *_: _look(store)
    for url in history:
        _export(url, store)
        assert published(store) == _undisturbed(url)
        assert not verify(store).problems


@pytest.mark.parametrize(
    ("kind", "history"), [(MemoryStore, 201), (DistantMemoryStore, 3)], indirect=["history"], ids=["near", "distant"]
)
@pytest.mark.parametrize("first", [None, 0], ids=["nothing published", "published before"])
def test_a_death_at_any_moment_leaves_a_whole_tree_and_the_next_export_completes_it(
    history: list[str], first: int | None, kind: type[MemoryStore]
) -> None:
    wanted = {url: _undisturbed(url) for url in history[1:]}

    def published_before() -> MemoryStore:
        store = kind()
        if first is not None:
            _export(history[first], store)
        store.effects.clear()
        return store

    probe = published_before()
    _export(history[1], probe)
    moments = len(probe.effects)
    assert moments > 20
    for moment in range(1, moments, 1 if first is not None else 3):
        store = published_before()
        store.watch = lambda *_, store=store, moment=moment: _die_at(store, moment)  # type: ignore[misc]
        with pytest.raises(Death):
            _export(history[1], store)
        _look(store)
        expire(store)
        # Looking at everything all the time is slow: at one death in five.
        store.watch = (lambda *_, store=store: _look(store)) if moment % 5 == 0 else None
        url = history[1 + moment % 2]
        _export(url, store)
        assert published(store) == wanted[url], f"after a death at moment {moment}"


def _die_at(store: MemoryStore, moment: int) -> None:
    if len(store.effects) >= moment:  # one that another thread was just about to have comes, too
        raise Death


@pytest.mark.parametrize("kind", ["before", "after", "partial"])
@pytest.mark.parametrize("operation", ["get", "replace", "write", "delete", "list"])
def test_any_call_may_fail_and_the_next_export_completes_it(history: list[str], operation: Any, kind: Any) -> None:
    wanted = _undisturbed(history[1])
    failures = 0
    before = MemoryStore()
    _export(history[0], before)
    for call in range(0, 30, 3):
        faulty = MemoryStore(faults=[Fault(operation, call, kind)], objects=dict(before.objects))
        faulty._versions = itertools.count(1000)
        try:
            _export(history[1], faulty)
        except StoreError:
            failures += 1
        else:
            break
        _look(faulty)
        expire(faulty)
        faulty._plan.clear()
        _export(history[1], faulty)
        assert published(faulty) == wanted
    assert failures


def test_deletions_wait_for_the_grace_period(history: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(monkeypatch)
    store = MemoryStore(grace=3600)
    _export(history[0], store)
    _export(history[1], store)
    assert "v1/runs/99.json" in store.objects and not verify(store).problems
    clock.pass_(datetime.timedelta(minutes=59))
    _export(history[1], store)
    assert "v1/runs/99.json" in store.objects
    clock.pass_(datetime.timedelta(minutes=2))
    _export(history[1], store)
    assert published(store) == _undisturbed(history[1])


def test_what_comes_back_within_the_grace_period_stays(history: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(monkeypatch)
    store = MemoryStore(grace=3600)
    for url in (history[0], history[1], history[0]):
        _export(url, store)
    clock.pass_(datetime.timedelta(hours=2))
    _export(history[0], store)
    assert published(store) == _undisturbed(history[0])


def test_what_two_exports_note_for_deletion_is_not_forgotten() -> None:
    """By one that slept while the other deleted, and now saves what it knew before."""
    store = MemoryStore()
    begun = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    sleeper, other = Deletions.load(store), Deletions.load(store)
    other.add(["v1/theirs.json"], begun)
    other.save()
    for change in (lambda: sleeper.add(["v1/ours.json"], begun), lambda: sleeper.drop(["v1/ours.json"])):
        change()
        with contextlib.suppress(ConflictError):
            sleeper.save()
        assert Deletions.load(store).since == {"v1/theirs.json": "2026-01-01T00:00:00Z"}


def test_a_damaged_list_of_deletions_is_said(history: list[str]) -> None:
    store = MemoryStore(grace=3600)
    for url in history[:2]:
        _export(url, store)
    path = "_state/deletions.json"
    store.objects[path] = type(store.objects[path])(b"[]", "99")
    for call in (lambda: _export(history[2], store), lambda: verify(store)):
        with pytest.raises(StoreError, match=r"deletions\.json is damaged: delete it, export again, and run"):
            call()
    del store.objects[path]
    _export(history[2], store)
    store.grace = 0
    _export(history[2], store)
    assert prune.prune(store, named_files)
    assert published(store) == _undisturbed(history[2])


class _Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        monkeypatch.setattr(publisher, "now", lambda: self.time)

    def pass_(self, time: datetime.timedelta) -> None:
        self.time += time


def test_two_exports_at_once_end_right(history: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    _export(history[0], store)
    meanwhile: list[Callable[[], Any]] = [lambda: _export(history[1], store)]
    read = Publisher.published

    def read_early(self: Publisher) -> Any:
        base = read(self)
        if meanwhile:
            meanwhile.pop()()
        return base

    monkeypatch.setattr(Publisher, "published", read_early)
    _export(history[2], store)
    assert published(store) == _undisturbed(history[2])


@pytest.mark.parametrize(
    ("path", "data", "message"),
    [
        ("_state/layout.json", b'{"layout": 99}', "newer exporter"),
        ("_state/layout.json", b"{", "damaged"),
        ("v1/manifest.json", b'{"api_version": "9.0.0", "partition_size": 100}', "newer exporter"),
        ("v1/manifest.json", b"[]", "damaged"),
        ("v1/pending.json", b"{}", "damaged"),
    ],
)
def test_a_store_that_is_not_ours_to_write_is_refused(history: list[str], path: str, data: bytes, message: str) -> None:
    store = MemoryStore()
    _export(history[0], store)
    store.objects[path] = type(store.objects["v1/manifest.json"])(data, "99")
    before = dict(store.objects)
    with pytest.raises(StoreError, match=message) as caught:
        _export(history[1], store)
    assert store.objects == before and "\n" not in str(caught.value)


def test_without_a_manifest_what_is_whole_is_not_written_again(history: list[str]) -> None:
    store = MemoryStore()
    _export(history[0], store)
    del store.objects["v1/manifest.json"]
    damaged = "v1/runs/1.json"
    store.objects[damaged] = type(store.objects[damaged])(b"damaged", "99")
    store.effects.clear()
    _export(history[0], store)
    assert {path for operation, path in store.effects if operation == "write"} == {damaged}
    assert not verify(store).problems


@pytest.mark.parametrize("damage", ["missing", "changed", "stray", "broken manifest", "stray at the root", "index"])
def test_verify_sees_what_is_wrong(history: list[str], damage: str) -> None:
    store = MemoryStore()
    _export(history[0], store)
    assert not verify(store).problems
    objects = store.objects
    kind = type(objects["v1/runs/1.json"])
    match damage:
        case "missing":
            del objects["v1/runs/1.json"]
        case "changed":
            objects["v1/runs/1.json"] = kind(objects["v1/runs/99.json"].data, "99")
        case "stray":
            objects["v1/runs/5.json"] = objects["v1/runs/1.json"]
        case "stray at the root":
            objects["other.txt"] = objects["v1/runs/1.json"]
        case "index":
            del objects["v1/snapshots.json"]
        case "broken manifest":
            part = next(path for path in objects if path.startswith("v1/manifests/0-"))
            objects[part] = kind(b"{}", "99")
    assert verify(store).problems


INDEX = "v1/snapshots.json"


def test_the_index_of_no_snapshots_is_written_once_before_the_manifest_and_never_looked_at_again(
    history: list[str],
) -> None:
    store = MemoryStore()
    report = _export(history[0], store)
    written = [path for _, path in store.effects]
    assert written.count(INDEX) == 1 and written.index(INDEX) < written.index("v1/manifest.json")
    assert report.written == pipeline.export(pipeline.Settings(history[0], MemoryStore(), 0, dry_run=True)).written
    assert prune.prune(store, named_files) == 0 and INDEX in store.objects
    store.effects.clear()
    store.gets.clear()
    for url in (history[0], history[1]):
        _export(url, store)
    assert INDEX not in {*store.gets, *(path for _, path in store.effects)}


def test_an_index_that_is_there_stays(history: list[str]) -> None:
    store = MemoryStore()
    store.objects[INDEX] = there = Stored(b"of a snapshot", "7")
    _export(history[0], store)
    assert store.objects[INDEX] == there


def test_a_store_of_an_earlier_exporter_gets_the_index_before_its_manifest_links_to_it(history: list[str]) -> None:
    store = MemoryStore()
    _export(history[0], store)
    wanted = published(store)
    earlier = orjson.loads(store.objects["v1/manifest.json"].data)
    del store.objects[f"v1/{earlier['links'].pop('snapshots')}"]
    store.objects["v1/manifest.json"] = Stored(orjson.dumps(earlier), "98")
    # Of an export that died: the next one publishes the manifest again before it begins, with the links that it had.
    pending = Pending("elsewhere.1.2", "2020-01-01T00:00:00Z", (earlier["catalog"]["href"],))
    store.objects["v1/pending.json"] = Stored(pending.encode(), "99")
    store.watch = lambda *_: _look(store)
    _export(history[0], store)
    assert published(store) == wanted and not verify(store).problems


def test_nothing_to_verify(history: list[str]) -> None:
    with pytest.raises(StoreError, match="nothing is published"):
        verify(MemoryStore())
