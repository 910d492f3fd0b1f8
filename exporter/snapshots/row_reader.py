"""The rows of a snapshot, from one consistent read and by the same builders as the API's documents.

Millions of results share a few hundred outcomes, so until it is written a result is its run, its runtime, its outcome's
place in a list and, if it failed, its verdict; each outcome is encoded once.
"""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import orjson

from exporter import paths
from exporter.builders import regression_tests, runs, samples
from exporter.builders.evaluated_runs import EvaluatedRun, evaluate
from exporter.builders.results import Templates
from exporter.builders.targets import AllTargets
from exporter.documents.encoding import PLACEHOLDER, Document, encode
from exporter.documents.snapshots import SnapshotMainVerdict, SnapshotRun, SnapshotVerdict
from exporter.rules.lineage import MainLine
from exporter.rules.outcomes import Outcome, Results
from exporter.rules.prior_history import Assessment
from exporter.rules.verdicts import Verdict
from exporter.snapshots.assessments import Assessor
from exporter.snapshots.columns import REGRESSION_TESTS, RESULTS, RUNS, SAMPLES, Table
from exporter.source.catalog import catalog_on
from exporter.source.database import Connection
from exporter.source.partitions import PartitionRows, RunRows, partition_on, partitions_on
from exporter.source.redaction import Redactor
from exporter.source.row_values import InvalidRow

_FILLED = (b"null",) * 6
"""Values for the placeholders of an outcome's document, so that it can be decoded."""

_MOST_OUTCOMES = 20_000
"""Outcomes of the builders that are recognized by identity."""


@dataclass(frozen=True, slots=True)
class RunBatch:
    """The rows of a partition's runs; in parallel lists, its results' run, test, runtime in ms, place and verdict."""

    runs: list[SnapshotRun]
    run_ids: list[int]
    tests: list[int]
    runtimes: list[int | None]
    places: list[int]
    verdicts: list[SnapshotVerdict | None]

    def results(self) -> Iterator[tuple[int, int, int | None, int, SnapshotVerdict | None]]:
        """Test, run, runtime, outcome's place and verdict of each result."""
        return zip(self.tests, self.run_ids, self.runtimes, self.places, self.verdicts, strict=True)


class Outcomes:
    """The rows of results without run, runtime and verdict: each distinct one is a line with three placeholders."""

    def __init__(self, templates: Templates | None = None) -> None:
        self._templates = templates  # None in the process that writes: it gets lines
        self.lines: list[bytes] = []
        self._places: dict[bytes, int] = {}
        self._known: dict[Outcome, int] = {}

    def places(self, outcomes: list[Outcome]) -> list[int]:
        """The places of outcomes."""
        found = list(map(self._known.get, outcomes))
        return [
            self._place(outcome) if place is None else place for outcome, place in zip(outcomes, found, strict=True)
        ]

    def _place(self, outcome: Outcome) -> int:
        """The place of an outcome that may be new."""
        assert self._templates is not None
        line = encode(_row(outcome, self._templates)).replace(b"%", b"%%").replace(b"\0", b"%b") + b"\n"
        place = self._places.setdefault(line, len(self.lines))
        if place == len(self.lines):
            self.lines.append(line)
        if len(self._known) > _MOST_OUTCOMES:
            self._known.clear()
        self._known[outcome] = place
        return place

    def row(self, place: int) -> dict[str, Any]:
        """A row of the outcome; its run's id, runtime and verdict are null."""
        row: dict[str, Any] = orjson.loads(self.lines[place] % (b"null", b"null", b"null"))
        return row


def _row(outcome: Outcome, templates: Templates) -> dict[str, Any]:
    """A result's row, from the fields of its own document; its run's id, runtime and verdict are placeholders."""
    values = orjson.loads(templates.of(outcome).document.fill(*_FILLED))
    for output in values["outputs"]:
        del output["diff"]
    values |= values["classification"] or {"code": None, "reason": None}
    values |= {
        "run_id": PLACEHOLDER,
        "runtime_ms": PLACEHOLDER,
        "verdict": PLACEHOLDER,
        "failure_signature": outcome.signature,
    }
    return {field.name: values[field.name] for field in RESULTS.fields}


