"""The prior history: each run of a partition is assessed against the runs before it, and is then one of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter import paths
from exporter.rules.comparison import ComparedTests, Newest, compare
from exporter.rules.flakiness import is_flaky
from exporter.rules.history import ChangeKind, HistorySummary, Row, commit_key, concat, summary_of, turn, with_result
from exporter.rules.lineage import (
    MainCommits,
    MainLine,
    RunFacts,
    all_results,
    commit_lineage,
    lineage_of,
    main_lineage,
    other_platform,
)
from exporter.rules.lineage_state import Lineage, Lineages, ReferenceRun, preferred, reference_run
from exporter.rules.outcomes import Outcome, Result
from exporter.rules.result_matrix import Matrix, ResultOutcome
from exporter.rules.status import ResultStatus
from exporter.rules.verdicts import Past, Verdict, verdict

REFERENCES = ("main", "previous", "other_platform")
"""What a run is compared with, as in `documents.analysis.RunComparison`."""


class Turn(NamedTuple):
    """A change of a test on the main line: its kind, result, the previous result's run, whether it is one of many."""

    kind: ChangeKind
    outcome: Outcome
    previous_run: int
    flaky: bool


@dataclass(slots=True)
class Assessment:
    """What the prior history says of one run.

    Args:
        verdicts: regression test id → the verdict on its failure.
        previous: regression test id → run and status of its newest earlier result on the platform.
        turns: the changes of the main line, if the run extends it.
    """

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    previous: dict[int, tuple[int, ResultStatus]] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)


_NOTHING = Lineage()


