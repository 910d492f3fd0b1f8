"""Evaluated runs: what the rows of runs say of each result; and their form between reading and building.

A partition's rows are evaluated once. Its runs are written as the distinct outcomes, by what they were evaluated from,
and for each run the places of its outcomes among them.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

from exporter.builders import runs
from exporter.documents.encoding import digest
from exporter.documents.runs import RunBase
from exporter.rules.lineage import RunFacts
from exporter.rules.outcomes import OutcomeKey, Result, Results
from exporter.source.catalog import Catalog
from exporter.source.partitions import RunRows
from exporter.source.row_values import InvalidRow

_DIGEST = 16
"""Hexadecimal digits of the fingerprint of a run's rows."""


class EvaluatedRun(NamedTuple):
    """A run's rows, what documents show and the rules know of the run, its results by ascending regression test id.

    When it was read from the work dir its rows have neither results nor files.
    """

    rows: RunRows
    item: RunBase
    facts: RunFacts
    results: list[Result]


def evaluate(
    rows: Iterable[RunRows], catalog: Catalog, evaluator: Results, problems: list[InvalidRow] | None = None
) -> list[EvaluatedRun]:
    """Evaluate the rows of runs; invalid rows are added to `problems`."""
    found = []
    for run in rows:
        of_run = evaluator.of(run, problems)
        item = runs.item(run, of_run, catalog)
        found.append(EvaluatedRun(run, item, runs.facts(run, item, len(of_run), catalog), of_run))
    return found


class WrittenRuns(NamedTuple):
    """The keys of distinct outcomes; the fingerprints of the rows of a partition's runs, and the runs, oldest first."""

    keys: list[OutcomeKey]
    fingerprints: list[str]
    lines: list[bytes]


def dump(evaluated: Iterable[EvaluatedRun]) -> bytes:
    """Runs as bytes for the work dir, which `written_runs` and `load` read."""
    places: dict[OutcomeKey, int] = {}
    lines = []
    for rows, item, facts, results in evaluated:
        fingerprint = digest(orjson.dumps(rows, default=list))[:_DIGEST]
        of_run = [
            dataclasses.replace(rows, results=[], files=[]),
            item,
            facts,
            [places.setdefault(outcome.key, len(places)) for outcome, _ in results],
            [runtime for _, runtime in results],
        ]
        lines.append(fingerprint.encode() + orjson.dumps(of_run, default=list))
    return b"\n".join([orjson.dumps(list(places)), *lines])


def written_runs(data: bytes) -> WrittenRuns:
    """The runs that `dump` wrote."""
    keys, *lines = data.split(b"\n")
    return WrittenRuns(
        [(*key[:3], *map(tuple, key[3:])) for key in orjson.loads(keys)],
        [line[:_DIGEST].decode() for line in lines],
        [line[_DIGEST:] for line in lines],
    )


def load(keys: Sequence[OutcomeKey], lines: Iterable[bytes], evaluator: Results) -> list[EvaluatedRun]:
    """Runs of `WrittenRuns`, from their lines."""
    outcomes = list(map(evaluator.outcome, keys))
    found = []
    for line in lines:
        rows, item, facts, places, runtimes = orjson.loads(line)
        results = list(zip(map(outcomes.__getitem__, places), runtimes, strict=True))
        found.append(EvaluatedRun(RunRows(**rows), item, RunFacts(*facts), results))
    return found
