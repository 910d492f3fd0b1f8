"""Shares of what a store may take: several workers write at the same time, together never more than it allows."""

import contextlib
import threading
from collections.abc import Iterator


class WriteShares:
    """Who writes now, and with which share of the whole.

    A share is given for one task. So the shares follow as workers come and go: what one gives back, the next ones
    divide, and the sum is at most 1 at every moment.
    """

    def __init__(self) -> None:
        self._shares: dict[str, float] = {}
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def of(self, worker: str, workers: int) -> Iterator[float]:
        """The share of a worker, above 0 and up to 1, as soon as it does not write any more and something is free.

        At most `workers` write at the same time.
        """
        with self._changed:
            self._changed.wait_for(lambda: worker not in self._shares and self._free(workers) > 0)
            share = self._shares[worker] = self._free(workers)
        try:
            yield share
        finally:
            with self._changed:
                del self._shares[worker]
                self._changed.notify_all()

    def _free(self, workers: int) -> float:
        """What the next one of so many writers may take; 0 while others have all of it."""
        others = workers - len(self._shares)
        left = 1.0 - sum(self._shares.values())
        return left / others if others > 0 and left > 1e-6 else 0.0
