"""A Dask cluster of real processes: a scheduler, and workers with a temporary folder each and none in common."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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
    """

    folder: pathlib.Path
    environment: Mapping[str, str]
    around: Mapping[int, Sequence[str]] = field(default_factory=dict)
    host: str = "127.0.0.1"
    address: str = ""
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start_scheduler(self) -> None:
        with socket.socket() as probe:
            probe.bind((self.host, 0))
            port = probe.getsockname()[1]
        self.address = f"tcp://{self.host}:{port}"
        self._start("scheduler", (), "dask_scheduler", "--host", self.host, "--port", str(port), "--no-dashboard")
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

    def signal(self, name: str, number: signal.Signals) -> None:
        self.processes[name].send_signal(number)

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


@contextlib.contextmanager
def running(folder: pathlib.Path, workers: int, **environment: str) -> Iterator[Cluster]:
    """A cluster with so many workers until the block ends."""
    cluster = Cluster(folder, environment)
    try:
        cluster.start_scheduler()
        for number in range(workers):
            cluster.start_worker(number)
        yield cluster
    finally:
        cluster.stop()
