"""Connections to the platform's database: read-only, in consistent snapshots, tried again when lost."""

import contextlib
import logging
import pathlib
import random
import sqlite3
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import sqlalchemy as sa

from exporter.errors import SourceError, UsageError
from exporter.source import tables

log = logging.getLogger(__name__)

T = TypeVar("T")

Connection = sa.Connection
"""A connection within a consistent read, for packages that pass it on and know no SQL."""

ATTEMPTS = 5
"""How often a partition is read before a lost connection ends the export."""

_GROUP_CONCAT_MAX_LEN = 256 * 1024 * 1024
"""MariaDB cuts JSON_ARRAYAGG silently at this many bytes; its default is 1 MiB."""

_HELP = {
    1044: "access to the database is denied: grant SELECT on it",
    1045: "access is denied: check the user and the password",
    1046: "the URL names no database: add its name at the end",
    1049: "there is no such database: check the name at the end of the URL",
    1142: "access to a table is denied: grant SELECT on it",
    1143: "access to a column is denied: grant SELECT on it",
    2003: "the server does not answer: check host and port, and that it runs",
    2002: "the server does not answer: check host and port, and that it runs",
    2005: "the server's name is unknown: check the host",
}


def describe(error: BaseException) -> str:
    """Say what went wrong without quoting the driver, whose words hold user names, hosts and rows."""
    original = getattr(error, "orig", None) or error
    code = original.args[0] if original.args and isinstance(original.args[0], int) else None
    if code in _HELP:
        return _HELP[code]
    if isinstance(original, sqlite3.Error):
        return f"SQLite: {original.sqlite_errorname if hasattr(original, 'sqlite_errorname') else 'error'}"
    return f"{type(original).__name__}" + (f" {code}" if code is not None else "")


class Database:
    """The platform's database, by URL. Opens no connection before it is asked to read.

    Args:
        url: an SQLAlchemy URL: `mysql+pymysql://…`, `mysql+mysqldb://…`, `mariadb+…` or `sqlite:///FILE`.

    Raises:
        UsageError: the URL is none, names a kind of database that is not supported, or a driver that is not there.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(url)
            backend = parsed.get_backend_name()
        except (sa.exc.ArgumentError, ValueError):
            raise UsageError(
                "the database URL is malformed: it should look like mysql+pymysql://USER:PASSWORD@HOST/NAME "
                "or sqlite:///FILE"
            ) from None
        try:
            if backend == "sqlite":
                self.engine = _sqlite_engine(parsed)
            elif backend in ("mysql", "mariadb"):
                self.engine = _mysql_engine(parsed)
            else:
                raise UsageError("the database must be MySQL, MariaDB or SQLite")
        except (sa.exc.NoSuchModuleError, ModuleNotFoundError):
            raise UsageError(
                f"the database driver {parsed.drivername} is not installed: "
                "use mysql+pymysql, or for mysql+mysqldb run pip install mysqlclient"
            ) from None
        self.is_sqlite = backend == "sqlite"

    def close(self) -> None:
        """Close the connections that wait for another read; a later read opens a new one."""
        self.engine.dispose()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """A connection on which all reads see the database as it is at one moment."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql(
                "BEGIN" if self.is_sqlite else "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
            )
            yield connection

    def read(self, what: str, reader: Callable[[sa.Connection], T]) -> T:
        """Read in one snapshot; if the connection is lost, from the start again, with growing pauses.

        Args:
            what: what is read, for messages.
            reader: reads it; called again after a lost connection.

        Raises:
            SourceError: the database can't be reached or refuses, and the message names `what`; or it lacks a table or
                column that exports read, and the message names all that it lacks.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.snapshot() as connection:
                    return reader(connection)
            except sa.exc.DBAPIError as error:
                if _is_absent(error):
                    self._name_missing()
                if not _is_lost(error) or attempt == ATTEMPTS:
                    raise SourceError(f"cannot read {what}: {describe(error)}") from None
                pause = 0.2 * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311
                log.warning("connection lost while reading %s; trying again in %.1f s", what, pause)
                time.sleep(pause)
        raise AssertionError("unreachable")

    def check(self) -> None:
        """See that the database can be reached: what never could be is not tried again, as a lost connection is.

        Raises:
            SourceError: it cannot.
            UsageError: the driver makes nothing of the URL.
        """
        try:
            self.engine.connect().close()
        except sa.exc.DBAPIError as error:
            raise SourceError(f"cannot open the database: {describe(error)}") from None
        except (TypeError, UnicodeError):  # of the driver, before it connects
            raise UsageError("the database URL has a password or a parameter that its driver does not take") from None

    def _name_missing(self) -> None:
        """Name the tables and columns that exports read and the database lacks, if there are any."""
        with contextlib.suppress(sa.exc.DBAPIError), self.engine.connect() as connection:
            missing = [name for table in tables.METADATA.sorted_tables for name in _missing(connection, table)]
            if missing:
                raise SourceError(
                    f"the database lacks {', '.join(missing)}: is it the Sample Platform's, and may the user read it?"
                )


def _missing(connection: sa.Connection, table: sa.Table) -> list[str]:
    """The table, or those of its columns, that a query cannot name. Asking needs no rights but SELECT."""

    def readable(*columns: Any) -> bool:
        try:
            connection.execute(sa.select(*columns).select_from(table).where(sa.false()))
        except (sa.exc.OperationalError, sa.exc.ProgrammingError) as error:
            if not _is_absent(error):
                raise
            return False
        return True

    if readable(*table.columns):
        return []
    if not readable(sa.literal(1)):
        return [f"table {table.name}"]
    return [f"column {table.name}.{column.name}" for column in table.columns if not readable(column)]


def _is_absent(error: sa.exc.DBAPIError) -> bool:
    """Whether a table or column is not there, or not for us, and not something else is wrong."""
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode == sqlite3.SQLITE_ERROR
    return error.orig is not None and error.orig.args[:1] in ((1054,), (1142,), (1143,), (1146,))


def _is_lost(error: sa.exc.DBAPIError) -> bool:
    """Whether another try may help: the connection is gone, or the server was restarting."""
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return error.connection_invalidated or code in (1053, 1205, 1213, 2002, 2003, 2006, 2013, 2055)


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    """An engine on an SQLite file that must exist and is never written."""
    path = pathlib.Path(url.database or "")
    if not url.database or not path.is_file():
        raise SourceError("cannot open the database: there is no such SQLite file")
    uri = f"file:{urllib.parse.quote(str(path.absolute()))}?mode=ro"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        return connection

    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)


def _mysql_engine(url: sa.URL) -> sa.Engine:
    """An engine on MySQL or MariaDB: utf8mb4, repeatable reads, room for a run's results in one JSON value."""
    if "charset" not in url.query:
        url = url.update_query_dict({"charset": "utf8mb4"})
    arguments: dict[str, Any] = {"connect_timeout": 10}
    if url.get_driver_name() == "pymysql" and not any(name.startswith("ssl") for name in url.query):
        # Loading certificates takes a quarter of a second, and what stays on this machine needs none.
        arguments["ssl_disabled"] = "unix_socket" in url.query or url.host in ("127.0.0.1", "::1", "localhost")
    engine = sa.create_engine(url, isolation_level="REPEATABLE READ", connect_args=arguments)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(f"SET SESSION group_concat_max_len = {_GROUP_CONCAT_MAX_LEN}")

    return engine
