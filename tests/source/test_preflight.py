"""What `exporter check` says of a database: privileges, schema, clock, against a real server where one is there."""

import contextlib
import pathlib
import re
import secrets
import sqlite3
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from exporter.demo import create_demo
from exporter.source.database import Database
from exporter.source.preflight import Finding, excess_privileges, preflight

README = (pathlib.Path(__file__).parent.parent.parent / "README.md").read_text()


def findings(url: str) -> dict[str, Finding]:
    with contextlib.closing(Database(url)) as database:
        return {one.check: one for one in preflight(database)}


@contextlib.contextmanager
def on_mariadb(mariadb_server: str) -> Iterator[sa.URL]:
    """A platform on the tests' server."""
    url = sa.make_url(mariadb_server).set(database=f"c_{secrets.token_hex(4)}")
    engine = sa.create_engine(mariadb_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {url.database} CHARACTER SET utf8mb4")
        create_demo(url.render_as_string(hide_password=False), runs=3, tests=2, seed=1)
        yield url
        connection.exec_driver_sql(f"DROP DATABASE {url.database}")
    engine.dispose()


@pytest.fixture(scope="module")
def platform(mariadb_server: str) -> Iterator[sa.URL]:
    with on_mariadb(mariadb_server) as url:
        yield url


@contextlib.contextmanager
def user(platform: sa.URL, *grants: str) -> Iterator[str]:
    """The URL of the platform for a user with these privileges."""
    name = f"u_{secrets.token_hex(4)}"
    admin = sa.create_engine(platform, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE USER '{name}'@'%%' IDENTIFIED BY 'CANARY'")
        for grant in grants:
            connection.exec_driver_sql(f"{grant} TO '{name}'@'%%'")
        yield platform.set(username=name, password="CANARY").render_as_string(hide_password=False)
        connection.exec_driver_sql(f"DROP USER '{name}'@'%%'")
    admin.dispose()


def documented(platform: sa.URL) -> list[str]:
    """The GRANTs of the README."""
    found = re.findall(r"^(GRANT SELECT .*) TO ", README, re.MULTILINE)
    assert len(found) == 18
    return [one.replace("sample_platform.", f"{platform.database}.") for one in found]


def test_the_documented_privileges_are_exactly_those_needed(platform: sa.URL) -> None:
    with user(platform, *documented(platform)) as url:
        found = findings(url)
    assert [one for one in found.values() if one.state != "ok"] == []
    assert found.keys() == {"database", "time zone", "privileges", "schema", "engine", "rows"}
    assert "CANARY" not in str(found)


@pytest.mark.parametrize("left_out", range(18))
def test_a_privilege_that_is_missing_is_named(platform: sa.URL, left_out: int) -> None:
    grants = documented(platform)
    gone = grants.pop(left_out)
    with user(platform, *grants) as url:
        found = findings(url)
    table = gone.rpartition(".")[2]
    assert found["database"].state == "error" and f"table {table}" in found["database"].detail


@pytest.mark.parametrize(
    ("grant", "named"),
    [
        ("GRANT SELECT ON {db}.*", "SELECT on {db}.*"),
        ("GRANT INSERT ON {db}.test", "INSERT on {db}.test"),
        ("GRANT SELECT (token) ON {db}.test", "SELECT (token) on {db}.test"),
        ("GRANT SELECT ON {db}.sample_issue", "SELECT (user) on {db}.sample_issue"),
        ("GRANT PROCESS ON *.*", "PROCESS on *.*"),
    ],
)
def test_a_privilege_too_many_is_named(platform: sa.URL, grant: str, named: str) -> None:
    with user(platform, *documented(platform), grant.format(db=platform.database)) as url:
        found = findings(url)["privileges"]
    assert found.state == "warning" and named.format(db=platform.database) in found.detail


GRANTS = {
    "GRANT USAGE ON *.* TO `e`@`%` IDENTIFIED BY PASSWORD '*CANARY'": [],
    "GRANT SELECT ON `sample\\_platform`.`fork` TO `e`@`%`": [],
    "GRANT SELECT (`id`, `branch`) ON `sample_platform`.`test` TO `e`@`%`": [],
    "GRANT SELECT (`id`, `token`), UPDATE (`branch`) ON `sample_platform`.`test` TO `e`@`%`": [
        "SELECT (token) on sample_platform.test",
        "UPDATE on sample_platform.test",
    ],
    "GRANT SELECT, LOCK TABLES ON `sample_platform`.* TO `e`@`%`": [
        "SELECT on sample_platform.*",
        "LOCK TABLES on sample_platform.*",
    ],
    "GRANT SELECT ON `sample_platform`.`user` TO `e`@`%`": ["SELECT on sample_platform.user"],
    "GRANT SELECT ON `other`.`fork` TO `e`@`%`": ["SELECT on other.fork"],
    "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION": [
        "ALL PRIVILEGES on *.*",
        "GRANT OPTION on *.*",
    ],
    "GRANT `admin`@`%` TO `e`@`%`": ["the role admin"],
}


@pytest.mark.parametrize("line", GRANTS)
def test_lines_of_show_grants(line: str) -> None:
    assert excess_privileges([line], "sample_platform") == GRANTS[line]


SCHEMAS = {
    "ALTER TABLE test ADD COLUMN gpu TEXT": ("warning", "test.gpu is new and is not read"),
    "ALTER TABLE category RENAME COLUMN description TO d; ALTER TABLE category ADD description DATETIME": (
        "warning",
        "category.description is datetime, not text",
    ),
    "DELETE FROM test": ("warning", "the table test is empty"),
    "DROP TABLE fork": ("error", "the database lacks table fork"),
}


@pytest.mark.parametrize("change", SCHEMAS)
def test_a_schema_that_differs(tmp_path: pathlib.Path, change: str) -> None:
    url = f"sqlite:///{tmp_path}/platform.sqlite"
    create_demo(url, runs=3, tests=2, seed=1)
    assert {one.state for one in findings(url).values()} == {"ok"}
    with contextlib.closing(sqlite3.connect(tmp_path / "platform.sqlite")) as connection:
        connection.executescript(change)
    state, text = SCHEMAS[change]
    assert any(one.state == state and text in one.detail for one in findings(url).values())


ON_MARIADB = {
    "ALTER TABLE sample ADD gpu INT": ("schema", "sample.gpu is new and is not read"),
    "ALTER TABLE test_result MODIFY runtime VARCHAR(20)": ("schema", "test_result.runtime is varchar, not integer"),
    "ALTER TABLE test_progress DROP FOREIGN KEY test_progress_ibfk_1; ALTER TABLE test_progress ENGINE = MyISAM": (
        "engine",
        "no consistent read of test_progress (MyISAM): convert to InnoDB",
    ),
    "DELETE FROM test": ("rows", "the table test is empty"),
}


@pytest.mark.parametrize("change", ON_MARIADB)
def test_what_differs_on_a_server_is_one_warning(mariadb_server: str, change: str) -> None:
    check, text = ON_MARIADB[change]
    with on_mariadb(mariadb_server) as platform, user(platform, *documented(platform)) as url:
        admin = sa.create_engine(platform)
        with admin.begin() as connection:
            connection.exec_driver_sql("SET foreign_key_checks = 0")
            for statement in change.split("; "):
                connection.exec_driver_sql(statement)
        admin.dispose()
        found = findings(url)
    assert [one.check for one in found.values() if one.state != "ok"] == [check]
    assert found[check].state == "warning" and text in found[check].detail


@pytest.mark.parametrize(("seconds", "state"), [(-3600, "warning"), (3600, "warning"), (-5, "ok")])
def test_a_servers_clock_that_is_off_is_told(platform: sa.URL, seconds: int, state: str) -> None:
    """The clock of a session is what it was set to."""
    with user(platform, *documented(platform)) as url:
        setting = {"init_command": f"SET timestamp = {time.time() + seconds}"}
        found = findings(sa.make_url(url).update_query_dict(setting).render_as_string(hide_password=False))
    assert found["time zone"].state == state
    told = re.search(r"clock is ([+-]\d+) s off", found["time zone"].detail)
    assert (told is None) == (state == "ok") and (told is None or abs(int(told[1]) - seconds) < 30)


def test_a_database_that_is_not_there_is_one_error() -> None:
    found = findings("mysql+pymysql://u:CANARY@127.0.0.1:1/x")
    assert [one.state for one in found.values()] == ["error"] and "CANARY" not in str(found)
