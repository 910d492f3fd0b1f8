"""What issue 5 derives from a history, worked out again: slowly, plainly, and from the raw rows.

Nothing here comes from the exporter's builders. Every question scans the whole history, in the words of
`docs/contract.md`.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.support.platform import Platform

CODES = ("SEGFAULT", "ABORT", "TIMEOUT", "MISSING_OUTPUT", "EXIT_CODE_MISMATCH", "OUTPUT_DIFF")
VERDICTS = ("new_regression", "still_failing", "never_passed", "flaky", "no_history")
PLATFORMS = ("linux", "windows")
MAIN = ("CCExtractor/ccextractor", "master")


@dataclass
class Result:
    """One result: its row, its status, the code of its failure, and all that it produced."""

    run: int
    test: int
    exit_code: int | None
    runtime: int | None
    status: str
    code: str | None
    produced: Any

    @property
    def passed(self) -> bool:
        return self.status == "pass"


@dataclass
class Run:
    """One run, with its results by test."""

    id: int
    platform: str | None
    line: Any
    commit: str
    finished: bool
    at: str | None
    results: dict[int, Result] = field(default_factory=dict)


class Recomputation:
    """The history in a database."""

    def __init__(self, platform: Platform, main: tuple[str, str] = MAIN) -> None:
        rows = {
            table: platform.rows(table)
            for table in (
                *("fork", "test", "test_progress", "test_result", "test_result_file"),
                *("regression_test", "regression_test_output", "regression_test_output_files"),
            )
        }
        self.tests = sorted(row["id"] for row in rows["regression_test"])
        forks = {
            row["id"]: row["github"].removesuffix(".git").removeprefix("https://github.com/") for row in rows["fork"]
        }
        self.runs = []
        for row in sorted(rows["test"], key=lambda row: int(row["id"])):
            results = {
                one["regression_test_id"]: _result(rows, one)
                for one in rows["test_result"]
                if one["test_id"] == row["id"]
            }
            progress = [one for one in rows["test_progress"] if one["test_id"] == row["id"]]
            progress.sort(key=lambda one: int(one["id"]))
            ended = bool(progress) and progress[-1]["status"] == "completed" and bool(results)
            times = {one["status"]: f"{one['timestamp']:%Y-%m-%dT%H:%M:%SZ}" for one in progress}
            first = next((f"{p['timestamp']:%Y-%m-%dT%H:%M:%SZ}" for p in progress if p["status"] == "testing"), None)
            completed = [p for p in progress if p["status"] in ("completed", "canceled")]
            at = times[completed[-1]["status"]] if completed else first
            line: Any = ("branch", forks.get(row["fork_id"], "unknown"), row["branch"])
            if row["test_type"] == "commit" and line[1:] == main:
                line = "main"
            elif row["test_type"] == "pr" and row["pr_nr"] > 0:
                line = ("pr", row["pr_nr"])
            os = row["platform"] if row["platform"] in PLATFORMS else None
            self.runs.append(Run(row["id"], os, line, row["commit"], ended, at, results))

    def before(self, run: Run, platform: str | None) -> list[Run]:
        """The earlier runs on a platform, oldest first."""
        return [one for one in self.runs if one.id < run.id and one.platform == platform is not None]

    def results_before(self, run: Run, line: Any, test: int) -> list[Result]:
        """A test's earlier results on a line and this run's platform."""
        earlier = self.before(run, run.platform)
        return [one.results[test] for one in earlier if one.line == line and test in one.results]

    def verdict(self, run: Run, test: int) -> dict[str, Any]:
        """Whether a failure is news."""
        main = self.results_before(run, "main", test)
        own = self.results_before(run, run.line, test) if run.line != "main" else []
        past = own or main
        verdict: dict[str, Any] = dict.fromkeys(
            ("code", "line", "since_run", "last_pass_run", "previous_run", "signature_changed")
        )
        if not past:
            return {**verdict, "code": "no_history"}
        here = run.results[test]
        verdict["line"] = "own" if own else "main"
        verdict["previous_run"] = past[-1].run
        if not past[-1].passed:
            verdict["since_run"] = _streak(past)[0].run
            verdict["signature_changed"] = past[-1].produced != here.produced
            inherited = own and not any(one.passed for one in own) and main and not main[-1].passed
            if inherited:
                verdict["since_run"] = min(_streak(past)[0].run, _streak(main)[0].run)
        passes = [one.run for one in past if one.passed] or [one.run for one in main if one.passed]
        verdict["last_pass_run"] = passes[-1] if passes else None
        if not passes:
            verdict["code"] = "never_passed"
        elif flaky([one.passed for one in (*main, *own, here)]):
            verdict["code"] = "flaky"
        else:
            verdict["code"] = "new_regression" if past[-1].passed else "still_failing"
        return verdict

    def previous(self, run: Run, test: int) -> Result | None:
        """The test's last result on this platform, in whichever run."""
        found = [one.results[test] for one in self.before(run, run.platform) if test in one.results]
        return found[-1] if found else None

    def references(self, run: Run) -> dict[str, Run | None]:
        """The runs that a run is compared with."""
        here = [one for one in self.before(run, run.platform) if one.finished]
        other = {"linux": "windows", "windows": "linux"}.get(run.platform or "")
        there = [one for one in self.before(run, other) if one.finished]
        return {
            "main": _last([one for one in here if one.line == "main"]),
            "previous": _last([one for one in here if one.line == run.line]),
            "other_platform": _last([one for one in there if one.commit == run.commit]),
        }

    def comparison(self, run: Run, reference: Run | None) -> dict[str, Any]:
        """Buckets: name → tests; and the count of the rest."""
        found: dict[str, list[int]] = {
            name: []
            for name in (
                *("broken", "fixed", "failing_identically", "failing_differently", "not_rerun", "no_reference"),
                *("unchanged_pass", "nothing"),
            )
        }
        there_all = reference.results if reference else {}
        for test in sorted({*run.results, *there_all}):
            here, there = run.results.get(test), there_all.get(test)
            if here is None:
                assert there is not None
                bucket = "nothing" if there.passed else "not_rerun"
            elif there is None:
                bucket = "nothing" if here.passed else "no_reference"
            elif here.passed:
                bucket = "unchanged_pass" if there.passed else "fixed"
            elif there.passed:
                bucket = "broken"
            else:
                bucket = "failing_identically" if here.produced == there.produced else "failing_differently"
            found[bucket].append(test)
        del found["nothing"]
        return {**found, "unchanged_pass": len(found["unchanged_pass"])}

    def changes(self) -> list[dict[str, Any]]:
        """Every regression and fix on the main line, newest run first, within a run by test."""
        found = []
        for run in reversed(self.runs):
            if run.line != "main" or run.platform is None:
                continue
            for test, here in sorted(run.results.items()):
                past = self.results_before(run, "main", test)
                if past and past[-1].passed != here.passed:
                    found.append(
                        {
                            "kind": "fix" if here.passed else "regression",
                            "run_id": run.id,
                            "platform": run.platform,
                            "regression_test_id": test,
                            "status": here.status,
                            "code": here.code,
                            "commit_sha": run.commit,
                            "previous_run": past[-1].run,
                            "flaky": flaky([one.passed for one in (*past, here)]),
                            "at": run.at,
                        }
                    )
        return found

    def on_platform(self, platform: str, test: int, line: Any = None) -> list[Result]:
        """A test's results on a platform, oldest first; of one line, or of all runs."""
        return [
            run.results[test]
            for run in self.runs
            if run.platform == platform and test in run.results and line in (None, run.line)
        ]

    def stability(self, platform: str, test: int) -> dict[str, Any]:
        """A test's stability; the runtimes over all results exactly."""
        results = self.on_platform(platform, test)
        passed = [one.passed for one in results]
        failures = [one.run for one in results if not one.passed]
        newest = [one.runtime for one in results[-100:] if one.runtime is not None][::-1]
        return {
            "windows": {"20": _window(results[-20:]), "100": _window(results[-100:]), "all": _window(results)},
            "state_changes": _changes(passed),
            "state_changes_20": _changes(passed[-20:]),
            "flaky": flaky(passed),
            "longest_pass_streak": _longest(passed, True),
            "longest_fail_streak": _longest(passed, False),
            "first_failure_run": failures[0] if failures else None,
            "last_failure_run": failures[-1] if failures else None,
            "slower": slower(newest[:20], newest[20:]),
        }

    def standings(self) -> list[dict[str, Any]]:
        """Where each test that has a result on the main line stands there."""
        found = []
        for test in self.tests:
            for platform in PLATFORMS:
                results = self.on_platform(platform, test, "main")
                if results:
                    passes = [one.run for one in results if one.passed]
                    found.append(
                        {
                            "regression_test_id": test,
                            "platform": platform,
                            "run_id": results[-1].run,
                            "passes": results[-1].passed,
                            "since_run": None if results[-1].passed else _streak(results)[0].run,
                            "last_pass_run": passes[-1] if passes else None,
                            "state_changes_20": _changes([one.passed for one in results[-20:]]),
                            "flaky": flaky([one.passed for one in results]),
                        }
                    )
        return found


