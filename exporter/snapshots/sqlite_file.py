"""A snapshot as one SQLite database.

SQLite has no nesting: an object's fields become columns (`summary_pass_count`), a list becomes a table of its own
(`runs_progress`) that repeats the key of its row and adds the item's position, from 0. Results share their outcomes, so
a result is a few numbers in `run_results`, and a failure's verdict a row in `verdicts`; the views `results` and
`results_outputs` have the columns of the other formats.
"""

import contextlib
import itertools
import pathlib
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.snapshots.columns import DOCUMENTED, RESULTS, RUNS, TABLES, Field, Kind, Table
from exporter.snapshots.ndjson_parquet import BLOCK, Gzip
from exporter.snapshots.row_reader import Outcomes, RunBatch

_TYPES: Mapping[Kind | None, str] = {"integer": "INTEGER", "boolean": "INTEGER"}
_SHOWN: Mapping[Kind | None, str] = {
    "boolean": "0 or 1",
    "time": "text, YYYY-MM-DDTHH:MM:SSZ in UTC",
    "date": "text, YYYY-MM-DD",
}

_ROWS = 5_000
"""Of one statement, which takes 32,766 values."""
_INDEXES = (
    *("runs(commit_sha)", "runs(branch, platform)", "runs(pr_number)", "runs(created_at)"),
    *("outcomes(status)", "outcomes(sample_id)", "samples(sha)", "regression_tests(sample_id)"),
)
_INNER = {
    "run_results": "Results, without the fields that many share: use the view results.",
    "outcomes": "The fields that many results share: use the view results.",
    "outcome_outputs": "The outputs of what many results share: use the view results_outputs.",
    "verdicts": "The verdicts on failures: use the view results.",
}


@dataclass(frozen=True, slots=True)
class Relation:
    """A table of the database: rows of `table`, or the items of the list `way` in them.

    Args:
        way: the names of the lists that lead to it, outermost first; empty for the rows themselves.
        key: the columns that name a row.
        columns: the way through objects to each further column, and its field.
    """

    table: Table
    way: tuple[str, ...]
    key: tuple[str, ...]
    columns: tuple[tuple[tuple[str, ...], Field], ...]

    @property
    def name(self) -> str:
        """The table's name."""
        return "_".join((self.table.name, *self.way))

    def create(self) -> str:
        """The statement that creates it."""
        columns = [f"{name} INTEGER" for name in self.key]
        columns += [f"{'_'.join(way)} {_TYPES.get(field.kind, 'TEXT')}" for way, field in self.columns]
        return f"CREATE TABLE {self.name} ({', '.join(columns)}, PRIMARY KEY ({', '.join(self.key)}))"

    def insert(self) -> str:
        """The statement that adds a row."""
        return f"INSERT INTO {self.name} VALUES ({_marks((*self.key, *self.columns))})"  # noqa: S608 (names are ours)

    def values(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
        """The values of its rows, from rows of the snapshot."""
        for row in rows:
            for key, item in _items(row, self.way, tuple(row[name] for name in self.table.key)):
                yield (*key, *(_value(item, way) for way, _ in self.columns))

    def documented(self) -> Iterator[tuple[str, str, str, str]]:
        """Rows of the documentation."""
        about = DOCUMENTED[self.table.name]
        yield self.name, "", "table", about[".".join(self.way)] if self.way else self.table.about
        for name in self.key:
            yield self.name, name, "integer", about.get(name, "Place in the list, from 0.")
        for way, field in self.columns:
            place = ".".join((*self.way, *way))
            yield self.name, "_".join(way), _SHOWN.get(field.kind, field.kind or ""), about.get(place, "An item.")


def relations(table: Table) -> list[Relation]:
    """The tables that a table of a snapshot becomes."""
    return list(_relations(table, (), table.key, table.fields))


def _relations(
    table: Table, way: tuple[str, ...], key: tuple[str, ...], fields: tuple[Field, ...]
) -> Iterator[Relation]:
    columns = [(at, field) for at, field in _flat(fields) if "_".join(at) not in key]
    yield Relation(table, way, key, tuple(column for column in columns if not column[1].many))
    for (name,), field in ((at, field) for at, field in columns if field.many):
        inner = field.fields or (Field("value", field.kind),)
        yield from _relations(table, (*way, name), (*key, f"{name}_position"), inner)


def _flat(fields: tuple[Field, ...], parents: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field]]:
    """The fields that are not objects: the names that lead to each, and the field."""
    for field in fields:
        if field.fields and not field.many:
            yield from _flat(field.fields, (*parents, field.name))
        else:
            yield (*parents, field.name), field


def _columns(relation: Relation, names: Sequence[str]) -> str:
    """The definitions of those columns of a relation."""
    kinds = {"_".join(way): _TYPES.get(field.kind, "TEXT") for way, field in relation.columns}
    return ", ".join(f"{name} {kinds[name]}" for name in names)


def _names(relation: Relation) -> list[str]:
    """The names of the columns of a relation beside its key."""
    return ["_".join(way) for way, _ in relation.columns]


_RESULT, _OUTPUT = relations(RESULTS)
_OF_VERDICT = [name for name in _names(_RESULT) if name.startswith("verdict_")]
_OF_OUTCOME = [name for name in _names(_RESULT) if name not in ("runtime_ms", *_OF_VERDICT)]
_OF_OUTPUT = _names(_OUTPUT)
_VERDICT = [way[1:] for way, _ in _RESULT.columns if way[0] == "verdict"]

