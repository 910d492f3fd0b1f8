"""Where feeds end: a mapping in pieces, whatever is done to it, of which few are read and written."""

import pathlib
import tempfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import paths
from exporter.publish.store import Stored
from exporter.state import state_file
from exporter.state.list_heads import ListHeads
from exporter.state.partition_store import StateLostError
from exporter.state.posting_lists import ListHead
from tests.support.memory_store import MemoryStore
from tests.support.platform import Platform, export

NAMES = st.sampled_from(
    ["runs", "samples/1/history", "lines/linux/main", *(f"runs/by-commit/{n}" for n in range(9)), "commits/linux/7"]
)


def _kept(ends: ListHeads, store: MemoryStore) -> ListHeads:
    """The same, as the next export finds it."""
    with tempfile.TemporaryDirectory() as folder:
        digests, files = ends.save(pathlib.Path(folder))
        store.write((paths.STATE_ROOT + path, file.read_bytes()) for path, file in files.items())
    return ListHeads(store, digests)


@given(
    st.lists(st.tuples(NAMES, st.none() | st.builds(ListHead, st.integers(0, 99), st.integers(1, 99)), st.booleans()))
)
def test_it_is_a_mapping_that_is_remembered(steps: list[tuple[str, ListHead | None, bool]]) -> None:
    store, expected = MemoryStore(), dict[str, ListHead]()
    ends = ListHeads(store, ())
    for name, end, keep in steps:
        if end is not None:
            ends[name] = expected[name] = end
        elif name in expected:
            del ends[name], expected[name]
        assert (name in ends, ends.get(name)) == (name in expected, expected.get(name))
        if keep:
            ends = _kept(ends, store)
    ends = _kept(ends, store)
    assert dict(ends) == expected and len(ends) == len(expected)


def test_the_same_ends_have_the_same_digests(tmp_path: pathlib.Path) -> None:
    names = [f"runs/by-commit/{number}" for number in range(500)]
    found: set[Any] = set()
    for order in (names, names[::-1]):
        ends = ListHeads(None, ())
        ends.update({name: ListHead(1, 1) for name in order})
        ends["gone"] = ListHead(0, 1)
        del ends["gone"]
        found.add(ends.save(tmp_path)[0])
    assert len(found) == 1


def test_a_lost_piece_is_noticed_when_it_is_needed() -> None:
    store = MemoryStore()
    ends = ListHeads(store, ())
    ends["runs"] = ends["runs/by-commit/7"] = ListHead(1, 1)
    ends = _kept(ends, store)
    (path,) = (path for path in store.objects if path.startswith("_state/ends/0-"))
    store.objects[path] = Stored(b"{}", "0")
    assert ends["runs/by-commit/7"] == ListHead(1, 1)
    with pytest.raises(StateLostError):
        ends["runs"]


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_a_new_run_touches_few_pieces_and_leaves_none_behind(small: Platform) -> None:
    store = MemoryStore()
    for run in range(100, 220):
        where = {
            "platform": ("linux", "windows")[run % 2],
            "commit": f"{run // 2:040x}",
            "branch": f"branch-{run // 2}",
        }
        small.run(run, "completed", results={1: 0}, **where)
    export(small.url, store)
    before = set(store.objects)
    assert sum(path.startswith("_state/ends/") for path in before) > 50
    small.run(220, "completed", results={1: 1}, commit="f" * 40, branch="new")
    store.gets.clear()
    export(small.url, store, runs=(220,))
    assert sum(path.startswith("_state/ends/") for path in set(store.gets)) <= 8
    assert sum(path.startswith("_state/ends/") for path in store.objects.keys() - before) <= 4
    remembered = state_file.load(store).state
    assert remembered is not None
    named = {paths.STATE_ROOT + path for path in remembered.files()}
    assert {path for path in store.objects if path.startswith(paths.STATE_FOLDERS)} == named
