"""Histories: what is computed step by step is what the whole says, and what the rules say of letters."""

import itertools
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.rules import flakiness, history
from exporter.rules.failures import FailureCode
from exporter.rules.history import HistorySummary, Row, commit_key, concat, single, summaries, summary_of
from exporter.rules.status import ResultStatus


class One(NamedTuple):
    """A result."""

    status: ResultStatus
    code: FailureCode | None
    output: str
    accepted: bool = False


OUTPUTS = {name: name * 12 for name in "0123456789abcdef"}


def one(letter: str, output: str = "") -> One:
    """A result of which `p` says that it passed; `output` is a hex digit."""
    if letter == "p":
        return One("pass", None, OUTPUTS[output or "0"])
    code: FailureCode = {"f": "OUTPUT_DIFF", "m": "MISSING_OUTPUT", "s": "SEGFAULT"}[letter]  # type: ignore[assignment]
    return One("missing_output" if letter == "m" else "fail", code, OUTPUTS[output or "1"])


RESULTS = st.lists(
    st.builds(
        lambda letter, output, sha: (one(letter, output), commit_key(sha)),
        st.sampled_from("pppfms"),
        st.sampled_from("0001abcdef23456"),
        st.sampled_from([None, "x", "y", "z"]),
    ),
    max_size=45,
)


def whole(results: Sequence[tuple[One, str]]) -> HistorySummary | None:
    """The summary of results of runs 1, 2, …, worked out from the list."""
    if not results:
        return None
    ones = [result for result, _ in results]
    states = ["p" if result.status == "pass" else "f" for result in ones]
    pairs = list(itertools.pairwise(ones))
    failed = [run for run, result in enumerate(ones, 1) if result.status != "pass"]
    passed = [run for run, result in enumerate(ones, 1) if result.status == "pass"]
    text = "".join(states)
    distinct: dict[str, int] = {}
    for run in reversed(failed):
        distinct.setdefault(ones[run - 1].output, run)
    trail = len(text) - len(text.rstrip(text[-1]))
    return HistorySummary(
        results=len(ones),
        passed=len(passed),
        first_passes=states[0] == "p",
        first_output=ones[0].output,
        last_run=len(ones),
        status=ones[-1].status,
        output=ones[-1].output,
        last_pass=passed[-1] if passed else None,
        since=None if text[-1] == "p" else len(ones) - trail + 1,
        first_failure=failed[0] if failed else None,
        last_failure=failed[-1] if failed else None,
        failure_code=ones[failed[-1] - 1].code if failed else None,
        changes=sum((a.status == "pass") != (b.status == "pass") and a.output != b.output for a, b in pairs),
        lead=len(text) - len(text.lstrip(text[0])),
        trail=trail,
        longest_pass=max(map(len, text.split("f"))),
        longest_fail=max(map(len, text.split("p"))),
        newest="".join(history._entry(a.code, sha, a.output) for a, sha in results[-20:]),
        failures=tuple(distinct.items())[:10],
    )


@given(RESULTS, st.lists(st.integers(0, 45), max_size=4))
def test_summaries_join_to_that_of_all_their_results(results: list[tuple[One, str]], cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(results)) for cut in cuts), len(results)]
    parts = []
    for start, end in itertools.pairwise(bounds):
        found: HistorySummary | None = None
        for run in range(start, end):
            found = concat(found, single(run + 1, results[run][1], results[run][0]))
        parts.append(found)
    assert reduce(concat, parts, None) == whole(results)
    assert reduce(lambda later, part: concat(part, later), reversed(parts), None) == whole(results)


ROWS = st.lists(
    st.tuples(
        st.dictionaries(st.integers(1, 5), st.builds(one, st.sampled_from("pppppf"), st.sampled_from("0002"))),
        st.sampled_from(["x", "y"]),
    ),
    max_size=30,
).map(lambda found: [Row(run, commit_key(sha), results) for run, (results, sha) in enumerate(found, 1)])


