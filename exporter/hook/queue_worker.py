"""The hook's worker: the one process of a spool that carries out its requests, in as few exports as possible.

The kernel releases the lock of a worker that died, and its requests stay on disk: the next hook starts another worker,
which does them too (`queue.py`).
"""

import itertools
import logging
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from exporter.errors import ExporterError
from exporter.hook.queue import Lock, Requests
from exporter.hook.spool import Spool

log = logging.getLogger(__name__)

COMMAND = "hook-worker"
"""The command of the program that `start_worker` runs, with the lock's descriptor as its argument."""

POLL = 0.1
"""Seconds between two attempts to take a lock that another process holds."""

Attempt = Callable[[tuple[int, ...] | None], int]
"""Exports what changed around these runs, or everything for None; logs a failure and returns the exit code."""


def start_worker(spool: pathlib.Path, environment: Mapping[str, str]) -> None:
    """Start a worker that outlives this process, unless one is running: that one will see the request.

    Args:
        spool: where its requests are.
        environment: its settings. Every user of the machine can read a command line, so they do not stand there.

    Raises:
        ExporterError: no worker can be started; requests stay for the next.
        OSError: the spool cannot be used.
    """
    lock = Lock.of(spool)
    try:
        if not lock.take():
            return
        # -P: no module is imported from the working directory, where anybody may have put one.
        command = [sys.executable, "-P", "-m", "exporter", COMMAND, str(lock.descriptor)]
        with Spool(spool).log.open("ab") as output:
            try:
                worker = subprocess.Popen(  # noqa: S603 - no part of it comes from outside
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={**os.environ, **environment},
                    pass_fds=[lock.descriptor],
                    start_new_session=True,
                )
            except OSError as error:
                raise ExporterError(
                    f"no worker can be started ({error.strerror}); the request is kept for the next hook"
                ) from None
        worker.returncode = 0  # no process waits for it, so Python need not complain
    finally:
        lock.close()


def work(requests: Requests, lock: Lock, attempt: Attempt, *, held: bool = False) -> int:
    """Carry out requests, in as few exports as possible, until none is left; returns the last export's exit code.

    After a failure another export begins only if a request has been recorded meanwhile. Returns 0 at once if another
    process holds the lock: that process carries out the requests.

    Raises:
        OSError: the spool cannot be used.
        KeyboardInterrupt: requests stay for the next.
    """
    code = 0
    tried: frozenset[str] = frozenset()
    while held or (requests.names() - tried and lock.take()):
        held = False
        requests.sweep()
        while requests.names() - tried:
            requests.settle()
            names = requests.names()
            runs = requests.runs(names)
            what = "everything" if runs is None else f"runs {', '.join(map(str, runs))}"
            log.info("exporting %s (requests: %d)", what, len(names))
            code = attempt(runs)
            if code == 0:
                requests.done(names)
            tried = names
        lock.release()  # from here on a hook starts a worker; this loop sees a request that came just before
    return code


def wait(requests: Requests, mine: frozenset[str], attempt: Attempt, timeout: float) -> int:
    """Have requests carried out, by this process or by the worker that is running; returns the export's exit code.

    Args:
        requests: all there are.
        mine: those to wait for.
        attempt: exports.
        timeout: seconds to wait for another process; not a limit to an export of our own.

    Raises:
        ExporterError: another process still holds the lock after that time; requests stay for the next.
        OSError: the spool cannot be used.
        KeyboardInterrupt: requests stay for the next.
    """
    requests.spool.mkdir(parents=True, exist_ok=True)
    lock = Lock.of(requests.spool)
    try:
        deadline = time.monotonic() + timeout
        for looks in itertools.count():
            if not mine & requests.names():
                return 0
            if lock.take():
                code = work(requests, lock, attempt, held=True)
                return code if mine & requests.names() else 0
            if looks == 0:
                log.info("another export of the hook is running; waiting for it")
            if time.monotonic() >= deadline:
                raise ExporterError(
                    f"another export of the hook is still running after {timeout:g} s; "
                    "the request is kept for the next: raise --timeout to wait longer"
                )
            time.sleep(POLL)
        raise AssertionError("unreachable")
    finally:
        lock.close()
