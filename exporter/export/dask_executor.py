"""An executor on a Dask cluster: tasks of one job, done by workers that share no disk and may be lost at any moment.

Dask carries tasks and answers, and knows which workers there are. Where a task runs is decided here: those of a
partition go to the worker that has its rows and documents, its *home*. If that worker is lost, or too slow, another one
makes them anew (`dask_worker.py`).
"""

import contextlib
import dataclasses
import itertools
import logging
import pathlib
import pickle
import secrets
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import distributed
from distributed.client import FutureCancelledError

from exporter import logs
from exporter.errors import ExporterError
from exporter.export.dask_cluster import DaskCluster
from exporter.export.dask_worker import Message, RemoteTask, Reply, SentJob, perform, versions
from exporter.export.job import Job
from exporter.export.work_dir import WorkDir
from exporter.export.worker import BuildTask, RowsChanged, WriteTask
from exporter.export.worker_slots import WorkerSlots
from exporter.export.write_shares import WriteShares
from exporter.publish.manifest import Part
from exporter.publish.open_store import on_this_machine
from exporter.state.partition_store import PartitionStore

log = logging.getLogger(__name__)

_LOOK = 1.0
"""Seconds between two looks at which workers there are."""
_SILENT = 60.0
"""Seconds that the scheduler may take for an answer."""
_PATIENCE = 600.0
"""Seconds after which a cluster without a worker is given up, and a task whose like has never been done."""
_SLOW, _TIMES = 60.0, 5
"""A task is taken from a worker after so many seconds at least, and so many times what its like have taken."""
_AHEAD = 4
"""Tasks for each worker that are taken before earlier ones have ended."""
_LOSSES = 10
"""How often a task may lose its worker: it may be the task that kills them."""
_WRITING = frozenset({"write", "write_manifest"})


@contextlib.contextmanager
def on_cluster(job: Job, cluster: DaskCluster) -> "Iterator[DaskPool]":
    """An executor of a job on a cluster, as soon as that has a worker.

    Raises:
        ExporterError: it can't be reached, or no worker comes.
        UsageError: the job's store cannot be reached from other machines.
    """
    if job.store is not None:
        on_this_machine(job.store, None)
    with cluster.client() as client:
        workers = _Workers(client, cluster.name)
        found = workers.wait()
        log.info("the Dask cluster %s has %d workers now", cluster.name, len(found))
        with contextlib.closing(DaskPool(client, job, workers)) as pool:
            yield pool


