"""Posting lists: against a model that keeps all counts and looks at all of them for every question."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter import paths
from exporter.state.posting_lists import PartitionNode, PartitionStats, PostingLists

PAGED = ("runs", "runs/by-branch/x", "grid/linux", "samples/1/history", "regressions")
OTHERS = ("lines/linux/main", "runs/by-commit/1", "shows/test 1", "regression-tests/1/linux", "diffs/a.json")
COUNTS = st.dictionaries(st.sampled_from((*PAGED, *OTHERS)), st.integers(1, 3))
PLATFORMS = st.dictionaries(st.sampled_from(("linux", "windows")), st.integers(1, 3))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("replace"), st.integers(-2, 5), COUNTS, PLATFORMS),
        st.tuples(st.just("remove"), st.integers(-2, 5)),
        st.tuples(st.just("extend"), st.integers(-2, 5), st.sets(st.sampled_from(OTHERS))),
    ),
    max_size=25,
)


def stats(partition: int, counts: Mapping[str, int], platforms: Mapping[str, int] | None = None) -> PartitionStats:
    values = {"platform": dict(platforms)} if platforms else {}
    return PartitionStats(partition, 1, 1, partition * 100, dict(counts), values, {})


Model = dict[int, dict[str, int]]


def _links(model: Model) -> dict[tuple[str, int], int | None]:
    """(name, partition) → the partition before it on that list."""
    found: dict[tuple[str, int], int | None] = {}
    for name in (*PAGED, *OTHERS):
        on_it = sorted(number for number, counts in model.items() if name in counts)
        found |= {(name, number): before for before, number in zip((None, *on_it), on_it, strict=False)}
    return found


def _check(lists: PostingLists, model: Model) -> None:
    links = _links(model)
    names = {name for counts in model.values() for name in counts}
    assert set(lists.names()) == names
    for name in (*PAGED, *OTHERS):
        on_it = sorted((number for number, counts in model.items() if name in counts), reverse=True)
        assert list(lists.partitions(name)) == on_it
        assert lists.last(name) == (on_it[0] if on_it else None)
        assert lists.total(name) == sum(counts.get(name, 0) for counts in model.values())
        for number in range(-3, 7):
            assert lists.previous(name, number) == next((one for one in on_it if one < number), None)
    for least in (1, 2, 5, 99):
        for name, newest in lists.newest((*PAGED, *OTHERS), least).items():
            held, expected = 0, list[int]()
            on_it = sorted((number for number, counts in model.items() if name in counts), reverse=True)
            while on_it and held < least:
                expected.append(on_it.pop(0))
                held += model[expected[-1]][name]
            assert newest == (expected, on_it[0] if on_it else None)
    nodes = {number: dict(node.previous) for number, node in lists.nodes.items()}
    assert nodes == {
        number: {name: to for name in counts if (to := links[name, number]) is not None}
        for number, counts in model.items()
    }


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_any_changes_give_what_all_counts_say(steps: list[Any]) -> None:
    lists, model, platforms = PostingLists({}, {}), Model(), dict[int, dict[str, int]]()
    had: set[str] = set()
    for kind, number, *arguments in steps:
        before = _links(model)
        if kind == "extend":
            if number in model:
                lists.extend(number, arguments[0])
                model[number] = dict.fromkeys(arguments[0], 1) | model[number]
        else:
            if kind == "remove":
                relinked = lists.replace(number, None)
                model.pop(number, None)
                platforms.pop(number, None)
            else:
                relinked = lists.replace(number, stats(number, *arguments))
                model[number], platforms[number] = dict(arguments[0]), arguments[1]
            after = _links(model)
            assert relinked == {
                other
                for name, other in before.keys() & after.keys()
                if name in PAGED and other != number and before[name, other] != after[name, other]
            }
        _check(lists, model)
        had |= {name for counts in model.values() for name in counts}
        assert lists.emptied == had - set(lists.names())
        expected = sum((Counter(one) for one in platforms.values()), Counter[str]())
        assert lists.facet_counts["platform"] == dict(expected)


class _Counted(dict[str, Any]):
    reads = 0

    def __getitem__(self, name: str) -> Any:
        self.reads += 1
        return super().__getitem__(name)


def test_what_stays_the_same_is_not_read() -> None:
    heads = _Counted()
    lists = PostingLists({}, heads)
    lists.replace(1, stats(1, {"runs": 2, **{f"runs/by-commit/{number}": 1 for number in range(99)}}))
    heads.reads = 0
    lists.replace(1, stats(1, {"runs": 3, **{f"runs/by-commit/{number}": 1 for number in range(99)}}))
    assert heads.reads <= 2
    assert lists.total("runs") == 3


def test_a_changed_node_is_assigned_again() -> None:
    class Nodes(dict[int, PartitionNode]):
        assigned: set[int]

        def __setitem__(self, number: int, node: PartitionNode) -> None:
            self.assigned.add(number)
            super().__setitem__(number, node)

    nodes = Nodes()
    nodes.assigned = set()
    lists = PostingLists(nodes, {})
    for number in (1, 3, 5):
        lists.replace(number, stats(number, {"runs": 1}))
    nodes.assigned.clear()
    lists.replace(2, stats(2, {"runs": 1}))
    assert nodes.assigned == {2, 3}
    nodes.assigned.clear()
    lists.replace(2, None)
    assert nodes.assigned == {3}


@pytest.mark.parametrize("names", [["runs"], ["runs", "grid/linux"], []])
def test_a_head_holds_a_page_if_there_are_as_many(names: list[str]) -> None:
    lists = PostingLists({}, {})
    for number in range(5):
        lists.replace(number, stats(number, {"runs": 60, "grid/linux": paths.PER_PAGE}))
    assert lists.heads(names) == {name: lists.head(name) for name in names}
    assert lists.head("runs") == ([4, 3], 2)
    assert lists.head("grid/linux") == ([4], 3)
    assert lists.head("runs/by-commit/1") == ([], None)
