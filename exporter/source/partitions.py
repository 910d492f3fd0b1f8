"""The rows of one partition: a hundred run ids, read in one consistent read.

Results and result files are packed by the server into one JSON value per run: a quarter of the wall time of reading
row by row, and a twentieth of the client's CPU (`docs/benchmarks.md`). MariaDB cuts such a value silently at
`group_concat_max_len`, so the number of rows is selected beside it and compared.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from types import NoneType
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.types import NullType

from exporter.paths import PARTITION_SIZE, PLATFORMS
from exporter.source import tables
from exporter.source.database import Database
from exporter.source.redaction import Redactor
from exporter.source.row_values import DANGLING, InvalidRow, Row, within_limits

log = logging.getLogger(__name__)

TEST_TYPES = ("commit", "pr")
PROGRESS_STATUSES = ("preparation", "testing", "completed", "canceled")


class ProgressRow(NamedTuple):
    """A row of `test_progress`; `status` is None if the platform does not know it."""

    id: int
    status: str | None
    timestamp: str | None
    message: str | None


@dataclass(slots=True)
class RunRows:
    """All rows of one run, by ascending id within each table.

    `results` are (regression test id, runtime in ms, exit code, expected code) and `files` (regression test id,
    output id, expected, got), both as plain lists, as the packed JSON holds them: there are too many to wrap each.
    """

    run_id: int
    platform: str | None
    test_type: str | None
    fork_id: int | None
    branch: str | None
    commit: str | None
    pr_nr: int | None
    progress: list[ProgressRow]
    customized: list[int | None]
    results: list[list[Any]]
    files: list[list[Any]]

    def __post_init__(self) -> None:
        self.progress = [ProgressRow(*row) for row in self.progress]


class PartitionRows(NamedTuple):
    """The runs of a partition by ascending id, and its invalid rows."""

    runs: list[RunRows]
    problems: list[InvalidRow]


def partition_number(run: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The partition of a run's id as `paths.partition_of` has it: databases divide negative numbers otherwise."""
    rest = (run % PARTITION_SIZE + PARTITION_SIZE) % PARTITION_SIZE
    return ((run - rest) // PARTITION_SIZE).label("number")


def partitions(database: Database) -> list[int]:
    """The numbers of all partitions that hold a run, ascending."""
    return database.read("the list of runs", partitions_on)


def partitions_on(connection: sa.Connection) -> list[int]:
    """The numbers of all partitions in which a connection sees a run, ascending."""
    number = partition_number(tables.RUN.c.id)
    return [int(n) for n in connection.scalars(sa.select(number).distinct().order_by(number))]


def count_results(database: Database) -> int:
    """The number of results of all runs."""
    count = sa.select(sa.func.count()).select_from(tables.RESULT)
    return database.read("the number of results", lambda connection: int(connection.scalar(count) or 0))


def read_partition(
    database: Database, number: int, forks: Iterable[int], redactor: Redactor | None = None
) -> PartitionRows:
    """Read one partition in one consistent read. `forks` are known ids; a run's reference to any other is reported.

    Raises:
        SourceError: the partition cannot be read, after retries; the message names it.
    """
    first = number * PARTITION_SIZE
    what = f"partition {number} (runs {first} to {first + PARTITION_SIZE - 1})"
    known = frozenset(forks)
    return database.read(what, lambda connection: partition_on(connection, number, known, redactor))


def partition_on(
    connection: sa.Connection, number: int, forks: Collection[int], redactor: Redactor | None = None
) -> PartitionRows:
    """The rows of one partition as a connection sees them; `forks` and `redactor` as in `read_partition`."""
    return _Reader(connection, number * PARTITION_SIZE, forks, redactor or Redactor()).read()


def find_result_file(database: Database, number: int, expected: str, got: str | None) -> str | None:
    """The key, `RUN/TEST/OUTPUT`, of the first row of `test_result_file` in a partition with these hashes, if any."""
    table = tables.RESULT_FILE
    key = (table.c.test_id, table.c.regression_test_id, table.c.regression_test_output_id)
    first = number * PARTITION_SIZE
    query = (
        sa.select(*key)
        .where(key[0].between(first, first + PARTITION_SIZE - 1), table.c.expected == expected, table.c.got == got)
        .order_by(*key)
        .limit(1)
    )
    found = database.read(f"partition {number}", lambda connection: connection.execute(query).first())
    return None if found is None else "/".join(map(str, found))


class _Reader:
    """Reads one partition on one connection."""

    def __init__(self, connection: sa.Connection, first: int, forks: Collection[int], redactor: Redactor) -> None:
        self.connection = connection
        self.first, self.last = first, first + PARTITION_SIZE - 1
        self.forks = forks
        self.redactor = redactor
        self.problems: list[InvalidRow] = []

    def read(self) -> PartitionRows:
        runs = {
            row["id"]: self._run(Row("test", row["id"], row, self.problems))
            for row in self._rows(tables.RUN, tables.RUN.c.id, tables.RUN.c.id)
        }
        progress = tables.PROGRESS
        for row in self._rows(progress, progress.c.test_id, progress.c.id):
            if run := self._owner(runs, progress, row["id"], row["test_id"]):
                cell = Row(progress.name, row["id"], row, self.problems)
                run.progress.append(
                    ProgressRow(
                        row["id"],
                        cell.enum("status", PROGRESS_STATUSES),
                        cell.time("timestamp"),
                        self.redactor.optional(cell.text("message")),
                    )
                )
        customized = tables.CUSTOMIZED
        for row in self._rows(customized, customized.c.test_id, customized.c.id):
            if run := self._owner(runs, customized, row["id"], row["test_id"]):
                cell = Row(customized.name, row["id"], row, self.problems)
                run.customized.append(cell.integer("regression_id", nullable=True))
        for table, attribute in ((tables.RESULT, "results"), (tables.RESULT_FILE, "files")):
            for run_id, rows in self._packed(table):
                self._repair(table, run_id, rows)
                rows.sort(key=itemgetter(0, 1) if table is tables.RESULT_FILE else itemgetter(0))
                if run := self._owner(runs, table, run_id, run_id):
                    setattr(run, attribute, rows)
        return PartitionRows(list(runs.values()), self.problems)

    def _rows(self, table: sa.Table, key: sa.Column[Any], order: sa.Column[Any]) -> Sequence[sa.RowMapping]:
        query = sa.select(table).where(key.between(self.first, self.last)).order_by(order)
        return self.connection.execute(query).mappings().all()

    def _owner(self, runs: dict[int, RunRows], table: sa.Table, row: int, run_id: int) -> RunRows | None:
        if (run := runs.get(run_id)) is None:
            self.problems.append(InvalidRow(table.name, str(row), f"test_id {DANGLING}"))
        return run

    def _run(self, row: Row) -> RunRows:
        return RunRows(
            run_id=row.id,
            platform=row.enum("platform", PLATFORMS),
            test_type=row.enum("test_type", TEST_TYPES),
            fork_id=self._fork(row),
            branch=row.text("branch"),
            commit=row.text("commit"),
            pr_nr=row.integer("pr_nr"),
            progress=[],
            customized=[],
            results=[],
            files=[],
        )

    def _fork(self, row: Row) -> int | None:
        """The link to the fork, kept also if there is no such fork: it may come."""
        fork = row.integer("fork_id", nullable=True)
        if fork is not None and fork not in self.forks:
            row.report(f"fork_id {DANGLING}")
        return fork

    def _packed(self, table: sa.Table) -> list[tuple[int, list[list[Any]]]]:
        """Each run's rows of `table`, without the run's id, in no order."""
        key, *columns = table.columns
        where = key.between(self.first, self.last)
        sqlite = self.connection.dialect.name == "sqlite"
        value = sa.type_coerce((_json_on_sqlite if sqlite else _json_on_mysql)(columns), NullType())
        query = sa.select(key, sa.func.count(), value).where(where).group_by(key)
        try:
            return [
                (run_id, _unpacked(data, count, len(columns), may_escape=sqlite))
                for run_id, count, data in self.connection.execute(query)
            ]
        except ValueError:
            _warn_once(table.name)
        except sa.exc.DBAPIError as error:
            # SQLite has no JSON for a blob; any other error occurs again when plain rows are read.
            if error.connection_invalidated:
                raise
            _warn_once(table.name)
        plain: dict[int, list[list[Any]]] = {}
        for run_id, *values in self.connection.execute(sa.select(*table.columns).where(where)):
            plain.setdefault(run_id, []).append(values)
        return list(plain.items())

    def _repair(self, table: sa.Table, run_id: int, rows: list[list[Any]]) -> None:
        """Replace values that cannot be by None; remove rows whose key cannot be."""
        names = [column.name for column in table.columns][1:]
        if all(_valid(name, column) for name, column in zip(names, zip(*rows, strict=True), strict=True)):
            return
        for row in rows:
            cell = Row(table.name, f"{run_id}/{row[0]}", dict(zip(names, row, strict=True)), self.problems)
            row[:] = [(cell.text if name in _TEXTS else cell.integer)(name, nullable=True) for name in names]
        keys = [place for place, name in enumerate(names) if name not in _TEXTS | _NULLABLE]
        rows[:] = [row for row in rows if all(row[place] is not None for place in keys)]


def _valid(name: str, values: Sequence[Any]) -> bool:
    """Whether a column's values are all of its type and within its limits."""
    types = {*map(type, values)}
    if name in _TEXTS:
        return types <= {str, NoneType}
    if not types <= {int, NoneType}:
        return False
    numbers = {*values} - {None}
    return not numbers or within_limits(name, min(numbers), max(numbers))


def _json_on_sqlite(columns: Sequence[sa.Column[Any]]) -> sa.ColumnElement[Any]:
    return sa.func.json_group_array(sa.func.json_array(*columns))


def _json_on_mysql(columns: Sequence[sa.Column[Any]]) -> sa.ColumnElement[Any]:
    """The rows as JSON, put together as text: a third of the server's time for JSON_ARRAYAGG(JSON_ARRAY(...)).

    Texts stand between quotation marks as they are; `_unpacked` refuses what would have needed escaping. A null
    where the schema allows none makes its row vanish, which the count tells.
    """

    def quoted(text: str) -> sa.ColumnElement[Any]:
        return sa.literal_column(f"'{text}'")

    parts: list[sa.ColumnElement[Any]] = []
    for column in columns:
        shown = sa.func.concat(quoted('"'), column, quoted('"')) if column.name in _TEXTS else column
        parts += [
            quoted("," if parts else "["),
            sa.func.ifnull(shown, quoted("null")) if column.name in _NULLABLE else shown,
        ]
    return sa.func.concat(quoted("["), sa.func.group_concat(*parts, quoted("]")), quoted("]"))


def _unpacked(data: Any, count: int, width: int, *, may_escape: bool) -> list[list[Any]]:
    """The rows in a packed value.

    Raises:
        ValueError: it was cut, or holds a text that should have been escaped and was not.
    """
    rows: list[list[Any]] = orjson.loads(data)
    if len(rows) != count or {*map(len, rows)} != {width}:
        raise ValueError("rows are missing")
    if not may_escape and ("\\" if isinstance(data, str) else b"\\") in data:
        raise ValueError("escapes")
    return rows


_TEXTS = {"expected", "got"}
_NULLABLE = {"runtime", "exit_code", "expected_rc", "got"}
_warned: set[str] = set()


def _warn_once(table: str) -> None:
    """Log once per process and table that packed reading failed, and what to change."""
    if table not in _warned:
        _warned.add(table)
        log.warning(
            "%s: the server's packed answer is incomplete; reading row by row, which is slower. "
            "On MariaDB, check max_allowed_packet",
            table,
        )
