"""Where tasks run: in this process, or in several, behind one `concurrent.futures.Executor`."""

import collections
import contextlib
import gc
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

from exporter import logs
from exporter.errors import ExporterError
from exporter.tasks import Job, Worker

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
        except (BrokenProcessPool, BrokenPipeError):
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
        yield Workers(InProcess(), 0)
        return
    with processes(workers, _begin, job) as pool:
        yield Workers(pool, 2 * workers)


@contextlib.contextmanager
def processes(number: int, begin: Callable[..., None] | None = None, *arguments: Any) -> Iterator[Executor]:
    """So many processes, each of which first calls `begin`, if given; killed on an error. One such block at a time."""
    pool = _Processes(
        number,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_process,
        initargs=(logs.setup(), begin, arguments),
    )
    try:
        yield pool
    except BaseException:
        for process in multiprocessing.active_children():  # there are no others
            process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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


class _Processes(ProcessPoolExecutor):
    """Begins its processes without Ctrl-C, which is the parent's to heed; they could not tell before they run.

    What would interrupt the parent waits: it would not know a process that it has only half begun.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(job: Job) -> None:
    global _worker
    _worker = Worker(job)


def _begin_process(setup: logs.Setup | None, begin: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    """Leave Ctrl-C to the parent, which ends its workers; and don't outlive it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    logs.repeat(setup)
    gc.disable()  # as in `_without_gc`
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if begin is not None:
        begin(*arguments)


def _die_with_parent() -> None:
    """A worker that went on would write documents that the next export does not expect."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _call(method: Callable[[Worker, Task], Answer], task: Task) -> Answer:
    assert _worker is not None
    return method(_worker, task)
