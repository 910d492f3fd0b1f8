"""Judgement 1.1 worked out again: slowly, plainly, and from the raw rows.

Nothing here imports the exporter. Every question scans the whole history, in the words of `docs/contract.md`. Where
the words leave room, this page says which reading it takes:

- The counts of the newest results, of state changes and of streaks are of counted results only.
- A commit that is null is no commit: two of them are not the same, and they are no rerun.
- The commit that the main lineage is at is that of its newest run. A run of an earlier one is a rerun of an old commit,
  whatever reruns came since. It is held against the main lineage like any other run of the main line, but is no news:
  `still_failing` where another run would be a `new_regression`.
- A run of the main line is one of the main repository's main branch, counted or not: its failures have `main` null.
- A failure whose previous result passed with the same output is no news: `still_failing`, in comparisons
  `failing_identically`, and `same` against the main line. A pass of which the reference failed so is `unchanged_pass`.
- A test is flaky by a lineage; a failure is `flaky` if one of its code is in the window of a lineage that is flaky.
- Two commits that both passed and failed: among the newest 20 results.
- `worse`: than the newest earlier failure on the own lineage, however old; where there is none, on the main lineage.
- `suspect`: "newly" is the verdict `new_regression`.
- A change of expectation is told if the content is approved today, or if the state before it lasted for two results:
  an expectation that alternates with each run is nobody's decision.
- Where all runs of a reference are partial, its `run` is the newest of them.
- An unlimited run was not asked for tests that are inactive today.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.platform import Platform

CODES = (
    *("SEGFAULT", "ABORT", "KILLED", "TIMEOUT"),
    *("MISSING_OUTPUT", "EXIT_CODE_MISMATCH", "OUTPUT_DIFF"),
)
GRAVITY = {
    "OUTPUT_DIFF": 0,
    "EXIT_CODE_MISMATCH": 1,
    "MISSING_OUTPUT": 2,
    "TIMEOUT": 3,
    "KILLED": 3,
    "ABORT": 4,
    "SEGFAULT": 5,
}
VERDICTS = ("new_regression", "still_failing", "never_passed", "flaky", "no_history")
MAIN_STATES = ("broken", "flaky", "same", "different", "no_reference", "worse")
PLATFORMS = ("linux", "windows")
MAIN = ("CCExtractor/ccextractor", "master")
BUCKETS = ("broken", "fixed", "failing_identically", "failing_differently", "not_rerun", "no_reference")


@dataclass
class Result:
    """One result: its row, its status, the code of its failure, and all that it produced."""

    run: int
    test: int
    commit: str | None
    exit_code: int | None
    runtime: int | None
    status: str
    code: str | None
    produced: Any
    accepted_today: dict[int, bool]
    approved_today: bool

    @property
    def passed(self) -> bool:
        return self.status == "pass"


@dataclass
class Run:
    """One run, with its results by test."""

    id: int
    platform: str | None
    lineage: Any
    commit: str | None
    status: str
    limited: bool
    asked: int
    at: str | None
    pr_number: int | None
    results: dict[int, Result] = field(default_factory=dict)
    rerun: bool = False

    @property
    def counted(self) -> bool:
        return self.status in ("pass", "fail")

    @property
    def partial(self) -> bool:
        return self.limited or 2 * len(self.results) < self.asked


class Recomputation:
    """The history in a database."""

    def __init__(self, platform: Platform, main: tuple[str, str] = MAIN) -> None:
        tables = ("fork", "test", "test_progress", "test_result", "test_result_file", "customized_test")
        catalog = ("regression_test", "regression_test_output", "regression_test_output_files")
        rows = {table: platform.rows(table) for table in (*tables, *catalog)}
        self.tests = sorted(row["id"] for row in rows["regression_test"])
        self.active = sorted(row["id"] for row in rows["regression_test"] if row["active"])
        forks = {row["id"]: row["github"] for row in rows["fork"]}
        self.runs: list[Run] = []
        for row in sorted(rows["test"], key=lambda row: int(row["id"])):
            run = _run(rows, row, forks.get(row["fork_id"]), main)
            run.asked = run.asked if run.limited else len(self.active)
            run.rerun = self._is_rerun(run)
            self.runs.append(run)

    def _is_rerun(self, run: Run) -> bool:
        """Whether the commit of a run of the main line was counted there before, and another one's since."""
        if run.lineage != "main" or run.commit is None:
            return False
        commits = [one.commit for one in self.lineage(run.platform, "main")]
        return run.commit in commits and commits[-1] != run.commit

    def lineage(self, platform: str | None, lineage: Any, before: int | None = None) -> list[Run]:
        """The counted runs of a lineage on a platform, oldest first, without reruns of old commits."""
        return [
            one
            for one in self.runs
            if platform in PLATFORMS
            and (one.platform, one.lineage) == (platform, lineage)
            and one.counted
            and not one.rerun
            and (before is None or one.id < before)
        ]

    def results(self, run: Run, lineage: Any, test: int) -> list[Result]:
        """A test's counted results on a lineage before a run, on the run's platform, oldest first."""
        return [one.results[test] for one in self.lineage(run.platform, lineage, before=run.id) if test in one.results]

    def verdict(self, run: Run, test: int) -> dict[str, Any]:
        """Whether a failure is news, and how it stands to the main line (without `href`)."""
        here = run.results[test]
        main = self.results(run, "main", test)
        own = self.results(run, run.lineage, test) if run.lineage != "main" else []
        verdict: dict[str, Any] = dict.fromkeys(
            ("code", "line", "since_run", "last_pass_run", "previous_run", "signature_changed")
        )
        verdict |= {"flaky_test": flaky(main, main=True) or flaky(own, main=False), "main": None}
        if run.lineage != "main":
            verdict["main"] = against_main(here, main, own)
        past = own or main
        if not past:
            return {**verdict, "code": "no_history"}
        previous = past[-1]
        verdict["line"] = "own" if own else "main"
        verdict["previous_run"] = previous.run
        if not previous.passed:
            verdict["since_run"] = _streak(past)[0].run
            verdict["signature_changed"] = previous.produced != here.produced
            inherited = own and not any(one.passed for one in own) and main and not main[-1].passed
            if inherited:
                verdict["since_run"] = min(_streak(past)[0].run, _streak(main)[0].run)
        passes = [one.run for one in past if one.passed] or [one.run for one in main if one.passed]
        verdict["last_pass_run"] = passes[-1] if passes else None
        if not passes:
            verdict["code"] = "never_passed"
        elif any(
            flaky(results, main=is_main) and here.code in {one.code for one in results[-20:]}
            for results, is_main in ((main, True), (own, False))
        ):
            verdict["code"] = "flaky"
        else:
            news = changed(previous, here) and not run.rerun
            verdict["code"] = "new_regression" if news else "still_failing"
        return verdict

    def failures(self, run: Run) -> dict[str, Any]:
        """The counts of a run's failures."""
        failed = [one for _, one in sorted(run.results.items()) if not one.passed]
        verdicts = [self.verdict(run, one.test) for one in failed]
        codes = Counter(one.code for one in failed)
        by_verdict = Counter(verdict["code"] for verdict in verdicts)
        main: Counter[str] = Counter()
        for verdict in verdicts:
            if verdict["main"] is not None:
                state = verdict["main"]["state"]
                main["flaky" if (state, verdict["code"]) == ("broken", "flaky") else state] += 1
                main["worse"] += verdict["main"]["worse"]
        return {
            "codes": {code: codes[code] for code in CODES},
            "verdicts": {code: by_verdict[code] for code in VERDICTS},
            "main": {state: main[state] for state in MAIN_STATES},
        }

    def suspect(self, run: Run) -> dict[str, Any] | None:
        """The code with which so many tests newly fail that it looks like the machine."""
        new = Counter(
            one.code
            for one in run.results.values()
            if not one.passed and self.verdict(run, one.test)["code"] == "new_regression"
        )
        found = [code for code in CODES if new[code] >= 20 and 10 * new[code] >= 3 * len(run.results)]
        best = max(found, key=lambda code: new[code], default=None)
        return {"code": best, "count": new[best]} if best else None

    def previous(self, run: Run, test: int) -> Result | None:
        """The test's last counted result on this platform, in whichever run."""
        found = [
            one.results[test]
            for one in self.runs
            if one.counted and one.id < run.id and one.platform == run.platform is not None and test in one.results
        ]
        return found[-1] if found else None

    def references(self, run: Run) -> dict[str, list[Run]]:
        """The counted runs that a run is compared with, test by test, oldest first."""
        other = {"linux": "windows", "windows": "linux"}.get(run.platform or "")
        return {
            "main": self.lineage(run.platform, "main", before=run.id),
            "previous": self.lineage(run.platform, run.lineage, before=run.id),
            "other_platform": [
                one
                for one in self.runs
                if one.counted and one.id < run.id and one.platform == other is not None and one.commit == run.commit
                if run.commit is not None
            ],
        }

    def comparison(self, run: Run, references: list[Run]) -> dict[str, Any]:
        """The reference run's id, buckets (name → test → the reference's run), and the counts of the rest."""
        whole = [one.id for one in references if not one.partial]
        found: dict[str, dict[int, int | None]] = {name: {} for name in (*BUCKETS, "unchanged_pass", "not_asked")}
        for test in sorted({*run.results, *(test for one in references for test in one.results)}):
            there = next((one.results[test] for one in reversed(references) if test in one.results), None)
            bucket = self._bucket(run, test, there)
            if bucket:
                found[bucket][test] = there.run if there else None
        counts = {name: len(found.pop(name)) for name in ("unchanged_pass", "not_asked")}
        newest = (whole or [one.id for one in references] or [None])[-1]
        return {"run": newest, **found, **counts}

    def _bucket(self, run: Run, test: int, there: Result | None) -> str | None:
        here = run.results.get(test)
        if here is None:
            assert there is not None
            if there.passed:
                return None
            return "not_asked" if run.limited or test not in self.active else "not_rerun"
        if there is None:
            return None if here.passed else "no_reference"
        if here.passed:
            return "fixed" if changed(there, here) else "unchanged_pass"
        if changed(there, here):
            return "broken"
        return "failing_identically" if here.produced == there.produced else "failing_differently"

    def changes(self) -> list[dict[str, Any]]:
        """Every regression, fix and change of expectation on the main line, newest run first, within a run by test."""
        found = []
        for run in reversed(self.runs):
            if run.lineage != "main" or run.platform is None or not run.counted or run.rerun:
                continue
            for test, here in sorted(run.results.items()):
                past = self.results(run, "main", test)
                if not past or past[-1].passed == here.passed:
                    continue
                kind = "fix" if here.passed else "regression"
                if not changed(past[-1], here):
                    alone = len(past) < 2 or past[-2].passed != past[-1].passed
                    if alone and not here.approved_today:
                        continue
                    kind = "expectation"
                found.append(
                    {
                        "kind": kind,
                        "run_id": run.id,
                        "platform": run.platform,
                        "regression_test_id": test,
                        "status": here.status,
                        "code": here.code,
                        "commit_sha": run.commit,
                        "previous_run": past[-1].run,
                        "flaky": flaky([*past, here], main=True),
                        "at": run.at,
                    }
                )
        return found

    def on_platform(self, platform: str, test: int, *, main: bool = False) -> list[Result]:
        """A test's counted results on a platform, oldest first; of the main lineage, or of all runs."""
        runs = self.lineage(platform, "main") if main else [run for run in self.runs if run.counted]
        return [run.results[test] for run in runs if run.platform == platform and test in run.results]

    def stability(self, platform: str, test: int) -> dict[str, Any]:
        """A test's stability; the runtimes over all results exactly."""
        results = self.on_platform(platform, test)
        failures = [one.run for one in results if not one.passed]
        newest = [one.runtime for one in results[-100:] if one.runtime is not None][::-1]
        return {
            "windows": {"20": _window(results[-20:]), "100": _window(results[-100:]), "all": _window(results)},
            "state_changes": len(state_changes(results)),
            "state_changes_20": len(state_changes(results[-20:])),
            "flaky": flaky(self.on_platform(platform, test, main=True), main=True),
            "longest_pass_streak": _longest(results, True),
            "longest_fail_streak": _longest(results, False),
            "first_failure_run": failures[0] if failures else None,
            "last_failure_run": failures[-1] if failures else None,
            "slower": slower(newest[:20], newest[20:]),
            "slowdown": _slowdown([(one.run, one.runtime) for one in results[-100:] if one.runtime is not None][::-1]),
        }

    def main_now(self) -> list[dict[str, Any]]:
        """Where each active test that has a counted result on the main line stands there."""
        found = []
        for test in self.active:
            for platform in PLATFORMS:
                results = self.on_platform(platform, test, main=True)
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
                            "state_changes_20": len(state_changes(results[-20:])),
                            "flaky": flaky(results, main=True),
                        }
                    )
        return found

    def commit_platforms(self, commit: str) -> dict[int, dict[str, str | None]]:
        """Of each test that fails anywhere at a commit: its newest counted status there, by platform."""
        newest: dict[int, dict[str, str | None]] = {}
        for run in self.runs:
            if run.commit == commit and run.counted and run.platform:
                for test, one in run.results.items():
                    newest.setdefault(test, dict.fromkeys(PLATFORMS))[run.platform] = one.status
        return {test: found for test, found in sorted(newest.items()) if set(found.values()) - {"pass", None}}


