"""Kinds of faults that readers of other dashboards reported, and their siblings: each on the smallest history."""

import logging
import pathlib
from typing import Any

import pytest

from exporter.publish.verify import verify
from exporter.rules.lineage import MainLine
from tests.support.agreement import Published, by_commit, check
from tests.support.histories import Block, insert_catalog, insert_runs, open_platform
from tests.support.memory_store import MemoryStore
from tests.support.platform import HASH, Platform, export
from tests.support.recomputation import Recomputation

ONE, TWO, THREE = (f"{number:040x}" for number in (1, 2, 3))


@pytest.fixture
def history(tmp_path: pathlib.Path) -> Platform:
    """A database with forks and tests, without runs."""
    platform = open_platform(tmp_path)
    insert_catalog(platform)
    return platform


def _export(platform: Platform, *blocks: Block, **settings: Any) -> Published:
    insert_runs(platform, list(blocks), 0)
    store = MemoryStore()
    export(platform.url, store, **settings)
    api = Published(store)
    if not settings:
        check(api, Recomputation(platform))
    return api


def _changes(api: Published) -> list[tuple[int, int, str]]:
    """What changed on the main line, oldest first: place of the run from 1, test, kind."""
    return [
        (one["run_id"] - 40, one["regression_test_id"], one["kind"]) for one in reversed(api.items("regressions.json"))
    ]


def _tests(bucket: list[dict[str, Any]]) -> list[int]:
    return [item["regression_test_id"] for item in bucket]


def test_statuses_that_alternate_with_what_is_expected_are_neither_flaky_nor_news(history: Platform) -> None:
    """sample-platform#1173: each run was compared with the output of the run before it."""
    blocks = [Block(tests="P-----"), *[Block(tests="A-----"), Block(tests="E-----")] * 5]
    api = _export(history, *blocks)
    assert [api(f"runs/{run}.json")["status"] for run in range(41, 52)] == ["pass", *["fail", "pass"] * 5]
    assert api.items("regression-tests/flaky.json") == []
    assert _changes(api) == [(2, 1, "regression")]
    assert api("runs/51/comparison.json")["references"]["main"]["fixed"] == []
    assert [api(f"runs/{run}/samples/1.json")["verdict"]["code"] for run in (42, 44, 50)] == [
        "new_regression",
        "still_failing",
        "still_failing",
    ]


def test_a_change_of_what_is_expected_is_told_as_such_and_not_in_the_feed(history: Platform) -> None:
    api = _export(history, *[Block(tests="P-----")] * 3, *[Block(tests="N-----")] * 2, Block(tests="Q-----"))
    assert _changes(api) == [(4, 1, "regression"), (6, 1, "expectation")]
    assert api.read("feeds/regressions.xml").count(b"<entry>") == 1
    assert api("regression-tests/1.json")["stability"]["linux"]["state_changes"] == 1


def test_an_approval_right_after_the_failure_is_told(history: Platform) -> None:
    history.execute(f"UPDATE regression_test_output SET correct = '{HASH['b']}' WHERE id = 10")
    api = _export(history, *[Block(tests="P-----")] * 3, Block(tests="N-----"), Block(tests="Q-----"))
    assert _changes(api) == [(4, 1, "regression"), (5, 1, "expectation")]
    failed = api("runs/44/samples/1.json")
    assert failed["accepted_today"] and failed["outputs"][0]["accepted_today"]


def test_a_limited_run_is_no_base_for_what_it_did_not_run(history: Platform) -> None:
    """wpt results-collection#553: incomplete runs as bases."""
    api = _export(
        history,
        Block(commit=1, tests="PPPPP-"),
        Block(commit=2, tests="PAPPP-"),
        Block(commit=2, tests="P-----", limited=True),
        Block(lineage="pull request", tests="BAPPP-"),
    )
    main = api("runs/44/comparison.json")["references"]["main"]
    assert (main["run"]["run_id"], _tests(main["broken"]), _tests(main["failing_identically"])) == (42, [1], [2])
    assert (main["broken"][0]["reference_run_id"], main["no_reference"], main["unchanged_pass"]) == (43, [], 3)
    limited = api("runs/43/comparison.json")["references"]["main"]
    assert (limited["not_rerun"], limited["not_asked"]) == ([], 1)
    assert _tests(api.items("regression-tests/failing.json")) == [2]


def test_a_run_that_stopped_halfway_does_not_turn_the_main_line_green(history: Platform) -> None:
    api = _export(history, Block(tests="AAPPP-"), Block(tests="-P----"), Block(lineage="pull request", tests="AAPPP-"))
    assert _tests(api.items("regression-tests/failing.json")) == [1]
    main = api("runs/43/comparison.json")["references"]["main"]
    assert (main["run"]["run_id"], _tests(main["broken"]), _tests(main["failing_identically"])) == (41, [2], [1])


