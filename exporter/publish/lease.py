"""The lease, `pending.json`: who is writing to a store, until when, and the manifests of what is being written.

It keeps two exports from working for nothing. Safety does not rest on it, nor on clocks: `docs/bucket.md` says on what.
"""

import datetime
import os
import pathlib
import secrets
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from exporter import paths
from exporter.errors import ConflictError
from exporter.publish.manifest import Pending, decode_pending
from exporter.publish.store import Store

LEASE = datetime.timedelta(minutes=10)
"""How long an export may be silent before another takes its place. It renews the lease at a third of that."""

PENDING = paths.API_ROOT + paths.PENDING


def moment(value: datetime.datetime) -> str:
    """A time as documents show it."""
    return f"{value:%Y-%m-%dT%H:%M:%SZ}"


def now() -> datetime.datetime:
    """The present, to the second."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def check_lease(store: Store, owner: str) -> None:
    """See that an export still has the lease. Whoever wakes from a long sleep must not write any more.

    Raises:
        ConflictError: another export has taken it.
    """
    found = store.get(PENDING)
    if found is None or decode_pending(found.data).owner != owner:
        raise ConflictError(f"{store.name}: another export took over, for this one was silent too long")


class _Held(NamedTuple):
    """A lease as it was written: what it names, the version of `pending.json`, its end."""

    manifests: tuple[str, ...]
    version: str
    until: datetime.datetime


@dataclass(slots=True)
class Lease:
    """One export's lease of a store.

    Args:
        store: whose.
        owner: the export's name, as `this_process` makes it.
        clock: tells the time.
    """

    store: Store
    owner: str
    clock: Callable[[], datetime.datetime]
    _held: _Held | None = None

    def alive(self, pending: Pending) -> bool:
        """Whether another's lease binds: not expired, not our own, not of a process of this machine that is dead."""
        if pending.owner == self.owner or pending.expires_at <= moment(self.clock()):
            return False
        machine, _, process = pending.owner.partition(".")
        return machine != self.owner.partition(".")[0] or process == process_name(process.partition(".")[0])

    def take(self, manifests: Iterable[str], version: str) -> None:
        """Write the lease, naming these manifests, if `pending.json` is still at a version.

        Raises:
            ConflictError: another export was first.
        """
        until = self.clock() + LEASE
        pending = Pending(self.owner, moment(until), tuple(manifests))
        self._held = _Held(pending.manifests, self.store.replace(PENDING, pending.encode(), version), until)

    def keep(self) -> None:
        """Renew the lease when a third of it has passed.

        Raises:
            ConflictError: another export has taken it.
        """
        assert self._held is not None
        if self._held.until - self.clock() < LEASE * 2 / 3:
            self.name(self._held.manifests)

    def name(self, manifests: Iterable[str]) -> None:
        """Renew the lease, naming these manifests from now on.

        Raises:
            ConflictError: another export has taken it.
        """
        assert self._held is not None
        self.take(manifests, self._held.version)

    def end(self) -> None:
        """Remove `pending.json`, unless another export has taken it meanwhile."""
        assert self._held is not None
        self.store.delete_at(PENDING, self._held.version)
        self._held = None

    def abandon(self) -> None:
        """Let the lease expire at once: what it names stays pending.

        Raises:
            ConflictError: another export has taken it.
        """
        assert self._held is not None
        expired = Pending(self.owner, moment(self.clock()), self._held.manifests)
        self.store.replace(PENDING, expired.encode(), self._held.version)
        self._held = None


def this_process() -> str:
    """MACHINE.PROCESS.STARTED; the machine's name is not given away, only whether two are the same."""
    try:
        # What makes process numbers comparable: the same boot of the same machine, the same container.
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text()
        place = f"{boot}/{pathlib.Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        place = secrets.token_hex()
    machine = uuid.uuid5(uuid.NAMESPACE_DNS, f"{os.uname().nodename}/{place}").hex[:12]
    return f"{machine}.{process_name(str(os.getpid()))}"


def process_name(process: str) -> str:
    """PROCESS.STARTED of a process of this machine: a number that is used again has started at another tick."""
    try:
        # The second field, a program's name in parentheses, may hold anything; the 22nd is when it started.
        fields = pathlib.Path(f"/proc/{int(process)}/stat").read_text().rpartition(")")[2].split()
        return f"{process}.{fields[19]}"
    except (OSError, ValueError):
        return f"{process}."
