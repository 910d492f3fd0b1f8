"""The prefix scan: what it appends partition by partition is what all runs together say, whatever was changed."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter import paths
from exporter.builders.evaluated_runs import EvaluatedRun
from exporter.export.partition_stats import partition_lineages
from exporter.export.prefix_scan import PrefixScan
from exporter.rules.history import Row, commit_key, summary_of
from exporter.rules.lineage import MainLine, RunFacts, all_results, compared_lineages, lineages_of, main_lineage
from exporter.rules.lineage_state import Lineages, fingerprint
from exporter.rules.result_matrix import Matrix, matrix
from exporter.state.partition_store import PartitionNodes, PartitionStore, StateLostError
from exporter.state.posting_lists import PartitionStats, PostingLists

MAIN, ALL = main_lineage("linux"), all_results("linux")


@dataclass(frozen=True)
class Ended:
    """A result as rules see it."""

    test_id: int
    status: Any
    code: Any
    output: str
    exit_code: int = 0
    signature: str | None = None
    accepted: bool = False


def _ended(test: int, letter: str) -> Ended:
    status, code = {"p": ("pass", None), "f": ("fail", "OUTPUT_DIFF"), "x": ("fail", "SEGFAULT")}[letter]
    return Ended(test, status, code, letter * 12)


World = Mapping[int, tuple[str, str, Mapping[int, str]]]
"""Run id → branch, commit, and regression test id → how it ended."""

RUNS = st.dictionaries(
    st.integers(0, 599).map(lambda run: run - run % 25),
    st.tuples(
        st.sampled_from(("master", "other")),
        st.sampled_from("abc"),
        st.dictionaries(st.integers(1, 3), st.sampled_from("pfx"), min_size=1),
    ),
    max_size=12,
)


def _facts(world: World, run: int) -> RunFacts:
    branch, commit, _ = world[run]
    repository = "CCExtractor/ccextractor"
    return RunFacts(run, "pass", "linux", "commit", repository, branch, commit, None, None, False, run % 2 == 1)


def _partitions(world: World) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for run in sorted(world):
        found.setdefault(paths.partition_of(run), []).append(run)
    return dict(sorted(found.items()))


def _read(store: PartitionStore, world: World, number: int) -> PartitionStats:
    """Put into the store what the reading of a partition puts there."""
    runs = _partitions(world)[number]
    results: dict[int, list[Any]] = {
        run: [(_ended(test, letter), None) for test, letter in sorted(world[run][2].items())] for run in runs
    }
    found: Matrix = matrix((_facts(world, run), results[run]) for run in runs)
    evaluated: list[Any] = [EvaluatedRun(None, None, _facts(world, run), results[run]) for run in runs]  # type: ignore[arg-type]
    own = partition_lineages(evaluated, found, MainLine())
    store.put("matrix", number, found)
    store.put("own_lineages", number, own)
    return PartitionStats(number, len(runs), 0, max(runs), dict.fromkeys(own, 1), {}, {})


def _of(world: World, numbers: list[int]) -> dict[int, Any]:
    return {run: world[run] for number in numbers for run in _partitions(world).get(number, ())}


def _scan(lists: PostingLists, store: PartitionStore, old: World, new: World) -> PrefixScan:
    """Scan from the first partition that differs on, as an export does that reads those that differ."""
    scan = PrefixScan(lists, store)
    numbers = sorted({*_partitions(old), *_partitions(new)})
    changed = [number for number in numbers if _of(old, [number]) != _of(new, [number])]
    for number in numbers if changed else ():
        if number not in _partitions(new):
            scan.remove(number)
        elif number in changed:
            scan.replace(number, _read(store, new, number))
        elif number > min(changed):
            prior = scan.pass_by(number)
            if prior != fingerprint(store.lineages_before(number)):
                scan.replace(number, _read(store, new, number))
    return scan


@contextlib.contextmanager
def _empty() -> Iterator[tuple[PostingLists, PartitionStore]]:
    with tempfile.TemporaryDirectory() as folder:
        store = PartitionStore(pathlib.Path(folder), None, {})
        yield PostingLists(PartitionNodes(store, ()), {}), store


def _shown(lineages: Lineages) -> str:
    return fingerprint(lineages)


@given(RUNS, RUNS)
@settings(max_examples=80, deadline=None)
def test_a_scan_from_the_first_change_on_is_a_scan_of_all(first: World, second: World) -> None:
    second = {**{run: one for run, one in first.items() if run % 50}, **second}
    with _empty() as (lists, store), _empty() as (all_lists, whole):
        _scan(lists, store, {}, first)
        _scan(lists, store, first, second)
        _scan(all_lists, whole, {}, second)
        assert set(lists.nodes) == set(all_lists.nodes) == set(_partitions(second))
        for number in _partitions(second):
            assert store.lineages_after(number) == whole.lineages_after(number)
            assert _shown(store.lineages_before(number)) == _shown(whole.lineages_before(number))
            assert lists.nodes[number] == all_lists.nodes[number]
        assert dict(lists.list_heads) == dict(all_lists.list_heads)


@given(RUNS)
@settings(max_examples=80, deadline=None)
def test_it_says_what_all_runs_before_say(world: World) -> None:
    world = {run: (branch, str(run), results) for run, (branch, _, results) in world.items()}  # no rerun of a commit
    with _empty() as (lists, store):
        _scan(lists, store, {}, world)
        for number, runs in _partitions(world).items():
            names = {name for run in runs for name in lineages_of(_facts(world, run), MainLine())}
            tests = {test for run in runs for test in world[run][2]}
            for name in (one for one in compared_lineages(names) if not one.startswith("commits/")):
                before, after = _rows(world, name, number * 100), _rows(world, name, number * 100 + 100)
                assert (name in store.lineages_before(number)) is bool(before)
                for test in tests:
                    if before:
                        assert store.lineages_before(number)[name].of_test(test) == summary_of(before, test)
                    if name in names:
                        assert store.lineages_after(number)[name].of_test(test) == summary_of(after, test)
            counted = lists.nodes[number].stats.counts.get(paths.REGRESSIONS, 0)
            assert counted == _changes(world, number)


def _rows(world: World, name: str, end: int) -> list[Row]:
    """The runs of a lineage before `end`."""
    return [
        Row(run, commit_key(world[run][1]), {test: _ended(test, letter) for test, letter in world[run][2].items()})
        for run in sorted(world)
        if run < end and name in lineages_of(_facts(world, run), MainLine())
    ]


def _changes(world: World, number: int) -> int:
    """How often tests changed between pass and failure on the main line in a partition."""
    found, last = 0, dict[int, bool]()
    for run in sorted(world):
        branch, _, results = world[run]
        for test, letter in results.items() if branch == "master" else ():
            found += last.get(test, letter == "p") != (letter == "p") and paths.partition_of(run) == number
            last[test] = letter == "p"
    return found


@pytest.fixture
def store(tmp_path: pathlib.Path) -> PartitionStore:
    return PartitionStore(tmp_path, None, {})


@pytest.fixture
def lists(store: PartitionStore) -> PostingLists:
    return PostingLists(PartitionNodes(store, ()), {})


def _main(letters: str) -> World:
    """Runs 0, 100, 200 … of the main line with these results of test 1."""
    return {place * 100: ("master", str(place), {1: letter}) for place, letter in enumerate(letters)}


def test_a_partition_that_was_read_is_scanned_again_after_an_earlier_one(
    lists: PostingLists, store: PartitionStore
) -> None:
    _scan(lists, store, {}, _main("pp"))
    scan = PrefixScan(lists, store)
    scan.replace(0, _read(store, _main("fp"), 0))
    scan.rescan(1)
    found = store.lineages_before(1)[MAIN].of_test(1)
    assert found is not None and not found.passes
    assert lists.nodes[1].stats.counts[paths.REGRESSIONS] == 1


def test_other_partitions_are_named_whose_page_now_links_to_another(lists: PostingLists, store: PartitionStore) -> None:
    scan = _scan(lists, store, {}, _main("pfp"))
    assert scan.dirty_lists >= {MAIN, ALL, paths.REGRESSIONS} - {paths.REGRESSIONS}
    scan = PrefixScan(lists, store)
    assert scan.replace(1, _read(store, _main("ppp"), 1)) == {2}, "its page of changes linked to one that is gone"
    assert scan.dirty_lists >= {MAIN, paths.REGRESSIONS}
    scan.rescan(2)
    assert paths.REGRESSIONS not in lists.nodes[2].stats.counts
    assert lists.total(paths.REGRESSIONS) == 0


def test_lists_that_a_partition_leaves_are_dirty(lists: PostingLists, store: PartitionStore) -> None:
    _scan(lists, store, {}, _main("pp"))
    scan = PrefixScan(lists, store)
    scan.remove(1)
    assert scan.dirty_lists >= {MAIN, ALL}
    assert list(lists.nodes) == [0]


def test_what_did_not_change_is_not_written_again(tmp_path: pathlib.Path) -> None:
    store = PartitionStore(tmp_path, None, {})
    lists = PostingLists(PartitionNodes(store, ()), {})
    _scan(lists, store, {}, _main("pp"))
    (after,) = tmp_path.glob("1.lineages_after")
    after.unlink()
    PrefixScan(lists, store).pass_by(1)
    assert not after.exists()


def test_a_lineage_that_is_missing_is_a_lost_state(lists: PostingLists, store: PartitionStore) -> None:
    _scan(lists, store, {}, _main("pp"))
    store.put("lineages_after", 0, {})
    with pytest.raises(StateLostError):
        PrefixScan(lists, store).pass_by(1)
