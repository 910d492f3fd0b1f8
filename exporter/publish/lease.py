"""The lease, `pending.json`: which export is writing to a store, until when, and the manifests that it is writing.

The lease spares two exports from working at the same time, of which one would work in vain. Safety rests neither on it
nor on clocks: an export writes the manifest anew before it takes the place of another (`Publisher.publish`), so that
the other one can no longer replace it.

Clocks differ. A lease is valid until it expires by this machine's clock, but at most for a lease's length after it
was first seen unchanged: one from a clock that is years ahead blocks nobody for longer. An export whose clock is behind
by more than a lease's length looks dead to others, and is fenced off as a dead one is.
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
"""How long an export may be silent before another takes its place. It renews the lease when a third has passed."""

PENDING = paths.API_ROOT + paths.PENDING


def moment(value: datetime.datetime) -> str:
    """A time as documents show it."""
    return f"{value:%Y-%m-%dT%H:%M:%SZ}"


def now() -> datetime.datetime:
    """The present, to the second."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def check_lease(store: Store, owner: str) -> None:
    """Check that an export still has the lease: a process that wakes from a long sleep must not write any more.

    Raises:
        ConflictError: another export has taken it.
    """
    found = store.get(PENDING)
    if found is None or decode_pending(found.data).owner != owner:
        raise ConflictError(f"{store.name}: another export took over because this one was silent too long")


class _Held(NamedTuple):
    """A lease as this export wrote it: the manifests that it names, the version of `pending.json`, when it expires."""

    manifests: tuple[str, ...]
    version: str
    until: datetime.datetime


@dataclass(slots=True)
class Lease:
    """One export's lease of a store; `owner` as `this_process` makes it, `clock` returns the time in UTC."""

    store: Store
    owner: str
    clock: Callable[[], datetime.datetime]
    _held: _Held | None = None
    _seen: tuple[Pending, datetime.datetime] | None = None
    """The lease of another export that was looked at last, and since when it has not changed."""

    def alive(self, pending: Pending) -> bool:
        """Whether another export holds this lease.

        It does not if the lease has expired, was not renewed for a lease's length while this process looked at it, or
        belongs to a dead process of this machine.
        """
        now = self.clock()
        if self._seen is None or self._seen[0] != pending:
            self._seen = pending, now
        if pending.owner == self.owner or pending.expires_at <= moment(now) or now >= self._seen[1] + LEASE:
            return False
        machine, _, process = pending.owner.partition(".")
        return machine != self.owner.partition(".")[0] or process == process_name(process.partition(".")[0])

    def plausible(self, pending: Pending, length: datetime.timedelta = LEASE) -> bool:
        """Whether a lease of this length expires when one written now could, give or take as much for other clocks.

        Another one says nothing to who looks once: its export may have died years ago.
        """
        return pending.expires_at <= moment(self.clock() + 2 * length)

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
    """This process as MACHINE.PROCESS.STARTED, where MACHINE is a digest that does not reveal the name."""
    try:
        # Process numbers are comparable within one boot of one machine and one container.
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text()
        place = f"{boot}/{pathlib.Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        place = secrets.token_hex()
    machine = uuid.uuid5(uuid.NAMESPACE_DNS, f"{os.uname().nodename}/{place}").hex[:12]
    return f"{machine}.{process_name(str(os.getpid()))}"


def process_name(process: str) -> str:
    """PROCESS.STARTED of a process of this machine; one with a reused number has started at another clock tick."""
    try:
        # The second field, a program's name in parentheses, may hold anything; the 22nd is when it started.
        fields = pathlib.Path(f"/proc/{int(process)}/stat").read_text().rpartition(")")[2].split()
        return f"{process}.{fields[19]}"
    except (OSError, ValueError):
        return f"{process}."
