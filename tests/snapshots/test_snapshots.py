"""Snapshots: all formats say the same, which is what the API says; the index names only what is whole."""

import asyncio
import contextlib
import datetime
import gzip
import hashlib
import pathlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import duckdb
import httpx
import orjson
import pandas as pd
import pyarrow.parquet as pq
import pytest

from exporter import paths
from exporter.builders import api_description
from exporter.demo import create_demo
from exporter.documents.snapshots import Snapshot
from exporter.errors import StoreError
from exporter.paths import stored
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.store import Stored
from exporter.publish.verify import verify
from exporter.rules.lineage import MainLine
from exporter.server.preview import application
from exporter.snapshots import create as snapshots
from exporter.snapshots import snapshot_index
from exporter.snapshots.columns import RESULTS, TABLES, Field, Table
from exporter.source.database import Database
from tests.support.contract import Contract
from tests.support.memory_store import Fault, MemoryStore
from tests.support.platform import Api, Platform, export


def make(url: str, store: pathlib.Path | MemoryStore, keep: int = 5, *, process: bool = False) -> Snapshot:
    target = LocalStore(store) if isinstance(store, pathlib.Path) else store
    return snapshots.create(Database(url), target, snapshots.SnapshotSettings(keep, process=process)).snapshot


@pytest.fixture(scope="module", params=["parity", "demo"])
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pathlib.Path, pathlib.Path]:
    """A store with an export and a snapshot of the same data, and the snapshot's folder."""
    root = tmp_path_factory.mktemp("store")
    if request.param == "parity":
        url = f"sqlite:///{request.getfixturevalue('parity_sqlite')}"
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('demo')}/demo.sqlite"
        create_demo(url, runs=120, tests=15, seed=3)
    export(url, root)
    return root, root / "v1/snapshots" / make(url, root, process=True)["id"]


def ndjson(folder: pathlib.Path, table: Table) -> list[dict[str, Any]]:
    with gzip.open(folder / f"{table.file}.ndjson.gz") as lines:
        rows = [orjson.loads(line) for line in lines]
    return sorted(rows, key=lambda row: [row[name] for name in table.key])


def texts(value: Any) -> Any:
    """Times and days as JSON has them."""
    match value:
        case datetime.datetime():
            return f"{value.replace(tzinfo=None).isoformat()[:19]}Z"
        case datetime.date():
            return value.isoformat()
        case list():
            return [texts(one) for one in value]
        case dict():
            return {name: texts(one) for name, one in value.items()}
    return value


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_parquet_is_what_ndjson_is(published: tuple[pathlib.Path, pathlib.Path], table: Table) -> None:
    rows = pq.read_table(published[1] / f"{table.file}.parquet").to_pylist()
    assert [texts(row) for row in sorted(rows, key=lambda row: [row[name] for name in table.key])] == ndjson(
        published[1], table
    )


