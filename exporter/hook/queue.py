"""What the platform's CI calls when a run ends: requests on disk, and one worker that carries them out.

    SPOOL/requests/*.json   what was asked for and is not yet published: NANOSECONDS-RANDOM.json, {"runs": [ID, …]}
    SPOOL/lock              held by the worker
    SPOOL/hook.log          what workers log
    SPOOL/last.json         how the last export ended (`last_export.py`)

No request is lost, because of the order of things. A hook records its request first and then tries for the lock. If
it gets it, it starts a worker, which inherits the lock: there is no moment at which nobody has it. If it does not,
whoever holds the lock looks at the requests once more *after* letting go of it, and takes it again if there is one. A
request ends only when an export that began after it was recorded has ended well; so what a worker leaves that was
killed, or whose export failed, is done by the next.
"""

import fcntl
import itertools
import logging
import os
import pathlib
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from exporter.errors import ExporterError
from exporter.hook import last_export

log = logging.getLogger(__name__)

POLL = 0.1
"""Seconds between two looks at a lock that another process holds."""

SETTLE = 0.5
"""Seconds without a request after which a burst of them is over: several jobs of a run's end, say."""

_BURST = 5
"""How many times that a burst may last before what there is of it is exported."""

_INHERITED = "EXPORTER_HOOK_LOCK"
"""The environment variable that tells a worker the descriptor of the lock that it has."""

_STRAY = 3600.0
"""Age in seconds from which a half-written request is one of a hook that died."""

Perform = Callable[[tuple[int, ...] | None], object]
"""Exports around these runs, or everything for None; raises what went wrong."""


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests in a spool, by file name. All methods raise `OSError` if the folder cannot be used."""

    spool: pathlib.Path

    @property
    def _folder(self) -> pathlib.Path:
        return self.spool / "requests"

    def record(self, runs: Sequence[int]) -> str:
        """Record a request durably; give its name."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns()}-{secrets.token_hex(4)}.json"
        last_export.write_durably(self._folder / name, orjson.dumps({"runs": list(runs)}))
        return name

    def names(self) -> frozenset[str]:
        """The names of all requests."""
        try:
            return frozenset(name for name in os.listdir(self._folder) if not name.startswith("."))  # noqa: PTH208
        except FileNotFoundError:
            return frozenset()

    def runs(self, names: Iterable[str]) -> tuple[int, ...] | None:
        """The runs that these requests name, ascending; None, that is everything, if one of them is damaged."""
        runs: set[int] = set()
        for name in names:
            try:
                runs.update(map(int, orjson.loads((self._folder / name).read_bytes())["runs"]))
            except (ValueError, KeyError, TypeError):
                log.warning("%s is damaged; exporting everything, to be safe", self._folder / name)
                return None
        return tuple(sorted(runs))

    def done(self, names: Iterable[str]) -> None:
        """Delete requests."""
        for name in names:
            (self._folder / name).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what hooks that died left half-written."""
        for file in self._folder.glob(".*"):
            if time.time() - file.stat().st_mtime >= _STRAY:
                file.unlink(missing_ok=True)

    def settle(self) -> None:
        """Wait for the end of a burst, so that it is one export; if it has no end, not long."""
        for _ in range(_BURST):
            age = time.time() - max(self._recorded(), default=0)
            if not 0 <= age < SETTLE:
                break
            time.sleep(SETTLE - age)

    def oldest(self) -> float | None:
        """When the oldest one was recorded, in seconds since 1970; None if there is none."""
        return min(self._recorded(), default=None)

    def _recorded(self) -> list[float]:
        """When each was recorded."""
        return [int(name.partition("-")[0]) / 1e9 for name in self.names() if name.partition("-")[0].isdecimal()]


class Lock:
    """The lock of a spool: only the worker has it, or who is about to start one. It ends with its holder."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        os.set_inheritable(descriptor, False)  # the export's processes, which outlive a killed worker by a moment

    @classmethod
    def of(cls, spool: pathlib.Path) -> "Lock":
        """The lock of a spool, not yet taken.

        Raises:
            OSError: it cannot be opened.
        """
        return cls(os.open(spool / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))

    @classmethod
    def inherited(cls) -> "Lock | None":
        """The lock that a worker was started with; None if this process is no worker."""
        descriptor = os.environ.pop(_INHERITED, None)
        return None if descriptor is None else cls(int(descriptor))

    def take(self) -> bool:
        """Take it unless another process holds it; whether we have it."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let go of it."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of it, unless a process that has inherited it holds it on."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def start_worker(spool: pathlib.Path, environment: Mapping[str, str]) -> None:
    """Start a worker that outlives this process, unless one is at work: that one will see the request.

    Args:
        spool: where its requests are.
        environment: its settings. They are not for its command line, which everybody on the machine can read.

    Raises:
        ExporterError: none can be started; requests stay for the next.
        OSError: the spool cannot be used.
    """
    lock = Lock.of(spool)
    try:
        if not lock.take():
            return
        # -P: the working directory may be anybody's, so no module is taken from there.
        command = [sys.executable, "-P", "-m", "exporter", "hook"]
        with (spool / "hook.log").open("ab") as output:
            try:
                worker = subprocess.Popen(  # noqa: S603 - nothing in it comes from outside
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={**os.environ, **environment, _INHERITED: str(lock.descriptor)},
                    pass_fds=[lock.descriptor],
                    start_new_session=True,
                )
            except OSError as error:
                raise ExporterError(
                    f"no worker can be started ({error.strerror}); what was asked for is kept for the next"
                ) from None
        worker.returncode = 0  # nobody waits for it: Python need not complain
    finally:
        lock.close()


def work(requests: Requests, lock: Lock, perform: Perform, *, held: bool = False) -> int:
    """Carry out requests, as few exports as can be, until none is left; give the last export's exit code.

    After a failure it goes on only if something has been asked for meanwhile. Returns 0 at once if another process
    holds the lock, which then does the work.

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
            code = _attempt(requests, names, perform)
            if code == 0:
                requests.done(names)
            tried = names
        lock.release()  # from here on a hook starts a worker of its own; who came just before is met by the loop
    return code


def _attempt(requests: Requests, names: frozenset[str], perform: Perform) -> int:
    runs = requests.runs(names)
    what = "everything" if runs is None else f"runs {', '.join(map(str, runs))}"
    log.info("exporting %s (requests: %d)", what, len(names))
    try:
        with last_export.noted(requests.spool, runs):
            perform(runs)
    except Exception as error:
        return last_export.tell(error)
    return 0


def wait(requests: Requests, mine: frozenset[str], perform: Perform, timeout: float) -> int:
    """Have requests carried out, by this process or by the worker that is at it; give the export's exit code.

    Args:
        requests: all there are.
        mine: those to wait for.
        perform: what to do.
        timeout: seconds to wait for another process; not a limit to an export of our own.

    Raises:
        ExporterError: another process has been at it for longer than that; requests stay for the next.
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
                code = work(requests, lock, perform, held=True)
                return code if mine & requests.names() else 0
            if looks == 0:
                log.info("another export of the hook is at work; waiting for it")
            if time.monotonic() >= deadline:
                raise ExporterError(
                    f"another export of the hook is still at work after {timeout:g} s; "
                    "what was asked for is kept for the next"
                )
            time.sleep(POLL)
        raise AssertionError("unreachable")
    finally:
        lock.close()
