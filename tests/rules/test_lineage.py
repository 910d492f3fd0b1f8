"""Lineages: which runs belong together, which run is a rerun, and what is remembered of them."""

from functools import reduce
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.rules import lineage_state
from exporter.rules.history import Row, commit_key
from exporter.rules.lineage import (
    MainCommits,
    MainLine,
    RunFacts,
    all_results,
    is_main_lineage,
    lineage_of,
    main_lineage,
    repository_identity,
)
from exporter.rules.lineage_state import CommitRun, Lineage, NewestCommit, part, reference_run
from tests.rules.test_history import ROWS, one


def facts(run_id: int = 1, **values: Any) -> RunFacts:
    """A run."""
    known = RunFacts(
        run_id, "pass", "linux", "commit", "CCExtractor/ccextractor", "master", "c", None, None, False, False
    )
    return known._replace(**values)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("CCExtractor/ccextractor", "ccextractor/CCExtractor", True),
        ("CCExtractor/ccextractor", "CCExtractor/ccextractor/", True),
        ("CCExtractor/ccextractor", "http://github.com/CCExtractor/ccextractor", True),
        ("CCExtractor/ccextractor", "https://www.github.com/CCExtractor/ccextractor.git/", True),
        ("CCExtractor/ccextractor", "git@github.com:CCExtractor/ccextractor.git", True),
        ("CCExtractor/ccextractor", "ssh://git@github.com/CCExtractor/ccextractor", True),
        ("CCExtractor/ccextractor", " HTTPS://GitHub.com/ccextractor/ccextractor.GIT ", True),
        ("CCExtractor/ccextractor", "https://gitlab.com/CCExtractor/ccextractor", False),
        ("CCExtractor/ccextractor", "CCExtractor/ccextractor2", False),
        ("CCExtractor/ccextractor", "unknown", False),
        ("a/b", "a:b", False),
    ],
)
def test_a_repository_is_the_same_however_its_address_is_written(one: str, other: str, same: bool) -> None:
    assert (repository_identity(one) == repository_identity(other)) is same


HOSTILE = st.sampled_from(["a", "b", "a b", "a/b", "a b/c", "c", "None", "main", "pr/7", "branch", "7", "", "../a"])


@given(st.lists(st.tuples(HOSTILE, st.none() | HOSTILE, st.sampled_from([None, 7])), min_size=2, max_size=2))
def test_runs_are_on_one_line_exactly_if_repository_and_branch_or_pull_request_are_the_same(
    runs: list[tuple[str, str | None, int | None]],
) -> None:
    lines = []
    for of, branch, number in runs:
        run = facts(test_type="pr", repository=of, branch=branch, pr_number=number)
        lines.append(lineage_of(run, MainLine()))
    shown = [number or (repository_identity(of), branch) for of, branch, number in runs]
    assert (lines[0] == lines[1]) is (shown[0] == shown[1])
    assert main_lineage("linux") not in lines


@pytest.mark.parametrize(
    ("commits", "reruns"),
    [("1123", ""), ("121", "3"), ("1213", "3"), ("12122", "3"), ("121321", "356"), ("1-1", "3"), ("--", "")],
)
def test_reruns_of_old_commits(commits: str, reruns: str) -> None:
    known = MainCommits(None, lambda _: False)
    found = [place for place, sha in enumerate(commits, 1) if not known.extend(None if sha == "-" else sha)]
    assert "".join(map(str, found)) == reruns


@given(ROWS, st.lists(st.integers(0, 30), max_size=4))
def test_lineages_join_likewise_and_survive_being_remembered(rows: list[Row], cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [rows[start:end] for start, end in pairwise(bounds)]
    lineage = Lineage()
    for number, some in enumerate(parts):
        later = part(some)
        later.runtimes = {1: {number: 1, 0: 1}}
        if some:
            later.reference, later.commit = reference_run(facts(some[-1].run_id)), NewestCommit(str(number))
        found = {"x": lineage.followed_by(later)}
        lineage = lineage_state.decode(orjson.loads(orjson.dumps(lineage_state.encode(found), default=tuple)))["x"]
        assert lineage == found["x"]
    expected = part(rows)
    tests = {test for row in rows for test in row.results}
    assert {test: lineage.of_test(test) for test in tests} == {test: expected.of_test(test) for test in tests}
    assert lineage.tests.keys() == expected.tests.keys()
    assert (lineage.reference.run_id if lineage.reference else None) == (rows[-1].run_id if rows else None)


COMMIT_RUNS = st.lists(st.tuples(st.booleans(), st.frozensets(st.integers(1, 4), min_size=1)), max_size=8).map(
    lambda found: [
        CommitRun(reference_run(facts(run, partial=partial)), str(run), tuple(sorted(tests)))
        for run, (partial, tests) in enumerate(found, 1)
    ]
)


@given(COMMIT_RUNS, st.integers(0, 8))
def test_of_a_commits_runs_those_are_kept_that_have_a_newest_result(runs: list[CommitRun], cut: int) -> None:
    alone = [Lineage(runs=(run,)) for run in runs]
    ahead, behind = (reduce(Lineage.followed_by, some, Lineage()) for some in (alone[:cut], alone[cut:]))
    kept = ahead.followed_by(behind).runs
    assert kept == reduce(Lineage.followed_by, alone, Lineage()).runs
    newest = {test: run.reference.run_id for run in runs for test in run.tests}
    whole = [run.reference.run_id for run in runs if not run.reference.partial]
    ids = [run.reference.run_id for run in kept]
    assert ids == sorted({*newest.values(), *whole[-1:]}, reverse=True)


@given(ROWS, ROWS)
def test_equal_histories_have_equal_fingerprints(one: list[Row], other: list[Row]) -> None:
    def shown(rows: list[Row]) -> dict[int, object]:
        found = part(rows)
        states = {test: found.of_test(test) for test in found.tests}
        return {
            test: (
                s.last_run,
                s.status,
                s.output,
                s.failure_code,
                s.last_pass,
                s.since,
                s.newest,
                s.failures,
                s.trail > 1,
            )
            for test, s in states.items()
            if s is not None
        }

    name = main_lineage("linux")
    same = lineage_state.fingerprint({name: part(one)}) == lineage_state.fingerprint({name: part(other)})
    if same:
        assert shown(one) == shown(other)
    if one == other:
        assert same


def test_of_all_results_the_newest_run_and_status_of_each_test_count() -> None:
    """That is all that documents show of them: no streak, and no way of failing."""

    def of(*rows: tuple[int, dict[int, str]]) -> str:
        made = [Row(run, commit_key("x"), {test: one(letter) for test, letter in found.items()}) for run, found in rows]
        return lineage_state.fingerprint({all_results("linux"): part(made)})

    known = of((1, {1: "p", 2: "p"}), (2, {1: "f"}))
    assert of((1, {1: "p", 2: "p"}), (2, {1: "m"})) != known, "another status"
    assert of((1, {1: "p", 2: "p"}), (2, {1: "p"})) != known, "another status"
    assert of((1, {1: "p", 2: "p"}), (3, {1: "f"})) != known, "another run"
    assert of((1, {1: "p", 3: "p"}), (2, {1: "f"})) != known, "another test"
    assert of((0, {1: "m"}), (1, {1: "f", 2: "p"}), (2, {1: "f"})) == known, "another past"


def test_names_of_main_lineages() -> None:
    assert is_main_lineage(main_lineage("linux"))
    other = facts(repository="x", branch="main", test_type="pr")
    assert not is_main_lineage(str(lineage_of(other, MainLine())))
    assert commit_key("a") != commit_key("b")
