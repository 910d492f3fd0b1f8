"""Rows of a partition: packed or plain, they are the same; senseless ones are mended and told."""

import logging
from typing import Any

import pytest
import sqlalchemy as sa

from exporter.source import mysql_engine, partitions
from exporter.source.database import Database
from exporter.source.fingerprints import fingerprints
from exporter.source.partitions import PartitionRows, read_partition
from tests.support.platform import HASH, Platform, files


def _read(platform: Platform, number: int = 0) -> PartitionRows:
    return read_partition(Database(platform.url), number, [1])


def test_a_partition_holds_its_hundred_runs_and_no_other(small: Platform) -> None:
    for id_ in (1, 99, 100, 199, 200):
        small.run(id_, "testing", "completed", results={1: 0, 3: 1}, fork_id=1)
        files(small, id_, {10: None})
    assert partitions.partitions(Database(small.url)) == [0, 1, 2]
    rows, problems = _read(small, 1)
    assert [run.run_id for run in rows] == [100, 199] and not problems
    assert rows[0].results == [[1, 10, 0, 0], [3, 10, 1, 0]]
    assert rows[0].files == [[1, 10, HASH["c"], None]]
    assert [row.status for row in rows[0].progress] == ["testing", "completed"]


@pytest.mark.parametrize(
    "got",
    [HASH["d"], "", 'quote " and , comma', "back\\slash \\u0041", "tab\tnewline\n", "ünï 😀", '",null],[3,30,"x', None],
)
def test_packed_and_plain_rows_are_the_same(small: Platform, got: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    small.run(1, "completed", results={1: 0, 2: 0, 3: -1073741819})
    files(small, 1, {10: got, 20: None})
    packed = _read(small)
    monkeypatch.setattr(partitions, "_json_on_mysql", _broken)
    monkeypatch.setattr(partitions, "_json_on_sqlite", _broken)
    assert _read(small) == packed
    assert packed.runs[0].files == [[1, 10, HASH["c"], got], [2, 20, HASH["c"], None]]


def _broken(_columns: Any) -> Any:
    return sa.literal("[[1")


@pytest.mark.parametrize("platform", ["mariadb"], indirect=True)
def test_a_packed_value_that_the_server_cut_is_read_again_row_by_row(
    small: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mysql_engine, "GROUP_CONCAT_MAX_LEN", 16)
    monkeypatch.setattr(partitions, "_warned", set())
    for id_ in (1, 2):
        small.run(id_, "completed", results={1: 0, 2: 0, 3: 0})
        files(small, id_, {10: None, 20: HASH["d"]})
    with caplog.at_level(logging.WARNING):
        rows, problems = _read(small)
        _read(small)
    assert [len(run.results) for run in rows] == [3, 3] and [len(run.files) for run in rows] == [2, 2]
    assert not problems
    assert sorted(record.args[0] for record in caplog.records if record.args) == ["test_result", "test_result_file"]  # type: ignore[index]


def test_senseless_rows_are_null_and_told_by_table_and_id(small: Platform) -> None:
    small.run(1, "completed", platform="amiga", test_type="wish", fork_id=77, results={1: 0})
    small.insert("test_progress", id=500_000_000, test_id=1, status="exploded", timestamp=_day(small), message="")
    small.insert("customized_test", id=7, test_id=1, regression_id=None)
    small.insert("test_result", test_id=55, regression_test_id=1, runtime=1)
    rows, problems = _read(small)
    (run,) = rows
    assert (run.platform, run.test_type, run.fork_id) == (None, None, 77)
    assert run.progress[-1].status is None and run.customized == [None]
    assert {(problem.table, problem.row) for problem in problems} == {
        ("test", "1"),
        ("test_progress", "500000000"),
        ("test_result", "55"),
    }
    assert not any("amiga" in problem.what or "77" in problem.what for problem in problems)


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_texts_that_are_not_utf_8_are_told_apart_and_exported(small: Platform) -> None:
    small.run(1, "completed", results={1: 0})
    files(small, 1, {10: None})
    found = []
    for value in ("'a'", "x'ff41'", "CAST(x'ff41' AS TEXT)", "CAST(x'fe41' AS TEXT)", "'FF41'"):
        small.execute(f"UPDATE test SET branch = {value}", f"UPDATE test_result_file SET got = {value}")
        small.execute(f"UPDATE test_progress SET message = {value}, timestamp = {value}")
        found.append(fingerprints(Database(small.url))[0])
        (run,), problems = _read(small)
        assert run.branch == run.files[0][3] == ("a" if value == "'a'" else "FF41" if "F" in value[:3] else "\ufffdA")
        assert ("branch is not text" in [one.what for one in problems]) is ("x'" in value)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_what_only_sqlite_can_hold_is_mended(small: Platform) -> None:
    small.run(1, results={1: 0, 2: 0})
    small.execute("UPDATE test_result SET runtime = 'soon' WHERE regression_test_id = 1")
    small.execute("UPDATE test_result SET exit_code = 1.5 WHERE regression_test_id = 2")
    files(small, 1, {10: None, 20: None})
    small.execute("UPDATE test_result_file SET got = x'ff41' WHERE regression_test_id = 1")
    small.execute("UPDATE test SET branch = CAST(x'ff42' AS TEXT)")
    small.execute("INSERT INTO test_progress VALUES (1, 1, 'completed', 'yesterday', 'done')")
    rows, problems = _read(small)
    (run,) = rows
    assert run.results == [[1, None, 0, 0], [2, 10, None, 0]]
    assert run.files[0][3] == "\ufffdA" and run.branch == "\ufffdB"
    assert run.progress[0].timestamp is None
    assert {(p.table, p.row) for p in problems} == {
        ("test", "1"),
        ("test_result", "1/1"),
        ("test_result", "1/2"),
        ("test_result_file", "1/1"),
        ("test_progress", "1"),
    }


def test_a_value_that_cannot_be_is_null_and_its_row_counted(small: Platform) -> None:
    small.run(1, "completed", results={1: 0, 2: 0, 3: 0}, pr_nr=-5)
    small.execute("UPDATE test_result SET runtime = -50000 WHERE regression_test_id = 1")
    small.execute("UPDATE test_result SET runtime = -3 WHERE regression_test_id = 2")
    (run,), problems = _read(small)
    assert [row[1] for row in run.results] == [None, -3, 10] and run.pr_nr is None
    assert {(p.table, p.row, p.what) for p in problems} == {
        ("test", "1", "pr_nr is negative"),
        ("test_result", "1/1", "runtime is negative"),
    }


def _day(platform: Platform) -> Any:
    from tests.support.platform import DAY

    return DAY
