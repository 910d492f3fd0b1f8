"""All results of one partition in a few kilobytes: what is remembered of them when their rows are not read again."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from exporter import paths
from exporter.documents.results import HistoryEntry
from exporter.documents.runs import RunFacts, RunIdentity
from exporter.rules.outcomes import Outcome, Result
from exporter.rules.status import ResultStatus


class ResultOutcome(NamedTuple):
    """How a test ended, without its run and runtime; as `outcomes.Outcome` has it."""

    test_id: int
    status: ResultStatus
    exit_code: int | None
    signature: str | None
    how: str | None


class Row(NamedTuple):
    """A run's results: what they say of their run, their places in `Matrix.endings`, their runtimes in ms."""

    platform: str | None
    test_type: str | None
    repository: str
    branch: str | None
    commit_sha: str | None
    pr_number: int | None
    tested_at: str | None
    places: list[int]
    runtimes: list[int | None]


@dataclass(slots=True)
class Matrix:
    """The results of a partition's runs: the distinct endings, and each run's row by its id."""

    outcomes: list[ResultOutcome]
    runs: dict[int, Row]
    _newest: list["_Column"] = field(default_factory=list)

    def outcomes_of(self, run_id: int) -> dict[int, ResultOutcome]:
        """Regression test id → how it ended in one run."""
        return {ending.test_id: ending for ending in map(self.outcomes.__getitem__, self.runs[run_id].places)}

    def identity(self, run_id: int, source: str) -> RunIdentity:
        """A run as the document at `source` shows it."""
        row = self.runs[run_id]
        return {
            "run_id": run_id,
            "platform": row.platform,
            "test_type": row.test_type,
            "repository": row.repository,
            "branch": row.branch,
            "commit_sha": row.commit_sha,
            "pr_number": row.pr_number,
            "href": paths.relative(source, paths.run(run_id)),
        }

    def of_test(self, test_id: int, platform: str | None = None) -> list["Found"]:
        """A test's results, on one platform or all, newest run first."""
        if not self._newest:
            self._newest = list(self._columns())
        outcomes = self.outcomes
        return [
            (run_id, row, outcomes[row.places[at]], row.runtimes[at])
            for run_id, row, positions in self._newest
            if (at := positions.get(test_id)) is not None and (platform is None or row.platform == platform)
        ]

    def _columns(self) -> Iterator["_Column"]:
        """Its runs, newest first. Most have run the same tests, and share where to find each."""
        test_of = [ending.test_id for ending in self.outcomes]
        shared: dict[tuple[int, ...], dict[int, int]] = {}
        for run_id, row in sorted(self.runs.items(), reverse=True):
            tests = tuple(map(test_of.__getitem__, row.places))
            if tests not in shared:
                shared[tests] = {test: at for at, test in enumerate(tests)}
            yield run_id, row, shared[tests]

    def digest(self, run_id: int) -> str:
        """The same for two runs exactly if other runs say the same of them."""
        row = self.runs[run_id]
        said = [*row[:-2], [self.outcomes[place] for place in row.places]]
        return hashlib.blake2b(orjson.dumps(said, default=list), digest_size=8).hexdigest()

    def encoded(self) -> dict[str, Any]:
        """As JSON."""
        return {"endings": self.outcomes, "runs": {str(run): row for run, row in self.runs.items()}}


_Column = tuple[int, Row, Mapping[int, int]]
"""A run's id, its row, and regression test id → place in the row's lists."""

Found = tuple[int, Row, ResultOutcome, int | None]
"""One result: its run's id and row, how it ended, its runtime in ms. There are too many to wrap each."""


def entry(found: Found) -> HistoryEntry:
    """A result as the histories tell it."""
    run_id, run, ending, runtime = found
    return {
        "run_id": run_id,
        "regression_test_id": ending.test_id,
        "status": ending.status,
        "platform": run.platform,
        "branch": run.branch,
        "commit_sha": run.commit_sha,
        "tested_at": run.tested_at,
        "failure_signature": ending.signature,
        "runtime_ms": runtime,
        "exit_code": ending.exit_code,
    }


def matrix(runs: Iterable[tuple[RunFacts, list[Result]]]) -> Matrix:
    """The results of runs."""
    places: dict[ResultOutcome, int] = {}
    known: dict[Outcome, int] = {}  # most results share theirs, and it takes less to find than an ending

    def place(outcome: Outcome) -> int:
        ending = ResultOutcome(outcome.test_id, outcome.status, outcome.exit_code, outcome.signature, outcome.how)
        found = known[outcome] = places.setdefault(ending, len(places))
        return found

    rows = {}
    for run, results in runs:
        row = [known[outcome] if outcome in known else place(outcome) for outcome, _ in results]
        rows[run["run_id"]] = Row(
            run["platform"],
            run["test_type"],
            run["repository"],
            run["branch"],
            run["commit_sha"],
            run["pr_number"],
            run["completed_at"] or run["started_at"],
            row,
            [runtime for _, runtime in results],
        )
    return Matrix(list(places), rows)


def decode(value: Mapping[str, Any]) -> Matrix:
    """The inverse of `Matrix.encoded`."""
    return Matrix(
        [ResultOutcome(*one) for one in value["endings"]], {int(run): Row(*row) for run, row in value["runs"].items()}
    )
