"""Processes for tasks: slow to begin, and no trouble to whoever presses Ctrl-C.

Apart from `executor` because an export of one new run begins none, and multiprocessing takes its time to load.
"""

import contextlib
import gc
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any

from exporter import logs


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


def _begin_process(setup: logs.Setup | None, begin: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    """Leave Ctrl-C to the parent, which ends its workers; and don't outlive it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    logs.repeat(setup)
    gc.disable()  # rows and documents hold no cycles, and looking for some takes a tenth of the time
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if begin is not None:
        begin(*arguments)


def _die_with_parent() -> None:
    """A worker that went on would write documents that the next export does not expect."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