def changed(before: Result, here: Result) -> bool:
    """Whether a test's state changed: from pass to failure or back, and not by what was expected alone."""
    return before.passed != here.passed and before.produced != here.produced


def state_changes(results: Sequence[Result]) -> list[int]:
    """The places of results that changed the state."""
    return [place for place in range(1, len(results)) if changed(results[place - 1], results[place])]


def flaky(results: Sequence[Result], *, main: bool) -> bool:
    """Four changes in the newest 20, without a last one that lasts; or two commits that each passed and failed."""
    newest = results[-20:]
    places = state_changes(newest)
    if not main:
        places = [place for place in places if newest[place].commit == newest[place - 1].commit is not None]
    if places and len(newest) - places[-1] >= 5:
        places.pop()
    return len(places) >= 4 or len(unsteady_commits(newest)) >= 2


def unsteady_commits(results: Sequence[Result]) -> set[str]:
    """The commits that both passed and failed, not counting the same output."""
    return {
        one.commit
        for one in results
        for other in results
        if one.commit is not None and one.commit == other.commit and changed(one, other)
    }


def against_main(here: Result, main: Sequence[Result], own: Sequence[Result]) -> dict[str, Any]:
    """How a failure stands to the main lineage."""
    found = {"state": "no_reference", "run_id": None, "same_failure_run_id": None, "worse": False}
    earlier = [one for one in own if not one.passed] or [one for one in main if not one.passed]
    if earlier and here.code is not None and earlier[-1].code is not None:
        found["worse"] = GRAVITY[here.code] > GRAVITY[earlier[-1].code]
    if not main:
        return found
    found["run_id"] = main[-1].run
    if changed(main[-1], here):
        found["state"] = "broken"
        distinct: list[Result] = []
        for one in reversed(main):
            if not one.passed and one.produced not in [other.produced for other in distinct]:
                distinct.append(one)
        found["same_failure_run_id"] = next((one.run for one in distinct[:10] if one.produced == here.produced), None)
    else:
        found["state"] = "same" if main[-1].produced == here.produced else "different"
    return found