@pytest.mark.parametrize("end", ["canceled", "running", "incomplete"])
def test_a_run_that_did_not_end_is_shown_and_never_looked_at_again(history: Platform, end: str) -> None:
    api = _export(
        history,
        Block(tests="PPPPP-"),
        Block(tests="XXXXX-", end=end),
        Block(tests="PPPPP-"),
        Block(lineage="pull request", tests="APPPP-", end=end),
        Block(lineage="pull request", tests="APPPP-"),
    )
    assert _changes(api) == []
    assert api("runs/42.json")["failures"]["verdicts"]["new_regression"] == 5
    assert api("runs/43/comparison.json")["references"]["main"]["run"]["run_id"] == 41
    assert [api(f"runs/{run}/samples/1.json")["verdict"]["line"] for run in (44, 45)] == ["main", "main"]
    assert api("regression-tests/1.json")["stability"]["linux"]["windows"]["all"]["results"] == 3


def test_a_test_that_moved_was_retired_or_deleted(history: Platform) -> None:
    """kubernetes test-infra#2385: what is no longer run does not fail now."""
    history.insert("sample", id=2, sha=HASH["b"], extension="ts", original_name="second")
    insert_runs(history, [Block(4, tests="AAAPA-")], 0)
    store = MemoryStore()
    for change in (
        "UPDATE regression_test SET sample_id = 2 WHERE id = 1",
        "UPDATE regression_test SET active = 0 WHERE id = 3",
        "DELETE FROM regression_test WHERE id = 2",
    ):
        export(history.url, store)
        history.execute(change)
    export(history.url, store)
    api = Published(store)
    check(api, Recomputation(history))
    assert [one["run_id"] for one in api.items("samples/2/history.json")] == [44, 43, 42, 41]
    assert _tests(api.items("regression-tests/failing.json")) == [1]
    summary = api("runs/44.json")["summary"]
    assert summary["pass_count"] + summary["fail_count"] + summary["missing_output_count"] <= summary["total_samples"]


MAIN_SPELLINGS = [
    "https://github.com/ccextractor/ccextractor",
    "https://github.com/CCExtractor/ccextractor/",
    "http://github.com/CCExtractor/ccextractor.git",
    "https://www.github.com/CCExtractor/ccextractor.git",
    "git@github.com:CCExtractor/ccextractor.git",
    "ssh://git@github.com/CCExtractor/ccextractor.git/",
    "HTTPS://GitHub.com/CCExtractor/CCExtractor.GIT",
]
OTHERS = [
    "https://github.com/somebody/ccextractor",
    "https://gitlab.com/CCExtractor/ccextractor",
    "https://github.com/CCExtractor/ccextractor-fork",
    "https://github.com/CCExtractor",
]


@pytest.mark.parametrize("url", [*MAIN_SPELLINGS, *OTHERS])
def test_a_repository_is_the_same_however_its_address_is_written(history: Platform, url: str) -> None:
    history.execute(f"DELETE FROM fork WHERE github = '{url}'", f"UPDATE fork SET github = '{url}' WHERE id = 3")
    api = _export(history, Block(2, tests="P-----"), Block(lineage="main, in other case", tests="A-----"))
    verdict = api("runs/43/samples/1.json")["verdict"]
    assert (verdict["main"] is None) is (url in MAIN_SPELLINGS)
    assert _tests(api.items("regression-tests/failing.json")) == ([1] if url in MAIN_SPELLINGS else [])
    repositories = [one["value"] for one in api.items("runs/by-repository.json")]
    assert len(repositories) == (1 if url in MAIN_SPELLINGS else 2)


def test_a_deleted_fork_is_on_no_main_line(history: Platform) -> None:
    api = _export(history, Block(tests="P-----"), Block(lineage="deleted fork", tests="A-----"))
    assert api("runs/42.json")["repository"] == "unknown"
    assert api.items("regression-tests/failing.json") == []


def test_a_force_push_is_held_against_the_push_before(history: Platform) -> None:
    api = _export(history, *[Block(lineage="pull request", tests=f"{letter}-----") for letter in "PA"])
    verdict = api("runs/42/samples/1.json")["verdict"]
    assert (verdict["code"], verdict["previous_run"]) == ("new_regression", 41)
    assert api.items("samples/1/history.json")[0]["pr_number"] == 7


@pytest.mark.parametrize(
    ("main", "warned"),
    [(MainLine(), False), (MainLine(branch="main"), True), (MainLine("somebody/else"), True)],
)
def test_no_run_on_the_main_line_is_warned_of(
    history: Platform, caplog: pytest.LogCaptureFixture, main: MainLine, warned: bool
) -> None:
    """codecov feedback#123: a base that is silently missing."""
    with caplog.at_level(logging.WARNING):
        _export(history, Block(3, tests="A-----"), main=main)
    found = [record.getMessage() for record in caplog.records if "main line" in record.getMessage()]
    assert bool(found) is warned
    if warned:
        assert "CCExtractor/ccextractor" in found[0] and "master" in found[0]


