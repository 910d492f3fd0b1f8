"""The hook's queue: requests in the spool, and the lock of the one worker that carries them out.

The order of steps is why no request is lost. A hook records its request first and then tries to take the lock. With
the lock it starts a worker, which inherits it, so that one of the two always holds it. Without it, another process
holds the lock, and looks at the requests once more *after* releasing it. A request is deleted only when an export
that began after its recording has succeeded; so the next worker carries out the requests of one that was killed, or
whose export failed.
"""

import fcntl
import logging
import os
import pathlib
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from exporter.hook.spool import Spool, write_durably

log = logging.getLogger(__name__)

SETTLE = 0.5
"""Seconds without a request after which a burst of requests is over, such as those of several jobs of one run."""

_BURST = 5
"""How many times SETTLE a burst may last before the worker exports the requests that there are."""

_STRAY = 3600.0
"""Age in seconds from which a half-written request is one of a hook that died."""


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests in a spool, by file name. All methods raise `OSError` if the folder cannot be used."""

    spool: pathlib.Path

    @property
    def _folder(self) -> pathlib.Path:
        return Spool(self.spool).requests

    def record(self, runs: Sequence[int]) -> str:
        """Record a request durably; returns its name."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns()}-{secrets.token_hex(4)}.json"
        write_durably(self._folder / name, orjson.dumps({"runs": list(runs)}))
        return name

    def names(self) -> frozenset[str]:
        """The names of all requests."""
        try:
            return frozenset(name for name in os.listdir(self._folder) if not name.startswith("."))  # noqa: PTH208
        except FileNotFoundError:
            return frozenset()

    def runs(self, names: Iterable[str]) -> tuple[int, ...] | None:
        """The runs that these requests name, ascending; None, that is everything, if a request is damaged."""
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
        """Remove the half-written requests of hooks that died."""
        for file in self._folder.glob(".*"):
            if time.time() - file.stat().st_mtime >= _STRAY:
                file.unlink(missing_ok=True)

    def settle(self) -> None:
        """Wait until a burst is over, so that it is one export; return after some SETTLEs in any case."""
        for _ in range(_BURST):
            age = time.time() - max(self._recorded(), default=0)
            if not 0 <= age < SETTLE:
                break
            time.sleep(SETTLE - age)

    def oldest(self) -> float | None:
        """When the oldest request was recorded, in seconds since 1970; None if there is none."""
        return min(self._recorded(), default=None)

    def _recorded(self) -> list[float]:
        """When each request was recorded."""
        return [int(name.partition("-")[0]) / 1e9 for name in self.names() if name.partition("-")[0].isdecimal()]


class Lock:
    """The lock of a spool, held by the worker or by the hook that is about to start one.

    The kernel releases the lock when the last process that holds its descriptor exits.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        os.set_inheritable(descriptor, False)  # the export's processes, which outlive a killed worker by a moment

    @classmethod
    def of(cls, spool: pathlib.Path) -> "Lock":
        """The lock of a spool, not yet taken.

        Raises:
            OSError: the file cannot be opened.
        """
        return cls(os.open(Spool(spool).lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))

    def take(self) -> bool:
        """Take the lock unless another process holds it; returns whether we hold it."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Release the lock."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close our descriptor; a process that has inherited the lock keeps it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
