"""Slots of a cluster's workers: which worker a task goes to, and when, so that none has many and none is idle."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

_EACH = 2
"""Tasks that a worker has at once: one that it does, and one for when it has done it."""
_LOOK = 1.0
"""Seconds between two looks at which workers there are."""


class WorkerSlots:
    """The tasks that each worker has.

    Args:
        workers: returns the names of all workers, of which there is at least one.
        avoided_for: seconds for which a worker that did not answer in time gets no task, while there are others.
    """

    def __init__(self, workers: Callable[[], frozenset[str]], avoided_for: float) -> None:
        self._workers, self._avoided_for = workers, avoided_for
        self._tasks: Counter[str] = Counter()
        self._avoided: dict[str, float] = {}
        self._changed = threading.Condition()

    def usable(self) -> frozenset[str]:
        """The workers that get tasks: those that are not avoided, or all if all are."""
        known, now = self._workers(), time.monotonic()
        return frozenset(one for one in known if self._avoided.get(one, 0.0) <= now) or known

    def avoid(self, worker: str) -> None:
        """Give no task to a worker for some time."""
        self._avoided[worker] = time.monotonic() + self._avoided_for

    @contextlib.contextmanager
    def slot(self, home: str | None) -> Iterator[str]:
        """A worker that has a slot free: this one as long as it is usable, else the one with the fewest tasks."""
        with self._changed:
            while (worker := self._free(home)) is None:
                self._changed.wait(_LOOK)
            self._tasks[worker] += 1
        try:
            yield worker
        finally:
            with self._changed:
                self._tasks[worker] -= 1
                self._changed.notify_all()

    def _free(self, home: str | None) -> str | None:
        usable = self.usable()
        worker = home if home in usable else min(sorted(usable), key=self._tasks.__getitem__)
        return worker if self._tasks[worker] < _EACH else None
