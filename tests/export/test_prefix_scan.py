"""The prefix scan: what it appends partition by partition is what all runs together say, whatever was changed."""

import pathlib
import tempfile
from collections.abc import Mapping
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter import paths
from exporter.export.prefix_scan import PrefixScan
from exporter.rules.lineage import (
    Lineage,
    Lineages,
    ReferenceRun,
    all_results,
    compared_lineages,
    fingerprint,
    main_lineage,
    summaries,
)
from exporter.rules.status import ResultStatus
from exporter.state.partition_store import PartitionNodes, PartitionStore, StateLostError
from exporter.state.posting_lists import PartitionStats, PostingLists

MAIN, PULL, ALL = main_lineage("linux"), "lines/linux/pr/1", all_results("linux")


class Ended(NamedTuple):
    status: ResultStatus
    how: str | None


RESULTS = {"p": Ended("pass", None), "f": Ended("fail", "how"), "m": Ended("missing_output", "other")}
World = Mapping[int, tuple[str, Mapping[int, str]]]
"""Run id → its own lineage, and regression test id → how it ended."""

RUNS = st.dictionaries(
    st.integers(0, 599).map(lambda run: run - run % 25),
    st.tuples(st.sampled_from((MAIN, PULL)), st.dictionaries(st.integers(1, 3), st.sampled_from("pfm"), min_size=1)),
    max_size=12,
)


def _lineages(world: World, runs: list[int]) -> Lineages:
    """What these runs say of each lineage."""
    rows: dict[str, list[tuple[int, Mapping[int, Ended]]]] = {}
    for run in sorted(runs):
        own, results = world[run]
        for name in (own, ALL):
            rows.setdefault(name, []).append((run, {test: RESULTS[letter] for test, letter in results.items()}))
    return {
        name: Lineage(summaries(of_lineage), ReferenceRun(of_lineage[-1][0], "digest"))
        for name, of_lineage in rows.items()
    }


def _partitions(world: World) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for run in sorted(world):
        found.setdefault(paths.partition_of(run), []).append(run)
    return dict(sorted(found.items()))


def _before(world: World, number: int) -> Lineages:
    """What documents of a partition can show of the runs before it."""
    prior = _lineages(world, [run for run in world if paths.partition_of(run) < number])
    own = _lineages(world, _partitions(world)[number])
    tests = {test for lineage in own.values() for test in lineage.tests}
    return {name: prior[name].of(tests) for name in compared_lineages(own) if name in prior}


def _changes(world: World, number: int) -> int:
    """How often tests changed between pass and failure on the main line in a partition."""
    found, last = 0, dict[int, bool]()
    for run in sorted(world):
        own, results = world[run]
        for test, letter in results.items() if own == MAIN else ():
            if last.get(test, letter == "p") != (letter == "p") and paths.partition_of(run) == number:
                found += 1
            last[test] = letter == "p"
    return found


def _stats(world: World, number: int) -> PartitionStats:
    runs = _partitions(world)[number]
    counts = {name: 1 for run in runs for name in (world[run][0], ALL)}
    return PartitionStats(number, len(runs), 0, max(runs), counts, {}, {})


def _scan(lists: PostingLists, store: PartitionStore, old: World, new: World) -> PrefixScan:
    """Scan from the first partition that differs on."""
    scan = PrefixScan(lists, store)
    was, is_ = _partitions(old), _partitions(new)
    changed = [
        number
        for number in {*was, *is_}
        if {run: old[run] for run in was.get(number, ())} != {run: new[run] for run in is_.get(number, ())}
    ]
    for number in sorted(one for one in {*was, *is_} if changed and one >= min(changed)):
        if number not in is_:
            scan.remove(number)
        elif number in changed:
            store.put("own_lineages", number, _lineages(new, is_[number]))
            scan.replace(number, _stats(new, number))
        else:
            assert scan.pass_by(number) == fingerprint(_before(new, number))
    return scan


