"""From what a driver hands over to values that documents can hold.

Drivers differ (PyMySQL gives `datetime`, SQLite text), and rows may hold what the platform never writes. A value
that makes no sense becomes None and is reported as a `InvalidRow`; the export goes on.
"""

import datetime
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class InvalidRow(NamedTuple):
    """A row that makes no sense: its table, its id (`17`, or `74/3` for a compound key) and what is wrong."""

    table: str
    row: str
    what: str


@dataclass(slots=True)
class Row:
    """Reads one row's values, noting what makes no sense."""

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
        """An integer; None for anything else."""
        value = self.values[column]
        if value is None:
            if not nullable:
                self.report(f"{column} is null")
            return None
        if isinstance(value, int):
            return int(value)
        self.report(f"{column} is no integer")
        return None

    def boolean(self, column: str) -> bool | None:
        """A nullable truth value, as the drivers give it: 0 or 1."""
        value = self.integer(column, nullable=True)
        return None if value is None else bool(value)

    def enum(self, column: str, allowed: Collection[str], *, nullable: bool = False) -> str | None:
        """One of a few words; None for anything else."""
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
            self.report(f"{column} is no time")
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
            self.report(f"{column} is no date")
            return None
        return value.isoformat()[:10]

    def reference(self, column: str, known: Collection[int]) -> int | None:
        """A nullable link to another row; None, and reported, where it leads to nothing."""
        value = self.integer(column, nullable=True)
        if value is None or value in known:
            return value
        self.report(f"{column} leads to nothing")
        return None
