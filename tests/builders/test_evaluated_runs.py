"""Evaluated runs come back from the work dir as they were, without the rows that they were evaluated from."""

import dataclasses

from exporter.builders.evaluated_runs import EvaluatedRun, dump, evaluate, load, written_runs
from exporter.rules.outcomes import Results
from exporter.source.catalog import read_catalog
from exporter.source.database import Database
from exporter.source.partitions import read_partition
from tests.support.platform import HASH, Platform, files


def _evaluated(platform: Platform, evaluator: Results | None = None) -> tuple[list[EvaluatedRun], Results]:
    database = Database(platform.url)
    catalog, _ = read_catalog(database)
    found = evaluator or Results(catalog)
    return evaluate(read_partition(database, 0, catalog.forks).runs, catalog, found), found


def _runs(platform: Platform) -> None:
    platform.run(1, "testing", "completed", results={1: 0, 2: 0, 3: -1073741819})
    platform.run(2, "testing", results={})
    platform.run(3, "testing", "completed", results={1: 0, 3: 1})
    files(platform, 1, {10: None, 20: HASH["d"]})
    files(platform, 3, {10: 'a "quoted"\nname \N{GRINNING FACE}'})


def test_runs_are_read_as_they_were_written(small: Platform) -> None:
    _runs(small)
    before, evaluator = _evaluated(small)
    keys, fingerprints, lines = written_runs(dump(before))
    assert load(keys, lines, evaluator) == [
        one._replace(rows=dataclasses.replace(one.rows, results=[], files=[])) for one in before
    ]
    assert load(keys, lines[2:], evaluator)[0].results == before[2].results
    assert len({*fingerprints}) == 3


def test_another_process_evaluates_the_same_outcomes(small: Platform) -> None:
    _runs(small)
    before, _ = _evaluated(small)
    _, other = _evaluated(small)
    keys, _, lines = written_runs(dump(before))
    after = load(keys, lines, other)
    for a, b in zip(before, after, strict=True):
        assert [(dataclasses.asdict(one), runtime) for one, runtime in a.results] == [
            (dataclasses.asdict(one), runtime) for one, runtime in b.results
        ]


def test_a_fingerprint_is_of_its_own_run_alone(small: Platform) -> None:
    _runs(small)
    before = written_runs(dump(_evaluated(small)[0])).fingerprints
    files(small, 3, {20: HASH["c"]})
    after = written_runs(dump(_evaluated(small)[0])).fingerprints
    assert after[:2] == before[:2] and after[2] != before[2]


def test_no_run_is_written_as_none() -> None:
    assert written_runs(dump([])) == ([], [], [])
