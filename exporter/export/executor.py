"""Where tasks run: in this process, in worker processes or on a cluster, behind one `concurrent.futures.Executor`."""

import collections
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from typing import Any, TypeVar

from exporter.errors import ExporterError
from exporter.export.dask_cluster import DaskCluster
from exporter.export.job import Job
from exporter.export.worker import Worker

Task = TypeVar("Task")
Answer = TypeVar("Answer")

log = logging.getLogger(__name__)

_worker: Worker | None = None


@dataclass(frozen=True, slots=True)
class Workers:
    """Does tasks of one job. At most `ahead` tasks wait for a worker: memory is bounded, and no worker is idle."""

    pool: Executor
    ahead: int

    @property
    def here(self) -> bool:
        """Whether tasks run in this process."""
        return isinstance(self.pool, InProcess)

    def map(self, method: Callable[[Worker, Task], Answer], tasks: Iterable[Task]) -> Iterator[Answer]:
        """What a method of `Worker` returns for each task, in the order of the tasks.

        Raises:
            ExporterError: a task failed, or a worker process died.
        """
        pending: collections.deque[Future[Answer]] = collections.deque()
        try:
            for task in tasks:
                pending.append(self.pool.submit(_call, method, task))
                if len(pending) > self.ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except (BrokenExecutor, BrokenPipeError):
            time.sleep(0.1)  # a signal to all processes of a service may reach the workers first: that is no failure
            raise ExporterError("a worker process died; if memory ran out, try fewer --workers") from None


@contextlib.contextmanager
def start(job: Job, workers: int, cluster: DaskCluster | None = None) -> Iterator[Workers]:
    """Workers for a job: those of a cluster, else `workers` processes, or this one for 0.

    On an error or Ctrl-C the worker processes are killed, which is as safe at any moment as a power cut; waiting for
    their tasks, or even for their start, could take long.
    """
    if cluster is not None:
        from exporter.export.dask_executor import on_cluster

        with on_cluster(job, cluster) as dask:
            yield Workers(dask, dask.ahead)
        return
    if workers:
        from exporter.export.process_pool import can_start_processes, processes

        if not can_start_processes():
            log.warning("/dev/shm can't be written to, and worker processes need it; going on in one process")  # noqa: S108
            workers = 0
    if workers == 0:
        _start_worker(job)
        try:
            yield Workers(InProcess(), 0)
        finally:
            _stop_worker()
        return
    with processes(workers, _start_worker, job, 1 / workers) as pool:
        yield Workers(pool, 2 * workers)


class InProcess(Executor):
    """Does each task when it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do a task; return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _start_worker(job: Job, share: float = 1.0) -> None:
    """Make this process a worker, which takes a share of what the store may take a second."""
    global _worker
    if job.store is not None:
        job.store.limit(share)
    _worker = Worker(job)


def _stop_worker() -> None:
    global _worker
    if _worker is not None:
        _worker.close()
    _worker = None


def _call(method: Callable[[Worker, Task], Answer], task: Task) -> Answer:
    assert _worker is not None
    return method(_worker, task)
