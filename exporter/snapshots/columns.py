"""The tables of a snapshot: their columns, derived from `documents/snapshots.py`, and what each means."""

import inspect
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from exporter.documents.fields import Keywords
from exporter.documents.snapshots import SnapshotRegressionTest, SnapshotResult, SnapshotRun, SnapshotSample

Kind = Literal["integer", "text", "boolean", "time", "date"]
Name = Literal["runs", "results", "samples", "regression_tests"]

_KINDS: Mapping[Any, Kind] = {int: "integer", str: "text", bool: "boolean"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a shape.

    Args:
        kind: of its values, or of a list's items; None for objects.
        about: what it means.
        fields: of the object, or of a list's objects; empty for plain values.
        many: whether it is a list.
    """

    name: str
    kind: Kind | None
    about: str = ""
    fields: "tuple[Field, ...]" = ()
    many: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a snapshot.

    Args:
        name: in SQLite.
        file: the stem of its files' names.
    """

    name: Name
    file: str
    key: tuple[str, ...]
    about: str
    fields: tuple[Field, ...]


def _fields(shape: Any) -> tuple[Field, ...]:
    """The fields of a typed dictionary, in their order."""
    return tuple(_field(name, hint) for name, hint in typing.get_type_hints(shape, include_extras=True).items())


def _field(name: str, hint: Any) -> Field:
    """A field by its hint; the outermost description counts, a typed dictionary's own where there is none."""
    about, many = "", False
    values: Sequence[Any] = ()
    while (origin := typing.get_origin(hint)) in (typing.Annotated, types.UnionType, typing.Union, list):
        arguments = typing.get_args(hint)
        hint = arguments[0]  # of a union with None, which stands last
        many |= origin is list
        if origin is typing.Annotated:
            about = about or next((note for note in reversed(arguments) if isinstance(note, str)), "")
            values = next((note.values["enum"] for note in arguments if _has_enum(note)), values)
    if origin is dict:
        keys, counted = typing.get_args(hint)
        codes = typing.get_args(typing.get_args(keys)[0] if typing.get_origin(keys) is typing.Annotated else keys)
        fields = tuple(_field(code, typing.Annotated[counted, f"How many are {code}."]) for code in codes)
        return Field(name, None, about, fields, many)
    if typing.is_typeddict(hint):
        return Field(name, None, about or inspect.cleandoc(hint.__doc__), _fields(hint), many)
    if origin is Literal or hint is types.NoneType:
        values = typing.get_args(hint) or values
        hint = type(values[0]) if values else str
    kind = _KINDS[hint]
    if kind == "text" and (name == "timestamp" or name.endswith("_at")):
        kind = "time"
    if name == "version_released":
        kind = "date"
    if not all(value in about for value in values):
        about += f" One of {', '.join(values)}."
    return Field(name, kind, about, many=many)


def _has_enum(note: object) -> bool:
    return isinstance(note, Keywords) and "enum" in note.values


RUNS = Table("runs", "runs", ("run_id",), "Test runs, by id.", _fields(SnapshotRun))
RESULTS = Table(
    "results",
    "results",
    ("run_id", "regression_test_id"),
    "Results, by run and regression test.",
    _fields(SnapshotResult),
)
SAMPLES = Table("samples", "samples", ("sample_id",), "Samples, by id.", _fields(SnapshotSample))
REGRESSION_TESTS = Table(
    "regression_tests",
    "regression-tests",
    ("regression_test_id",),
    "Regression tests, by id.",
    _fields(SnapshotRegressionTest),
)
TABLES = (RUNS, RESULTS, SAMPLES, REGRESSION_TESTS)


def _abouts(fields: tuple[Field, ...], way: str = "") -> Iterator[tuple[str, str]]:
    for field in fields:
        yield way + field.name, field.about
        yield from _abouts(field.fields, f"{way}{field.name}.")


DOCUMENTED: Mapping[str, Mapping[str, str]] = {table.name: dict(_abouts(table.fields)) for table in TABLES}
"""Table → field, behind those around it and a dot → what it means."""
