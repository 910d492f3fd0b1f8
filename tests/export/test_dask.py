"""Exports on a Dask cluster of real processes: the same bytes, whatever dies when."""

import contextlib
import dataclasses
import pathlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import distributed
import orjson
import pytest

from exporter.demo import create_demo
from exporter.export import pipeline
from exporter.export.dask_cluster import DaskCluster
from exporter.publish.gcs.bucket_store import GcsStore
from exporter.publish.local.folder_store import LocalStore
from tests.export.test_kill import RUN_COLUMNS
from tests.support import dask_cluster
from tests.support.dask_cluster import Cluster
from tests.support.emulator import Emulator
from tests.support.platform import export

Tree = dict[str, bytes]

PARTITIONS = 12


@dataclasses.dataclass(frozen=True)
class Platform:
    """A database of `PARTITIONS` partitions, and all that an export by one process publishes of it."""

    file: pathlib.Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"

    def tree(self, folder: pathlib.Path) -> Tree:
        export(self.url, folder)
        return published(LocalStore(folder))


def published(store: Any) -> Tree:
    """What a store holds, without the time of the manifest."""
    found = {entry.path: store.get(entry.path).data for entry in store.list("") if not entry.path.startswith(".")}
    manifest = orjson.loads(found["v1/manifest.json"]) | {"generated_at": None}
    return found | {"v1/manifest.json": orjson.dumps(manifest)}


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Platform:
    file = tmp_path / "platform.sqlite"
    create_demo(f"sqlite:///{file}", runs=2 * PARTITIONS, tests=6, seed=4)
    with contextlib.closing(sqlite3.connect(file)) as connection:  # two runs a partition
        for table, column in RUN_COLUMNS.items():
            connection.execute(f"UPDATE {table} SET {column} = -{column} * 50")
            connection.execute(f"UPDATE {table} SET {column} = -{column}")
        connection.commit()
    return Platform(file)


@pytest.fixture
def cluster(tmp_path: pathlib.Path, emulator: Emulator) -> Iterator[Cluster]:
    with dask_cluster.running(tmp_path / "cluster", 3, STORAGE_EMULATOR_HOST=emulator.url) as found:
        yield found


@pytest.fixture
def store(bucket: str) -> GcsStore:
    return GcsStore(bucket, "api", grace=0, max_writes_per_second=100_000)


def export_on(cluster: Cluster, database: Platform, store: GcsStore) -> pipeline.Report:
    return export(database.url, store, cluster=DaskCluster(cluster.address))


def test_the_bytes_are_those_of_one_process_and_workers_keep_nothing(
    database: Platform, cluster: Cluster, store: GcsStore, tmp_path: pathlib.Path
) -> None:
    export_on(cluster, database, store)
    assert published(store) == database.tree(tmp_path / "folder")
    with contextlib.closing(sqlite3.connect(database.file)) as connection:
        connection.execute("UPDATE test_result SET exit_code = 9 WHERE test_id % 200 = 0")
        connection.commit()
    export_on(cluster, database, store)
    assert published(store) == database.tree(tmp_path / "folder")
    export(database.url, store)
    assert published(store) == database.tree(tmp_path / "folder"), "a third export on this machine has nothing to do"
    ended = time.monotonic()
    while kept := [name for name in cluster.processes if cluster.temporary(name)]:
        assert time.monotonic() - ended < 60, kept
        time.sleep(0.5)


class Observer:
    """Counts the tasks of an export that begin, and calls `strike` with the worker of every one that is chosen."""

    def __init__(self, address: str, strike: Callable[[str], None], chosen: frozenset[int]) -> None:
        self._client = distributed.Client(address, set_as_default=False)
        self._strike, self._chosen = strike, chosen
        self.seen: dict[str, int] = {}
        self.struck: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Observer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._client.close()

    def _look(self) -> None:
        while not self._over.wait(0.01):
            for key, worker in self._client.run_on_scheduler(_processing).items():
                if key not in self.seen:
                    self.seen[key] = len(self.seen)
                    if self.seen[key] in self._chosen:
                        self.struck.append(key)
                        self._strike(worker)


def _processing(dask_scheduler: Any) -> dict[str, str]:
    """Key → worker of the tasks of exports that run now."""
    return {
        key: worker.name
        for worker in dask_scheduler.workers.values()
        for key in (task.key for task in worker.processing)
        if key.startswith("exporter-") and "job" not in key
    }


def _kill_and_replace(cluster: Cluster) -> Callable[[str], None]:
    """Kills the worker at an address and starts another one."""

    def strike(address: str) -> None:
        number = next(
            number
            for number in range(99)
            if f"worker-{number}" in cluster.processes
            and cluster.processes[f"worker-{number}"].poll() is None
            and address in cluster.log(f"worker-{number}")
        )
        cluster.kill(f"worker-{number}")
        cluster.start_worker(len(cluster.processes) - 1)

    return strike


@pytest.mark.parametrize(
    ("kills", "exports"), [(3, 1), pytest.param(7, 3, marks=pytest.mark.soak)], ids=["3 kills", "21 kills"]
)
def test_workers_are_killed_at_many_moments(
    database: Platform, cluster: Cluster, store: GcsStore, tmp_path: pathlib.Path, kills: int, exports: int
) -> None:
    expected = database.tree(tmp_path / "folder")
    struck = []
    for number in range(exports):
        fresh = dataclasses.replace(store, prefix=f"api-{number}")
        # Each partition has a task of reading, building, two of writing and one for its manifest.
        chosen = frozenset(
            int((place + (number + 1) / (exports + 1)) / kills * 4 * PARTITIONS) for place in range(kills)
        )
        with Observer(cluster.address, _kill_and_replace(cluster), chosen) as observer:
            export_on(cluster, database, fresh)
        assert published(fresh) == expected, observer.struck
        struck += observer.struck
    assert len(struck) == kills * exports, struck
