"""The rules that hold for every store. A backend inherits them in `test_store.py` and gives the fixture `new_store`."""

import contextlib
import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from exporter.errors import ConflictError, StoreError
from exporter.publish.store import ABSENT, Store

NewStore = Callable[[], Store]

HOSTILE = {
    "empty": "",
    "dot": ".",
    "dots": "..",
    "root": "/",
    "absolute": "/etc/passwd",
    "trailing slash": "v1/",
    "empty segment": "v1//runs.json",
    "dot segment": "v1/./runs.json",
    "leading dot segment": "./v1/runs.json",
    "dots segment": "v1/../../escaped.json",
    "leading dots segment": "../escaped.json",
    "final dot segment": "v1/.",
    "final dots segment": "v1/..",
    "backslash": "v1\\runs.json",
    "backslash dots": "..\\escaped.json",
    "nul": "v1/runs\0.json",
    "newline": "v1/runs\n.json",
    "final newline": "v1/runs.json\n",
    "carriage return": "v1/runs\r.json",
    "escape": "v1/\x1b[2J.json",
    "delete": "v1/\x7f.json",
    "C1 control": "v1/\x9b.json",
    "lone surrogate": "v1/\udcff.json",
    "segment of 256 bytes": "v1/" + "x" * 256,
    "segment of 256 bytes in 128 characters": "v1/" + "é" * 128,
    "folder of 256 bytes": "x" * 256 + "/runs.json",
    "1,025 bytes": "/".join(["x" * 204] * 5) + "x",
}
"""Paths that no store may take."""

PECULIAR = [
    "x",
    "v1/...",
    "v1/.hidden",
    "v1/a..b/..c/d..",
    "v1/ ",
    "v1/ a b ",
    "v1/-rf",
    "v1/~0123456789ab.json",
    "v1/%2e%2e/%00.json",
    "v1/*?[]{}$'\"`;|&<>#.json",
    "v1/ä/e\u0301/\u00e9/\u202e/🙂.json",
    "v1/CON.json",
    "v1/A.json",
    "v1/a.json",
    "v1/runs.json",
    "v1/runs/1.json",
    "v1/" + "x" * 200,
    "v1/" + "é" * 100,
    "/".join(["d"] * 480),
]
"""Paths that every store must take, all at once. None begins with a dot: a folder keeps that for itself."""


def contents(store: Store, prefix: str = "") -> dict[str, bytes]:
    """What the store holds, as it lists and reads it, with sizes checked."""
    found: dict[str, bytes] = {}
    for entry in store.list(prefix):
        stored = store.get(entry.path)
        assert stored is not None
        assert entry.size in (len(stored.data), -1)
        assert entry.path not in found
        found[entry.path] = stored.data
    return found


def version(store: Store, path: str) -> str:
    stored = store.get(path)
    return stored.version if stored else ABSENT


