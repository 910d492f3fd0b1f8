"""The rows of a snapshot, from the same reading and by the same builders as the API's documents.

Millions of results share a few hundred outcomes, so a result is its run, its runtime and its outcome's place in a list
until it is written; each outcome is looked at once.
"""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson

from exporter import paths
from exporter.builders import regression_tests, runs, samples
from exporter.builders.targets import AllTargets
from exporter.documents.encoding import HOLE, Document, encode
from exporter.documents.snapshots import SnapshotRun
from exporter.rules.lineage import Lineage
from exporter.rules.outcomes import Outcome, Result, Results
from exporter.rules.status import PLATFORMS
from exporter.rules.verdicts import counts
from exporter.snapshots.columns import REGRESSION_TESTS, RESULTS, RUNS, SAMPLES, Table
from exporter.source.catalog import catalog_on
from exporter.source.database import Connection
from exporter.source.partitions import PartitionRows, RunRows, partition_on, partitions_on
from exporter.source.row_values import InvalidRow

_HOLES = (b"null",) * 5
"""What the holes of an outcome's document are filled with to be read."""

_MOST_OUTCOMES = 20_000
"""Outcomes of the builders that are recognized without being looked at."""


@dataclass(frozen=True, slots=True)
class RunBatch:
    """The rows of a partition's runs; side by side its results' run, test, runtime in ms and outcome's place."""

    runs: list[SnapshotRun]
    run_ids: list[int]
    tests: list[int]
    runtimes: list[int | None]
    places: list[int]


class Outcomes:
    """What results tell but for their run and runtime: each distinct one at its place, a line with two holes."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._places: dict[bytes, int] = {}
        self._met: dict[Outcome, int] = {}

    def places(self, outcomes: list[Outcome]) -> list[int]:
        """The places of outcomes."""
        found = list(map(self._met.get, outcomes))
        return [
            self._place(outcome) if place is None else place for outcome, place in zip(outcomes, found, strict=True)
        ]

    def _place(self, outcome: Outcome) -> int:
        """The place of an outcome that may be new."""
        line = encode(_row(outcome)).replace(b"%", b"%%").replace(b"\0", b"%b") + b"\n"
        place = self._places.setdefault(line, len(self.lines))
        if place == len(self.lines):
            self.lines.append(line)
        if len(self._met) > _MOST_OUTCOMES:
            self._met.clear()
        self._met[outcome] = place
        return place

    def row(self, place: int) -> dict[str, Any]:
        """A row of the outcome; its run's id and its runtime are null."""
        row: dict[str, Any] = orjson.loads(self.lines[place] % (b"null", b"null"))
        return row


def _row(outcome: Outcome) -> dict[str, Any]:
    """A result's row, from what its own document shows; its run's id and its runtime are to be filled in."""
    shown = orjson.loads(outcome.document.fill(*_HOLES))
    for output in shown["outputs"]:
        del output["diff"]
    told = {**shown, "run_id": HOLE, "runtime_ms": HOLE, "failure_signature": outcome.signature}
    told["code"] = outcome.failure[0] if outcome.failure else None
    return {field.name: told[field.name] for field in RESULTS.fields}


class Reader:
    """Reads everything on one connection, which sees the database at one moment.

    Args:
        connection: the connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.problems: list[InvalidRow] = []
        self.outcomes = Outcomes()
        self._catalog = catalog_on(connection, self.problems)
        self._evaluate = Results(self._catalog)
        self.partitions = partitions_on(connection)

    def samples(self) -> list[dict[str, Any]]:
        """All samples by id."""
        own = {paths.sample(id_) for id_ in self._catalog.samples}
        return _documents(SAMPLES, samples.documents(self._catalog, AllTargets(), lambda test, platform: None), own)

    def regression_tests(self) -> list[dict[str, Any]]:
        """All regression tests by id."""
        own = {paths.regression_test(id_) for id_ in self._catalog.tests}
        lines = {platform: Lineage() for platform in PLATFORMS}
        found = regression_tests.documents(self._catalog, AllTargets(), lambda test, platform: [], lines)
        return _documents(REGRESSION_TESTS, found, own)

    def batches(self) -> Iterator[RunBatch]:
        """All runs by id, a partition at a time."""
        with ThreadPoolExecutor(1) as thread:  # the server works on the next one meanwhile
            left = iter(self.partitions)
            coming = [thread.submit(self._read, number) for number in itertools.islice(left, 1)]
            while coming:
                found = coming.pop().result()
                coming += [thread.submit(self._read, number) for number in itertools.islice(left, 1)]
                self.problems += found.problems
                yield self._batch(found.runs)

    def _read(self, number: int) -> PartitionRows:
        return partition_on(self._connection, number, self._catalog.forks)

    def _batch(self, rows: list[RunRows]) -> RunBatch:
        batch = RunBatch([], [], [], [], [])
        for row in rows:
            results = self._evaluate.of(row, self.problems)
            batch.runs.append(self._run(row, results))
            batch.run_ids.extend([row.run_id] * len(results))
            batch.tests.extend([outcome.test_id for outcome, _ in results])
            batch.runtimes.extend([runtime for _, runtime in results])
            batch.places.extend(self.outcomes.places([outcome for outcome, _ in results]))
        return batch

    def _run(self, row: RunRows, results: list[Result]) -> SnapshotRun:
        listed = runs.item(row, results, self._catalog)
        failed = [outcome for outcome, _ in results if outcome.failure]
        _, data = runs.document(row, {**listed, "failures": counts(failed, [])}, self._catalog, log=False)
        told = orjson.loads(data) | {"regression_test_ids": row.customized or None}
        del told["failures"]["verdicts"]
        run: SnapshotRun = {field.name: told[field.name] for field in RUNS.fields}  # type: ignore[assignment]
        return run


def _documents(table: Table, documents: Iterator[Document], own: set[str]) -> list[dict[str, Any]]:
    """The rows that the things' own documents tell; lists of them and facets are left out."""
    found = [orjson.loads(data) for path, data in documents if path in own]
    return [{field.name: one[field.name] for field in table.fields} for one in found]
