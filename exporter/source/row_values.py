"""Converts what a driver returns to values that documents can hold.

Drivers differ (PyMySQL returns `datetime`, SQLite text), and rows may hold what the platform never writes. A value that
cannot be becomes None and its row is reported as an `InvalidRow`; the export continues.
"""

import datetime
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

CLOCK_TICK_MS = 16
"""One tick of a Windows clock (15.6 ms). Runtimes are differences of two readings of a worker's clock, which may be
set back in between. Less than a tick below zero is an error of measurement, published as the platform publishes it; a
smaller runtime cannot be."""

_CODES = (-(2**31), 2**32 - 1)
_LIMITS = {
    "runtime": (1 - CLOCK_TICK_MS, 2**31 - 1),
    "exit_code": _CODES,
    "expected_rc": _CODES,
    "pr_nr": (0, 2**31 - 1),
    "issue_id": (1, 2**31 - 1),
    "last_passed_on_linux": (1, 2**31 - 1),
    "last_passed_on_windows": (1, 2**31 - 1),
}
"""Column → its least and greatest possible value. Exit codes have 32 bits, with a sign or without."""


DANGLING = "refers to a row that does not exist"
"""What is wrong with a reference, after the name of its column."""


class InvalidRow(NamedTuple):
    """A row with an impossible value: its table, its id (`17`, or `74/3` for a compound key) and what is wrong."""

    table: str
    row: str
    what: str


@dataclass(slots=True)
class Row:
    """Reads one row's values and reports those that cannot be."""

    table: str
    id: Any
    values: Any
    problems: list[InvalidRow] = field(repr=False)

    def report(self, what: str) -> None:
        """Note a problem with this row; `what` never quotes a value."""
        self.problems.append(InvalidRow(self.table, str(self.id), what))

    def text(self, column: str, *, nullable: bool = False) -> str | None:
        """A text. Bytes that are not UTF-8 are replaced by U+FFFD."""
        value = self.values[column]
        if value is None:
            if not nullable:
                self.report(f"{column} is null")
            return None
        if isinstance(value, bytes):
            self.report(f"{column} is not text")
            return value.decode("utf-8", "replace")
        return str(value)

    def integer(self, column: str, *, nullable: bool = False) -> int | None:
        """An integer that the column can hold; None for anything else."""
        value = self.values[column]
        if value is None:
            if not nullable:
                self.report(f"{column} is null")
            return None
        if not isinstance(value, int):
            self.report(f"{column} is not an integer")
            return None
        if not within_limits(column, value, value):
            self.report(f"{column} is {'negative' if value < 0 else 'out of range'}")
            return None
        return int(value)

    def boolean(self, column: str) -> bool | None:
        r"""A nullable truth value: 0 or 1 as drivers return BOOL, `b"\0"` or `b"\1"` as they return BIT(1)."""
        value = self.values[column]
        if isinstance(value, bytes) and len(value) == 1:
            return value != b"\0"
        number = self.integer(column, nullable=True)
        return None if number is None else bool(number)

    def enum(self, column: str, allowed: Collection[str], *, nullable: bool = False) -> str | None:
        """One of the allowed words; None for anything else."""
        value = self.text(column, nullable=nullable)
        if value is None or value in allowed:
            return value
        self.report(f"{column} is unknown")
        return None

    def time(self, column: str) -> str | None:
        """A moment, `YYYY-MM-DDTHH:MM:SSZ`. The platform's columns are UTC without a zone."""
        value = self.values[column]
        if isinstance(value, str):
            try:
                value = datetime.datetime.fromisoformat(value)
            except ValueError:
                value = None
        if isinstance(value, datetime.datetime) and value.tzinfo is not None:
            try:
                value = value.astimezone(datetime.UTC)
            except OverflowError:
                value = None
        if not isinstance(value, datetime.datetime):
            self.report(f"{column} is not a time")
            return None
        return (
            f"{value:%Y-%m-%dT%H:%M:%S}Z" if value.year >= 1000 else f"{value.replace(tzinfo=None).isoformat()[:19]}Z"
        )

    def date(self, column: str) -> str | None:
        """A nullable day, `YYYY-MM-DD`."""
        value = self.values[column]
        if value is None:
            return None
        if isinstance(value, str):
            try:
                value = datetime.date.fromisoformat(value[:10])
            except ValueError:
                value = None
        if not isinstance(value, datetime.date):
            self.report(f"{column} is not a date")
            return None
        return value.isoformat()[:10]

    def reference(self, column: str, known: Collection[int]) -> int | None:
        """A nullable reference to another row; None, and reported, if that row does not exist."""
        value = self.integer(column, nullable=True)
        if value is None or value in known:
            return value
        self.report(f"{column} {DANGLING}")
        return None


def within_limits(column: str, least: int, greatest: int) -> bool:
    """Whether a column can hold all values from `least` to `greatest`."""
    low, high = _LIMITS.get(column, (least, greatest))
    return low <= least and greatest <= high
