"""A snapshot judges failures as the slow recomputation from the raw rows does, over several partitions."""

import contextlib
import gzip
import pathlib
import sqlite3
from typing import Any

import orjson

from exporter.snapshots.create import create
from exporter.source.database import Database
from tests.rules.test_judgement import KNOWN
from tests.support.histories import insert_catalog, insert_runs, open_platform
from tests.support.memory_store import MemoryStore
from tests.support.recomputation import Recomputation


def _rows(files: dict[str, bytes], name: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in gzip.decompress(files[f"{name}.ndjson.gz"]).splitlines()]


def test_verdicts_are_those_of_the_recomputation(tmp_path: pathlib.Path) -> None:
    platform = open_platform(tmp_path)
    insert_catalog(platform)
    for number in range(3):
        insert_runs(platform, KNOWN.blocks, number)
    store = MemoryStore()
    create(Database(platform.url), store)
    files = {path.rpartition("/")[2]: found.data for path, found in store.objects.items()}
    truth = Recomputation(platform)
    runs = {run["run_id"]: run for run in _rows(files, "runs")}
    assert [runs[run.id]["failures"] for run in truth.runs] == [truth.failures(run) for run in truth.runs]
    assert [runs[run.id]["suspect"] for run in truth.runs] == [truth.suspect(run) for run in truth.runs]
    made = {(row["run_id"], row["regression_test_id"]): row for row in _rows(files, "results")}
    expected = {
        (run.id, test): None if one.passed else truth.verdict(run, test)
        for run in truth.runs
        for test, one in run.results.items()
    }
    assert {key: row["verdict"] for key, row in made.items()} == expected
    assert {key for key, row in made.items() if row["accepted_today"]} == {
        (run.id, test) for run in truth.runs for test, one in run.results.items() if any(one.accepted_today.values())
    }
    _check_sqlite(tmp_path, files["platform.sqlite.gz"], expected)


def _check_sqlite(folder: pathlib.Path, data: bytes, expected: dict[tuple[int, int], dict[str, Any] | None]) -> None:
    """Its view has the verdicts, too, and null where a test passed."""
    file = folder / "snapshot.sqlite"
    file.write_bytes(gzip.decompress(data))
    query = """
        SELECT run_id, regression_test_id, verdict_code, verdict_main_state, verdict_main_same_failure_run_id
        FROM results
    """
    with contextlib.closing(sqlite3.connect(file)) as database:
        found = {(run, test): tuple(values) for run, test, *values in database.execute(query)}
    assert found == {
        key: (
            verdict and verdict["code"],
            verdict and verdict["main"] and verdict["main"]["state"],
            verdict and verdict["main"] and verdict["main"]["same_failure_run_id"],
        )
        for key, verdict in expected.items()
    }