def test_a_main_repository_that_is_written_otherwise_is_told(
    history: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        api = _export(history, Block(3, tests="A-----"), main=MainLine("ccextractor/CCExtractor"))
    assert _tests(api.items("regression-tests/failing.json")) == [1]
    assert "'ccextractor/CCExtractor', is written in another way" in caplog.text


def test_no_runs_at_all_are_not_warned_of(history: Platform, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        _export(history)
    assert not [record for record in caplog.records if "main line" in record.getMessage()]


def test_a_rerun_of_an_old_commit_is_no_news(history: Platform) -> None:
    """codecov-bash#83: a bisection on the main branch is charged to its newest commit."""
    api = _export(
        history,
        *[Block(commit=commit, tests=f"{letter}-----") for commit, letter in ((1, "A"), (2, "P"), (3, "P"), (1, "A"))],
        Block(lineage="pull request", tests="A-----"),
    )
    assert _changes(api) == [(2, 1, "fix")]
    assert api.items("regression-tests/failing.json") == []
    assert api("runs/44/samples/1.json")["verdict"]["code"] == "still_failing"
    assert api("runs/45/samples/1.json")["verdict"]["main"] == {
        "state": "broken",
        "run_id": 43,
        "href": "../../43/samples/1.json",
        "same_failure_run_id": 41,
        "worse": False,
    }


@pytest.mark.parametrize("end", ["running", "canceled", "incomplete"])
def test_a_rerun_of_an_old_commit_is_no_news_while_it_runs_either(history: Platform, end: str) -> None:
    runs = [Block(commit=commit, tests=f"{letter}-----") for commit, letter in ((1, "A"), (2, "P"))]
    api = _export(history, *runs, Block(commit=1, tests="A-----", end=end), Block(commit=3, tests="A-----", end=end))
    verdicts = [api(f"runs/{run}/samples/1.json")["verdict"]["code"] for run in (43, 44)]
    assert verdicts == ["still_failing", "new_regression"]


def test_a_restart_of_the_newest_commit_extends_the_main_line(history: Platform) -> None:
    runs = [Block(commit=commit, tests=f"{letter}-----") for commit, letter in ((1, "P"), (2, "A"), (1, "P"), (2, "P"))]
    api = _export(history, *runs)
    assert _changes(api) == [(2, 1, "regression"), (4, 1, "fix")]


def test_the_platforms_of_a_commit_find_each_other(history: Platform) -> None:
    api = _export(
        history,
        Block(commit=1, tests="PA-PP-"),
        Block(commit=1, platform="windows", tests="APPPP-"),
        Block(commit=1, platform="windows", tests="XXXXX-", end="canceled"),
    )
    assert by_commit(api, ONE) == {
        1: {"linux": "pass", "windows": "fail"},
        2: {"linux": "fail", "windows": "pass"},
    }


def _big(platform: Platform, tests: int, runs: int) -> None:
    """Many tests, of which none has outputs and all fail in the newer runs."""
    ids = range(1000, 1000 + tests)
    platform.insert(
        "regression_test",
        *({"id": test, "sample_id": 1, "command": "x", "expected_rc": 0, "active": 1} for test in ids),
    )
    for run in range(1, runs + 1):
        platform.run(
            run, *("preparation", "testing", "completed"), fork_id=1, results=dict.fromkeys(ids, int(run > runs // 2))
        )


@pytest.mark.parametrize("tests", [150, 500])
def test_a_comparison_holds_the_first_hundred_tests_of_a_bucket(history: Platform, tests: int) -> None:
    """So that it has less than 1 MB, however many tests fail; the whole bucket is a list of its own."""
    _big(history, tests, 2)
    store = MemoryStore()
    export(history.url, store, result_documents="failures")
    assert not verify(store).problems
    assert len(store.objects["v1/runs/2/comparison.json"].data) < 80_000
    found = Published(store)("runs/2/comparison.json")["references"]["main"]
    assert (len(found["broken"]), found["counts"]["broken"]) == (100, tests)
    assert {name: link for name, link in found["links"].items() if link} == {"broken": "comparison/main/broken.json"}
    items = Published(store).items("runs/2/comparison/main/broken.json")
    assert _tests(items) == [*range(1000, 1000 + tests)]
    assert items[0] | {"href": None} == found["broken"][0] | {"href": None}


def test_the_feed_holds_the_newest_200_changes(history: Platform) -> None:
    _big(history, 250, 2)
    api = _export(history, result_documents="none")
    assert len(api.items("regressions.json")) == 250
    assert api.read("feeds/regressions.xml").count(b"<entry>") == 200


@pytest.mark.parametrize(("failing", "suspect"), [(20, True), (19, False)])
def test_a_run_in_which_many_tests_newly_crash_looks_like_the_machine(
    history: Platform, failing: int, suspect: bool
) -> None:
    ids = range(1000, 1060)
    history.insert(
        "regression_test",
        *({"id": test, "sample_id": 1, "command": "x", "expected_rc": 0, "active": 1} for test in ids),
    )
    steps = ("preparation", "testing", "completed")
    history.run(1, *steps, fork_id=1, results=dict.fromkeys(ids, 0))
    history.run(2, *steps, fork_id=1, results={test: 137 if test < 1000 + failing else 0 for test in ids})
    api = _export(history)
    assert api("runs/2.json")["suspect"] == ({"code": "KILLED", "count": failing} if suspect else None)
    assert api.items("runs.json")[0]["suspect"] == api("runs/2.json")["suspect"]
    assert api("runs/1.json")["suspect"] is None