class Rules:
    """What one process sees."""

    effort = 25
    """How often what depends on chance is tried."""

    @pytest.fixture
    def store(self, new_store: NewStore) -> Store:
        return new_store()

    def test_an_empty_store(self, store: Store) -> None:
        assert store.name
        assert store.grace >= 0
        assert store.get("v1/manifest.json") is None
        assert list(store.list("")) == []
        assert store.delete(["v1/manifest.json"]) == 0
        assert store.write([]) == 0
        store.sweep()
        assert list(store.list("")) == []

    def test_what_is_written_is_read(self, store: Store) -> None:
        documents = {
            "empty": b"",
            "v1/a.json": b'{"a":1}',
            "v1/b/c.json": bytes(range(256)) * 40,
            "v1/b/d.json": b"x" * 3_000_000,
        }
        assert store.write(documents.items()) == 4
        assert contents(store) == documents

    def test_write_takes_an_iterator_and_skips_what_is_there(self, store: Store) -> None:
        documents = [(f"v1/runs/{number}.json", b"%d" % (number % 10)) for number in range(40)]
        assert store.write(iter(documents)) == 40
        assert store.write(iter(documents)) == 0
        documents[7] = (documents[7][0], b"8")  # of equal size
        documents[8] = (documents[8][0], b"longer")
        documents.append(("v1/runs/new.json", b"0"))
        assert store.write(documents) == 3
        assert contents(store) == dict(documents)

    def test_what_is_skipped_keeps_its_version(self, store: Store) -> None:
        store.write([("v1/a.json", b"a"), ("v1/b.json", b"b")])
        before = [version(store, path) for path in ("v1/a.json", "v1/b.json")]
        store.write([("v1/a.json", b"a"), ("v1/b.json", b"c")])
        after = [version(store, path) for path in ("v1/a.json", "v1/b.json")]
        assert [a == b for a, b in zip(before, after, strict=True)] == [True, False]

    def test_the_last_of_equal_paths_counts(self, store: Store) -> None:
        store.write([("v1/a.json", b"first"), ("v1/b.json", b"b"), ("v1/a.json", b"last")])
        assert contents(store) == {"v1/a.json": b"last", "v1/b.json": b"b"}

    def test_a_failure_of_the_documents_themselves_is_passed_on(self, store: Store) -> None:
        def documents() -> Iterator[tuple[str, bytes]]:
            yield "v1/a.json", b"a"
            raise LookupError("no more rows")

        store.write([("v1/before.json", b"b")])
        with pytest.raises(LookupError, match="no more rows"):
            store.write(documents())
        assert {"v1/before.json": b"b"}.items() <= contents(store).items()
        assert store.write([("v1/a.json", b"other")]) == 1

    def test_an_invalid_path_stops_a_write(self, store: Store) -> None:
        store.write([("v1/before.json", b"b")])
        with pytest.raises(StoreError):
            store.write([("v1/a.json", b"a"), ("../escaped.json", b"x"), ("v1/c.json", b"c")])
        assert contents(store).items() <= {"v1/before.json": b"b", "v1/a.json": b"a", "v1/c.json": b"c"}.items()

    def test_peculiar_paths(self, store: Store) -> None:
        documents = {path: path.encode() for path in PECULIAR}
        assert store.write(documents.items()) == len(documents)
        assert contents(store) == documents
        for path in PECULIAR:
            assert store.replace(path, b"new", version(store, path)) == version(store, path)
        assert store.delete(PECULIAR) == len(documents)
        assert list(store.list("")) == []

    @pytest.mark.parametrize("path", HOSTILE.values(), ids=HOSTILE)
    def test_hostile_paths(self, store: Store, path: str) -> None:
        for call in (
            lambda: store.get(path),
            lambda: store.replace(path, b"x", ABSENT),
            lambda: store.write([(path, b"x")]),
            lambda: store.delete([path]),
        ):
            with pytest.raises(StoreError) as caught:
                call()
            assert not isinstance(caught.value, ConflictError)
            assert str(caught.value).isprintable()
        assert list(store.list("")) == []

    @pytest.mark.parametrize("prefix", ["/", "../", "v1/../", "v1//", "/v1", "./", "v1/\0"])
    def test_hostile_prefixes_find_nothing(self, store: Store, prefix: str) -> None:
        store.write([("v1/a.json", b"a")])
        with contextlib.suppress(StoreError):
            assert list(store.list(prefix)) == []

    def test_replace_makes_what_is_absent(self, store: Store) -> None:
        made = store.replace("v1/manifest.json", b"1", ABSENT)
        stored = store.get("v1/manifest.json")
        assert stored is not None
        assert (stored.data, stored.version) == (b"1", made)
        assert made != ABSENT

    def test_replace_by_version(self, store: Store) -> None:
        first = store.replace("v1/manifest.json", b"1", ABSENT)
        second = store.replace("v1/manifest.json", b"22", first)
        third = store.replace("v1/manifest.json", b"333", second)
        assert len({first, second, third}) == 3
        for stale in (ABSENT, first, second):
            with pytest.raises(ConflictError) as caught:
                store.replace("v1/manifest.json", b"late", stale)
            assert "\n" not in str(caught.value)
        assert contents(store) == {"v1/manifest.json": b"333"}
        assert version(store, "v1/manifest.json") == third

    def test_replace_by_the_same_bytes(self, store: Store) -> None:
        first = store.replace("v1/manifest.json", b"1", ABSENT)
        with pytest.raises(ConflictError):
            store.replace("v1/manifest.json", b"1", ABSENT)
        again = store.replace("v1/manifest.json", b"1", first)
        assert version(store, "v1/manifest.json") == again
        store.replace("v1/manifest.json", b"2", again)

    def test_replace_of_what_was_deleted_meanwhile(self, store: Store) -> None:
        first = store.replace("v1/pending.json", b"1", ABSENT)
        store.delete(["v1/pending.json"])
        with pytest.raises(ConflictError):
            store.replace("v1/pending.json", b"2", first)
        assert store.get("v1/pending.json") is None
        assert list(store.list("")) == []
        store.replace("v1/pending.json", b"2", ABSENT)

    def test_replace_of_what_was_written_meanwhile(self, store: Store) -> None:
        first = store.replace("v1/pending.json", b"1", ABSENT)
        store.write([("v1/pending.json", b"2")])
        with pytest.raises(ConflictError):
            store.replace("v1/pending.json", b"3", first)
        store.replace("v1/pending.json", b"3", version(store, "v1/pending.json"))
        assert contents(store) == {"v1/pending.json": b"3"}

    def test_delete(self, store: Store) -> None:
        documents = {f"v1/{folder}/{number}.json": b"x" for folder in "abc" for number in range(3)}
        store.write(documents.items())
        assert store.delete(["v1/a/0.json", "v1/a/9.json", "v1/none/0.json", "v1/a"]) == 1
        assert store.delete(f"v1/b/{number}.json" for number in range(3)) == 3
        assert store.delete(["v1/c/1.json", "v1/c/1.json"]) == 1
        assert store.delete([]) == 0
        gone = {"v1/a/0.json", "v1/c/1.json", *(f"v1/b/{number}.json" for number in range(3))}
        assert contents(store) == {path: b"x" for path in documents if path not in gone}
        assert store.write(documents.items()) == 5
        assert contents(store) == documents

    def test_delete_at_a_version(self, store: Store) -> None:
        made = store.replace("v1/pending.json", b"1", ABSENT)
        store.delete_at("v1/pending.json", made)
        assert store.get("v1/pending.json") is None
        store.delete_at("v1/pending.json", made)

    def test_a_check_that_raises_stops_a_write(self, store: Store) -> None:
        store.write([("v1/a.json", b"old")])

        def check() -> None:
            raise ConflictError("taken")

        with pytest.raises(ConflictError, match="taken"):
            store.write([("v1/a.json", b"new"), ("v1/b.json", b"new")], check)
        assert contents(store) == {"v1/a.json": b"old"}

    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("", "abcdefg"),
            ("v", "abcdefg"),
            ("v1", "abcdef"),
            ("v1/", "abcdef"),
            ("v1/manifests/", "cdef"),
            ("v1/manifests/9", "cd"),
            ("v1/manifests/93-", "d"),
            ("v1/manifests", "cdef"),
            ("v1/manifest", "acdef"),
            ("v1/manifest.json", "a"),
            ("v1/manifest.json/", ""),
            ("v1/manifests/9-0.json", "c"),
            ("v1/runs", "b"),
            ("v1/runs/", ""),
            ("v2", "g"),
            ("w", ""),
            ("v1/none/none", ""),
        ],
    )
    def test_list(self, store: Store, prefix: str, expected: str) -> None:
        paths = {
            "a": "v1/manifest.json",
            "b": "v1/runs.json",
            "c": "v1/manifests/9-0.json",
            "d": "v1/manifests/93-0.json",
            "e": "v1/manifests/10-0.json",
            "f": "v1/manifests/deep/9/9.json",
            "g": "v2/manifests/9-0.json",
        }
        store.write((path, key.encode()) for key, path in paths.items())
        found = [(entry.path, entry.size) for entry in store.list(prefix)]
        assert sorted(path for path, _ in found) == sorted(paths[key] for key in expected)
        assert all(size in (1, -1) for _, size in found)

    def test_sweep_leaves_what_is_published(self, store: Store) -> None:
        documents = {"v1/a.json": b"a", "v1/tmp/new": b"b", "v1/.tmp/new": b"c"}
        store.write(documents.items())
        store.sweep()
        assert contents(store) == documents

    def test_any_sequence_of_calls_is_that_of_a_dict(self, new_store: NewStore) -> None:
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            lambda: _Model(new_store()),
            settings=settings(max_examples=self.effort, stateful_step_count=25, deadline=None),
        )