class PriorHistory:
    """All runs before the next one of a partition."""

    def __init__(self, before: Lineages, main: MainLine) -> None:
        self._before, self._main = before, main
        self._within: dict[str, list[Row]] = {}
        self._states: dict[tuple[str, int], tuple[int, HistorySummary | None]] = {}
        self._newest: dict[str, dict[int, Newest]] = {}
        self._references = {name: one.reference for name, one in before.items()}
        self._of_commit: dict[str, list[tuple[RunFacts, Mapping[int, Outcome | ResultOutcome]]]] = {}
        self._main_commits: dict[str, MainCommits] = {}

    def assess(self, run: RunFacts, results: list[Result]) -> Assessment:
        """Assess a run; if it counts, it is then one of those before the next one."""
        here = {outcome.test_id: outcome for outcome, _ in results}
        failed = [outcome for outcome in here.values() if outcome.code is not None]
        found = Assessment()
        own, platform = lineage_of(run, self._main), run.platform
        if own is None or platform is None:
            found.verdicts = {one.test_id: verdict(Past(), one.code, one) for one in failed if one.code}
            return found
        main = main_lineage(platform)
        is_rerun = own == main and self._commits(platform).is_rerun(run.commit_sha)
        for one in failed:
            past = Past(
                None if own == main else self._state(own, one.test_id),
                self._state(main, one.test_id),
                own == main,
                is_rerun,
            )
            found.verdicts[one.test_id] = verdict(past, one.code or "OUTPUT_DIFF", one)
        newest = self._newest_in(all_results(platform))
        found.previous = {test: newest[test][:2] for test in here if test in newest}
        if own == main and run.is_counted and not is_rerun:
            found.turns = list(self._turns(run, main, here))
        self.add(run, here)
        return found

    def add(self, run: RunFacts, results: Mapping[int, Outcome | ResultOutcome]) -> None:
        """Make a run one of those before the next one, if it counts."""
        platform, own = run.platform, lineage_of(run, self._main)
        if platform is None or own is None or not run.is_counted:
            return
        if run.commit_sha is not None:
            self._of_commit.setdefault(commit_lineage(platform, run.commit_sha), []).append((run, results))
        names = [all_results(platform), own]
        if own == main_lineage(platform) and not self._commits(platform).extend(run.commit_sha):
            names.remove(own)
        row = Row(run.run_id, commit_key(run.commit_sha), results)
        newest = {test: (run.run_id, one.status, one.output) for test, one in results.items()}
        for name in names:
            self._within.setdefault(name, []).append(row)
            self._newest_in(name).update(newest)
            self._references[name] = preferred(self._references.get(name), reference_run(run))

    def _commits(self, platform: str) -> MainCommits:
        """The commits of the main line on a platform."""
        if platform not in self._main_commits:
            before = self._before  # for the lambda: over `self` it would be a reference cycle, and live on
            newest = before.get(main_lineage(platform), _NOTHING).commit
            self._main_commits[platform] = MainCommits(
                newest.sha if newest else None,
                lambda sha: before.get(commit_lineage(platform, sha), _NOTHING).on_main,
            )
        return self._main_commits[platform]

    def _state(self, name: str, test: int) -> HistorySummary | None:
        """A test's results on a lineage so far."""
        rows = self._within.get(name, [])
        known = self._states.get((name, test))
        count, state = known or (0, self._before.get(name, _NOTHING).of_test(test))
        if known is None or count < len(rows):
            state = concat(state, summary_of(rows[count:], test))
            self._states[name, test] = len(rows), state
        return state

    def _newest_in(self, name: str) -> dict[int, Newest]:
        """Regression test id → its newest result on a lineage."""
        if name not in self._newest:
            before = self._before.get(name, _NOTHING)
            self._newest[name] = {
                test: (one.last_run, one.status, before.output_of(test)) for test, one in before.tests.items()
            }
        return self._newest[name]

    def _turns(self, run: RunFacts, main: str, here: Mapping[int, Outcome]) -> Iterator[Turn]:
        """Where a run changes the main line."""
        newest = self._newest_in(main)
        for test, one in here.items():
            before = newest.get(test)
            if before is not None and (before[1] == "pass") != (one.status == "pass"):
                past = self._state(main, test)
                assert past is not None
                if (kind := turn(past, one)) is not None:
                    flaky = is_flaky(with_result(past.newest, commit_key(run.commit_sha), one))
                    yield Turn(kind, one, past.last_run, flaky)

    def compare(
        self, run: RunFacts, results: list[Result], active: frozenset[int], matrix_of: Callable[[int], Matrix]
    ) -> dict[str, ComparedTests]:
        """Compare a run with each of `REFERENCES`, before it is assessed.

        Args:
            run: the run.
            results: its results by ascending regression test id.
            active: the active tests.
            matrix_of: returns the matrix of a partition.
        """
        here = {outcome.test_id: outcome for outcome, _ in results}
        asked = frozenset[int]() if run.limited else active
        own, platform = lineage_of(run, self._main), run.platform
        if own is None or platform is None:
            return {name: compare(here, {}, None, asked) for name in REFERENCES}
        main = main_lineage(platform)
        return {
            "main": compare(here, self._newest_in(main), self._references.get(main), asked),
            "previous": compare(here, self._newest_in(own), self._references.get(own), asked),
            "other_platform": compare(here, *self._on_other_platform(run, platform, matrix_of), asked),
        }

    def _on_other_platform(
        self, run: RunFacts, platform: str, matrix_of: Callable[[int], Matrix]
    ) -> tuple[dict[int, Newest], ReferenceRun | None]:
        """The newest results of the commit's tests on the other platform, and its newest run that is not partial."""
        other = other_platform(platform)
        if other is None or run.commit_sha is None:
            return {}, None
        name = commit_lineage(other, run.commit_sha)
        reference: ReferenceRun | None = None
        there: dict[int, Newest] = {}
        for before in reversed(self._before.get(name, _NOTHING).runs):
            run_id = before.reference.run_id
            outcomes = matrix_of(paths.partition_of(run_id)).outcomes_of(run_id)
            there |= {test: (run_id, one.status, one.output) for test, one in outcomes.items()}
            reference = preferred(reference, before.reference)
        for within, of_run in self._of_commit.get(name, ()):
            there |= {test: (within.run_id, one.status, one.output) for test, one in of_run.items()}
            reference = preferred(reference, reference_run(within))
        return there, reference
