"""How commands print what they have read: a table, JSON lines, one JSON array, or CSV."""

import csv
import io
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import click
import orjson

from exporter.cli import streams
from exporter.errors import ExporterError

Format = Literal["table", "ndjson", "json", "csv"]
FORMATS: tuple[Format, ...] = ("table", "ndjson", "json", "csv")

SHOWN = 20
"""Rows of a table if no limit is asked for."""

_GAP = 2
"""Spaces between two columns."""

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
"""Characters that a terminal may obey, line feeds aside."""

_STYLES = {"pass": "green", "fail": "red", "missing_output": "red", "error": "bold red", "running": "yellow"}


class Column(NamedTuple):
    """A column of a table.

    Args:
        value: gives an item's value.
        rank: columns of the highest rank are left out first where the terminal is too narrow.
        longest: characters after which a value is cut off.
        number: whether it is aligned to the right.
    """

    name: str
    value: Callable[[Any], Any]
    rank: int = 0
    longest: int = 40
    number: bool = False


class Shown(NamedTuple):
    """How items are to be shown, as the options say; None: as standard output suggests."""

    format: Format | None
    limit: int | None
    fail_if_empty: bool


def show(items: Iterator[Any], how: Shown, columns: tuple[Column, ...]) -> int:
    """Print items; returns the exit code.

    Raises:
        ExporterError: an item is not as the API's schemas describe it.
    """
    format_ = how.format or ("table" if sys.stdout.isatty() else "ndjson")
    first = list(itertools.islice(items, 1))
    if not first:
        if format_ == "json":
            click.echo("[]")
        if sys.stdout.isatty() or sys.stderr.isatty() or how.fail_if_empty:
            click.echo("nothing found", err=True)
        return 1 if how.fail_if_empty else 0
    items = itertools.takewhile(lambda _: streams.is_read(), itertools.chain(first, items))
    if format_ == "table":
        _table(items, how.limit, columns)
    else:
        write = {"ndjson": _ndjson, "json": _json, "csv": _csv}[format_]
        write(itertools.islice(items, how.limit))
    return 0


def _ndjson(items: Iterator[Any]) -> None:
    for item in items:
        click.echo(orjson.dumps(item))


def _json(items: Iterator[Any]) -> None:
    """One array, an item a line, written as items are read."""
    for number, item in enumerate(items):
        click.echo(("[" if number == 0 else ",\n") + orjson.dumps(item).decode(), nl=False)
    click.echo("]")


def _csv(items: Iterator[Any]) -> None:
    """A row an item; a field of a field is named `summary.pass_count`, a list is written as JSON."""
    names: list[str] | None = None
    for item in items:
        row = dict(_flat(item))
        line = io.StringIO()
        writer = csv.writer(line, lineterminator="\n")
        if names is None:
            names = list(row)
            writer.writerow(names)
        writer.writerow([row.get(name) for name in names])
        click.echo(line.getvalue(), nl=False)


def _flat(item: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in item.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            json = isinstance(value, list | bool)
            yield prefix + name, orjson.dumps(value).decode() if json else value


def _table(items: Iterator[Any], limit: int | None, columns: tuple[Column, ...]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [_cells(item, columns) for item in itertools.islice(items, limit or SHOWN)]
    console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 1000)
    chosen = _fitting(rows, columns, console.width)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place in chosen:
        column = columns[place]
        table.add_column(
            column.name, justify="right" if column.number else "left", no_wrap=True, max_width=column.longest
        )
    for row in rows:
        table.add_row(
            *(
                Text(row[place], _STYLES.get(row[place], "") if columns[place].name == "status" else "")
                for place in chosen
            )
        )
    console.print(table)
    if limit is None and next(items, None) is not None:
        click.echo(f"… and more; --limit shows more than {SHOWN}", err=True)
    if len(chosen) < len(columns) and sys.stdout.isatty():
        hidden = ", ".join(column.name for place, column in enumerate(columns) if place not in chosen)
        click.echo(f"not shown for lack of width: {hidden}", err=True)


def _cells(item: Any, columns: tuple[Column, ...]) -> list[str]:
    try:
        values = [column.value(item) for column in columns]
    except (KeyError, TypeError):
        raise ExporterError(
            "the documents are not as the API's schemas describe them: is the base an API of this exporter's version?"
        ) from None
    return ["" if value is None else printable(str(value)).replace("\n", " ") for value in values]


def _fitting(rows: list[list[str]], columns: tuple[Column, ...], width: int) -> list[int]:
    """The places of the columns that fit a width, those of the lowest ranks first."""
    from rich.cells import cell_len

    widths = [
        min(column.longest, max(cell_len(column.name), *(cell_len(row[place]) for row in rows)))
        for place, column in enumerate(columns)
    ]
    chosen = list(range(len(columns)))
    while len(chosen) > 1 and sum(widths[place] + _GAP for place in chosen) - _GAP > width:
        chosen.remove(max(chosen, key=lambda place: (columns[place].rank, place)))
    return chosen


def minute(moment: str | None) -> str | None:
    """A time as a table shows it."""
    return moment and moment[:16].replace("T", " ")


def printable(text: str) -> str:
    """A text that moves no cursor and changes no colour: the values of rows come from anybody."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