@given(RUNS, RUNS)
@settings(max_examples=100, deadline=None)
def test_it_says_what_all_runs_say(first: World, second: World) -> None:
    second = {**{run: one for run, one in first.items() if run % 50}, **second}
    with tempfile.TemporaryDirectory() as folder:
        store = PartitionStore(pathlib.Path(folder), None, {})
        lists = PostingLists(PartitionNodes(store, ()), {})
        for old, new in (({}, first), (first, second)):
            scan = _scan(lists, store, old, new)
            for number, runs in _partitions(new).items():
                own = _lineages(new, runs)
                upto = _lineages(new, [run for run in new if paths.partition_of(run) <= number])
                assert store.lineages_after(number) == {name: upto[name] for name in own}
                counted = lists.nodes[number].stats.counts.get(paths.REGRESSIONS, 0)
                # The main line's changes depend on earlier partitions, so they are counted when one is replaced.
                if new is first or number in scan_replaced(old, new):
                    assert store.lineages_before(number) == _before(new, number)
                    assert counted == _changes(new, number)
            assert set(lists.nodes) == set(_partitions(new))
            assert scan.lists is lists


def scan_replaced(old: World, new: World) -> set[int]:
    """The partitions of which the runs differ."""
    was, is_ = _partitions(old), _partitions(new)
    return {
        number
        for number in is_
        if {run: old[run] for run in was.get(number, ())} != {run: new[run] for run in is_[number]}
    }


@pytest.fixture
def store(tmp_path: pathlib.Path) -> PartitionStore:
    return PartitionStore(tmp_path, None, {})


def _world(**letters: str) -> dict[int, tuple[str, dict[int, str]]]:
    """Runs 0, 100, 200 … of the main line with these results of test 1; `-` for none."""
    return {place * 100: (MAIN, {1: letter}) for place, letter in enumerate(letters["main"]) if letter != "-"}


def test_a_partition_that_was_read_is_scanned_again_after_an_earlier_one(store: PartitionStore) -> None:
    lists, world = PostingLists(PartitionNodes(store, ()), {}), _world(main="pp")
    _scan(lists, store, {}, world)
    assert store.lineages_before(1)[MAIN].tests[1].passes
    changed = _world(main="fp")
    scan = PrefixScan(lists, store)
    store.put("own_lineages", 0, _lineages(changed, [0]))
    scan.replace(0, _stats(changed, 0))
    scan.rescan(1)
    assert not store.lineages_before(1)[MAIN].tests[1].passes
    assert lists.nodes[1].stats.counts[paths.REGRESSIONS] == 1


def test_other_partitions_are_named_whose_page_now_links_to_another(store: PartitionStore) -> None:
    lists, world = PostingLists(PartitionNodes(store, ()), {}), _world(main="pfp")
    scan = _scan(lists, store, {}, world)
    assert {MAIN, ALL, paths.REGRESSIONS} <= scan.dirty_lists
    changed = _world(main="ppp")
    scan = PrefixScan(lists, store)
    store.put("own_lineages", 1, _lineages(changed, [100]))
    assert scan.replace(1, _stats(changed, 1)) == {2}, "its page of changes linked to one that is gone"
    assert scan.dirty_lists >= {MAIN, paths.REGRESSIONS}
    scan.rescan(2)
    assert paths.REGRESSIONS not in lists.nodes[2].stats.counts
    assert lists.total(paths.REGRESSIONS) == 0


def test_what_did_not_change_is_not_written_again(tmp_path: pathlib.Path) -> None:
    store = PartitionStore(tmp_path, None, {})
    lists, world = PostingLists(PartitionNodes(store, ()), {}), _world(main="pp")
    _scan(lists, store, {}, world)
    (after,) = tmp_path.glob("1.lineages_after")
    after.unlink()
    PrefixScan(lists, store).pass_by(1)
    assert not after.exists()


def test_a_lineage_that_is_missing_is_a_lost_state(store: PartitionStore) -> None:
    lists, world = PostingLists(PartitionNodes(store, ()), {}), _world(main="pp")
    _scan(lists, store, {}, world)
    store.put("lineages_after", 0, {})
    with pytest.raises(StateLostError):
        PrefixScan(lists, store).pass_by(1)
