"""An export that sleeps past its lease, and does what it was about to do when others have published meanwhile.

It falls asleep between the check that its lease is still its own and the writes or deletions that follow, which is
where nothing but their conditions holds it back. It dies when it has done these, so that nobody mends what they did.
"""

import contextlib
import datetime
import itertools
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

import pytest

from exporter.errors import StoreError
from exporter.export import executor
from exporter.publish import prune, publisher
from exporter.publish.gcs.bucket_store import GcsStore
from exporter.publish.published_state import PublishedState
from exporter.publish.publisher import Publisher
from exporter.publish.store import nothing
from exporter.publish.verify import verify
from exporter.state.state_file import named_files
from tests.publish.test_publisher import Death, _export, _undisturbed, history  # noqa: F401
from tests.support import faulty_proxy
from tests.support.emulator import Emulator, bucket, emulator  # noqa: F401
from tests.support.memory_store import Fault, MemoryStore, published


class _Sleepy:
    """What a store does for an export that falls asleep once, after one of its checks.

    `others` is called while it sleeps. `asleep_at`: the number of the check, from 0; `checks`: how many there were. The
    export dies when it does anything that the check does not cover.
    """

    others: Callable[[], None]
    asleep_at, checks, woken = -1, 0, False

    def write(
        self, documents: Iterable[tuple[str, bytes]], check: Callable[[], None] = nothing, anew: Container[str] = ()
    ) -> int:
        return super().write(documents, self._sleeping(check), anew)  # type: ignore[misc,no-any-return]

    def delete(self, paths: Iterable[str], check: Callable[[], None] = nothing) -> int:
        return super().delete(paths, self._sleeping(check))  # type: ignore[misc,no-any-return]

    def get(self, path: str) -> Any:
        self._die()
        return super().get(path)  # type: ignore[misc]

    def replace(self, path: str, data: bytes, version: str) -> Any:
        self._die()
        return super().replace(path, data, version)  # type: ignore[misc]

    def _die(self) -> None:
        if self.woken:
            raise Death

    def _sleeping(self, check: Callable[[], None]) -> Callable[[], None]:
        def check_and_sleep() -> None:
            check()
            self.checks += 1
            if self.checks == self.asleep_at + 1:
                worker = executor._worker  # of which a process has one
                self.others()
                executor._worker = worker
                self.woken = True

        return nothing if check is nothing else check_and_sleep


class _SleepyMemory(_Sleepy, MemoryStore):
    pass


class _SleepyBucket(_Sleepy, GcsStore):
    pass


def _again(store: MemoryStore, kind: type[MemoryStore] = MemoryStore, faults: Sequence[Fault] = ()) -> Any:
    """The same store for another export."""
    other = kind(faults, grace=store.grace, objects=store.objects)
    other._versions = store._versions
    return other


def _copy(store: MemoryStore) -> MemoryStore:
    """Another store with the same objects."""
    other = MemoryStore(grace=store.grace, objects=dict(store.objects))
    other._versions = itertools.count(10_000)
    return other


def _sleep(sleeper: Any, url: str, others: Callable[[], None], moment: int) -> bool:
    """Export while others do something after a check; whether there was such a check."""
    sleeper.asleep_at, sleeper.others = moment, others
    with contextlib.suppress(Death):
        _export(url, sleeper)
    return bool(sleeper.woken)


@pytest.mark.parametrize(
    ("dead", "asleep", "successors"),
    [
        (None, 1, [0]),
        (1, 0, [1]),
        *(
            pytest.param(*states, marks=pytest.mark.soak)
            for states in (
                (None, 1, [2]),
                (None, 1, [2, 0]),
                (None, 2, [1, 0]),
                (1, 2, [1]),
                (1, 2, [0]),
                (2, 1, [2, 0]),
            )
        ),
    ],
)
def test_what_a_sleeper_was_about_to_do_changes_nothing_that_is_published(
    history: list[str],  # noqa: F811
    dead: int | None,
    asleep: int,
    successors: list[int],
) -> None:
    """The state 0 is published. An export that died before the sleeper began has written its documents."""
    wanted = _undisturbed(history[successors[-1]])
    before = MemoryStore()
    _export(history[0], before)
    if dead is not None:
        # The third replacement is the manifest's: the lease and the list of deletions are there.
        with pytest.raises(StoreError, match="as planned"):
            _export(history[dead], _again(before, faults=[Fault("replace", 2, "before")]))
    for moment in itertools.count():
        store = _copy(before)

        def others(store: MemoryStore = store) -> None:
            for state in successors:
                _export(history[state], _again(store))

        if not _sleep(_again(store, _SleepyMemory), history[asleep], others, moment):
            break
        assert wanted.items() <= published(store).items(), f"after check {moment}"
    assert moment > 3


