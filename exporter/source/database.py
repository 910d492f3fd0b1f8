"""Connections to the platform's database: read-only, in consistent reads, retried when they are lost."""

import contextlib
import logging
import pathlib
import sqlite3
import time
import urllib.parse
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar

import sqlalchemy as sa

from exporter.errors import SourceError, UsageError
from exporter.retry import Backoff, RetryPolicy
from exporter.source import DATABASE_TIMEOUT, tables
from exporter.source.mysql_engine import mysql_engine

log = logging.getLogger(__name__)

T = TypeVar("T")

Connection = sa.Connection
"""A connection within a consistent read, for packages that pass it on and contain no SQL."""

LOST = RetryPolicy(deadline=120, first_pause=0.5, longest_pause=10)
"""How long a read is retried after its connection was first lost: a server that restarts takes up to a minute."""

SILENT_ATTEMPTS = 3
"""How often a read is tried from which the server stays silent for the whole timeout."""

_LOST_CODES = (1040, 1053, 1203, 1205, 1213, 1927, 2002, 2003, 2006, 2013, 2055)
_CUT_CODES = (2006, 2013, 2055)
"""Of a connection that was there and is gone: the handshake was cut, by a restart or a proxy."""

_HELP = {
    1044: "access to the database is denied: grant SELECT on it",
    1045: "access is denied: check the user and the password",
    1046: "the URL names no database: add its name at the end",
    1049: "there is no such database: check the name at the end of the URL",
    1142: "access to a table is denied: grant SELECT on it",
    1143: "access to a column is denied: grant SELECT on it",
    2003: "the server does not answer: check host and port, and that it runs",
    2006: "the server closed the connection",
    2013: "the server closed the connection",
    2055: "the server closed the connection",
    1927: "the server closed the connection",
    1040: "the server has too many connections: try again later, or with fewer --workers",
    1203: "the user has too many connections: try again later, or with fewer --workers",
    1969: "the server ends queries that take long: raise its max_statement_time",
    3024: "the server ends queries that take long: raise its max_execution_time",
    2002: "the server does not answer: check host and port, and that it runs",
    2005: "the server's name is unknown: check the host",
}


def describe(error: BaseException) -> str:
    """Say what went wrong without quoting the driver, whose words hold user names, hosts and rows."""
    original = getattr(error, "orig", None) or error
    if _is_silent(original):
        return "the server did not answer in time: see that it is well, or raise --database-timeout"
    code = original.args[0] if original.args and isinstance(original.args[0], int) else None
    if code in _HELP:
        return _HELP[code]
    if getattr(original, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
        return "the file is no SQLite database: check the URL"
    if isinstance(original, sqlite3.Error):
        return f"SQLite: {original.sqlite_errorname if hasattr(original, 'sqlite_errorname') else 'error'}"
    return "the driver failed" if code is None else f"the server answered with error {code}"


class Database:
    """The platform's database, by URL. Opens no connection before the first read.

    Args:
        url: an SQLAlchemy URL: `mysql+pymysql://…`, `mysql+mysqldb://…`, `mariadb+…` or `sqlite:///FILE`.
        timeout: seconds that a server may be silent for.

    Raises:
        UsageError: the URL is malformed, or names a kind of database or a driver that is not supported.
        SourceError: there is no such SQLite file.
    """

    def __init__(self, url: str, timeout: int = DATABASE_TIMEOUT) -> None:
        try:
            parsed = sa.make_url(url)
            backend = parsed.get_backend_name()
        except (sa.exc.ArgumentError, ValueError):
            raise UsageError(
                "the database URL is malformed: it should look like mysql+pymysql://USER:PASSWORD@HOST/NAME "
                "or sqlite:///FILE; in a password write @ as %40, : as %3A, / as %2F and % as %25"
            ) from None
        try:
            if backend == "sqlite":
                self.engine = _sqlite_engine(parsed)
            elif backend in ("mysql", "mariadb"):
                self.engine = mysql_engine(parsed, timeout)
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
    def consistent_read(self) -> Iterator[sa.Connection]:
        """A connection on which all reads see the database as it was when the transaction started."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql(
                "BEGIN" if self.is_sqlite else "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
            )
            yield connection

    def read(self, what: str, reader: Callable[[sa.Connection], T]) -> T:
        """Read in one consistent read; if the connection is lost, from the start again, with growing pauses.

        Args:
            what: what is read, for messages.
            reader: reads it; called again after a lost connection.

        Raises:
            SourceError: the database can't be reached or refuses, and the message names `what`; or it lacks a table or
                column that exports read, and the message names all that it lacks.
        """

        def attempt() -> T:
            with self.consistent_read() as connection:
                return reader(connection)

        try:
            return _retried(attempt, what, _LOST_CODES)
        except sa.exc.DBAPIError as error:
            if _is_absent(error):
                self._name_missing()
            raise SourceError(f"cannot read {what}: {describe(error)}") from None

    def check(self) -> None:
        """See that the database can be reached. A connection that is refused is not retried, one that is cut is.

        Raises:
            SourceError: it cannot be reached.
            UsageError: the driver does not accept the URL.
        """
        try:
            _retried(lambda: self.engine.connect().close(), "the database", _CUT_CODES)
        except sa.exc.DBAPIError as error:
            raise SourceError(f"cannot open the database: {describe(error)}") from None
        except (TypeError, UnicodeError):  # of the driver, before it connects
            raise UsageError("the database URL has a password or a parameter that its driver does not take") from None
        except OSError as error:  # a file of certificates that the URL names
            raise UsageError(f"the database URL names a file that cannot be read: {error.strerror}") from None

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


def _retried(read: Callable[[], T], what: str, codes: Collection[int]) -> T:
    """Call `read` until it returns, or fails with no error of a lost connection, or too often.

    Raises:
        DBAPIError: the last error.
    """
    backoff: Backoff | None = None  # time counts from the first failure: a read itself may take long
    silent = 0
    while True:
        try:
            return read()
        except sa.exc.DBAPIError as error:
            if not _is_lost(error, codes):
                raise
            silent += _is_silent(error.orig)
            if backoff is None or _is_silent(error.orig):
                backoff = Backoff(LOST)
            pause = backoff.pause()
            if pause is None or silent == SILENT_ATTEMPTS:
                raise
            log.warning("connection lost while reading %s; trying again in %.1f s", what, pause)
        time.sleep(pause)


def _is_lost(error: sa.exc.DBAPIError, codes: Collection[int]) -> bool:
    """Whether another attempt may help: the connection is gone, or the server was restarting."""
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return error.connection_invalidated or code in codes


def _is_silent(error: BaseException | None) -> bool:
    """Whether a driver's error is that of a server that did not answer in time on an open connection."""
    return error is not None and error.args[:1] == (2013,) and "timed out" in str(error)


def _text(data: bytes) -> str | bytes:
    """A text of SQLite; as bytes, which `row_values` reports, if it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    """An engine on an SQLite file that must exist and is never written."""
    path = pathlib.Path(url.database or "")
    try:
        there = bool(url.database) and path.is_file()
    except OSError as error:
        raise SourceError(f"cannot open the database: {error.strerror}") from None
    if not there:
        raise SourceError("cannot open the database: there is no such SQLite file")
    uri = f"file:{urllib.parse.quote(str(path.absolute()))}?mode=ro"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        connection.text_factory = _text
        return connection

    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)
