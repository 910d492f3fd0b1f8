"""Exports on a Dask cluster of real processes: the same bytes, whatever dies when."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

import exporter
from exporter.cli.main import run
from exporter.demo import create_demo
from exporter.errors import ExporterError
from exporter.export import changed_rows, dask_executor, pipeline
from exporter.export import dask_cluster as dask_cluster_module
from exporter.export.dask_cluster import DaskCluster
from exporter.publish.gcs.bucket_store import GcsStore
from exporter.publish.local.folder_store import LocalStore
from tests.export.test_kill import RUN_COLUMNS
from tests.support import dask_cluster
from tests.support.dask_cluster import Cluster, Observer, demo_with_password
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
    _workers_forget(cluster)


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

        def strike(key: str, place: int, worker: str, chosen: frozenset[int] = chosen) -> str:
            if place not in chosen:
                return ""
            cluster.kill_and_replace(worker)
            return key

        with Observer(cluster, strike) as observer:
            export_on(cluster, database, fresh)
        assert published(fresh) == expected, observer.struck
        struck += observer.struck
    assert len(struck) == kills * exports, struck


def _edit(database: Platform, *partitions: int) -> None:
    """Change the rows of all runs of partitions."""
    with contextlib.closing(sqlite3.connect(database.file)) as connection:
        for number in partitions:
            connection.execute("UPDATE test_result SET exit_code = exit_code + 1 WHERE test_id / 100 = ?", [number])
        connection.commit()


def _without_state(tree: Tree) -> Tree:
    """The state has the fingerprints of rows as they were when the export began: the next one looks at them again."""
    return {path: data for path, data in tree.items() if not path.startswith("_state/")}


def test_rows_that_change_while_their_worker_is_lost_are_built_as_they_are_then(
    database: Platform, cluster: Cluster, store: GcsStore, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = changed_rows.build
    plans = []

    def disturbed(found: Any, plan: Any) -> Any:
        if not plans:
            _edit(database, 3, 9)
            for name in ("worker-0", "worker-1", "worker-2"):
                cluster.kill(name)
            cluster.start_worker(3)
        plans.append(sorted(plan.build))
        return build(found, plan)

    monkeypatch.setattr(changed_rows, "build", disturbed)
    export_on(cluster, database, store)
    assert plans == [[*range(PARTITIONS + 1)], [*range(3, PARTITIONS + 1)]]
    expected = database.tree(tmp_path / "folder")
    assert _without_state(published(store)) == _without_state(expected)
    monkeypatch.setattr(changed_rows, "build", build)
    export(database.url, store)
    assert published(store) == expected, "the next export knows which rows these documents are of"


@pytest.mark.soak
def test_rows_that_change_while_documents_are_written_and_lost_are_exported_from_the_beginning(
    database: Platform, cluster: Cluster, store: GcsStore, tmp_path: pathlib.Path
) -> None:
    def strike(key: str, _: int, worker: str) -> bool:
        if not key.startswith("exporter-write-") or observer.struck:
            return False
        _edit(database, *range(PARTITIONS + 1))
        cluster.kill_and_replace(worker)
        return True

    with Observer(cluster, strike) as observer:
        export_on(cluster, database, store)
    assert observer.struck
    assert _without_state(published(store)) == _without_state(database.tree(tmp_path / "folder"))


@contextlib.contextmanager
def command(
    cluster: Cluster, database: Platform, store: GcsStore, tmp_path: pathlib.Path
) -> Iterator["subprocess.Popen[str]"]:
    """The command, in a process of its own."""
    options = ["--executor", "dask", "--dask-scheduler", cluster.address, "--max-writes-per-second", "100"]
    temporary = tmp_path / "command"
    temporary.mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-m", "exporter", "export", "--database-url", database.url, "--store", store.name, *options],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary), "XDG_STATE_HOME": str(temporary)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


SOON = [pytest.param(f"exporter-{task}-", marks=pytest.mark.soak) for task in ("read", "build")]


@pytest.mark.parametrize("begun", [*SOON, "exporter-write-"])
@pytest.mark.parametrize("victim", ["scheduler", "client"])
def test_the_scheduler_or_the_client_is_killed(
    database: Platform, cluster: Cluster, store: GcsStore, tmp_path: pathlib.Path, victim: str, begun: str
) -> None:
    def strike(key: str, *_: object) -> bool:
        if not key.startswith(begun) or observer.struck:
            return False
        if victim == "client":
            process.kill()
        return True

    with Observer(cluster, strike) as observer, command(cluster, database, store, tmp_path) as process:
        while not observer.struck:
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.01)
        if victim == "scheduler":
            cluster.kill("scheduler")
        _, said = process.communicate(timeout=60)
    if victim == "scheduler":
        assert process.returncode == 1
        assert f"the Dask scheduler {cluster.address} does not answer any more" in said
        assert "Traceback" not in said
    export(database.url, store)
    assert published(store) == database.tree(tmp_path / "folder")
    if victim == "client":
        _workers_forget(cluster)
        fresh = dataclasses.replace(store, prefix="fresh")
        export_on(cluster, database, fresh)  # the cluster is well
        assert published(fresh) == database.tree(tmp_path / "folder")


def _workers_forget(cluster: Cluster) -> None:
    """See that workers drop what they have of exports that have ended."""
    ended = time.monotonic()
    while kept := [name for name in cluster.processes if cluster.temporary(name)]:
        assert time.monotonic() - ended < 60, kept
        time.sleep(0.5)


@pytest.mark.soak
def test_ctrl_c_ends_the_export_at_once(
    database: Platform, cluster: Cluster, store: GcsStore, tmp_path: pathlib.Path
) -> None:
    with (
        Observer(cluster, lambda key, *_: key.startswith("exporter-write-")) as observer,
        command(cluster, database, store, tmp_path) as process,
    ):
        while not observer.struck:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        interrupted = time.monotonic()
        _, said = process.communicate(timeout=60)
        assert time.monotonic() - interrupted < 20
    assert process.returncode == 130, said
    assert said.splitlines()[-1].endswith("the next export goes on from here")


@pytest.mark.parametrize("begun", [*SOON, "exporter-write-"])
def test_a_stuck_worker_is_not_waited_for(
    database: Platform,
    cluster: Cluster,
    store: GcsStore,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    begun: str,
) -> None:
    monkeypatch.setattr(dask_executor, "_SLOW", 3.0)
    monkeypatch.setattr(dask_executor, "_PATIENCE", 20.0)

    def strike(key: str, _: int, worker: str) -> str:
        if not key.startswith(begun) or observer.struck:
            return ""
        name = cluster.name_of(worker)
        cluster.processes[name].send_signal(signal.SIGSTOP)
        return name

    with Observer(cluster, strike) as observer:
        export_on(cluster, database, store)
    expected = database.tree(tmp_path / "folder")
    assert published(store) == expected
    (name,) = observer.struck
    cluster.processes[str(name)].send_signal(signal.SIGCONT)
    time.sleep(3)
    assert published(store) == expected, "what a worker does that wakes up late changes nothing"
    assert cluster.processes[str(name)].poll() is None


def test_a_worker_of_another_version_is_refused_in_one_sentence(
    database: Platform, cluster: Cluster, store: GcsStore, tmp_path: pathlib.Path
) -> None:
    root = pathlib.Path(exporter.__file__).parent.parent
    for name in ("exporter", "templates"):
        shutil.copytree(root / name, tmp_path / "other" / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "other/exporter/rules/status.py").open("a") as module:
        module.write("# another rule\n")
    for name in ("worker-0", "worker-1", "worker-2"):
        cluster.kill(name)
    cluster.start_worker(3, PYTHONPATH=str(tmp_path / "other"))
    with pytest.raises(ExporterError, match=r"a Dask worker does not run what this export runs .* install the same"):
        export_on(cluster, database, store)
    assert not list(store.list(""))


def test_passwords_stand_in_nothing_that_dask_logs_or_shows(
    cluster: Cluster, store: GcsStore, tmp_path: pathlib.Path, mariadb_server: str
) -> None:
    """An unencrypted connection carries none: workers have it in their own environment."""
    server = sa.create_engine(mariadb_server, poolclass=sa.NullPool)
    with demo_with_password(mariadb_server, "C4NARY-word") as url:
        shown: list[str] = []

        def look(*_: object) -> bool:
            shown.append(observer.shown())
            return True

        with pytest.raises(ExporterError, match="has a password, and the connection to the Dask scheduler is not"):
            export(url.render_as_string(False), store, cluster=DaskCluster(cluster.address))
        for number in range(3):
            cluster.kill(f"worker-{number}")
            cluster.start_worker(3 + number, EXPORTER_DATABASE_URL=url.render_as_string(False))
        with Observer(cluster, look) as observer:
            export(url.render_as_string(False), store, cluster=DaskCluster(cluster.address))
        export(f"{mariadb_server}/{url.database}", tmp_path / "folder")
        assert published(store) == published(LocalStore(tmp_path / "folder"))
        with server.begin() as connection:  # tasks that fail are logged, too
            connection.exec_driver_sql(f"DROP TABLE {url.database}.test_result_file")
            connection.exec_driver_sql(f"UPDATE {url.database}.test_result SET exit_code = 3")
        with Observer(cluster, look) as observer, pytest.raises(ExporterError) as failed:
            export(url.render_as_string(False), store, cluster=DaskCluster(cluster.address))
        shown += [cluster.log(process) for process in cluster.processes] + [str(failed.value)]
        assert "exporter-read" in "".join(shown)
        assert "C4NARY" not in "".join(shown)


def test_a_function_makes_the_cluster(
    database: Platform, store: GcsStore, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_TEMPORARY_DIRECTORY", str(tmp_path))
    factory = "tests.support.dask_cluster:two_processes"
    export(database.url, store, cluster=DaskCluster(factory=factory))
    assert published(store) == database.tree(tmp_path / "folder")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "needs either --dask-scheduler ADDRESS or --dask-cluster MODULE:FUNCTION"),
        (["--dask-scheduler", "tcp://127.0.0.1:1", "--dask-cluster", "a:b"], "needs either"),
        (["--dask-cluster", "nothing"], "'nothing' names no function that makes a cluster"),
        (["--dask-cluster", "no.such:function"], "there is no no.such:function"),
        (
            ["--dask-scheduler", "tcp://127.0.0.1:1"],
            "is a folder of one machine; to export on a cluster, name a bucket",
        ),
        (["--dask-scheduler", "nothing://x"], "nothing://x is no address of a Dask scheduler"),
        (["--dask-scheduler", "tcp://127.0.0.1:1"], "the Dask scheduler tcp://127.0.0.1:1 cannot be reached"),
    ],
)
def test_what_is_wrong_with_a_cluster_is_said_in_one_line(
    database: Platform,
    bucket: str,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(dask_cluster_module, "_CONNECT", 1)
    store = str(tmp_path / "store") if "folder" in said else f"gs://{bucket}/x"
    code = run(["export", "--database-url", database.url, "--store", store, "--executor", "dask", *options])
    error = capsys.readouterr().err.splitlines()
    assert code == (1 if "reached" in said else 2)
    assert said in error[-1]
    assert "Traceback" not in "".join(error)


def test_without_a_cluster_dask_is_not_loaded(database: Platform, tmp_path: pathlib.Path) -> None:
    """It would take half a second of every export."""
    script = (
        "import sys; from exporter.cli.main import run; "
        f"assert run(['export', '--database-url', {database.url!r}, '--store', {str(tmp_path / 's')!r}]) == 0; "
        "assert not {'dask', 'distributed'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "XDG_STATE_HOME": str(tmp_path)})
