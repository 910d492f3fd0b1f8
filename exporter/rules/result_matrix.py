"""All results of one partition in a few kilobytes: what is remembered of them when their rows are not read again."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from exporter.rules.failures import FailureCode
from exporter.rules.history import Row, commit_key
from exporter.rules.lineage import MainLine, RunFacts
from exporter.rules.outcomes import Outcome, Result
from exporter.rules.status import ResultStatus


class ResultOutcome(NamedTuple):
    """A result evaluated, without its run and runtime; fields as `outcomes.Outcome` has them."""

    test_id: int
    status: ResultStatus
    exit_code: int | None
    signature: str | None
    code: FailureCode | None
    output: str
    accepted: bool


class MatrixRow(NamedTuple):
    """A run, and its results: their places in `Matrix.outcomes`, their runtimes in ms."""

    run: RunFacts
    places: list[int]
    runtimes: list[int | None]


@dataclass(slots=True)
class Matrix:
    """The results of a partition's runs: the distinct outcomes, and each run's row by its id."""

    outcomes: list[ResultOutcome]
    runs: dict[int, MatrixRow]
    _of_tests: dict[int, list["Found"]] = field(default_factory=dict, compare=False, repr=False)
    _main_runs: dict[MainLine, frozenset[int]] = field(default_factory=dict, compare=False, repr=False)

    def outcomes_of(self, run_id: int) -> dict[int, ResultOutcome]:
        """Regression test id → its outcome in one run."""
        return {outcome.test_id: outcome for outcome in map(self.outcomes.__getitem__, self.runs[run_id].places)}

    def row(self, run_id: int) -> Row:
        """A run's results as histories take them."""
        return Row(run_id, commit_key(self.runs[run_id].run.commit_sha), self.outcomes_of(run_id))

    def tests_of(self, run_id: int) -> tuple[int, ...]:
        """The tests with a result in one run, ascending."""
        return tuple(sorted(self.outcomes[place].test_id for place in self.runs[run_id].places))

    def of_test(self, test_id: int) -> list["Found"]:
        """A test's results, newest run first."""
        if not self._of_tests:  # a matrix that is asked for a test is asked for most
            self._of_tests.update((outcome.test_id, []) for outcome in self.outcomes)
            add = [self._of_tests[outcome.test_id].append for outcome in self.outcomes]
            for _, (run, places, runtimes) in sorted(self.runs.items(), reverse=True):
                for place, runtime in zip(places, runtimes, strict=True):
                    add[place]((run, self.outcomes[place], runtime))
        return self._of_tests.get(test_id, [])

    def main_runs(self, main: MainLine) -> frozenset[int]:
        """The runs that are of the main line."""
        if main not in self._main_runs:
            self._main_runs[main] = frozenset(run for run, row in self.runs.items() if main.holds(row.run))
        return self._main_runs[main]

    def digest(self, run_id: int) -> str:
        """The same for two runs if and only if other runs say the same of them."""
        row = self.runs[run_id]
        shown = [row.run, [self.outcomes[place] for place in row.places]]
        return hashlib.blake2b(orjson.dumps(shown, default=list), digest_size=8).hexdigest()

    def statuses_digest(self, run_id: int) -> str:
        """The same for two runs if and only if their tests have the same statuses."""
        statuses = [self.outcomes[place][:2] for place in self.runs[run_id].places]
        return hashlib.blake2b(orjson.dumps(statuses, default=list), digest_size=8).hexdigest()

    def encoded(self) -> dict[str, Any]:
        """As JSON."""
        return {"outcomes": self.outcomes, "runs": list(self.runs.values())}


Found = tuple[RunFacts, ResultOutcome, int | None]
"""One result: its run, its outcome, its runtime in ms. There are too many to wrap each."""


def matrix(runs: Iterable[tuple[RunFacts, list[Result]]]) -> Matrix:
    """The results of runs."""
    places: dict[ResultOutcome, int] = {}
    known: dict[Outcome, int] = {}  # most results share theirs, and it takes less to find than a `ResultOutcome`

    def place(one: Outcome) -> int:
        outcome = ResultOutcome(
            one.test_id, one.status, one.exit_code, one.signature, one.code, one.output, one.accepted
        )
        found = known[one] = places.setdefault(outcome, len(places))
        return found

    rows = {
        run.run_id: MatrixRow(
            run,
            [known[outcome] if outcome in known else place(outcome) for outcome, _ in results],
            [runtime for _, runtime in results],
        )
        for run, results in runs
    }
    return Matrix(list(places), rows)


def decode(value: Mapping[str, Any]) -> Matrix:
    """The inverse of `Matrix.encoded`."""
    rows = [MatrixRow(RunFacts(*run), places, runtimes) for run, places, runtimes in value["runs"]]
    return Matrix([ResultOutcome(*one) for one in value["outcomes"]], {row.run.run_id: row for row in rows})
