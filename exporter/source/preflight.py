"""What `exporter check` finds out about the database: its server, our privileges, its schema."""

import datetime
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

import sqlalchemy as sa

from exporter.errors import ExporterError, SourceError
from exporter.source import tables
from exporter.source.database import Connection, Database

State = Literal["ok", "warning", "error"]

OLDEST = {"MySQL": (8, 0), "MariaDB": (10, 5)}
"""The oldest versions with the functions that are used; tested are MySQL 8 and MariaDB 10.11."""

_CLOCK = 60
"""Seconds by which the database's clock may differ from ours."""

_PRIVATE = {"test": "token", "upload": "user_id", "sample_issue": "user"}
"""Table → the column that nobody but the platform should read, for which a grant on columns is better."""

_UNREAD = {*_PRIVATE.items(), ("ccextractor_version", "commit")}
"""Columns that the platform has and that are left out on purpose."""

_TYPES = {
    "integer": {"tinyint", "smallint", "mediumint", "int", "integer", "bigint"},
    "text": {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum"},
    "time": {"datetime", "timestamp"},
    "date": {"date", "datetime", "timestamp"},
    "truth": {"tinyint", "bit", "bool", "boolean", "int", "smallint", "integer"},
}
_NUMBERS = {"pr_nr", "runtime", "exit_code", "expected_rc", "last_passed_on_windows", "last_passed_on_linux"}
_OTHERS = {"timestamp": "time", "created_at": "time", "released": "date", "active": "truth", "ignore": "truth"}


class Finding(NamedTuple):
    """One line of the report: what was checked, how it is, and in words what is so or what to do."""

    check: str
    state: State
    detail: str


def preflight(database: Database) -> Iterator[Finding]:
    """Examine a database from the outside in; what cannot be examined ends it with an `error`."""
    try:
        database.check()
        yield database.read("its version", _server)
        if not database.is_sqlite:
            yield database.read("its clock", _clock)
            yield database.read("our privileges", _privileges)
        for table in tables.METADATA.sorted_tables:  # names all that is missing, or not granted
            database.read("the schema", lambda connection, table=table: _select_nothing(connection, table))  # type: ignore[misc]
        yield database.read("the schema", _schema)
        if not database.is_sqlite:
            yield database.read("the tables' engines", _engines)
        yield database.read("the runs", _runs)
    except ExporterError as error:
        yield Finding("database", "error", str(error))


def _select_nothing(connection: Connection, table: sa.Table) -> None:
    connection.execute(sa.select(*table.columns).where(sa.false()))


def _server(connection: Connection) -> Finding:
    if connection.dialect.name == "sqlite":
        return Finding("database", "ok", f"SQLite {connection.exec_driver_sql('SELECT sqlite_version()').scalar()}")
    text = str(connection.exec_driver_sql("SELECT VERSION()").scalar())
    kind = "MariaDB" if "mariadb" in text.lower() else "MySQL"
    version = tuple(map(int, re.findall(r"\d+", text)[:2]))
    oldest = ".".join(map(str, OLDEST[kind]))
    if version < OLDEST[kind]:
        return Finding("database", "error", f"{kind} {text} is too old: {oldest} or later is needed")
    return Finding("database", "ok", f"reachable: {kind} {text}")


def _clock(connection: Connection) -> Finding:
    zone, system, now = connection.exec_driver_sql(
        "SELECT @@global.time_zone, @@system_time_zone, UTC_TIMESTAMP()"
    ).one()
    shown = f"{system}, the system's" if zone == "SYSTEM" else zone
    off = (now - datetime.datetime.now(datetime.UTC).replace(tzinfo=None)).total_seconds()
    if abs(off) > _CLOCK:
        return Finding(
            "time zone", "warning", f"the database's clock is {off:+.0f} s off this machine's: set one right"
        )
    return Finding("time zone", "ok", f"the server's is {shown}; times are read as they stand, as UTC")


def _privileges(connection: Connection) -> Finding:
    name = connection.exec_driver_sql("SELECT DATABASE()").scalar()
    if name is None:
        raise SourceError("the URL names no database: add its name at the end")
    lines = [str(row[0]) for row in connection.exec_driver_sql("SHOW GRANTS FOR CURRENT_USER()")]
    excess = excess_privileges(lines, name)
    if excess:
        listed = ", ".join(excess[:8]) + (f" and {len(excess) - 8} more" if len(excess) > 8 else "")
        return Finding("privileges", "warning", f"more than is needed: {listed}; README.md has the exact GRANTs")
    return Finding("privileges", "ok", "nothing but SELECT on what exports read")


def excess_privileges(grants: list[str], database: str) -> list[str]:
    """The privileges that exports do not need, of lines as `SHOW GRANTS` gives them; no password is repeated."""
    known = {table.name: {column.name for column in table.columns} for table in tables.METADATA.sorted_tables}
    found: list[str] = []
    for line in grants:
        match = re.match(r"GRANT (?P<what>.+?) ON (?:TABLE )?(?P<schema>\S+?)\.(?P<table>\S+) TO ", line)
        if match is None:
            if role := re.match(r"GRANT (\S+?)(?:@\S+)? TO ", line):
                found.append(f"the role {role[1].strip('`')}")
            continue
        schema, table = match["schema"].strip("`").replace("\\", ""), match["table"].strip("`")
        for privilege, columns in re.findall(r"([A-Z][A-Z ]*[A-Z])(?: \(([^)]*)\))?", match["what"]):
            if privilege == "USAGE":
                continue
            place = f"{schema}.{table}"
            if privilege != "SELECT" or schema != database or table not in known:
                found.append(f"{privilege} on {place}")
            elif columns:
                more = {column.strip(" `") for column in columns.split(",")} - known[table]
                found += [f"SELECT ({column}) on {place}" for column in sorted(more)]
            elif table in _PRIVATE:
                found.append(f"SELECT ({_PRIVATE[table]}) on {place}")
        if "WITH GRANT OPTION" in line:
            found.append(f"GRANT OPTION on {schema}.{table}")
    return found


def _schema(connection: Connection) -> Finding:
    """Compare columns with what exports expect; that all are there is known already."""
    wrong: list[str] = []
    for table, name, type_ in _columns(connection):
        if name not in tables.METADATA.tables[table].columns:
            if (table, name) not in _UNREAD:
                wrong.append(f"{table}.{name} is new and is not read")
        elif type_ not in _TYPES[wanted := _wanted_type(name)]:
            wrong.append(f"{table}.{name} is {type_}, not {wanted}")
    if wrong:
        listed = "; ".join(wrong[:8]) + (f"; and {len(wrong) - 8} more" if len(wrong) > 8 else "")
        return Finding("schema", "warning", f"not as expected: {listed}")
    return Finding("schema", "ok", f"{len(tables.METADATA.tables)} tables as expected")


def _columns(connection: Connection) -> Iterator[tuple[str, str, str]]:
    """Table, name and type of the columns that we may see, of the tables that are read."""
    names = sorted(tables.METADATA.tables)
    if connection.dialect.name == "sqlite":
        inspector = sa.inspect(connection)
        for table in names:
            for column in inspector.get_columns(table):
                type_ = column["type"].compile(connection.dialect).lower()
                yield table, str(column["name"]), re.split(r"[ (]", type_)[0]
        return
    query = sa.text(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND table_name IN :names"
    ).bindparams(sa.bindparam("names", names, expanding=True))
    for table, name, type_ in connection.execute(query):
        yield str(table), str(name), str(type_).lower()


def _wanted_type(column: str) -> str:
    if column == "id" or column.endswith("_id") or column in _NUMBERS:
        return "integer"
    return _OTHERS.get(column, "text")


def _engines(connection: Connection) -> Finding:
    names = [table.name for table in tables.METADATA.sorted_tables]
    query = sa.text(
        "SELECT table_name, engine FROM information_schema.tables "
        "WHERE table_schema = DATABASE() AND table_name IN :names AND engine <> 'InnoDB'"
    ).bindparams(sa.bindparam("names", names, expanding=True))
    others = [f"{name} ({engine})" for name, engine in connection.execute(query)]
    if others:
        return Finding("engine", "warning", f"no consistent read of {', '.join(others)}: convert to InnoDB")
    return Finding("engine", "ok", "InnoDB")


def _runs(connection: Connection) -> Finding:
    count = connection.execute(sa.select(sa.func.count()).select_from(tables.RUN)).scalar() or 0
    if not count:
        return Finding("rows", "warning", "the table test is empty: is it the right database?")
    return Finding("rows", "ok", f"{count:,} runs")