def flaky(passed: list[bool]) -> bool:
    """Four changes in the newest 20, without the last one if five or more results have been alike since."""
    newest = passed[-20:]
    changed = [place for place in range(1, len(newest)) if newest[place] != newest[place - 1]]
    if changed and len(newest) - changed[-1] >= 5:
        changed.pop()
    return len(changed) >= 4


def slower(newest: list[int], before: list[int]) -> bool | None:
    """The median rose by more than a quarter and by more than three median absolute deviations."""
    if len(newest) < 20 or len(before) < 20:
        return None
    now, then = _rank(newest, 50), _rank(before, 50)
    assert now is not None and then is not None
    deviation = _rank([abs(value - then) for value in before], 50)
    assert deviation is not None
    return now > 1.25 * then and now - then > 3 * deviation


def classify(status: str, exit_code: int | None, expected: int | None) -> str | None:
    """The code of a failure."""
    if status == "pass":
        return None
    if exit_code in (139, -11, -1073741819):
        return "SEGFAULT"
    if exit_code in (134, -6, -1073740791):
        return "ABORT"
    if exit_code in (124, 143, -15, 137):
        return "TIMEOUT"
    if status == "missing_output":
        return "MISSING_OUTPUT"
    return "EXIT_CODE_MISMATCH" if exit_code != expected else "OUTPUT_DIFF"