@pytest.mark.parametrize("successors", [[1, 0], pytest.param([0], marks=pytest.mark.soak)])
def test_what_a_sleeper_was_about_to_delete_stays_if_it_is_published_again(
    history: list[str],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    successors: list[int],
) -> None:
    """By the clocks of the others its grace period is not over, so that they find it."""
    times = [datetime.datetime(2026, 1, 1, hour, tzinfo=datetime.UTC) for hour in (0, 2)]
    wanted = _undisturbed(history[0])
    monkeypatch.setattr(publisher, "now", lambda: times[0])
    before = MemoryStore(grace=3600)
    for state in (0, 1):
        _export(history[state], before)
    for moment in itertools.count():
        store = _copy(before)

        def others(store: MemoryStore = store) -> None:
            monkeypatch.setattr(publisher, "now", lambda: times[0])
            for state in successors:
                _export(history[state], _again(store))

        monkeypatch.setattr(publisher, "now", lambda: times[1])
        if not _sleep(_again(store, _SleepyMemory), history[1], others, moment):
            break
        assert wanted.items() <= published(store).items(), f"after check {moment}"
    assert moment >= 1


def test_what_a_sleeping_prune_was_about_to_delete_stays_if_it_is_published(
    history: list[str],  # noqa: F811
) -> None:
    """It notes them before, so that the export that takes its place knows."""
    wanted = _undisturbed(history[0])
    store = MemoryStore(grace=3600)
    _export(history[0], store)
    first = dict(store.objects)
    store.grace = 0
    _export(history[1], store)
    returned = {path: stored for path, stored in first.items() if path.startswith("v1/") and path not in store.objects}
    store.objects |= returned
    store.grace = 3600
    sleeper = _again(store, _SleepyMemory)
    sleeper.asleep_at, sleeper.others = 0, lambda: _export(history[0], _again(store))
    assert prune.prune(sleeper, named_files) < len(returned) and sleeper.woken
    assert wanted.items() <= published(store).items() and len(returned) > 3
    _export(history[1], store)
    _export(history[0], store)
    assert not list(prune.strays(store, named_files))


def test_an_export_begins_again_if_the_list_of_deletions_changes_before_it_takes_anothers_place(
    history: list[str],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, reads, read = MemoryStore(), list[int](), Publisher.published_with_parts
    _export(history[0], store)
    with pytest.raises(StoreError, match="as planned"):
        _export(history[1], _again(store, faults=[Fault("replace", 2, "before")]))

    def read_early(self: Publisher) -> PublishedState:
        found = read(self)
        reads.append(1)
        if len(reads) == 1:
            store.write([("_state/deletions.json", b'{"v1/runs/7.json":"2026-01-01T00:00:00Z"}')])
        return found

    monkeypatch.setattr(Publisher, "published_with_parts", read_early)
    _export(history[1], _again(store))
    assert len(reads) == 2
    assert published(store) == _undisturbed(history[1])


@pytest.mark.soak
@pytest.mark.parametrize("history", [201, 3], indirect=True, ids=["in windows", "at once"])
@pytest.mark.parametrize("successors", [[0], [2, 0]])
def test_a_sleeper_on_a_bucket(
    history: list[str],  # noqa: F811
    emulator: Emulator,  # noqa: F811
    bucket: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    successors: list[int],
) -> None:
    """The proxy refuses deletions of what has changed, as Google does and the emulator does not."""
    wanted = _undisturbed(history[successors[-1]]).items()
    with faulty_proxy.running(emulator.url, lambda _: None) as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        for moment in itertools.count():

            def store(kind: type[GcsStore] = GcsStore, prefix: str = f"api-{moment}") -> GcsStore:
                return kind(bucket, prefix, grace=0, max_writes_per_second=100_000)

            _export(history[0], store())

            def others(store: Callable[[], GcsStore] = store) -> None:
                for state in successors:
                    _export(history[state], store())

            if not _sleep(store(_SleepyBucket), history[1], others, moment):
                break
            found = {path: stored.data for path, _ in wanted if (stored := store().get(path))}
            assert wanted <= (found | {"v1/manifest.json": b""}).items(), f"after check {moment}"
            assert not [one for one in verify(store()).problems if "no manifest names it" not in one]
    assert moment > 1
