"""Connections: what is missing is named, what is secret is not."""

import functools
import pathlib
import re
import time
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from exporter import retry
from exporter.errors import ExporterError, SourceError, UsageError
from exporter.retry import RetryPolicy
from exporter.source import database, mysql_engine, tables
from exporter.source.catalog import read_catalog
from exporter.source.database import Database
from exporter.source.fingerprints import fingerprints
from exporter.source.partitions import read_partition
from tests.support import tcp_proxy
from tests.support.platform import Platform, files
from tests.support.servers import SERVERS
from tests.support.tcp_proxy import TcpProxy


def test_nothing_secret_can_be_selected() -> None:
    columns = {f"{table.name}.{column.name}" for table in tables.METADATA.sorted_tables for column in table.columns}
    assert not columns & {"test.token", "upload.user_id", "sample_issue.user"}
    assert not {"user", "api_token", "ftpd", "test_fork", "gcp_instance"} & set(tables.METADATA.tables)


def _read_all(database: Database) -> None:
    found = tables.METADATA.sorted_tables
    database.read("all", lambda connection: [connection.execute(sa.select(table)) for table in found])


def test_a_whole_platform_can_be_read(platform: Platform) -> None:
    Database(platform.url).check()
    _read_all(Database(platform.url))


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (["DROP TABLE sample_issue"], "table sample_issue"),
        (["ALTER TABLE test_result DROP COLUMN runtime"], "column test_result.runtime"),
        (
            ["DROP TABLE sample_issue", "ALTER TABLE test_result DROP COLUMN runtime"],
            "table sample_issue, column test_result.runtime",
        ),
    ],
)
def test_all_that_is_missing_is_named(platform: Platform, damage: list[str], named: str) -> None:
    platform.execute(*damage)
    with pytest.raises(SourceError, match=re.escape(f"the database lacks {named}:")):
        _read_all(Database(platform.url))


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("nonsense", UsageError),
        ("", UsageError),
        ("postgresql://u:SECRET@127.0.0.1/x", UsageError),
        ("mysql+nodriver://u:SECRET@127.0.0.1/x", UsageError),
        ("sqlite:////nowhere/SECRET.sqlite", SourceError),
        ("sqlite://", SourceError),
        ("mysql+pymysql://u:SECRET@127.0.0.1:1/x", SourceError),
    ],
)
def test_an_unusable_url_is_one_line_without_the_url(url: str, error: type[ExporterError]) -> None:
    with pytest.raises(error) as caught:
        Database(url).check()
    assert "SECRET" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_wrong_password_or_database_is_one_line_without_either(mariadb_url: str) -> None:
    url = sa.make_url(mariadb_url)
    for wrong in (
        url.set(username="nobody", password="SECRET"),
        url.set(database="SECRET_nowhere"),
    ):
        with pytest.raises(SourceError) as caught:
            Database(wrong.render_as_string(hide_password=False)).check()
        assert not re.search("SECRET|nobody", str(caught.value))