_SCHEMA = f"""
CREATE TABLE outcomes (outcome_id INTEGER PRIMARY KEY, {_columns(_RESULT, _OF_OUTCOME)});
CREATE TABLE outcome_outputs (
    outcome_id INTEGER, outputs_position INTEGER, {_columns(_OUTPUT, _OF_OUTPUT)},
    PRIMARY KEY (outcome_id, outputs_position)) WITHOUT ROWID;
CREATE TABLE run_results (
    run_id INTEGER, regression_test_id INTEGER, runtime_ms INTEGER, outcome_id INTEGER,
    PRIMARY KEY (run_id, regression_test_id)) WITHOUT ROWID;
CREATE TABLE verdicts (
    run_id INTEGER, regression_test_id INTEGER, {_columns(_RESULT, _OF_VERDICT)},
    PRIMARY KEY (run_id, regression_test_id)) WITHOUT ROWID;
CREATE VIEW results AS
    SELECT run_id, regression_test_id, {", ".join(_names(_RESULT))}
    FROM run_results JOIN outcomes USING (outcome_id) LEFT JOIN verdicts USING (run_id, regression_test_id);
CREATE VIEW results_outputs AS
    SELECT run_id, regression_test_id, outputs_position, {", ".join(_OF_OUTPUT)}
    FROM run_results JOIN outcome_outputs USING (outcome_id);
CREATE TABLE documentation (table_name TEXT, column_name TEXT, type TEXT, description TEXT);
"""  # noqa: S608 (names are ours)


def _items(item: Any, way: tuple[str, ...], key: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Any]]:
    """The items of the lists at the end of a way, with their keys."""
    if not way:
        yield key, item
        return
    for position, inner in enumerate(item[way[0]] or ()):
        yield from _items(inner, way[1:], (*key, position))


def _value(item: Any, way: tuple[str, ...]) -> Any:
    """The value at a way through objects, of which one may be null; of a list of plain values, the item itself."""
    if not isinstance(item, dict):
        return item
    for name in way:
        item = None if item is None else item[name]
    return item


def _marks(values: Sequence[Any]) -> str:
    """The placeholders of so many values."""
    return ", ".join("?" * len(values))


class Sqlite:
    """Writes `platform.sqlite.gz`."""

    def __init__(self, folder: pathlib.Path, stack: contextlib.ExitStack) -> None:
        self._file = folder / "platform.sqlite"
        self._target = Gzip(folder / "platform.sqlite.gz", stack)
        self._database = stack.enter_context(contextlib.closing(sqlite3.connect(self._file, isolation_level=None)))
        # No other process reads the file before it is complete; after a crash a new one is begun.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -16000"):
            self._database.execute(f"PRAGMA {pragma}")
        self._relations = {table.name: relations(table) for table in TABLES if table is not RESULTS}
        for found in self._relations.values():
            for relation in found:
                self._database.execute(relation.create())
        self._database.executescript(_SCHEMA)
        self._database.execute("BEGIN")
        self._outcomes = 0
        self._values: list[int | None] = []

    def rows(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows of samples or of regression tests."""
        for relation in self._relations[table.name]:
            self._database.executemany(relation.insert(), relation.values(rows))

    def runs(self, batch: RunBatch, outcomes: Outcomes) -> None:
        """Add a partition's runs and their results."""
        self.rows(RUNS, batch.runs)
        self._add(outcomes)
        rows = zip(batch.run_ids, batch.tests, batch.runtimes, batch.places, strict=True)
        self._values.extend(itertools.chain.from_iterable(rows))
        while len(self._values) >= 4 * _ROWS:
            self._insert(_ROWS)
        self._database.executemany(
            f"INSERT INTO verdicts VALUES (?, ?, {_marks(_VERDICT)})",  # noqa: S608 (names are ours)
            (
                (run_id, test, *(_value(verdict, way) for way in _VERDICT))
                for test, run_id, _, _, verdict in batch.results()
                if verdict is not None
            ),
        )

    def _insert(self, rows: int) -> None:
        """Add that many results in one statement: after each statement the interpreter may switch threads."""
        if rows:
            marks = ", ".join(["(?, ?, ?, ?)"] * rows)
            self._database.execute(f"INSERT INTO run_results VALUES {marks}", self._values[: 4 * rows])  # noqa: S608
            del self._values[: 4 * rows]

    def _add(self, outcomes: Outcomes) -> None:
        """Add the outcomes that are new since the last call."""
        for place in range(self._outcomes, len(outcomes.lines)):
            row = outcomes.row(place)
            values = (place, *(row[name] for name in _OF_OUTCOME))
            self._database.execute(f"INSERT INTO outcomes VALUES ({_marks(values)})", values)  # noqa: S608
            for position, output in enumerate(row["outputs"]):
                values = (place, position, *(output[name] for name in _OF_OUTPUT))
                self._database.execute(f"INSERT INTO outcome_outputs VALUES ({_marks(values)})", values)  # noqa: S608
        self._outcomes = len(outcomes.lines)

    def finish(self) -> None:
        """Add indexes and documentation, and compress."""
        self._insert(len(self._values) // 4)
        self._database.executemany("INSERT INTO documentation VALUES (?, ?, ?, ?)", self._documented())
        for index in _INDEXES:
            table, _, columns = index.rstrip(")").partition("(")
            self._database.execute(f"CREATE INDEX {table}_by_{columns.replace(', ', '_')} ON {index}")
        self._database.execute("COMMIT")
        self._database.close()
        with self._file.open("rb") as source:
            shutil.copyfileobj(source, self._target, BLOCK)
        self._target.close()
        self._file.unlink()

    def _documented(self) -> Iterator[tuple[str, str, str, str]]:
        for found in self._relations.values():
            for relation in found:
                yield from relation.documented()
        for relation in relations(RESULTS):
            yield from relation.documented()
        for name, about in _INNER.items():
            yield name, "", "table", about