def slower(newest: list[int], before: list[int]) -> bool | None:
    """The median rose by more than a quarter and by more than three median absolute deviations."""
    if len(newest) < 20 or len(before) < 20:
        return None
    now, then = _rank(newest, 50), _rank(before, 50)
    assert now is not None and then is not None
    deviation = _rank([abs(value - then) for value in before], 50)
    assert deviation is not None
    return now > 1.25 * then and now - then > 3 * deviation


def _slowdown(timed: list[tuple[int, int]]) -> dict[str, int] | None:
    """Every place is tried at which the runtimes, newest first, may be parted."""
    times = [runtime for _, runtime in timed]
    if not slower(times[:20], times[20:]):
        return None
    after, before = _rank(times[:20], 50), _rank(times[20:], 50)
    assert after is not None and before is not None
    slow = [abs(time - after) < abs(time - before) for time in times]
    right = [slow[:size].count(True) + slow[size:].count(False) for size in range(1, len(slow) + 1)]
    return {"before_ms": before, "after_ms": after, "since_run": timed[right.index(max(right))][0]}


def classify(status: str, exit_code: int | None, expected: int | None) -> str | None:
    """The code of a failure."""
    if status == "pass":
        return None
    for code, exit_codes in (
        ("SEGFAULT", (139, -11, -1073741819)),
        ("ABORT", (134, -6, -1073740791)),
        ("KILLED", (137, -9)),
        ("TIMEOUT", (124, 143, -15)),
    ):
        if exit_code in exit_codes:
            return code
    if status == "missing_output":
        return "MISSING_OUTPUT"
    return "EXIT_CODE_MISMATCH" if exit_code != expected else "OUTPUT_DIFF"