def test_the_database_is_never_written(platform: Platform) -> None:
    def write(connection: sa.Connection) -> Any:
        return connection.execute(sa.text("INSERT INTO category (id, name, description) VALUES (1, 'x', 'x')"))

    with pytest.raises(SourceError):
        Database(platform.url).read("the catalogue", write)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries end after two seconds."""
    monkeypatch.setattr(database, "LOST", RetryPolicy(deadline=2, first_pause=0.05, longest_pause=0.2))


@pytest.mark.usefixtures("quick")
def test_a_lost_connection_is_tried_again_and_then_named(mariadb_url: str) -> None:
    attempts = []

    def lose(connection: sa.Connection) -> Any:
        attempts.append(connection)
        if len(attempts) <= losses:
            connection.exec_driver_sql(f"KILL CONNECTION {connection.scalar(sa.text('SELECT CONNECTION_ID()'))}")
        return connection.scalar(sa.text("SELECT 7"))

    losses = 2
    assert Database(mariadb_url).read("partition 3", lose) == 7
    assert len(attempts) == 3
    losses = 99
    with pytest.raises(SourceError, match="cannot read partition 3: the server closed the connection"):
        Database(mariadb_url).read("partition 3", lose)
    assert len(attempts) > 5


def test_a_server_that_restarts_within_a_minute_is_outlived(mariadb_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(database.time, "sleep", sleep)
    monkeypatch.setattr(database, "Backoff", functools.partial(retry.Backoff, clock=lambda: now))
    refused = sa.exc.OperationalError("", {}, pymysql.err.OperationalError(2003, "refused"))

    def restarting(until: float, connection: sa.Connection) -> Any:
        if now < until:
            raise refused
        return connection.scalar(sa.text("SELECT 7"))

    assert Database(mariadb_url).read("partition 3", functools.partial(restarting, 60.0)) == 7
    assert 60 <= now < 75
    with pytest.raises(SourceError, match="cannot read partition 3: the server does not answer"):
        Database(mariadb_url).read("partition 3", functools.partial(restarting, 1e9))
    assert now < 60 + 15 + 120


def _behind(url: str, proxy: TcpProxy) -> str:
    return sa.make_url(url).set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)


def _upstream(url: str) -> tuple[str, int]:
    parsed = sa.make_url(url)
    return parsed.host or "", parsed.port or 3306


def _many_rows(connection: sa.Connection) -> int:
    return len(connection.execute(sa.text("SELECT REPEAT('x', 10000) FROM information_schema.COLUMNS LIMIT 50")).all())


@pytest.mark.usefixtures("quick")
def test_a_connection_that_goes_silent_is_given_up_and_tried_again(mariadb_url: str) -> None:
    with tcp_proxy.running(_upstream(mariadb_url), lambda number: "silent" if number < 3 else "pass", 20_000) as proxy:
        began = time.monotonic()
        assert Database(_behind(mariadb_url, proxy), timeout=1).read("partition 3", _many_rows) == 50
        assert proxy.connections == 3
    assert 2 <= time.monotonic() - began < 8


@pytest.mark.usefixtures("quick")
def test_a_server_that_stays_silent_ends_the_export_with_a_line_that_says_so(mariadb_url: str) -> None:
    with tcp_proxy.running(_upstream(mariadb_url), lambda number: "silent", 20_000) as proxy:
        began = time.monotonic()
        with pytest.raises(SourceError, match="cannot read partition 3: the server did not answer in time"):
            Database(_behind(mariadb_url, proxy), timeout=1).read("partition 3", _many_rows)
        assert proxy.connections == database.SILENT_ATTEMPTS
    assert 3 <= time.monotonic() - began < 10


@pytest.mark.usefixtures("quick")
def test_a_handshake_that_is_cut_is_tried_again(mariadb_url: str) -> None:
    with tcp_proxy.running(_upstream(mariadb_url), lambda number: "cut" if number in (1, 2, 4) else "pass") as proxy:
        url = _behind(mariadb_url, proxy)
        Database(url).check()
        assert proxy.connections == 3
        assert Database(url).read("partition 3", _many_rows) == 50
        assert proxy.connections == 5
    with (
        tcp_proxy.running(_upstream(mariadb_url), lambda number: "cut") as proxy,
        pytest.raises(SourceError, match="cannot open the database: the server closed the connection"),
    ):
        Database(_behind(mariadb_url, proxy)).check()


def test_a_refused_connection_is_not_tried_again_before_an_export() -> None:
    began = time.monotonic()
    with pytest.raises(SourceError, match="the server does not answer"):
        Database("mysql+pymysql://u:x@127.0.0.1:1/x").check()
    assert time.monotonic() - began < 2


HOSTILE = (
    "SET SESSION sql_mode = '{}', sql_select_limit = 1, max_join_size = 2, time_zone = '+05:30', "
    "group_concat_max_len = 16"
)
"""What a server's configuration may say; a URL can say it too, which needs no server of our own."""
MODES = "ANSI_QUOTES,PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE"