class DaskPool(Executor):
    """Does tasks of a job on a cluster; `ahead` as in `executor.Workers`."""

    def __init__(self, client: distributed.Client, job: Job, workers: "_Workers") -> None:
        self._client, self._job, self._workers = client, job, workers
        self._partitions = PartitionStore(job.work_dir.state.partition_store, None, {})
        self._slots, self._shares = WorkerSlots(workers.wait, _PATIENCE), WriteShares()
        self._seconds: dict[str, list[float]] = {}
        self._numbers = itertools.count()
        self._partition: dict[int, _Partition] = {}
        self._round = 0
        (job.work_dir.root / "tasks").mkdir(exist_ok=True)
        level = logging.getLogger("exporter").getEffectiveLevel()
        self._sent = Message("the job of an export", SentJob(_outgoing(job, client), level, versions()))
        self._informed: set[str] = set()
        self._key = f"exporter-job-{secrets.token_hex(8)}"
        self._alive = client.submit(bool, True, key=self._key, pure=False)
        self.ahead = _AHEAD * max(8, len(workers.now()))
        self._threads = ThreadPoolExecutor(self.ahead + 1)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do a task, a method of `Worker` and its argument; `fn`, which calls it, has no place on other machines."""
        method, task = args
        return self._threads.submit(self._carry_out, method.__name__, task)

    def close(self) -> None:
        """Give up what is under way. Workers drop what they have of the job soon after."""
        self._workers.closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._alive.release()

    def _carry_out(self, method: str, task: Any) -> Any:
        """Have a task done, however many workers are lost meanwhile; return what its method returned."""
        remote = self._remote_task(method, task)
        for _ in range(_LOSSES):
            with contextlib.suppress(_LostError), self._slots.slot(self._home(remote)) as worker:
                reply = self._write(remote, worker) if method in _WRITING else self._do(remote, worker)
                break
        else:
            raise ExporterError(
                f"{remote.label}: {_LOSSES} Dask workers were lost with this task; if memory runs out, give them more"
            )
        if reply.changed:
            self._round += 1
            return RowsChanged(task.partition)
        self._partitions.put_files(reply.files)
        if method == "read":
            self._partition[task] = _Partition(reply.worker, reply.rows)
        elif method == "build":
            self._task_file(task.partition).write_bytes(pickle.dumps(task))
            self._partition[task.partition] = _Partition(reply.worker, reply.rows, reply.answer.part.part.digest)
        return reply.answer

    def _remote_task(self, method: str, task: Any) -> RemoteTask:
        """What to send for a task."""
        number = _partition_of(task)
        if number is None or method == "read":
            return RemoteTask(method, task)
        known = self._partition[number]
        if method == "build":
            return RemoteTask(method, task, number, self._files(number), known.rows, round=self._round)
        return RemoteTask(method, task, number, rows=known.rows, part=known.part, round=self._round)

    def _files(self, number: int) -> Mapping[str, bytes]:
        """What the building of a partition reads of the partition store, as far as it is known beforehand."""
        lineages = self._partitions.get_files([(number, "lineages_before")])
        return {**lineages, **self._partitions.get_files([(number, "matrix"), (number - 1, "matrix")])}

    def _task_file(self, number: int) -> pathlib.Path:
        """Where a partition's task of building is kept: all that leads to its pages is too much for memory."""
        return self._job.work_dir.root / "tasks" / str(number)

    def _do(self, remote: RemoteTask, worker: str) -> Reply:
        """Have a remote task done by a worker, with the matrices that it turns out to need."""
        reply = self._reply(remote, worker)
        if reply.wants:
            matrices = self._partitions.get_files((number, "matrix") for number in reply.wants)
            whole = dataclasses.replace(remote, files={**remote.files, **matrices}, whole=True)
            reply = self._reply(whole, worker)
        return reply

    def _write(self, remote: RemoteTask, worker: str) -> Reply:
        """Have documents written by a worker: the one that has them, or another one that makes them anew."""
        number = remote.partition
        assert number is not None
        with self._shares.of(worker, len(self._slots.usable())) as share:
            remote = dataclasses.replace(remote, share=share)
            reply = self._reply(remote, worker)
            if reply.missing:
                log.info("%s: the Dask worker that had it is lost; another one builds it anew", remote.label)
                task: BuildTask = pickle.loads(self._task_file(number).read_bytes())  # noqa: S301 - our own file
                reply = self._do(dataclasses.replace(remote, files=self._files(number), remake=task), worker)
        self._partition[number] = dataclasses.replace(self._partition[number], home=worker)
        return reply

    def _home(self, remote: RemoteTask) -> str | None:
        """The worker that has what a remote task needs; None: nothing is needed."""
        return self._partition[remote.partition].home if remote.partition is not None else None

    def _reply(self, remote: RemoteTask, worker: str) -> Reply:
        """Send a remote task to a worker; return its reply.

        Raises:
            _LostError: the worker is lost, or too slow.
            ExporterError: the remote task failed, or the cluster did.
        """
        began = time.monotonic()
        reply = self._sent_to(worker, remote)
        if reply.without_job:
            self._informed.discard(worker)
            reply = self._sent_to(worker, remote)
        for line in reply.lines:
            logging.getLogger(line.logger).log(line.level, "%s", line.message)
        if reply.error is not None:
            raise reply.error
        self._informed.add(worker)
        if not (reply.missing or reply.wants):
            self._seconds.setdefault(remote.method, []).append((time.monotonic() - began) * remote.share)
        return reply

    def _sent_to(self, worker: str, remote: RemoteTask) -> Reply:
        """What a worker replies to a remote task; errors as `_reply`."""
        job = None if worker in self._informed else self._sent
        arguments = Message(remote.label, remote), self._key, job
        key = f"exporter-{remote.method}-{next(self._numbers)}-{self._key[-8:]}"
        began, future = time.monotonic(), None
        try:
            future = self._client.submit(perform, *arguments, key=key, workers=[worker], pure=False)
            while True:
                with contextlib.suppress(TimeoutError):
                    reply: Reply = future.result(timeout=_LOOK).open()
                    return reply
                self._see_to(remote, worker, time.monotonic() - began)
        except FutureCancelledError:
            raise self._workers.gone() from None
        except (ExporterError, _LostError):
            raise
        except Exception as error:
            if self._client.status != "running":
                raise self._workers.gone() from None
            raise ExporterError(
                f"the Dask cluster {self._workers.name} cannot do tasks of an export ({type(error).__name__}): is the "
                "same version of the exporter installed on its scheduler and on all its workers?"
            ) from error
        finally:
            if future is not None:
                future.release() if future.done() else future.cancel()

    def _see_to(self, remote: RemoteTask, worker: str, seconds: float) -> None:
        """See whether a remote task is to be taken from its worker, which has it since so many seconds.

        Raises:
            _LostError: it is.
            ExporterError: there is no worker any more.
        """
        usable = self._slots.usable()
        if worker not in usable:
            raise _LostError
        like = self._seconds.get(remote.method)
        limit = max(_SLOW, _TIMES * statistics.median(like) / remote.share) if like else _PATIENCE
        if seconds > limit and len(usable) > 1:
            log.warning("%s: a Dask worker has not answered for %.0f s; another one does it", remote.label, seconds)
            self._slots.avoid(worker)
            raise _LostError


