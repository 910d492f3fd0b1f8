"""Warnings of an export name table and row, and no value."""

import logging
import pathlib

import pytest

from exporter.export.input_warnings import report_problems
from exporter.source.row_values import InvalidRow
from tests.support.platform import HASH, Platform, export, files


def test_a_refused_output_is_named_by_its_row(
    small: Platform, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "repository" / "TestResults").mkdir(parents=True)
    (tmp_path / "repository" / "TestResults" / f"{HASH['e']}.srt").mkdir()
    for run in (1, 205):
        small.run(run, "completed", results={1: 1, 2: 1})
    files(small, 1, {10: "../../etc/CANARY"})
    files(small, 205, {10: "../../etc/CANARY", 20: HASH["e"]})
    with caplog.at_level(logging.INFO):
        report = export(small.url, tmp_path / "tree", sample_repository=tmp_path / "repository")
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert sorted(warning for warning in warnings if "main line" not in warning) == [
        "test_result_file 205/1/10: got: refused: the name is not that of a file",
        "test_result_file 205/2/20: got: refused: it is a folder",
    ]
    assert report.problems == 2
    assert "CANARY" not in caplog.text


def test_many_alike_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    many = [InvalidRow("test_result", f"1/{test}", "runtime is negative") for test in range(1, 36)]
    assert report_problems([*many, InvalidRow("test", "7", "branch is null")]) == 36
    assert caplog.messages == [
        "test_result: 35 rows, 1/1, 1/2, 1/3, 1/4, 1/5 …: runtime is negative",
        "test 7: branch is null",
    ]