@pytest.mark.parametrize(
    "query", [{}, {"charset": "utf8"}, {"charset": "latin1"}, {"init_command": HOSTILE.format(MODES)}]
)
@pytest.mark.parametrize("platform", SERVERS, indirect=True)
def test_sessions_are_the_same_whatever_url_and_server_say(small: Platform, query: dict[str, str]) -> None:
    for run in (1, 2, 3):
        small.run(run, "completed", results={1: 0, 2: 0, 3: 0}, branch="fix 😀 ünï", fork_id=1)
        files(small, run, {10: None, 20: "x" * 50})
    url = sa.make_url(small.url).update_query_dict(query).render_as_string(hide_password=False)
    assert read_partition(Database(url), 0, [1]) == read_partition(Database(small.url), 0, [1])
    assert read_partition(Database(url), 0, [1]).runs[0].branch == "fix 😀 ünï"
    assert read_catalog(Database(url)) == read_catalog(Database(small.url))
    assert fingerprints(Database(url)) == fingerprints(Database(small.url))
    names = "sql_mode, @@sql_select_limit, @@max_join_size, @@time_zone, @@character_set_results"
    with Database(url).consistent_read() as connection:
        assert connection.get_isolation_level() == "REPEATABLE READ"
        session = tuple(connection.exec_driver_sql(f"SELECT @@{names}").one())
    assert session == ("", 2**64 - 1, 2**64 - 1, "+00:00", "utf8mb4")


@pytest.mark.parametrize("platform", ["mariadb"], indirect=True)
def test_a_server_in_oracle_mode_gives_the_same_rows(small: Platform) -> None:
    small.run(1, "completed", results={1: 0, 2: 0, 3: 0}, branch="", fork_id=1)
    url = sa.make_url(small.url).update_query_dict({"init_command": HOSTILE.format("ORACLE")})
    database = Database(url.render_as_string(hide_password=False))
    assert read_partition(database, 0, [1]) == read_partition(Database(small.url), 0, [1])
    assert read_catalog(database) == read_catalog(Database(small.url))


@pytest.mark.parametrize("platform", SERVERS, indirect=True)
@pytest.mark.parametrize("kind", ["BIT(1)", "BOOL", "INT"])
def test_booleans_of_every_type_are_read(small: Platform, kind: str) -> None:
    small.execute(
        f"ALTER TABLE regression_test MODIFY active {kind}",
        f"ALTER TABLE regression_test_output MODIFY `ignore` {kind}",
        "UPDATE regression_test SET active = 0 WHERE id = 2",
        "UPDATE regression_test SET active = NULL WHERE id = 3",
        "UPDATE regression_test_output SET `ignore` = 1 WHERE id = 10",
    )
    catalog, problems = read_catalog(Database(small.url))
    assert [test.active for test in catalog.tests.values()] == [True, False, None] and not problems
    assert catalog.outputs[10].ignore is True and catalog.active_tests == (1,)


def test_a_variable_that_cannot_be_set_is_named_once(
    mariadb_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    values = {"innodb_read_io_threads": "4", "no_such_variable": "1"}
    monkeypatch.setattr(mysql_engine, "_session", lambda: values)
    monkeypatch.setattr(mysql_engine, "_warned", set())
    for _ in range(2):
        Database(mariadb_url).check()
    (message,) = caplog.messages
    assert message.startswith("the server does not let this user set innodb_read_io_threads to 4")


def test_a_consistent_read_sees_one_moment(small: Platform, tmp_path: pathlib.Path) -> None:
    if small.url.startswith("sqlite"):
        small.execute("PRAGMA journal_mode=wal")

    def twice(connection: sa.Connection) -> tuple[Any, Any]:
        count = sa.text("SELECT COUNT(*) FROM sample")
        before = connection.scalar(count)
        small.insert("sample", id=99, sha=None, extension="ts", original_name="later")
        return before, connection.scalar(count)

    assert Database(small.url).read("samples", twice) == (2, 2)
