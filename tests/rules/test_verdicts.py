"""Verdicts, comparisons, stability and what changed lately: as a slow recomputation from the raw rows has them."""

import datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from exporter.publish.verify import verify
from tests.support import recomputation
from tests.support.memory_store import MemoryStore
from tests.support.platform import DAY, HASH, Api, Platform, export
from tests.support.recomputation import CODES, PLATFORMS, VERDICTS, Recomputation

MAIN_RUN = {"test_type": "commit", "branch": "master", "fork_id": 1, "pr_nr": 0}
LINES: dict[str, dict[str, Any]] = {
    "main": {},
    "branch": {"branch": "side"},
    "fork's master": {"fork_id": 2},
    "pull request": {"test_type": "pr", "branch": "fix", "pr_nr": 7, "fork_id": 2},
    "same number of another fork": {"test_type": "pr", "branch": "fix too", "pr_nr": 7},
    "other pull request": {"test_type": "pr", "pr_nr": 8},
    "pull request without a number": {"test_type": "pr"},
    "commit that names a pull request": {"branch": "side", "pr_nr": 7},
    "no fork": {"fork_id": None},
}
ENDS = {
    "completed": ("preparation", "testing", "completed"),
    "restarted": ("preparation", "canceled", "preparation", "testing", "completed"),
    "canceled": ("preparation", "testing", "canceled"),
    "running": ("preparation", "testing"),
    "queued": (),
}
ENDINGS: dict[str, tuple[int, str | None]] = {
    "p": (0, "exact"),
    "v": (0, HASH["d"]),
    "e": (0, HASH["e"]),
    "f": (0, HASH["f"]),
    "1": (1, "exact"),
    "m": (0, None),
    "s": (139, None),
    "n": (0, "nothing"),
}
"""Letter → exit code, and what was written: what was expected, nothing, a row that says so, or a hash."""


class Block(NamedTuple):
    """Some runs in a row that have much in common.

    Args:
        count: how many.
        gap: of their ids to those before.
        line: of `LINES`.
        platform: which may be none that the exporter knows.
        end: of `ENDS`.
        commit: number of their commit.
        tests: a letter for each test: of `ENDINGS`; `.`, as it ended last on any line; `-`, not run; `~`, alternating.
        runtime: in ms, of all results.
        later: whether they are inserted between two exports, or before both.
    """

    count: int
    gap: int
    line: str
    platform: str
    end: str
    commit: int
    tests: str
    runtime: int | None
    later: bool


BLOCKS = st.lists(
    st.builds(
        Block,
        count=st.sampled_from([1, 1, 2, 5, 9, 25]),
        gap=st.sampled_from([0, 3, 60, 120, 250]),
        line=st.sampled_from(["main", "main", *LINES]),
        platform=st.sampled_from(["linux", "linux", "windows", "beos"]),
        end=st.sampled_from(["completed", "completed", *ENDS]),
        commit=st.integers(1, 4),
        tests=st.text("..~pvef1msn--", min_size=4, max_size=4),
        runtime=st.sampled_from([None, 0, 1, 80, 100, 110, 7001]),
        later=st.booleans(),
    ),
    min_size=1,
    max_size=9,
)


def _insert(platform: Platform, blocks: list[Block], *, later: bool) -> None:
    """Insert those runs of the history that come before the first, or after the first export."""
    rows: dict[str, list[dict[str, Any]]] = {
        table: [] for table in ("test", "test_progress", "test_result", "test_result_file", "customized_test")
    }
    last = "----"
    run = 40
    for block in blocks:
        run += block.gap
        for turn in range(block.count):
            run += 1
            letters = "".join(
                {".": old, "~": "pe"[turn % 2]}.get(new, new) for old, new in zip(last, block.tests, strict=True)
            )
            last = "".join(old if new == "-" else new for old, new in zip(last, letters, strict=True))
            if block.later is later:
                _run(rows, run, block, letters)
    for table, found in rows.items():
        if found:
            platform.insert(table, *found)


