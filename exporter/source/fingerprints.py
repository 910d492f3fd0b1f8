"""Fingerprints of the rows of each partition, computed where the rows are.

On MySQL and MariaDB a row's fingerprint is the CRC-32 of its values times that of its key, and a partition's is the
XOR of those with the number of rows. The product matters: CRC-32 is linear, so that without it two rows that exchange
values would leave the XOR as it was. Lengths distinguish values, and null from empty.
SQLite has no such functions; there an aggregate of ours runs in this process.
"""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import NullType

from exporter.paths import PARTITION_SIZE
from exporter.source import tables
from exporter.source.database import Database
from exporter.source.partitions import partition_number

_TABLES = (
    (tables.RUN, tables.RUN.c.id, ()),
    (tables.PROGRESS, tables.PROGRESS.c.test_id, ("id",)),
    (tables.CUSTOMIZED, tables.CUSTOMIZED.c.test_id, ("id",)),
    (tables.RESULT, tables.RESULT.c.test_id, ("regression_test_id",)),
    (tables.RESULT_FILE, tables.RESULT_FILE.c.test_id, ("regression_test_id", "regression_test_output_id")),
)
"""Each table with the column of the run's id and those that tell its rows of one run apart."""

_NUMBERS = {"runtime", "exit_code", "expected_rc", "pr_nr", "timestamp", "regression_id"}
"""Columns whose values hold no comma, so that they need no length before them."""


_Query = tuple[int, sa.ColumnElement[bool]]
"""The index of a table in `_TABLES`, and a condition that selects rows."""


def fingerprints(database: Database, partitions: Iterable[int] | None = None) -> dict[int, str]:
    """Partition → fingerprint of all its rows; of the partitions, or those of them named, that hold a run, ascending.

    Raises:
        SourceError: the database cannot be read.
    """
    every = range(len(_TABLES))
    if partitions is not None:
        tasks = [[(place, _of(_TABLES[place][1], one)) for place in every for one in sorted(set(partitions))]]
    elif database.is_sqlite:
        tasks = [[(place, sa.true()) for place in every]]
    else:
        # The last table takes twice as long as all others: its halves and those are read at once, on a server that
        # has processors for it. They are not one consistent read, which is safe: what changes between them has
        # another fingerprint in the next plan.
        *others, last = every
        run = _TABLES[last][1]
        middle = _middle(database)
        tasks = [[(last, run < middle)], [(last, run >= middle)], [(place, sa.true()) for place in others]]

    def read(queries: list[_Query]) -> list[tuple[int, int, str]]:
        return database.read("the fingerprints", lambda connection: list(_read(connection, queries)))

    with ThreadPoolExecutor(len(tasks)) as threads:
        rows = sorted(row for task in threads.map(read, tasks) for row in task)
    found: dict[int, list[str]] = {}
    for place, partition, fingerprint in rows:
        if place == 0 or partition in found:
            found.setdefault(partition, []).append(f"{place}:{fingerprint}")
    return {partition: "/".join(found[partition]) for partition in sorted(found)}


def _middle(database: Database) -> int:
    """The first run of the partition in the middle of the run ids."""
    ids = tables.RUN.c.id
    query = sa.select(sa.func.min(ids), sa.func.max(ids))
    first, last = database.read("the list of runs", lambda connection: connection.execute(query).one())
    return 0 if first is None else (first + last) // 2 // PARTITION_SIZE * PARTITION_SIZE


def _read(connection: sa.Connection, queries: Iterable[_Query]) -> Iterator[tuple[int, int, str]]:
    """(index in `_TABLES`, partition, fingerprint) of the rows that queries select."""
    if connection.dialect.name == "sqlite":
        _register(connection)
    for place, where in queries:
        table, run, keys = _TABLES[place]
        sqlite = connection.dialect.name == "sqlite"
        query = _on_sqlite(table, run, where) if sqlite else _on_mysql(table, run, keys, where)
        for partition, count, value in connection.execute(query):
            if partition is not None:
                yield place, int(partition), f"{count}:{value}"


def _of(run: sa.Column[Any], partition: int) -> sa.ColumnElement[bool]:
    return run.between(partition * PARTITION_SIZE, (partition + 1) * PARTITION_SIZE - 1)


def _on_sqlite(table: sa.Table, run: sa.Column[Any], where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    number = partition_number(run)
    values = (column if column.name.endswith("id") else _bytes(column) for column in table.columns)
    return sa.select(number, sa.func.count(), sa.func.fingerprint(*values)).where(where).group_by(number)


def _bytes(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """A text as its bytes, which need not be UTF-8 as an aggregate's text must; bytes as their digits."""
    kind, plain = sa.func.typeof(column), sa.type_coerce(column, NullType())
    return sa.case((kind == "text", sa.cast(plain, sa.LargeBinary)), (kind == "blob", sa.func.hex(plain)), else_=plain)


def _on_mysql(
    table: sa.Table, run: sa.Column[Any], keys: tuple[str, ...], where: sa.ColumnElement[bool]
) -> sa.Select[Any]:
    """Run by run, and then partition by partition: rows lie by run, so the server need not look a group up for each."""
    of_run = (
        sa.select(run.label("run"), sa.func.count().label("many"), _fold(table, run, keys).label("value"))
        .where(where)
        .group_by(run)
        .subquery()
    )
    number = partition_number(sa.column("run"))
    value = sa.type_coerce(sa.func.bit_xor(of_run.c.value), NullType())
    return sa.select(number, sa.func.sum(of_run.c.many), value).group_by(number)


def _fold(table: sa.Table, run: sa.Column[Any], keys: tuple[str, ...]) -> sa.ColumnElement[Any]:
    parts: list[Any] = []
    for column in table.columns:
        value: Any = column
        if column.name.endswith("id") or column.name in _NUMBERS:
            parts.append(sa.func.ifnull(value, sa.literal_column("'-'")))
        else:
            parts += [sa.func.ifnull(sa.func.length(value), sa.literal_column("'-'")), value]
    crc = sa.func.crc32(sa.func.concat_ws(sa.literal_column("','"), *parts))
    key = sa.func.concat_ws(sa.literal_column("','"), run, *(table.c[name] for name in keys))
    weight = sa.func.crc32(key).op("|")(1)
    return sa.type_coerce(sa.func.bit_xor(crc * weight), NullType())


class _Fingerprint:
    """The SQLite aggregate: a sum of hashes, the same in whatever order the rows come."""

    def __init__(self) -> None:
        self._sum = 0

    def step(self, *values: Any) -> None:
        self._sum += int.from_bytes(hashlib.blake2b(repr(values).encode(), digest_size=8).digest(), "big")

    def finalize(self) -> str:
        return f"{self._sum & (1 << 64) - 1:x}"


def _register(connection: sa.Connection) -> None:
    raw: Any = connection.connection.driver_connection
    raw.create_aggregate("fingerprint", -1, _Fingerprint)
