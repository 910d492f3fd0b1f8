"""List heads: a mapping in shards, whatever is done to it, of which few are read and written."""

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


def _kept(heads: ListHeads, store: MemoryStore) -> ListHeads:
    """The same, as the next export finds it."""
    with tempfile.TemporaryDirectory() as folder:
        digests, files = heads.save(pathlib.Path(folder))
        store.write((paths.STATE_ROOT + path, file.read_bytes()) for path, file in files.items())
    return ListHeads(store, digests)


@given(
    st.lists(st.tuples(NAMES, st.none() | st.builds(ListHead, st.integers(0, 99), st.integers(1, 99)), st.booleans()))
)
def test_it_is_a_mapping_that_is_remembered(steps: list[tuple[str, ListHead | None, bool]]) -> None:
    store, expected = MemoryStore(), dict[str, ListHead]()
    heads = ListHeads(store, ())
    for name, head, keep in steps:
        if head is not None:
            heads[name] = expected[name] = head
        elif name in expected:
            del heads[name], expected[name]
        assert (name in heads, heads.get(name)) == (name in expected, expected.get(name))
        if keep:
            heads = _kept(heads, store)
    heads = _kept(heads, store)
    assert dict(heads) == expected and len(heads) == len(expected)


def test_the_same_heads_have_the_same_digests(tmp_path: pathlib.Path) -> None:
    names = [f"runs/by-commit/{number}" for number in range(500)]
    found: set[Any] = set()
    for order in (names, names[::-1]):
        heads = ListHeads(None, ())
        heads.update({name: ListHead(1, 1) for name in order})
        heads["gone"] = ListHead(0, 1)
        del heads["gone"]
        found.add(heads.save(tmp_path)[0])
    assert len(found) == 1


def test_a_lost_shard_is_noticed_when_it_is_needed() -> None:
    store = MemoryStore()
    heads = ListHeads(store, ())
    heads["runs"] = heads["runs/by-commit/7"] = ListHead(1, 1)
    heads = _kept(heads, store)
    (path,) = (path for path in store.objects if path.startswith("_state/list_heads/0-"))
    store.objects[path] = Stored(b"{}", "0")
    assert heads["runs/by-commit/7"] == ListHead(1, 1)
    with pytest.raises(StateLostError):
        heads["runs"]


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_a_new_run_touches_few_shards_and_leaves_none_behind(small: Platform) -> None:
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
    assert sum(path.startswith("_state/list_heads/") for path in before) > 50
    small.run(220, "completed", results={1: 1}, commit="f" * 40, branch="new")
    store.gets.clear()
    export(small.url, store, runs=(220,))
    assert sum(path.startswith("_state/list_heads/") for path in set(store.gets)) <= 8
    assert sum(path.startswith("_state/list_heads/") for path in store.objects.keys() - before) <= 4
    remembered = state_file.load(store).state
    assert remembered is not None
    named = {paths.STATE_ROOT + path for path in remembered.files()}
    assert {path for path in store.objects if path.startswith(paths.STATE_FOLDERS)} == named