def _run(rows: dict[str, list[dict[str, Any]]], run: int, block: Block, letters: str) -> None:
    rows["test"].append(
        {
            "id": run,
            "token": f"CANARY{run}",
            "platform": block.platform,
            "commit": f"{block.commit:040x}",
            **(MAIN_RUN | LINES[block.line]),
        }
    )
    rows["test_progress"] += [
        {
            "id": 10 * run + place,
            "test_id": run,
            "status": status,
            "timestamp": DAY + datetime.timedelta(hours=run, minutes=place),
            "message": status,
        }
        for place, status in enumerate(ENDS[block.end])
    ]
    if run % 3 == 0:
        rows["customized_test"].append({"id": run, "test_id": run, "regression_id": 1})
    for test, letter in enumerate(letters, 1):
        if letter == "-":
            continue
        exit_code, wrote = ENDINGS[letter]
        key = {"test_id": run, "regression_test_id": test}
        rows["test_result"].append({**key, "runtime": block.runtime, "exit_code": exit_code, "expected_rc": 0})
        output = {**key, "regression_test_output_id": 10 * test, "expected": HASH["c"]}
        if wrote == "nothing":
            rows["test_result_file"].append({**output, "regression_test_output_id": -1, "got": "error"})
        elif wrote is not None and test != 4:
            rows["test_result_file"].append({**output, "got": None if wrote == "exact" else wrote})