def repository(url: str | None) -> str:
    """A repository's identity: the same for every way to write its address."""
    if url is None:
        return "unknown"
    url = url.strip().lower()
    for pattern in (r"^[a-z+]+://([^@/]*@)?", r"^git@", r"^www\.", r"^github\.com[:/]", r"/+$", r"\.git$", r"/+$"):
        url = re.sub(pattern, "", url)
    return url


def _run(rows: dict[str, list[dict[str, Any]]], row: dict[str, Any], fork: str | None, main: tuple[str, str]) -> Run:
    results = {
        one["regression_test_id"]: _result(rows, one, row["commit"])
        for one in rows["test_result"]
        if one["test_id"] == row["id"]
    }
    progress = sorted((one for one in rows["test_progress"] if one["test_id"] == row["id"]), key=lambda one: one["id"])
    limits = [one for one in rows["customized_test"] if one["test_id"] == row["id"]]
    times = [(one["status"], f"{one['timestamp']:%Y-%m-%dT%H:%M:%SZ}") for one in progress]
    ends = [time for status, time in times if status in ("completed", "canceled")]
    begins = [time for status, time in times if status == "testing"]
    number = row["pr_nr"] if row["pr_nr"] and row["pr_nr"] > 0 else None
    lineage: Any = ("branch", repository(fork), row["branch"])
    if row["test_type"] == "commit" and lineage[1:] == (repository(main[0]), main[1]):
        lineage = "main"
    elif row["test_type"] == "pr" and number:
        lineage = ("pr", number)
    platform = row["platform"] if row["platform"] in PLATFORMS else None
    return Run(
        id=row["id"],
        platform=platform,
        lineage=lineage if platform else None,
        commit=row["commit"],
        status=_run_status(progress, results),
        limited=bool(limits),
        asked=len(limits),
        at=ends[-1] if ends else begins[0] if begins else None,
        pr_number=number,
        results=results,
    )


