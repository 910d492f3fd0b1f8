"""Exports on a Dask cluster whose workers are as machines are to each other: no disk and no loopback in common."""

import contextlib
import os
import pathlib
import secrets
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from exporter.demo import create_demo
from exporter.export import dask_executor
from exporter.export.dask_cluster import DaskCluster
from exporter.publish.gcs.bucket_store import GcsStore
from exporter.publish.local.folder_store import LocalStore
from tests.export.test_dask import published
from tests.export.test_kill import RUN_COLUMNS
from tests.support import emulator, network, tcp_proxy
from tests.support.dask_cluster import Cluster, Observer
from tests.support.network import Network
from tests.support.platform import export

WORKERS = 3
PARTITIONS = 8

pytestmark = pytest.mark.root


class Hosts(NamedTuple):
    """A cluster of workers in a network namespace each, and what they reach by this machine's address."""

    network: Network
    cluster: Cluster
    url: str
    store: GcsStore


@pytest.fixture
def hosts(tmp_path: pathlib.Path, mariadb_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """A worker's `TMPDIR` is a disk that it alone has, and what lies in `tmp_path` no worker can see."""
    (tmp_path / "pipeline").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "pipeline"))
    server = sa.make_url(mariadb_server)
    assert server.host and server.port
    with (
        network.running(WORKERS) as found,
        tcp_proxy.running((server.host, server.port), lambda _: "pass", host=found.address) as proxy,
        emulator.running(host=found.address) as service,
        _database(mariadb_server) as name,
    ):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.url)
        around = {number: found.inside(number, tmp_path) for number in range(WORKERS)}
        cluster = Cluster(tmp_path / "cluster", {}, around, found.address)
        store = GcsStore(service.new_bucket(), "api", grace=0, max_writes_per_second=100_000)
        url = server.set(host=found.address, port=proxy.port, database=name).render_as_string(False)
        try:
            cluster.start_scheduler()
            for number in range(WORKERS):
                cluster.start_worker(number)
            yield Hosts(found, cluster, url, store)
        finally:
            cluster.stop()


@contextlib.contextmanager
def _database(server: str) -> Iterator[str]:
    """The name of a database of `PARTITIONS` partitions, two runs each."""
    name = f"dask_{secrets.token_hex(4)}"
    engine = sa.create_engine(server, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        create_demo(f"{server}/{name}", runs=2 * PARTITIONS, tests=4, seed=4)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"USE {name}")
            connection.exec_driver_sql("SET foreign_key_checks = 0")
            for table, column in RUN_COLUMNS.items():
                connection.exec_driver_sql(f"UPDATE {table} SET {column} = {column} * 50 ORDER BY {column} DESC")
        yield name
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")


def test_workers_that_share_neither_disk_nor_loopback_make_the_same_bytes(hosts: Hosts, tmp_path: pathlib.Path) -> None:
    with Observer(hosts.cluster, lambda *_: False) as observer:
        export(hosts.url, hosts.store, cluster=DaskCluster(hosts.cluster.address))
    export(hosts.url, tmp_path / "folder")
    assert published(hosts.store) == published(LocalStore(tmp_path / "folder"))
    assert len(set(observer.seen.values())) == WORKERS, "each has done something"
    workers = [one.pid for name, one in hosts.cluster.processes.items() if name != "scheduler"]
    for kind in ("net", "mnt"):
        spaces = {pathlib.Path(f"/proc/{one}/ns/{kind}").readlink() for one in (os.getpid(), *workers)}
        assert len(spaces) == WORKERS + 1, kind
    for number, process in enumerate(workers):
        seen = pathlib.Path(f"/proc/{process}/root{tmp_path}")
        assert [one.name for one in seen.iterdir()] == ["cluster"], "it cannot see the pipeline's folders"
        assert [one.name for one in (seen / "cluster").iterdir()] == [f"worker-{number}"], "nor another worker's"


def test_a_worker_that_nobody_reaches_any_more_is_not_waited_for(
    hosts: Hosts, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that its network is gone: no connection is reset."""
    monkeypatch.setattr(dask_executor, "_SLOW", 3.0)
    monkeypatch.setattr(dask_executor, "_PATIENCE", 20.0)

    def strike(key: str, _: int, worker: str) -> str:
        if not key.startswith("exporter-write-") or observer.struck:
            return ""
        hosts.network.cut(int(hosts.cluster.name_of(worker).removeprefix("worker-")))
        return key

    with Observer(hosts.cluster, strike) as observer:
        export(hosts.url, hosts.store, cluster=DaskCluster(hosts.cluster.address))
    assert observer.struck
    export(hosts.url, tmp_path / "folder")
    assert published(hosts.store) == published(LocalStore(tmp_path / "folder"))