class Published(Api):
    """What a store in memory publishes."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def read(self, path: str) -> bytes:
        return self._store.objects[f"v1/{path}"].data


def check(api: Api, truth: Recomputation) -> None:
    """Hold all that is published against the recomputation."""
    listed = {run["run_id"]: run for run in api.items("runs.json")}
    assert list(listed) == [run.id for run in reversed(truth.runs)]
    for run in truth.runs:
        _check_run(api, truth, run, listed[run.id])
    assert api("regressions.json")["pagination"]["total"] == len(truth.changes())
    changes = [
        {key: change[key] for key in change.keys() - {"sample_id", "sample_name", "href"}}
        for change in api.items("regressions.json")
    ]
    assert changes == truth.changes()
    standings = truth.standings()
    for name, wanted in (("flaky", "flaky"), ("failing", "since_run")):
        said = [item | {"flaky": None} for item in api.items(f"regression-tests/{name}.json")]
        found = [item | {"flaky": None} for item in standings if item[wanted]]
        assert [{key: item[key] for key in found[0]} for item in said] == found if found else not said
    for test in truth.tests:
        stability = api(f"regression-tests/{test}.json")["stability"]
        for platform in PLATFORMS:
            _check_stability(stability[platform], truth.stability(platform, test))


def _check_run(api: Api, truth: Recomputation, run: recomputation.Run, listed: dict[str, Any]) -> None:
    verdicts = {test: truth.verdict(run, test) for test, one in sorted(run.results.items()) if not one.passed}
    failures = api.items(f"runs/{run.id}/failures.json")
    assert {item["regression_test_id"]: item["verdict"] for item in failures} == verdicts
    codes = [run.results[test].code for test in verdicts]
    assert [item["classification"]["code"] for item in failures] == codes
    counted = recomputation.counts(codes, [one["code"] for one in verdicts.values()])
    assert listed["failures"] == api(f"runs/{run.id}.json")["failures"] == counted
    for test, one in run.results.items():
        result = api(f"runs/{run.id}/samples/{test}.json")
        classification, previous = result["classification"], truth.previous(run, test)
        assert (result["status"], classification and classification["code"]) == (one.status, one.code)
        assert result["verdict"] == verdicts.get(test)
        assert result["previous"] == (
            previous
            and {
                "run_id": previous.run,
                "status": previous.status,
                "href": f"../../{previous.run}/samples/{test}.json",
            }
        )
    comparison = api(f"runs/{run.id}/comparison.json")
    assert comparison["run"]["run_id"] == run.id
    for name, reference in truth.references(run).items():
        said = comparison["references"][name]
        assert (said.pop("run") or {"run_id": None})["run_id"] == (reference.id if reference else None), name
        for bucket in said.keys() - {"unchanged_pass"}:
            for item in said[bucket]:
                _check_compared(item, run, reference, verdicts)
            said[bucket] = [item["regression_test_id"] for item in said[bucket]]
        assert said == truth.comparison(run, reference), name


def _check_compared(
    item: dict[str, Any], run: recomputation.Run, reference: recomputation.Run | None, verdicts: dict[int, Any]
) -> None:
    test = item["regression_test_id"]
    here, there = run.results.get(test), reference.results.get(test) if reference else None
    assert (item["status"], item["code"]) == ((here.status, here.code) if here else (None, None))
    assert item["verdict"] == (verdicts[test]["code"] if test in verdicts else None)
    assert item["href"] == (f"samples/{test}.json" if here else None)
    assert item["reference_status"] == (there.status if there else None)
    assert item["reference_href"] == (f"../{there.run}/samples/{test}.json" if there else None)


def _check_stability(said: dict[str, Any], truth: dict[str, Any]) -> None:
    for name, exact in truth["windows"]["all"].pop("runtime_ms").items():
        estimate = said["windows"]["all"]["runtime_ms"].pop(name)
        assert (estimate is None) is (exact is None)
        assert exact is None or abs(estimate - exact) <= 0.01 * exact + 0.5
    del said["windows"]["all"]["runtime_ms"]
    assert said == truth


def _export(platform: Platform, blocks: list[Block], **options: Any) -> MemoryStore:
    """Export a history, in two goes if some of it is late."""
    platform.clear()
    platform.insert("fork", id=1, github="https://github.com/CCExtractor/ccextractor.git")
    platform.insert("fork", id=2, github="https://github.com/somebody/ccextractor.git")
    platform.insert("sample", id=1, sha=HASH["a"], extension="ts", original_name="first")
    tests = [{"id": test, "sample_id": 1, "command": "x", "expected_rc": 0, "active": 1} for test in (1, 2, 3, 4)]
    outputs = [
        {"id": 10 * test, "regression_id": test, "correct": HASH["c"], "correct_extension": ".srt", "ignore": test == 3}
        for test in (1, 2, 3)
    ]
    platform.insert("regression_test", *tests)
    platform.insert("regression_test_output", *outputs)
    platform.insert("regression_test_output_files", id=1, file_hashes=HASH["d"], regression_test_output_id=10)
    store = MemoryStore()
    _insert(platform, blocks, later=False)
    if any(block.later for block in blocks):
        export(platform.url, store, **options)
        _insert(platform, blocks, later=True)
    export(platform.url, store, **options)
    return store


def _hold(platform: Platform, blocks: list[Block]) -> Api:
    """Export a history, and check it."""
    api = Published(_export(platform, blocks))
    check(api, Recomputation(platform))
    return api


KNOWN = [
    Block(2, 0, "main", "linux", "completed", 1, "pp--", 10, False),
    Block(1, 0, "pull request", "linux", "completed", 2, "ss1-", 10, False),
    Block(1, 3, "same number of another fork", "linux", "completed", 2, ".p.m", 10, True),
    Block(25, 60, "main", "windows", "restarted", 3, "~~ee", 80, False),
    Block(25, 0, "main", "windows", "completed", 4, "p~.f", 110, False),
    Block(2, 60, "branch", "windows", "completed", 4, "eevm", None, True),
    Block(1, 0, "fork's master", "linux", "canceled", 4, "f-n-", 7001, True),
    Block(3, 0, "main", "linux", "completed", 4, "em1.", 0, False),
    Block(1, 250, "main", "linux", "completed", 4, "--..", 0, False),
]


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BLOCKS)
@example(KNOWN)
def test_any_history_is_told_as_the_rules_say(platform: Platform, blocks: list[Block]) -> None:
    _hold(platform, blocks)


def test_a_history_with_all_codes_and_verdicts(platform: Platform) -> None:
    api = _hold(platform, KNOWN)
    found = [item for run in api.items("runs.json") for item in api.items(f"runs/{run['run_id']}/failures.json")]
    assert {item["classification"]["code"] for item in found} == set(CODES) - {"ABORT", "TIMEOUT"}
    assert {item["verdict"]["code"] for item in found} == set(VERDICTS)
    assert api("regression-tests/1.json")["stability"]["windows"]["slower"] is True
    assert api.items("regression-tests/flaky.json") and api.items("regression-tests/failing.json")


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
@pytest.mark.parametrize("which", ["failures", "none"])
def test_nothing_links_to_results_without_a_document(platform: Platform, which: str) -> None:
    store = _export(platform, KNOWN, result_documents=which)
    assert not verify(store).problems
    api = Published(store)
    changes = api.items("regressions.json")
    assert [bool(change["href"]) for change in changes] == [
        which == "failures" and change["kind"] == "regression" for change in changes
    ]
