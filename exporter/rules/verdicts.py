"""Is a failure news? Each result against what came before it, run by run through a partition.

The rules of verdicts, in words:

- A result's *reference line* is its run's own line (`lines.line_of`), if the test has an earlier result there, else
  the main line. A pull request's second run is held against its first, its first against the main line.
- `no_history`: there is no earlier result on either. `never_passed`: nor did any of them pass.
- `flaky`: the newest 20 results up to this one, the main line's and then the own line's, are (`status.is_flaky`).
- `new_regression`: the previous result on the reference line passed; else `still_failing`. `since_run` is the first
  run of the streak on the reference line; if the own line has never passed the test, and it fails on the main line
  too and has for longer, the first run of the streak there: the own line has inherited it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from exporter import paths
from exporter.builders.results import documented
from exporter.documents.analysis import Change
from exporter.documents.encoding import encode
from exporter.documents.results import PreviousResult, Verdict
from exporter.documents.runs import FailureCounts, RunFacts
from exporter.rules.lineage import (
    LETTERS,
    Evaluated,
    HistorySummary,
    Lineage,
    Lineages,
    MainLine,
    Row,
    all_results,
    commit_lineage,
    concat,
    lineage_of,
    main_lineage,
    other_platform,
    stretch,
)
from exporter.rules.outcomes import Outcome, Result
from exporter.rules.status import FAILURE_CODES, VERDICT_CODES, WINDOW, ResultStatus, VerdictCode, is_flaky


def verdict(own: HistorySummary | None, main: HistorySummary | None, status: ResultStatus, how: str | None) -> Verdict:
    """The verdict on a failure.

    Args:
        own: the test's results on the run's own line before it; None if that is the main line, or there are none.
        main: the test's results on the main line before it.
        status: the failure's.
        how: how it failed.
    """
    past = own or main
    if past is None:
        return {
            "code": "no_history",
            "line": None,
            "since_run": None,
            "last_pass_run": None,
            "previous_run": None,
            "signature_changed": None,
        }
    last_pass = past.last_pass if past.last_pass is not None or main is None else main.last_pass
    since = past.since
    inherited = own is not None and not own.passed and main is not None and main.since is not None
    if inherited and main is not None and main.since is not None and since is not None:
        since = min(since, main.since)
    newest = (main.newest if main and own else "") + past.newest + LETTERS[status]
    code: VerdictCode = "still_failing"
    if last_pass is None:
        code = "never_passed"
    elif is_flaky(newest[-WINDOW:]):
        code = "flaky"
    elif past.passes:
        code = "new_regression"
    return {
        "code": code,
        "line": "own" if own else "main",
        "since_run": since,
        "last_pass_run": last_pass,
        "previous_run": past.last_run,
        "signature_changed": None if past.passes else past.how != how,
    }


@dataclass(slots=True)
class Assessment:
    """What came before says of one run.

    Args:
        verdicts: regression test id → the verdict on its failure.
        previous: regression test id → its `PreviousResult`, encoded.
        failures: the counts.
        changes: of the main line, if the run is of it.
        references: name as in `RunComparison` → run id, or None.
    """

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    previous: dict[int, bytes] = field(default_factory=dict)
    failures: FailureCounts = field(default_factory=lambda: counts([], []))
    changes: list[Change] = field(default_factory=list)
    references: dict[str, int | None] = field(default_factory=dict)


def counts(outcomes: list[Outcome], verdicts: list[Verdict]) -> FailureCounts:
    """A run's counts of failures, by code and by verdict."""
    codes = Counter(outcome.failure[0] for outcome in outcomes if outcome.failure)
    judged = Counter(one["code"] for one in verdicts)
    return {
        "codes": {code: codes[code] for code in FAILURE_CODES},
        "verdicts": {code: judged[code] for code in VERDICT_CODES},
    }