@dataclasses.dataclass(frozen=True, slots=True)
class _Partition:
    """What is known of a partition: the worker that has its rows and documents, their digests."""

    home: str
    rows: str
    part: str = ""


class _LostError(Exception):
    """A worker is lost, or too slow."""


class _Workers:
    """Which workers a cluster has. `closed`: nobody waits for one any more."""

    def __init__(self, client: distributed.Client, name: str) -> None:
        self._client, self.name = client, name
        self.closed = threading.Event()
        self._lock = threading.Lock()
        self._found: frozenset[str] = frozenset()
        self._looked = 0.0

    def now(self) -> frozenset[str]:
        """Their addresses, a second old at most.

        Raises:
            ExporterError: the scheduler is gone.
        """
        with self._lock:
            if time.monotonic() - self._looked > _LOOK:
                try:
                    ask = self._client.scheduler.identity  # type: ignore[union-attr]
                    found = self._client.sync(ask, n_workers=-1, callback_timeout=_SILENT)
                except Exception:
                    raise self.gone() from None
                self._found, self._looked = frozenset(found["workers"]), time.monotonic()
            return self._found

    def wait(self) -> frozenset[str]:
        """Their addresses, as soon as there is one.

        Raises:
            ExporterError: none comes, or the scheduler is gone.
        """
        began = time.monotonic()
        while not (found := self.now()):
            if time.monotonic() - began > _PATIENCE:
                raise ExporterError(f"the Dask cluster {self.name} has had no worker for {_PATIENCE / 60:.0f} minutes")
            if self.closed.wait(_LOOK):
                raise self.gone()
        return found

    def gone(self) -> ExporterError:
        """The error of a cluster that does not answer any more."""
        return ExporterError(
            f"the Dask scheduler {self.name} does not answer any more; what was published is intact, and the next "
            "export goes on from here"
        )


def _outgoing(job: Job, client: distributed.Client) -> Job:
    """A job as it may leave this machine: without a password if anybody could listen."""
    encrypted = str(client.scheduler_info()["address"]).startswith(("tls://", "inproc://"))
    url = "" if logs.has_password(job.database_url) and not encrypted else job.database_url
    return dataclasses.replace(job, database_url=url, work_dir=WorkDir(job.work_dir.root))


def _partition_of(task: Any) -> int | None:
    """The partition whose rows or documents a task needs; None: none's."""
    match task:
        case BuildTask():
            return task.partition
        case WriteTask():
            return int(task.part)
        case Part():
            return int(task.name)
        case int():
            return task
    return None
