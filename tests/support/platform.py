"""A platform database that a test fills row by row, on SQLite and on MariaDB alike.

Keys are not enforced, so that a test can write what the platform never would.
"""

import contextlib
import dataclasses
import datetime
import pathlib
import secrets
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from exporter.builders.document_options import DocumentOptions
from exporter.client import api
from exporter.demo import demo_tables
from exporter.export import pipeline
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.store import Store
from tests.support.servers import MYSQL_URL, SERVERS

DAY = datetime.datetime(2026, 6, 1, 12, 0, 0)
HASH = {name: name * 64 for name in "abcdef"}


class Platform:
    """The database at `url`; `insert` writes one row, filling in what the schema does not allow to be null."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._damaged = False
        # A connection to SQLite costs nothing, so none is kept that somebody would have to close.
        pool = sa.NullPool if url.startswith("sqlite") else sa.QueuePool
        self._engine = sa.create_engine(url, poolclass=pool)
        if self._engine.dialect.name == "mysql":
            sa.event.listen(self._engine, "connect", _do_not_enforce_keys)
        else:
            sa.event.listen(self._engine, "connect", _do_not_wait_for_the_disk)
        demo_tables.metadata.create_all(self._engine)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def clear(self) -> None:
        """Delete all rows; make tables again that a test has altered or dropped."""
        with self._engine.begin() as connection:
            if self._damaged:
                demo_tables.metadata.drop_all(connection)
                demo_tables.metadata.create_all(connection)
                self._damaged = False
            for table in demo_tables.metadata.sorted_tables:
                connection.execute(table.delete())

    def execute(self, *statements: Any) -> None:
        """Run statements in one transaction."""
        with self._engine.begin() as connection:
            for statement in statements:
                self._damaged = self._damaged or str(statement).startswith(("ALTER", "DROP"))
                connection.execute(sa.text(statement) if isinstance(statement, str) else statement)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table."""
        with self._engine.begin() as connection:
            return [dict(row) for row in connection.execute(demo_tables.metadata.tables[table].select()).mappings()]

    def insert(self, table: str, *rows: dict[str, Any], **values: Any) -> None:
        """Insert rows, or one row."""
        self.execute(*(_insert(table, row) for row in rows or (values,)))

    def run(self, id_: int, *progress: str, results: dict[int, int] | None = None, **values: Any) -> None:
        """A run with these progress statuses, and with results: regression test id → exit code (0 expected)."""
        defaults = {"platform": "linux", "test_type": "commit", "branch": "master", "commit": f"{id_:040x}", "pr_nr": 0}
        self.execute(
            _insert("test", {"id": id_, "token": f"CANARY{id_}", **defaults, **values}),
            *(
                _insert(
                    "test_progress",
                    {
                        "test_id": id_,
                        "status": status,
                        "timestamp": DAY + datetime.timedelta(hours=id_, minutes=place),
                        "message": status,
                    },
                )
                for place, status in enumerate(progress)
            ),
            *(
                _insert(
                    "test_result",
                    {"test_id": id_, "regression_test_id": test, "runtime": 10, "exit_code": code, "expected_rc": 0},
                )
                for test, code in (results or {}).items()
            ),
        )


def _do_not_enforce_keys(connection: Any, _record: Any) -> None:
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute("SET foreign_key_checks = 0")


def _do_not_wait_for_the_disk(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def _insert(table: str, values: dict[str, Any]) -> Any:
    columns = demo_tables.metadata.tables[table].columns
    filled = {
        column.name: _filler(column)
        for column in columns
        if not column.nullable and not column.primary_key and column.name not in values
    }
    return demo_tables.metadata.tables[table].insert().values(**filled, **values)


def _filler(column: sa.Column[Any]) -> Any:
    kinds = {sa.Integer: 0, sa.DateTime: DAY, sa.Date: DAY.date()}
    return next((value for kind, value in kinds.items() if isinstance(column.type, kind)), "")


@pytest.fixture(params=["sqlite", *SERVERS])
def platform(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Platform]:
    """An empty platform database, of each kind. On a server all tests share one: making its tables takes long."""
    if request.param == "sqlite":
        yield Platform(f"sqlite:///{tmp_path}/platform.sqlite")
        return
    shared: Platform = request.getfixturevalue(f"{request.param}_platform")
    shared.clear()
    yield shared


@pytest.fixture(scope="session")
def mariadb_platform(mariadb_server: str) -> Iterator[Platform]:
    """The platform database on MariaDB that the tests share."""
    yield from _on_server(mariadb_server)


@pytest.fixture(scope="session")
def mysql_platform() -> Iterator[Platform]:
    """The platform database on the MySQL server that is given."""
    yield from _on_server(MYSQL_URL)


def _on_server(server: str) -> Iterator[Platform]:
    name = f"platform_{secrets.token_hex(4)}"
    with sa.create_engine(server, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    with contextlib.closing(Platform(f"{server}/{name}")) as shared:
        yield shared


@pytest.fixture
def small(platform: Platform) -> Platform:
    """Two samples, three tests with outputs and a variant, one fork; no runs."""
    platform.insert("fork", id=1, github="https://github.com/CCExtractor/ccextractor.git")
    platform.insert("sample", id=1, sha=HASH["a"], extension="ts", original_name="first")
    platform.insert("sample", id=2, sha=HASH["b"], extension="", original_name="second")
    for id_, sample in ((1, 1), (2, 1), (3, 2)):
        platform.insert("regression_test", id=id_, sample_id=sample, command=f"--test {id_}", expected_rc=0, active=1)
        platform.insert(
            "regression_test_output",
            id=10 * id_,
            regression_id=id_,
            correct=HASH["c"],
            correct_extension=".srt",
            ignore=0,
        )
    platform.insert("regression_test_output_files", id=1, file_hashes=HASH["d"], regression_test_output_id=10)
    return platform


def files(platform: Platform, run: int, got: dict[int, str | None]) -> None:
    """Result files of a run: output id → got; the test of output 10·N is N."""
    rows = [
        {
            "test_id": run,
            "regression_test_id": output // 10,
            "regression_test_output_id": output,
            "expected": HASH["c"],
            "got": value,
        }
        for output, value in got.items()
    ]
    if rows:
        platform.insert("test_result_file", *rows)


def tree(root: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """Every published file but those that tell the time: path below the root, and bytes."""
    for file in sorted((root / "v1").rglob("*")):
        if file.is_file() and file.name not in ("manifest.json", "pending.json"):
            yield str(file.relative_to(root)), file.read_bytes()


def export(url: str, store: pathlib.Path | Store, **settings: Any) -> pipeline.Report:
    """Export to a folder or another store, in this process, and though most may go, unless told otherwise."""
    target = LocalStore(store) if isinstance(store, pathlib.Path) else store
    of_documents = {field.name for field in dataclasses.fields(DocumentOptions)}
    documents = DocumentOptions(**{name: settings.pop(name) for name in of_documents.intersection(settings)})
    return pipeline.export(
        pipeline.Settings(
            **{"database_url": url, "store": target, "workers": 0, "documents": documents, "allow_shrink": True}
            | settings
        )
    )


class Api(api.Api):
    """A published tree, as a reader sees it; called with a path, it gives a document as it is."""

    def __init__(self, root: pathlib.Path) -> None:
        super().__init__(str(root))

    def __call__(self, path: str) -> Any:
        return orjson.loads(self.read(path))

    def items(self, path: str) -> list[Any]:  # type: ignore[override]
        """All items of a list, along its `next` links."""
        return list(super().items(path))
