"""Stretches of lines: what is folded step by step is what the whole says."""

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

import orjson
from hypothesis import given
from hypothesis import strategies as st

from exporter.rules.lineage import (
    STATUSES,
    Lineage,
    MainLine,
    ReferenceRun,
    Row,
    all_results,
    concat,
    decode,
    fingerprint,
    lineage_of,
    main_lineage,
    stretch,
    summaries,
    summary_of,
)
from exporter.rules.status import ResultStatus

LETTERS = st.text("ppfm", max_size=30)
RUNS = range(1, 1000)


class ListHead(NamedTuple):
    """How a test ended."""

    status: ResultStatus
    how: str | None


def _row(run: int, letters: dict[int, str]) -> Row:
    ends = {test: ListHead(STATUSES[one], None if one == "p" else f"{one}{run % 3}") for test, one in letters.items()}
    return run, ends


ROWS = st.lists(st.dictionaries(st.integers(1, 5), st.sampled_from("pppfm")), max_size=30).map(
    lambda found: [_row(run, letters) for run, letters in enumerate(found, 1)]
)


@given(st.lists(LETTERS, max_size=5))
def test_stretches_join_to_that_of_all_their_results(parts: Sequence[str]) -> None:
    found, first = [], 0
    for letters in parts:
        how = None if letters.endswith("p") else letters[-1:] + "!"
        found.append(summary_of(RUNS[first : first + len(letters)], letters, how) if letters else None)
        first += len(letters)
    whole = "".join(parts)
    last = next((one.how for one in reversed(found) if one), None)
    expected = summary_of(RUNS[: len(whole)], whole, last) if whole else None
    assert reduce(concat, found, None) == expected
    assert reduce(lambda later, one: concat(one, later), reversed(found), None) == expected


@given(ROWS)
def test_tests_that_share_a_segment_have_the_one_they_would_have_alone(rows: list[Row]) -> None:
    tests = {test for _, row in rows for test in row}
    alone = {test: stretch(rows, test) for test in tests}
    assert (summaries(rows) if rows else {}) == alone


@given(ROWS, st.lists(st.integers(0, 30), max_size=4))
def test_lines_join_likewise_and_survive_being_remembered(rows: list[Row], cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    line = Lineage()
    for start, end in pairwise(bounds):
        part = rows[start:end]
        if part:
            later = Lineage(summaries(part), ReferenceRun(part[-1][0], "x"), {1: {end: 1, 0: 1}})
            line = decode(orjson.loads(orjson.dumps(line.followed_by(later).encoded(), default=tuple)))
    assert line.tests == (summaries(rows) if rows else {})
    assert line.finished == (ReferenceRun(rows[-1][0], "x") if rows else None)
    assert sum(line.runtimes.get(1, {}).values()) == 2 * sum(a < b for a, b in pairwise(bounds))


HOSTILE = st.sampled_from(["a", "b", "a b", "a/b", "a b/c", "c", "None", "main", "pr/7", "branch", "7", "", "../a"])


@given(st.lists(st.tuples(HOSTILE, st.none() | HOSTILE, st.sampled_from([None, 7])), min_size=2, max_size=2))
def test_runs_are_on_one_line_exactly_if_repository_and_branch_or_pull_request_are_the_same(
    runs: list[tuple[str, str | None, int | None]],
) -> None:
    lines = []
    for of, branch, number in runs:
        run: Any = {"platform": "linux", "test_type": "pr", "repository": of, "branch": branch, "pr_number": number}
        lines.append(lineage_of(run, MainLine()))
    told = [number or (of, branch) for of, branch, number in runs]
    assert (lines[0] == lines[1]) is (told[0] == told[1])
    assert main_lineage("linux") not in lines


def test_of_all_results_the_newest_run_and_status_of_each_test_count() -> None:
    """That is all that documents show of them: no streak, and no way of failing."""

    def of(*rows: Row) -> str:
        return fingerprint({all_results("linux"): Lineage(summaries(rows))})

    known = of(_row(1, {1: "p", 2: "p"}), _row(2, {1: "f"}))
    assert of(_row(1, {1: "p", 2: "p"}), _row(2, {1: "m"})) != known, "another status"
    assert of(_row(1, {1: "p", 2: "p"}), _row(2, {1: "p"})) != known, "another status"
    assert of(_row(1, {1: "p", 2: "p"}), _row(3, {1: "f"})) != known, "another run"
    assert of(_row(1, {1: "p", 3: "p"}), _row(2, {1: "f"})) != known, "another test"
    assert of(_row(0, {1: "m"}), _row(1, {1: "f", 2: "p"}), _row(2, {1: "f"})) == known, "another past"


@given(ROWS, ROWS)
def test_equal_pasts_have_equal_fingerprints(one: list[Row], other: list[Row]) -> None:
    def mark(rows: list[Row]) -> str:
        return fingerprint({"lines/linux/main": Lineage(summaries(rows) if rows else {})})

    def told(rows: list[Row]) -> dict[int, object]:
        found = summaries(rows) if rows else {}
        return {test: (s.last_run, s.how, s.last_pass, s.since, s.newest) for test, s in found.items()}

    assert (mark(one) == mark(other)) is (told(one) == told(other))
