"""Where tasks run: in this process, or in several, behind one `concurrent.futures.Executor`."""

import collections
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from typing import Any, TypeVar

from exporter.errors import ExporterError
from exporter.export.job import Job
from exporter.export.worker import Worker

Task = TypeVar("Task")
Answer = TypeVar("Answer")

_worker: Worker | None = None


@dataclass(frozen=True, slots=True)
class Workers:
    """Does tasks of one job. `ahead` tasks wait for a worker at any time: memory is bounded, no worker idle."""

    pool: Executor
    ahead: int

    def map(self, method: Callable[[Worker, Task], Answer], tasks: Iterable[Task]) -> Iterator[Answer]:
        """What a method of `Worker` answers to each task, in the tasks' order.

        Raises:
            ExporterError: a task failed, or a worker died.
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
            time.sleep(0.1)  # who ends all processes of a service reaches the workers first, then us: that's no failure
            raise ExporterError("a worker process died; if memory ran out, try fewer --workers") from None


@contextlib.contextmanager
def start(job: Job, workers: int) -> Iterator[Workers]:
    """Workers for a job: so many processes, or this one for 0.

    On an error or Ctrl-C they are killed, which is as safe at any moment as a power cut; what they do, and even their
    start, may take longer than whoever pressed Ctrl-C waits.
    """
    if workers == 0:
        _begin(job)
        try:
            yield Workers(InProcess(), 0)
        finally:
            _end()
        return
    from exporter.export.process_pool import processes

    with processes(workers, _begin, job) as pool:
        yield Workers(pool, 2 * workers)


class InProcess(Executor):
    """Does each task when it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do a task, and give what came of it."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _begin(job: Job) -> None:
    global _worker
    _worker = Worker(job)


def _end() -> None:
    global _worker
    if _worker is not None:
        _worker.close()
    _worker = None


def _call(method: Callable[[Worker, Task], Answer], task: Task) -> Answer:
    assert _worker is not None
    return method(_worker, task)