def _run_status(progress: list[dict[str, Any]], results: dict[int, Result]) -> str:
    if not progress:
        return "queued"
    last = progress[-1]["status"]
    if last == "completed":
        if not results:
            return "error"
        return "pass" if all(one.passed for one in results.values()) else "fail"
    return {"preparation": "running", "testing": "running", "canceled": "canceled"}.get(last, "incomplete")


def _result(rows: dict[str, list[dict[str, Any]]], row: dict[str, Any], commit: str | None) -> Result:
    test = row["regression_test_id"]
    key = row["test_id"], test
    files = [one for one in rows["test_result_file"] if (one["test_id"], one["regression_test_id"]) == key]
    outputs = [one for one in rows["regression_test_output"] if one["regression_id"] == test]
    approved = {one["id"]: one["correct"] for one in rows["regression_test_output"]}
    written = {one["regression_test_output_id"] for one in files}
    nothing = [one for one in files if one["regression_test_output_id"] == -1 and one["got"] == "error"]
    accepted_today = {}
    accepted: dict[int, list[str | None]] = {}
    for one in files:
        output = one["regression_test_output_id"]
        variants = [
            variant["file_hashes"]
            for variant in rows["regression_test_output_files"]
            if variant["regression_test_output_id"] == output
        ]
        accepted[output] = [*variants, approved.get(output)]
        if one["got"] is not None and one["got"] not in variants:
            accepted_today[output] = approved.get(output) == one["got"]
    if any(not output["ignore"] and output["id"] not in written for output in outputs) or (nothing and not outputs):
        status = "missing_output"
    else:
        status = "fail" if accepted_today or row["exit_code"] != row["expected_rc"] else "pass"
    produced = sorted(
        (one["regression_test_output_id"], one["expected"] if one["got"] is None else one["got"]) for one in files
    )
    runtime = row["runtime"]
    return Result(
        run=row["test_id"],
        test=test,
        commit=commit,
        exit_code=row["exit_code"],
        runtime=None if runtime is None or runtime < -15 else runtime,
        status=status,
        code=classify(status, row["exit_code"], row["expected_rc"]),
        produced=(row["exit_code"], produced),
        accepted_today=accepted_today,
        approved_today=all(content in accepted[output] for output, content in produced if output in accepted),
    )


def _streak(results: Sequence[Result]) -> list[Result]:
    """The failures at the end."""
    found: list[Result] = []
    for one in reversed(results):
        if one.passed:
            break
        found.insert(0, one)
    return found


def _longest(results: Sequence[Result], wanted: bool) -> int:
    longest = current = 0
    for one in results:
        current = current + 1 if one.passed is wanted else 0
        longest = max(longest, current)
    return longest


def _rank(values: list[int], percent: int) -> int | None:
    """The nearest-rank quantile."""
    return sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1] if values else None


def _window(results: Sequence[Result]) -> dict[str, Any]:
    times = [one.runtime for one in results if one.runtime is not None]
    passed = sum(one.passed for one in results)
    return {
        "results": len(results),
        "passed": passed,
        "pass_rate": round(passed / len(results), 4) if results else None,
        "runtime_ms": {"median": _rank(times, 50), "p95": _rank(times, 95)},
    }
