"""Engines on MySQL and MariaDB whose sessions are the same whatever the URL and the server's settings say."""

import contextlib
import logging
from typing import Any

import sqlalchemy as sa

log = logging.getLogger(__name__)

GROUP_CONCAT_MAX_LEN = 256 * 1024 * 1024
"""MariaDB cuts GROUP_CONCAT silently at this many bytes; its default is 1 MiB."""

CONNECT_TIMEOUT = 10
"""Seconds until a server that says nothing on a new connection counts as absent."""

_MOST = 2**64 - 1
_UNKNOWN_VARIABLE = 1193
_TIMEOUT_DRIVERS = ("pymysql", "mysqldb", "mariadbconnector")
"""Drivers that take `read_timeout` and `write_timeout`."""


def _session() -> dict[str, str]:
    """Session variable → the value that reads need, in this order. MySQL and MariaDB each lack some of them."""
    return {
        "sql_mode": "''",  # ORACLE and ANSI_QUOTES give quotation marks another meaning
        "group_concat_max_len": str(GROUP_CONCAT_MAX_LEN),
        "sql_select_limit": str(_MOST),
        "max_join_size": str(_MOST),
        "sql_big_selects": "1",  # MySQL sets it to 0 with max_join_size
        "max_statement_time": "0",
        "max_execution_time": "0",
        "time_zone": "'+00:00'",
        "wait_timeout": "28800",
        "idle_transaction_timeout": "0",
        "idle_readonly_transaction_timeout": "0",
    }


def mysql_engine(url: sa.URL, timeout: int) -> sa.Engine:
    """An engine whose transactions are repeatable reads, in utf8mb4 and UTC, without limits but that of time.

    Args:
        url: the database's. Its character set is not used: the platform's own installer writes `charset=utf8`, which
            turns an emoji into `?`.
        timeout: seconds that the server may be silent for.
    """
    url = url.difference_update_query(["charset", "use_unicode", "collation"])
    url = url.update_query_dict({"charset": "utf8mb4"})
    driver = url.get_driver_name()
    limits = {"connect_timeout": min(CONNECT_TIMEOUT, timeout)}
    if driver in _TIMEOUT_DRIVERS:
        limits |= {"read_timeout": timeout, "write_timeout": timeout}
    arguments: dict[str, Any] = {name: value for name, value in limits.items() if name not in url.query}
    if driver == "pymysql" and not any(name.startswith("ssl") for name in url.query):
        # Loading certificates takes a quarter of a second, and what stays on this machine needs none.
        arguments["ssl_disabled"] = "unix_socket" in url.query or url.host in ("127.0.0.1", "::1", "localhost")
    engine = sa.create_engine(url, isolation_level="REPEATABLE READ", connect_args=arguments)
    # First of all listeners: SQLAlchemy looks at the session's sql_mode to know how names are quoted.
    sa.event.listen(engine, "connect", _configure, insert=True)
    return engine


def _configure(connection: Any, _record: Any) -> None:
    with contextlib.closing(connection.cursor()) as cursor:
        for name, value in _session().items():
            try:
                cursor.execute(f"SET SESSION {name} = {value}")
            except Exception as error:  # drivers share no class of errors
                code = error.args[0] if error.args else None
                if not isinstance(code, int) or not 1000 <= code < 2000:
                    return  # not the server's: the connection is lost, as the next statement says
                if code != _UNKNOWN_VARIABLE:
                    _warn_once(name, value)


_warned: set[str] = set()


def _warn_once(name: str, value: str) -> None:
    if name not in _warned:
        _warned.add(name)
        log.warning(
            "the server does not let this user set %s to %s for the session; if its own value limits or changes what "
            "is read, the export is wrong: ask the server's administrator to set it",
            name,
            value,
        )