@given(ROWS)
def test_tests_that_share_a_summary_have_the_one_they_would_have_alone(rows: list[Row]) -> None:
    tests = {test for row in rows for test in row.results}
    found, outputs = summaries(rows)
    assert found.keys() == tests
    filled = {test: s.with_output(outputs[test]) if s.is_shared else s for test, s in found.items()}
    assert filled == {test: summary_of(rows, test) for test in tests}


def newest(letters: str, commits: str = "") -> str:
    """Newest results, each of a commit of its own unless said otherwise; `P` passes with a failure's output."""
    shas = commits or [str(place) for place in range(len(letters))]
    made = [one("p", "1") if letter == "P" else one(letter) for letter in letters]
    return "".join(history._entry(a.code, commit_key(sha), a.output) for a, sha in zip(made, shas, strict=True))


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("", False),
        ("p", False),
        ("pfpf", False),  # three changes
        ("pfpfp", True),
        ("mpfpm", True),
        ("fmfmfmfmfm", False),  # ways of failing are no changes
        ("pfpf" + "p" * 4, True),
        ("pfpf" + "p" * 5, False),  # the fourth lasts
        ("pfpf" + "fmfmf", False),
        ("fpfp" + "fmfmf", False),  # a failure lasts, in whatever ways
        ("fPfPfPfPfPfP", False),  # what was expected has changed
        ("pfPfPfPfP", False),
        ("pfpfpf" + "f" * 4, True),  # the fifth lasts, four are left
        ("pfpfp" + "f" * 5, True),
        ("pfpf" + "p" * 20, False),  # long ago
        ("pfpf" + "p" * 16 + "f", True),
        ("pfpf" + "p" * 17 + "f", False),
        ("f" * 20 + "p" * 5, False),
        ("ppppffffppppffffpppp", True),
        ("ppppffffpppffffppppp", False),
    ],
)
def test_is_flaky(letters: str, expected: bool) -> None:
    assert flakiness.is_flaky(newest(letters)[-20 * 17 :]) is expected


@pytest.mark.parametrize(
    ("letters", "commits", "main", "other"),
    [
        ("pfpfp", "abcde", True, False),  # an author who breaks and mends
        ("pfpfp", "aaaaa", True, True),
        ("pfpf", "aabb", True, True),  # two commits have both passed and failed
        ("pfpp", "aabb", False, False),
        ("fPfP", "aabb", False, False),  # with the same output
        ("pfppfp" + "p" * 10, "abababaaaaaaaaaa", True, True),
        ("pfpfppppp", "aaaaaaaaa", False, False),  # the last change lasts
    ],
)
def test_outside_the_main_line_only_changes_within_a_commit_count(
    letters: str, commits: str, main: bool, other: bool
) -> None:
    assert flakiness.is_flaky(newest(letters, commits)) is main
    assert flakiness.is_flaky(newest(letters, commits), within_commits=True) is other


def test_commits_that_no_row_names_are_not_the_same() -> None:
    made = "".join(history._entry(one(letter).code, commit_key(None), one(letter).output) for letter in "pfpf")
    assert not flakiness.is_flaky(made) and not flakiness.is_flaky(made, within_commits=True)


@pytest.mark.parametrize(
    ("past", "letter", "output", "accepted", "kind"),
    [
        ("p", "f", "1", False, "regression"),
        ("f", "p", "0", False, "fix"),
        ("f", "f", "2", False, None),
        ("p", "p", "2", False, None),
        ("pf", "p", "1", False, None),  # alternates, and nobody has approved it
        ("pf", "p", "1", True, "expectation"),
        ("ff", "p", "1", False, "expectation"),
        ("pp", "f", "0", False, "expectation"),
    ],
)
def test_what_a_result_changes(past: str, letter: str, output: str, accepted: bool, kind: str | None) -> None:
    rows = [Row(run, commit_key(str(run)), {1: one(before)}) for run, before in enumerate(past, 1)]
    summary = summary_of(rows, 1)
    assert summary is not None
    assert history.turn(summary, one(letter, output)._replace(accepted=accepted)) == kind
