"""A Dask cluster of real processes: a scheduler, and workers with a temporary folder each and none in common."""

import contextlib
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import distributed
import sqlalchemy as sa

from exporter.demo import create_demo

QUICK = {
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
    "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "1s",
    "DASK_DISTRIBUTED__DASHBOARD__LINK": "",
}
"""Settings of Dask with which the death of a process is noticed soon."""


@dataclass
class Cluster:
    """A running cluster.

    Args:
        folder: where each process has a folder of its own, with its log.
        environment: of all processes, beside `TMPDIR`.
        around: the beginning of each worker's command line, by number: what it runs in.
        host: where the scheduler listens.
        scheme: of its address, `tcp` or `tls`.
    """

    folder: pathlib.Path
    environment: Mapping[str, str]
    around: Mapping[int, Sequence[str]] = field(default_factory=dict)
    host: str = "127.0.0.1"
    scheme: str = "tcp"
    address: str = ""
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start_scheduler(self) -> None:
        with socket.socket() as probe:
            probe.bind((self.host, 0))
            port = probe.getsockname()[1]
        self.address = f"{self.scheme}://{self.host}:{port}"
        place = ("--host", f"{self.scheme}://{self.host}", "--port", str(port))
        self._start("scheduler", (), "dask_scheduler", *place, "--no-dashboard")
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection((self.host, port), timeout=1):
                return
            time.sleep(0.05)
        raise AssertionError(self.log("scheduler"))

    def start_worker(self, number: int, **environment: str) -> None:
        """Start a worker, or another one in the place of one that was killed."""
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0")
        place = self.around.get(number, ())
        self._start(f"worker-{number}", place, "dask_worker", self.address, *options, **environment)

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()

    def name_of(self, address: str) -> str:
        """The living worker at an address."""
        alive = (name for name, process in self.processes.items() if process.poll() is None and name != "scheduler")
        return next(name for name in alive if f" {address}\n" in self.log(name))

    def kill_and_replace(self, address: str) -> None:
        """Kill the worker at an address, and start another one."""
        self.kill(self.name_of(address))
        self.start_worker(len(self.processes) - 1)

    def log(self, name: str) -> str:
        return (self.folder / name / "log").read_text()

    def temporary(self, name: str) -> list[str]:
        """The exporter's folders in a process's temporary folder."""
        return [path.name for path in (self.folder / name / "tmp").glob("exporter-work-*")]

    def stop(self) -> None:
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    def _start(self, name: str, around: Sequence[str], module: str, *arguments: str, **environment: str) -> None:
        place = self.folder / name
        (place / "tmp").mkdir(parents=True, exist_ok=True)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("EXPORTER_")}
        with (place / "log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*around, sys.executable, "-m", f"distributed.cli.{module}", *arguments],
                stdout=log,
                stderr=log,
                env={**inherited, **QUICK, **self.environment, **environment, "TMPDIR": str(place / "tmp")},
                cwd=place,
            )


class Observer:
    """Sees the tasks of exports that begin; `seen` says where each was, and what `strike` returned is in `struck`.

    Args:
        cluster: the cluster.
        strike: called with a task's key, how many were before it, and its worker's address.
    """

    def __init__(self, cluster: Cluster, strike: Callable[[str, int, str], object]) -> None:
        self._client = distributed.Client(cluster.address, set_as_default=False)
        self._strike = strike
        self.seen: dict[str, str] = {}
        self.struck: list[object] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Observer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._client.close(timeout=1)

    def shown(self) -> str:
        """All that the scheduler says of its tasks: in memory, in its logs and in those of workers."""
        return f"{self._client.run_on_scheduler(_tasks)} {self._client.get_scheduler_logs()}"

    def _look(self) -> None:
        while not self._over.wait(0.01):
            try:
                found = self._client.run_on_scheduler(_processing)
            except Exception:  # the scheduler was killed
                return
            for key, worker in found.items():
                if key not in self.seen:
                    number = len(self.seen)
                    self.seen[key] = worker
                    if what := self._strike(key, number, worker):
                        self.struck.append(what)


def _tasks(dask_scheduler: Any) -> str:
    return " ".join(f"{key} {task!r} {task.run_spec!r} {task.prefix!r}" for key, task in dask_scheduler.tasks.items())


def two_processes() -> distributed.LocalCluster:
    """A cluster as `--dask-cluster` makes it."""
    return distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0")


def _processing(dask_scheduler: Any) -> dict[str, str]:
    """Key → worker of the tasks of exports that run now."""
    return {
        task.key: worker.address
        for worker in dask_scheduler.workers.values()
        for task in worker.processing
        if task.key.startswith("exporter-") and "job" not in task.key
    }


@contextlib.contextmanager
def running(folder: pathlib.Path, workers: int, scheme: str = "tcp", **environment: str) -> Iterator[Cluster]:
    """A cluster with so many workers until the block ends."""
    cluster = Cluster(folder, environment, scheme=scheme)
    try:
        cluster.start_scheduler()
        for number in range(workers):
            cluster.start_worker(number)
        yield cluster
    finally:
        cluster.stop()


@contextlib.contextmanager
def demo_with_password(server: str, password: str) -> Iterator[sa.URL]:
    """The URL of a small platform of a user with this password, on a server on which everything may be done."""
    name = f"dask_{secrets.token_hex(4)}"
    engine = sa.create_engine(server, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        connection.exec_driver_sql(f"CREATE USER {name}@'%%' IDENTIFIED BY '{password}'")
        connection.exec_driver_sql(f"GRANT SELECT ON {name}.* TO {name}@'%%'")
    try:
        create_demo(f"{server}/{name}", runs=220, tests=2, seed=1)
        yield sa.make_url(f"{server}/{name}").set(username=name, password=password)
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")
            connection.exec_driver_sql(f"DROP USER {name}@'%%'")