_NAMES = st.sampled_from(["a", "b", "a-b", "é", "0", "00", "~x", "A"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".json")
_DATA = st.sampled_from([b"", b"0", b"1", b"two", b"six" * 1000])


class _Model(RuleBasedStateMachine):
    """A store beside a dict."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.model: dict[str, bytes] = {}
        self.versions: dict[str, str] = {}
        """Of what `replace` made and nothing changed since."""
        self.stale: list[str] = [ABSENT]

    @rule(documents=st.dictionaries(_PATHS, _DATA, max_size=6))
    def write(self, documents: dict[str, bytes]) -> None:
        changed = {path: data for path, data in documents.items() if self.model.get(path) != data}
        assert self.store.write(documents.items()) == len(changed)
        self.model |= changed
        self._outdate(changed)

    @rule(path=_PATHS, data=_DATA)
    def replace(self, path: str, data: bytes) -> None:
        self.versions[path] = self.store.replace(path, data, version(self.store, path))
        self.model[path] = data

    @precondition(lambda self: self.versions)
    @rule(data=_DATA, choice=st.data())
    def replace_by_the_version_that_was_given(self, data: bytes, choice: st.DataObject) -> None:
        path = choice.draw(st.sampled_from(sorted(self.versions)))
        self.versions[path] = self.store.replace(path, data, self.versions[path])
        self.model[path] = data

    @rule(path=_PATHS, choice=st.data())
    def replace_by_another_version(self, path: str, choice: st.DataObject) -> None:
        wrong = choice.draw(st.sampled_from(self.stale))
        if wrong != version(self.store, path):
            with pytest.raises(ConflictError):
                self.store.replace(path, b"never", wrong)

    @rule(paths=st.lists(_PATHS, max_size=4, unique=True))
    def delete(self, paths: list[str]) -> None:
        gone = [path for path in paths if path in self.model]
        assert self.store.delete(paths) == len(gone)
        for path in gone:
            del self.model[path]
        self._outdate(gone)

    @rule()
    def sweep(self) -> None:
        self.store.sweep()

    @rule(path=_PATHS)
    def get(self, path: str) -> None:
        stored = self.store.get(path)
        assert (stored.data if stored else None) == self.model.get(path)

    @rule(path=_PATHS, end=st.integers(0, 12))
    def list(self, path: str, end: int) -> None:
        prefix = path[:end]
        assert {entry.path for entry in self.store.list(prefix)} == {p for p in self.model if p.startswith(prefix)}

    @invariant()
    def same(self) -> None:
        assert contents(self.store) == self.model

    def _outdate(self, paths: Any) -> None:
        self.stale += [self.versions.pop(path) for path in paths if path in self.versions]


class SharedRules(Rules):
    """What several processes see that have a store each, of which one was pickled for all."""

    def test_a_pickled_store_is_the_same(self, store: Store) -> None:
        twin = pickle.loads(pickle.dumps(store))
        store.write([("v1/a.json", b"a")])
        assert contents(twin) == {"v1/a.json": b"a"}
        assert (twin.name, twin.grace) == (store.name, store.grace)
        assert contents(pickle.loads(pickle.dumps(store))) == {"v1/a.json": b"a"}

    def test_of_many_replacements_one_wins(self, store: Store) -> None:
        won = together(16, _replace, store, self.effort)
        assert [sum(wins) for wins in zip(*won, strict=True)] == [1] * self.effort
        assert set(contents(store)) == {"v1/pending.json"}

    def test_no_increment_is_lost(self, store: Store) -> None:
        together(4, _increment, store, self.effort)
        assert contents(store) == {"v1/counter": b"%d" % (4 * self.effort)}

    def test_writers_and_deleters_in_one_folder(self, store: Store) -> None:
        together(4, _write_and_delete, store, 4 * self.effort)
        assert contents(store) == {f"v1/a/b/c/{number}.json": b"kept" for number in range(4)}

    def test_a_reader_sees_whole_documents_only(self, store: Store) -> None:
        store.write([("v1/a.json", b"0" * 400_000)])
        seen = together(3, _rewrite_or_read, store, 2 * self.effort)
        assert all(seen)


_barrier: Barrier
"""Where the processes of one race wait for each other."""


def together(number: int, work: Callable[..., Any], *args: object) -> list[Any]:
    """What `work(who, *args)` gives in so many processes at once."""
    context = multiprocessing.get_context("forkserver")
    barrier = context.Barrier(number, timeout=60)
    with ProcessPoolExecutor(number, context, _prepare, (barrier, dict(os.environ))) as pool:
        futures = [pool.submit(work, who, *args) for who in range(number)]
        return [future.result() for future in futures]


def _prepare(barrier: Barrier, environment: dict[str, str]) -> None:
    """The fork server was started by another test, perhaps, with another environment."""
    global _barrier
    _barrier = barrier
    os.environ.update(environment)


def _replace(who: int, store: Store, rounds: int) -> list[bool]:
    won = []
    for number in range(rounds):
        seen = version(store, "v1/pending.json")
        _barrier.wait()
        try:
            store.replace("v1/pending.json", b"%d of %d" % (number, who), seen)
        except ConflictError:
            won.append(False)
        else:
            won.append(True)
        _barrier.wait()
    return won


def _increment(_who: int, store: Store, times: int) -> None:
    _barrier.wait()
    while times:
        stored = store.get("v1/counter")
        count, seen = (int(stored.data), stored.version) if stored else (0, ABSENT)
        try:
            store.replace("v1/counter", b"%d" % (count + 1), seen)
        except ConflictError:
            continue
        times -= 1


def _write_and_delete(who: int, store: Store, times: int) -> None:
    path = f"v1/a/b/c/{who}.json"
    _barrier.wait()
    for number in range(times):
        assert store.write([(path, b"%d" % number)]) == 1
        stored = store.get(path)
        assert stored is not None
        assert stored.data == b"%d" % number
        assert store.delete([path]) == 1
    store.write([(path, b"kept")])


def _rewrite_or_read(who: int, store: Store, times: int) -> bool:
    _barrier.wait()
    if who == 0:
        return all(store.write([("v1/a.json", b"%d" % (number % 10) * 400_000)]) for number in range(1, times))
    found = [store.get("v1/a.json") for _ in range(times)]
    return all(one is not None and len(one.data) == 400_000 and len(set(one.data)) == 1 for one in found)