@pytest.fixture(scope="module")
def database(
    published: tuple[pathlib.Path, pathlib.Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sqlite3.Connection]:
    file = tmp_path_factory.mktemp("sqlite") / "platform.sqlite"
    file.write_bytes(gzip.decompress((published[1] / "platform.sqlite.gz").read_bytes()))
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_sqlite_is_what_ndjson_is(
    published: tuple[pathlib.Path, pathlib.Path], database: sqlite3.Connection, table: Table
) -> None:
    def lists(
        name: str, key: tuple[Any, ...], columns: list[str], fields: tuple[Field, ...]
    ) -> Iterator[dict[str, Any]]:
        """The items of a list, put together again from its table."""
        where = " AND ".join(f"{column} = ?" for column in columns)
        found = database.execute(f"SELECT * FROM {name} WHERE {where} ORDER BY {columns[0]}", key).fetchall()
        place = (
            next(column for column in tuple(found[0].keys()) if column.endswith("_position") and column not in columns)
            if found
            else ""
        )
        for row in sorted(found, key=lambda row: row[place]):
            yield item(row, name, (*key, row[place]), [*columns, place], fields)

    def item(
        row: sqlite3.Row,
        name: str,
        key: tuple[Any, ...],
        columns: list[str],
        fields: tuple[Field, ...],
        before: str = "",
    ) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for field in fields:
            column = before + field.name
            if field.many:
                inner = field.fields or (Field("value", field.kind),)
                found = list(lists(f"{name}_{field.name}", key, columns, inner))
                made[field.name] = found if field.fields else [one["value"] for one in found]
            elif field.fields:
                made[field.name] = item(row, name, key, columns, field.fields, f"{column}_")
            elif field.kind == "boolean":
                made[field.name] = None if row[column] is None else bool(row[column])
            else:
                made[field.name] = row[column]
        return made

    def flat(value: Any, fields: tuple[Field, ...]) -> Any:
        """What SQLite cannot tell apart is the same: a null object and one of nulls, a null list and an empty one."""
        return {
            field.name: [flat(one, field.fields) if field.fields else one for one in value[field.name] or ()]
            if field.many
            else flat(value[field.name] or {inner.name: None for inner in field.fields}, field.fields)
            if field.fields
            else value[field.name]
            for field in fields
        }

    order = ", ".join(table.key)
    rows = database.execute(f"SELECT * FROM {table.name} ORDER BY {order}").fetchall()
    got = [item(row, table.name, tuple(row[name] for name in table.key), list(table.key), table.fields) for row in rows]
    assert got == [flat(row, table.fields) for row in ndjson(published[1], table)]


def without_links(value: Any) -> Any:
    """An object without the links in it and in its objects."""
    if not isinstance(value, dict):
        return value
    return {name: without_links(one) for name, one in value.items() if name != "href"}


def test_each_row_is_what_the_api_says(published: tuple[pathlib.Path, pathlib.Path]) -> None:
    root, folder = published
    api = Api(root)
    runs, results, samples, tests = (ndjson(folder, table) for table in TABLES)

    def same(row: dict[str, Any], document: dict[str, Any], *but: str) -> None:
        assert {name: value for name, value in row.items() if name not in but} == {
            name: document[name] for name in row if name not in but
        }

    assert [row["run_id"] for row in runs] == sorted(item["run_id"] for item in api.items("runs.json"))
    for row in runs:
        document = api(paths.run(row["run_id"]))
        same(row, document, "regression_test_ids")
        limit = row["regression_test_ids"]
        assert document["config"]["regression_test_ids"] == (
            [test["regression_test_id"] for test in tests if test["active"]] if limit is None else limit
        )
    keys = [(row["run_id"], row["regression_test_id"]) for row in results]
    assert keys == [
        (run["run_id"], item["regression_test_id"])
        for run in runs
        for item in api.items(paths.document(paths.run_list(run["run_id"], "samples")))
    ]
    for row in results:
        document = api(paths.run_results(row["run_id"]) + paths.result_file(row["regression_test_id"]))
        same(row, document, "run_id", "code", "reason", "verdict", "failure_signature", "outputs")
        classification = document["classification"] or {"code": None, "reason": None}
        assert (row["code"], row["reason"]) == (classification["code"], classification["reason"])
        assert row["verdict"] == without_links(document["verdict"])
        assert row["outputs"] == [{k: v for k, v in one.items() if k != "diff"} for one in document["outputs"]]
    signatures = {(row["run_id"], row["regression_test_id"]): row["failure_signature"] for row in results}
    for row in samples:
        same(row, api(paths.sample(row["sample_id"])))
        for entry in api.items(paths.document(paths.sample_history(row["sample_id"]))):
            assert signatures[entry["run_id"], entry["regression_test_id"]] == entry["failure_signature"]
    for row in tests:
        same(row, api(paths.regression_test(row["regression_test_id"])))
    assert len(samples) == len(api.items("samples.json")) and len(tests) == len(api.items("regression-tests.json"))


def test_every_column_is_documented(database: sqlite3.Connection) -> None:
    told = {(row[0], row[1]) for row in database.execute("SELECT table_name, column_name FROM documentation")}
    inner = {"run_results", "outcomes", "outcome_outputs", "verdicts", "documentation"}
    for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')").fetchall():
        if name not in inner:
            for column in database.execute(f"PRAGMA table_info({name})").fetchall():
                assert (name, column["name"]) in told
    assert not database.execute("SELECT 1 FROM documentation WHERE description = ''").fetchall()


def test_nothing_secret_is_in_it(published: tuple[pathlib.Path, pathlib.Path], database: sqlite3.Connection) -> None:
    for file in published[1].iterdir():
        data = file.read_bytes()
        data = gzip.decompress(data) if file.suffix == ".gz" else data
        assert b"CANARY" not in data
        if file.suffix == ".parquet":
            assert "CANARY" not in str(pq.read_table(file).to_pylist())
    assert "CANARY" not in "\n".join(database.iterdump())


def test_sums_and_index_are_those_of_the_files(published: tuple[pathlib.Path, pathlib.Path]) -> None:
    root, folder = published
    index = orjson.loads((root / "v1/snapshots.json").read_bytes())
    latest = orjson.loads((root / "v1/snapshots/latest.json").read_bytes())
    check = Contract(api_description.openapi())
    assert not [*check.problems("snapshots.json", index), *check.problems("snapshots/latest.json", latest)]
    (one,) = index["snapshots"]
    assert one["main_line"] == {"repository": "CCExtractor/ccextractor", "branch": "master"}
    assert (
        "against the main line: commits of branch master of CCExtractor/ccextractor"
        in (folder / "README.txt").read_text()
    )
    assert index["latest"] == one["id"] == latest["id"] == folder.name
    assert {file["name"] for file in one["files"]} == {file.name for file in folder.iterdir()}
    for file, again in zip(one["files"], latest["files"], strict=True):
        data = (root / "v1" / file["href"]).read_bytes()
        assert data == (root / "v1/snapshots" / again["href"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
    sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert sums == {file["name"]: file["sha256"] for file in one["files"] if file["name"] != "SHA256SUMS"}
    assert verify(LocalStore(root)).problems == []


def test_files_are_served_as_they_are(published: tuple[pathlib.Path, pathlib.Path]) -> None:
    asyncio.run(_look_at_files(*published))


async def _look_at_files(root: pathlib.Path, folder: pathlib.Path) -> None:
    transport = httpx.ASGITransport(application(root))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for file in folder.iterdir():
            url = f"/v1/snapshots/{folder.name}/{file.name}"
            reply = await client.get(url, headers={"Accept-Encoding": "gzip"})
            assert "content-encoding" not in reply.headers and reply.content == file.read_bytes()
            types = {".gz": "application/gzip", ".parquet": "application/vnd.apache.parquet"}
            assert reply.headers["content-type"] == types.get(file.suffix, "text/plain; charset=utf-8")
            part = await client.get(url, headers={"Range": "bytes=10-", "If-Range": reply.headers["etag"]})
            assert part.status_code == 206 and part.content == reply.content[10:]


def test_pandas_and_duckdb_read_it(published: tuple[pathlib.Path, pathlib.Path]) -> None:
    folder = published[1]
    results = pd.read_parquet(folder / "results.parquet", columns=["run_id", "status"])
    counted = duckdb.sql(f"SELECT count(*) FROM '{folder}/results.ndjson.gz'").fetchall()
    assert counted == [(len(results),)] == [(len(ndjson(folder, RESULTS)),)]


def test_what_has_not_changed_makes_no_new_one_and_old_ones_go(small: Platform) -> None:
    store = MemoryStore()
    small.run(1, "testing", "completed", results={1: 0})
    first = make(small.url, store)
    assert make(small.url, store)["id"] == first["id"]
    ids = [first["id"]]
    for run in range(2, 6):
        small.run(run, "testing", "completed", results={1: 0})
        ids.append(make(small.url, store, keep=2)["id"])
    found = snapshot_index.snapshots(store)
    assert {one["id"] for one in found} == set(ids[-2:])
    files = {path for path in store.objects if paths.is_as_it_is(path)}
    assert files == {stored(file["href"]) for one in found for file in one["files"]}
    assert not [path for path in store.objects if path.startswith(paths.STATE_SNAPSHOTS)]


def test_another_main_line_makes_another_snapshot(small: Platform) -> None:
    store = MemoryStore()
    small.run(1, "testing", "completed", results={1: 0}, fork_id=1, branch="main")
    first = make(small.url, store)
    settings = snapshots.SnapshotSettings(main=MainLine(branch="main"))
    other = snapshots.create(Database(small.url), store, settings).snapshot
    assert first["id"] != other["id"] and other["main_line"]["branch"] == "main"


@pytest.mark.parametrize("kind", ["before", "after", "partial"])
def test_one_that_dies_leaves_nothing_that_the_index_names(small: Platform, kind: Any) -> None:
    small.run(1, "testing", "completed", results={1: 0})
    for operation in ("write", "replace"):
        for call in range(4):
            store = MemoryStore(faults=[Fault(operation, call, kind)])  # type: ignore[arg-type]
            store.watch = lambda *_, store=store: _whole(store)  # type: ignore[misc]
            with contextlib.suppress(StoreError):
                make(small.url, store)
            store.watch = None
            store.objects[stored("snapshots/20200101T000000Z-0123456789ab/runs.parquet")] = Stored(b"", "1")
            make(small.url, store)
            _whole(store)
            named = {stored(file["href"]) for one in snapshot_index.snapshots(store) for file in one["files"]}
            assert {path for path in store.objects if paths.is_as_it_is(path)} == named


def _whole(store: MemoryStore) -> None:
    if "v1/snapshots.json" in store.objects:
        for one in orjson.loads(store.objects["v1/snapshots.json"].data)["snapshots"]:
            for file in one["files"]:
                assert hashlib.sha256(store.objects[stored(file["href"])].data).hexdigest() == file["sha256"]


def test_two_at_once_lose_nothing(small: Platform) -> None:
    small.run(1, "testing", "completed", results={1: 0})
    store = MemoryStore()
    other: list[Snapshot] = []

    def meanwhile(operation: str, path: str) -> None:
        if operation == "write" and not other and path.endswith("SHA256SUMS"):
            store.watch = None
            small.run(2, "testing", "completed", results={1: 0})
            other.append(make(small.url, store))

    store.watch = meanwhile
    mine = make(small.url, store)
    assert {one["id"] for one in snapshot_index.snapshots(store)} == {mine["id"], other[0]["id"]}
    _whole(store)


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index["snapshots"][0]["files"][0].update(href="../../etc/passwd"),
        lambda index: index["snapshots"][0]["files"][0].update(name="../x", href="snapshots/../x"),
        lambda index: index["snapshots"][0].update(id="../.."),
        lambda index: index["snapshots"][0]["files"][0].update(bytes=-1),
        lambda index: index["snapshots"][0]["files"][0].update(sha256="x"),
        lambda index: index.update(snapshots=None),
        lambda index: index.update(latest="other"),
    ],
)
def test_a_damaged_index_is_refused(published: tuple[pathlib.Path, pathlib.Path], change: Any) -> None:
    index = orjson.loads((published[0] / "v1/snapshots.json").read_bytes())
    change(index)
    with pytest.raises(StoreError, match=r"snapshots\.json is damaged"):
        snapshot_index.decode_index("store", orjson.dumps(index))
