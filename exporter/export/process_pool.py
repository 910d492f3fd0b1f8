"""A pool of worker processes that ends at once on Ctrl-C, and with its parent.

A module apart from `executor` because an export of one new run starts no process, and multiprocessing is slow to load.
"""

import contextlib
import gc
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any

from exporter import logs
from exporter.errors import ExporterError

_QUIET = "ignore:resource_tracker:UserWarning"
"""For the process that removes the semaphores of one that was killed: else it warns that these were leaked."""

if _QUIET not in sys.warnoptions:
    sys.warnoptions.append(_QUIET)  # handed on to the processes that multiprocessing starts


def can_start_processes() -> bool:
    """Whether processes can share a semaphore, as pools of processes do; in some containers they can't."""
    try:
        multiprocessing.get_context("spawn").Lock()
    except (OSError, ImportError):
        return False
    return True


@contextlib.contextmanager
def processes(number: int, initialize: Callable[..., None] | None = None, *arguments: Any) -> Iterator[Executor]:
    """A pool of `number` processes, each of which first calls `initialize(*arguments)`, if given.

    On an error the processes are killed. A process has one such block at a time.

    Raises:
        ExporterError: the working directory, in which processes start, cannot be entered, or is gone.
    """
    try:
        # By its name, as each process does: `sudo -u` and `runuser` leave one where that may fail.
        os.chdir(pathlib.Path.cwd())
    except OSError:
        raise ExporterError(
            "worker processes cannot start in the working directory, because this user may not enter it or it is gone: "
            "change to another one, such as by `cd /`"
        ) from None
    pool = _Processes(
        number,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(logs.setup(), initialize, arguments),
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
    """Starts its processes with SIGINT and SIGTERM blocked, because a process that starts cannot ignore them yet.

    In the parent both signals wait until the process has started: the parent could not kill one that it does not know.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(setup: logs.Setup | None, initialize: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    """Leave Ctrl-C to the parent, which kills its workers, and exit when the parent exits, however it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    logs.repeat(setup)
    gc.disable()  # rows and documents hold no reference cycles, and the search for them takes a tenth of the time
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if initialize is not None:
        initialize(*arguments)


def _die_with_parent() -> None:
    """Exit with the parent: a worker that went on would write documents that the next export does not expect."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