def _verdict(verdict: Verdict | None) -> SnapshotVerdict | None:
    """A verdict without links to documents."""
    if verdict is None:
        return None
    main: SnapshotMainVerdict | None = None
    if verdict.main is not None:
        main = {
            "state": verdict.main.state,
            "run_id": verdict.main.run_id,
            "same_failure_run_id": verdict.main.same_failure_run_id,
            "worse": verdict.main.worse,
        }
    return cast("SnapshotVerdict", verdict._asdict() | {"main": main})


class Reader:
    """Reads everything on one connection, in one consistent read."""

    def __init__(self, connection: Connection, main: MainLine, redactor: Redactor) -> None:
        self._connection = connection
        self._redactor = redactor
        self._assessor = Assessor(main)
        self.problems: list[InvalidRow] = []
        self._catalog = catalog_on(connection, self.problems, redactor)
        self.outcomes = Outcomes(Templates(self._catalog))
        self._evaluator = Results(self._catalog)
        self.partitions = partitions_on(connection)

    def samples(self) -> list[dict[str, Any]]:
        """All samples by id."""
        own = {paths.sample(id_) for id_ in self._catalog.samples}
        return _documents(SAMPLES, samples.documents(self._catalog, AllTargets(), lambda test, platform: None), own)

    def regression_tests(self) -> list[dict[str, Any]]:
        """All regression tests by id."""
        own = {paths.regression_test(id_) for id_ in self._catalog.tests}
        found = regression_tests.documents(self._catalog, AllTargets(), regression_tests.NO_HISTORIES)
        return _documents(REGRESSION_TESTS, found, own)

    def batches(self) -> Iterator[RunBatch]:
        """All runs by id, a partition at a time."""
        with ThreadPoolExecutor(1) as thread:  # the database server reads the next partition meanwhile
            left = iter(self.partitions)
            coming = [thread.submit(self._read, number) for number in itertools.islice(left, 1)]
            while coming:
                found = coming.pop().result()
                coming += [thread.submit(self._read, number) for number in itertools.islice(left, 1)]
                self.problems += found.problems
                yield self._batch(found.runs)

    def _read(self, number: int) -> PartitionRows:
        return partition_on(self._connection, number, self._catalog.forks, self._redactor)

    def _batch(self, rows: list[RunRows]) -> RunBatch:
        batch = RunBatch([], [], [], [], [], [])
        evaluated = evaluate(rows, self._catalog, self._evaluator, self.problems)
        for one, assessment in zip(evaluated, self._assessor.assess(evaluated), strict=True):
            tests = [outcome.test_id for outcome, _ in one.results]
            batch.runs.append(self._run(one, assessment))
            batch.run_ids.extend([one.rows.run_id] * len(tests))
            batch.tests.extend(tests)
            batch.runtimes.extend([runtime for _, runtime in one.results])
            batch.places.extend(self.outcomes.places([outcome for outcome, _ in one.results]))
            batch.verdicts.extend([_verdict(assessment.verdicts.get(test)) for test in tests])
        return batch

    def _run(self, one: EvaluatedRun, assessment: Assessment) -> SnapshotRun:
        run_item = runs.assessed(one.item, one.results, assessment.verdicts)
        _, data = runs.document(one.rows, run_item, self._catalog, log=False, junit=False)
        values = orjson.loads(data) | {"regression_test_ids": one.rows.customized or None}
        run: SnapshotRun = {field.name: values[field.name] for field in RUNS.fields}  # type: ignore[assignment]
        return run


def _documents(table: Table, documents: Iterator[Document], own: set[str]) -> list[dict[str, Any]]:
    """The rows of a table, from the documents whose paths are in `own`; lists and facets are left out."""
    found = [orjson.loads(data) for path, data in documents if path in own]
    return [{field.name: one[field.name] for field in table.fields} for one in found]
