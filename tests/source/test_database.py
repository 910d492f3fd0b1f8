"""Connections: what is missing is named, what is secret is not."""

import pathlib
import re
from typing import Any

import pytest
import sqlalchemy as sa

from exporter.errors import ExporterError, SourceError, UsageError
from exporter.source import database, tables
from exporter.source.database import Database
from tests.support.platform import Platform


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


def test_a_lost_connection_is_tried_again_and_then_named(mariadb_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(database.time, "sleep", pauses.append)
    attempts = []

    def lose(connection: sa.Connection) -> Any:
        attempts.append(connection)
        if len(attempts) <= losses:
            connection.exec_driver_sql(f"KILL CONNECTION {connection.scalar(sa.text('SELECT CONNECTION_ID()'))}")
        return connection.scalar(sa.text("SELECT 7"))

    losses = 2
    assert Database(mariadb_url).read("partition 3", lose) == 7
    assert (len(attempts), len(pauses)) == (3, 2)
    losses = 99
    attempts.clear()
    with pytest.raises(SourceError, match="cannot read partition 3"):
        Database(mariadb_url).read("partition 3", lose)
    assert len(attempts) == database.ATTEMPTS


def test_reads_of_one_snapshot_see_one_moment(small: Platform, tmp_path: pathlib.Path) -> None:
    if small.url.startswith("sqlite"):
        small.execute("PRAGMA journal_mode=wal")

    def twice(connection: sa.Connection) -> tuple[Any, Any]:
        count = sa.text("SELECT COUNT(*) FROM sample")
        before = connection.scalar(count)
        small.insert("sample", id=99, sha=None, extension="ts", original_name="later")
        return before, connection.scalar(count)

    assert Database(small.url).read("samples", twice) == (2, 2)