def counts(codes: list[str | None], verdicts: list[str]) -> dict[str, Any]:
    """A run's counts."""
    by_code, by_verdict = Counter(codes), Counter(verdicts)
    return {
        "codes": {code: by_code[code] for code in CODES},
        "verdicts": {code: by_verdict[code] for code in VERDICTS},
    }


def _result(rows: dict[str, list[dict[str, Any]]], row: dict[str, Any]) -> Result:
    test = row["regression_test_id"]
    key = row["test_id"], test
    files = [one for one in rows["test_result_file"] if (one["test_id"], one["regression_test_id"]) == key]
    outputs = [one for one in rows["regression_test_output"] if one["regression_id"] == test]
    written = {one["regression_test_output_id"] for one in files}
    nothing = [one for one in files if one["regression_test_output_id"] == -1 and one["got"] == "error"]
    differs = False
    for one in files:
        variants = [
            variant["file_hashes"]
            for variant in rows["regression_test_output_files"]
            if variant["regression_test_output_id"] == one["regression_test_output_id"]
        ]
        differs = differs or (one["got"] is not None and one["got"] not in variants)
    if any(not output["ignore"] and output["id"] not in written for output in outputs) or (nothing and not outputs):
        status = "missing_output"
    else:
        status = "fail" if differs or row["exit_code"] != row["expected_rc"] else "pass"
    produced = sorted((one["regression_test_output_id"], one["got"] or one["expected"]) for one in files)
    return Result(
        row["test_id"],
        test,
        row["exit_code"],
        row["runtime"],
        status,
        classify(status, row["exit_code"], row["expected_rc"]),
        (row["exit_code"], produced),
    )


def _last(runs: list[Run]) -> Run | None:
    return runs[-1] if runs else None


def _streak(results: list[Result]) -> list[Result]:
    """The failures at the end."""
    found: list[Result] = []
    for one in reversed(results):
        if one.passed:
            break
        found.insert(0, one)
    return found


def _changes(passed: list[bool]) -> int:
    return sum(passed[place] != passed[place - 1] for place in range(1, len(passed)))


def _longest(passed: list[bool], wanted: bool) -> int:
    longest = current = 0
    for one in passed:
        current = current + 1 if one is wanted else 0
        longest = max(longest, current)
    return longest


def _rank(values: list[int], percent: int) -> int | None:
    """The nearest-rank quantile."""
    return sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1] if values else None


def _window(results: list[Result]) -> dict[str, Any]:
    times = [one.runtime for one in results if one.runtime is not None]
    passed = sum(one.passed for one in results)
    return {
        "results": len(results),
        "passed": passed,
        "pass_rate": round(passed / len(results), 4) if results else None,
        "runtime_ms": {"median": _rank(times, 50), "p95": _rank(times, 95)},
    }