class PriorHistory:
    """All that came before the next run of a partition.

    Args:
        before: the lines before the partition.
        main: which line is the main line.
        result_documents: which results have a document that can be linked to.
    """

    def __init__(self, before: Lineages, main: MainLine, result_documents: str) -> None:
        self._before, self._main = before, main
        self._result_documents = result_documents
        self._within: dict[str, list[Row]] = {}
        self._passing: dict[str, dict[int, bool]] = {}
        self._finished = {name: line.finished.run_id for name, line in before.items() if line.finished}
        self._newest: dict[str, dict[int, tuple[int, ResultStatus]]] = {}

    def judge(self, run: RunFacts, results: list[Result]) -> Assessment:
        """What came before says of a run; then the run is part of what comes before the next one."""
        platform, own = run["platform"], lineage_of(run, self._main)
        failed = [outcome for outcome, _ in results if outcome.how is not None]
        if platform is None or own is None:
            verdicts = {outcome.test_id: verdict(None, None, outcome.status, None) for outcome in failed}
            return Assessment(verdicts, failures=counts(failed, list(verdicts.values())), references=dict(self._none()))
        main = main_lineage(platform)
        judged = Assessment(references=dict(self._references(run, own, platform)))
        for outcome in failed:
            test = outcome.test_id
            mine = self._state(own, test) if own != main else None
            judged.verdicts[test] = verdict(mine, self._state(main, test), outcome.status, outcome.how)
        judged.failures = counts(failed, list(judged.verdicts.values()))
        judged.previous = dict(self._previous(run, platform, results))
        if own == main:
            judged.changes = list(self._changes(run, main, results))
        self.add(run, {outcome.test_id: outcome for outcome, _ in results})
        return judged

    def add(self, run: RunFacts, ended: Mapping[int, Evaluated]) -> None:
        """Make a run, of which it is known how its tests ended, part of what comes before the next one."""
        platform, own, run_id = run["platform"], lineage_of(run, self._main), run["run_id"]
        if platform is None or own is None:
            return
        self._within.setdefault(own, []).append((run_id, ended))
        self._newest_on(platform).update({test: (run_id, one.status) for test, one in ended.items()})
        if own == main_lineage(platform):
            self._passing_on(own).update({test: one.how is None for test, one in ended.items()})
        if is_finished(run):
            self._finished[own] = run_id
            if run["commit_sha"] is not None:
                self._finished[commit_lineage(platform, run["commit_sha"])] = run_id

    def _state(self, line: str, test: int) -> HistorySummary | None:
        """A test's results on a line so far."""
        earlier = self._before.get(line, _NOTHING).tests.get(test)
        return concat(earlier, stretch(self._within.get(line, ()), test))

    def _none(self) -> Iterator[tuple[str, int | None]]:
        for name in ("main", "previous", "other_platform"):
            yield name, None

    def _references(self, run: RunFacts, own: str, platform: str) -> Iterator[tuple[str, int | None]]:
        """The runs to compare with: the newest that ended with results, of each kind."""
        yield "main", self._finished.get(main_lineage(platform))
        yield "previous", self._finished.get(own)
        other, commit = other_platform(platform), run["commit_sha"]
        yield "other_platform", self._finished.get(commit_lineage(other, commit)) if other and commit else None

    def _previous(self, run: RunFacts, platform: str, results: list[Result]) -> Iterator[tuple[int, bytes]]:
        newest = self._newest_on(platform)
        folders: dict[int, str] = {}
        here = paths.run_results(run["run_id"])
        for outcome, _ in results:
            found = newest.get(outcome.test_id)
            if found is not None:
                run_id, status = found
                if run_id not in folders:
                    folders[run_id] = paths.relative(here, paths.run_results(run_id))
                linked = documented(status, self._result_documents)
                shown: PreviousResult = {
                    "run_id": run_id,
                    "status": status,
                    "href": folders[run_id] + outcome.file if linked else None,
                }
                yield outcome.test_id, encode(shown)

    def _newest_on(self, platform: str) -> dict[int, tuple[int, ResultStatus]]:
        """Regression test id → its newest result on a platform."""
        if platform not in self._newest:
            tests = self._before.get(all_results(platform), _NOTHING).tests
            self._newest[platform] = {test: (one.last_run, one.status) for test, one in tests.items()}
        return self._newest[platform]

    def _passing_on(self, main: str) -> dict[int, bool]:
        """Regression test id → whether it passed when it ran last on a main line."""
        if main not in self._passing:
            tests = self._before.get(main, _NOTHING).tests
            self._passing[main] = {test: one.passes for test, one in tests.items()}
        return self._passing[main]

    def _changes(self, run: RunFacts, main: str, results: list[Result]) -> Iterator[Change]:
        """Where the main line's results turn."""
        passing = self._passing_on(main)
        for outcome in (one for one, _ in results if passing.get(one.test_id) is (one.how is not None)):
            state = self._state(main, outcome.test_id)
            assert state is not None and run["platform"] is not None
            run_id, linked = run["run_id"], documented(outcome.status, self._result_documents)
            yield {
                "kind": "fix" if outcome.how is None else "regression",
                "run_id": run_id,
                "platform": run["platform"],
                "regression_test_id": outcome.test_id,
                "sample_id": outcome.sample_id,
                "sample_name": outcome.sample_name,
                "status": outcome.status,
                "code": outcome.failure[0] if outcome.failure else None,
                "commit_sha": run["commit_sha"],
                "previous_run": state.last_run,
                "flaky": is_flaky((state.newest + LETTERS[outcome.status])[-WINDOW:]),
                "at": run["completed_at"] or run["started_at"],
                "href": paths.run_results(run_id) + outcome.file if linked else None,
            }


_NOTHING = Lineage()


def is_finished(run: RunFacts) -> bool:
    """Whether a run is one to compare with: it ended, with results."""
    return run["status"] in ("pass", "fail")
