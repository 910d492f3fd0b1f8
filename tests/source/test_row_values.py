"""Values of rows: what cannot be is null and reported, what can be is kept as it is."""

import datetime
from typing import Any

import pytest

from exporter.source.row_values import InvalidRow, Row

UTC = datetime.UTC


def _read(method: str, column: str, value: Any, **arguments: Any) -> tuple[Any, list[str]]:
    problems: list[InvalidRow] = []
    found = getattr(Row("table", 7, {column: value}, problems), method)(column, **arguments)
    assert all((problem.table, problem.row) == ("table", "7") for problem in problems)
    return found, [problem.what for problem in problems]


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [
        ("runtime", 0, True),
        ("runtime", -15, True),
        ("runtime", -16, False),
        ("runtime", -50_000, False),
        ("runtime", 2**31 - 1, True),
        ("runtime", 2**31, False),
        ("exit_code", -1073741819, True),
        ("exit_code", 3221225477, True),
        ("exit_code", 2**32, False),
        ("exit_code", -(2**31) - 1, False),
        ("expected_rc", 10**12, False),
        ("pr_nr", 0, True),
        ("pr_nr", -1, False),
        ("issue_id", 0, False),
        ("last_passed_on_linux", -4, False),
        ("last_passed_on_windows", 4, True),
        ("regression_test_output_id", -1, True),
        ("runtime", "soon", False),
        ("runtime", 1.5, False),
        ("runtime", float("nan"), False),
    ],
)
def test_a_number_that_cannot_be_is_null_and_reported(column: str, value: Any, kept: bool) -> None:
    found, problems = _read("integer", column, value)
    assert found == (value if kept else None)
    assert len(problems) == (0 if kept else 1)
    assert not any(str(value) in problem for problem in problems)


@pytest.mark.parametrize(
    ("value", "expected"), [(b"\0", False), (b"\1", True), (0, False), (1, True), (True, True), (None, None)]
)
def test_booleans_of_every_driver_and_column_type(value: Any, expected: bool | None) -> None:
    assert _read("boolean", "active", value) == (expected, [])


@pytest.mark.parametrize("value", [b"", b"\0\1", "yes", 0.5])
def test_what_is_no_boolean_is_null(value: Any) -> None:
    found, problems = _read("boolean", "active", value)
    assert found is None and len(problems) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime.datetime(2026, 6, 1, 12, 0, 0, 999), "2026-06-01T12:00:00Z"),
        (
            datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
            "2026-06-01T10:00:00Z",
        ),
        ("2026-06-01 12:00:00.000001", "2026-06-01T12:00:00Z"),
        ("0000-00-00 00:00:00", None),
        ("2026-00-10 00:00:00", None),
        ("2026-02-30 00:00:00", None),
        (datetime.date(2026, 6, 1), None),
        (1_780_000_000, None),
        (None, None),
    ],
)
def test_times_are_utc_and_moments_that_cannot_be_are_null(value: Any, expected: str | None) -> None:
    found, problems = _read("time", "timestamp", value)
    assert found == expected and bool(problems) == (expected is None)


@pytest.mark.parametrize(
    ("value", "expected", "reported"),
    [
        (datetime.date(2026, 6, 1), "2026-06-01", False),
        ("2026-06-01", "2026-06-01", False),
        ("0000-00-00", None, True),
        ("soon", None, True),
        (None, None, False),
    ],
)
def test_dates(value: Any, expected: str | None, reported: bool) -> None:
    found, problems = _read("date", "released", value)
    assert found == expected and bool(problems) == reported


def test_a_reference_to_a_row_that_does_not_exist_says_so() -> None:
    assert _read("reference", "sample_id", -3, known={1}) == (None, ["sample_id refers to a row that does not exist"])
    assert _read("reference", "sample_id", 1, known={1}) == (1, [])
    assert _read("reference", "sample_id", None, known={1}) == (None, [])
