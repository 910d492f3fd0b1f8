"""A store in memory that enforces versions everywhere and fails by plan.

What no emulator does, such as a write that takes effect and then fails, or half of a batch, it does at the calls that
a test names. It belongs to one process.
"""

import contextlib
import dataclasses
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from exporter.errors import ConflictError, StoreError
from exporter.publish.manifest import decode_pending
from exporter.publish.store import ABSENT, Entry, Stored, check_path, nothing

T = TypeVar("T")
Operation = Literal["get", "replace", "write", "delete", "list"]
Kind = Literal["before", "after", "lost", "partial", "delay"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one call.

    Args:
        operation: of which method.
        call: which call of it, from 0.
        kind: `before`, `after`: fails without or with its effect; `lost`: as a store that cannot tell its own write
            after a lost reply, a `replace` takes effect and then reports a conflict; `partial`: half of a batch takes
            effect, then it fails; `delay`: goes well, but late.
        seconds: of a delay.
    """

    operation: Operation
    call: int
    kind: Kind
    seconds: float = 0.05


@dataclass
class MemoryStore:
    """A store in memory.

    Args:
        faults: the plan.
        grace: as of every store.
        watch: called after each effect with its operation and path, such as a reader who looks at every moment.
    """

    faults: Iterable[Fault] = ()
    grace: int = 0
    watch: Callable[[str, str], None] | None = None
    name: str = "memory"
    objects: dict[str, Stored] = field(default_factory=dict)
    effects: list[tuple[str, str]] = field(default_factory=list)
    """Operation and path of everything that changed an object, in order."""
    gets: list[str] = field(default_factory=list)
    """The paths that were read, in order."""

    def __post_init__(self) -> None:
        self._plan = {(fault.operation, fault.call): fault for fault in self.faults}
        self._calls: Counter[str] = Counter()
        self._versions = itertools.count(1)
        self._lock = threading.RLock()

    def check_writable(self, size: int = 0) -> None:
        """Anything can be written."""

    def get(self, path: str) -> Stored | None:
        check_path(path)
        self.gets.append(path)
        self._fail(self._begin("get"))
        return self.objects.get(path)

    def replace(self, path: str, data: bytes, version: str) -> str:
        check_path(path)
        fault = self._begin("replace")
        with self._lock:
            if self._version(path) != version:
                raise ConflictError(f"{self.name}: {path} is not at version {version or 'absent'}")
            made = self._set("replace", path, data)
        if fault and fault.kind == "lost":
            raise ConflictError(f"{self.name}: {path} was changed (by this very call)")
        self._fail(fault)
        return made

    def write(
        self, documents: Iterable[tuple[str, bytes]], check: Callable[[], None] = nothing, anew: Container[str] = ()
    ) -> int:
        fault = self._begin("write")
        written = 0
        batch = dict(_portion(list(documents), fault))
        there = self._look(batch, check)
        for path, data in batch.items():
            if (seen := there[path]) and seen.data == data and path not in anew:
                continue
            with self._lock:
                if self.objects.get(path) == seen:
                    self._set("write", path, data)
                    written += 1
                elif (found := self.objects.get(path)) is None or found.data != data:
                    raise ConflictError(f"{self.name}: {path} was changed after the look")
        self._fail(fault)
        return written

    def delete(self, paths: Iterable[str], check: Callable[[], None] = nothing) -> int:
        fault = self._begin("delete")
        deleted = 0
        for path, seen in self._look(_portion(list(paths), fault), check).items():
            with self._lock:
                if seen and self.objects.get(path) == seen:
                    del self.objects[path]
                    self._effect("delete", path)
                    deleted += 1
        self._fail(fault)
        return deleted

    def delete_at(self, path: str, version: str) -> None:
        check_path(path)
        fault = self._begin("delete")
        with self._lock:
            if self._version(path) == version and self.objects.pop(path, None):
                self._effect("delete", path)
        self._fail(fault)

    def list(self, prefix: str) -> Iterator[Entry]:
        self._fail(self._begin("list"))
        found = {path: stored for path, stored in self.objects.items() if path.startswith(prefix)}
        yield from (Entry(path, len(stored.data)) for path, stored in found.items())

    def sweep(self) -> None:
        """Do nothing: nothing is ever half-written."""

    def limit(self, share: float) -> None:
        """Do nothing: there is no such bound."""

    def fence(self) -> None:
        """Do nothing: each write and deletion is conditional on what was seen before its check."""

    def _look(self, paths: Iterable[str], check: Callable[[], None]) -> dict[str, Stored | None]:
        """What is at these paths; then check."""
        found = dict[str, Stored | None]()
        for path in paths:
            check_path(path)
            found[path] = self.objects.get(path)
        check()
        return found

    def _begin(self, operation: Operation) -> Fault | None:
        """Count a call; give the fault that is still to come after its effect."""
        with self._lock:
            fault = self._plan.get((operation, self._calls[operation]))
            self._calls[operation] += 1
        if fault and fault.kind == "before":
            raise StoreError(f"{self.name}: {operation} failed as planned")
        if fault and fault.kind == "delay":
            time.sleep(fault.seconds)
            return None
        return fault

    def _fail(self, fault: Fault | None) -> None:
        if fault:
            raise StoreError(f"{self.name}: {fault.operation} failed as planned, {fault.kind} its effect")

    def _version(self, path: str) -> str:
        return self.objects[path].version if path in self.objects else ABSENT

    def _set(self, operation: str, path: str, data: bytes) -> str:
        version = str(next(self._versions))
        self.objects[path] = Stored(data, version)
        self._effect(operation, path)
        return version

    def _effect(self, operation: str, path: str) -> None:
        self.effects.append((operation, path))
        if self.watch:
            self.watch(operation, path)


class DistantMemoryStore(MemoryStore):
    """A store in memory that is asked as one behind a network is: calls that need not wait for each other overlap."""

    def expect(self, paths: Iterable[str]) -> None:
        """Do nothing: every answer is there at once."""

    def looked(self, *groups: Iterable[str], absent: Iterable[str] = ()) -> AbstractContextManager[None]:
        """Do nothing: each write looks for itself."""
        return contextlib.nullcontext()


def _portion(batch: Sequence[T], fault: Fault | None) -> Sequence[T]:
    return batch[: len(batch) // 2] if fault and fault.kind == "partial" else batch


def published(store: MemoryStore) -> dict[str, bytes]:
    """All that readers can know, but for the time in the manifest."""
    return {
        path: b"" if path == "v1/manifest.json" else stored.data
        for path, stored in store.objects.items()
        if not path.startswith("_state/")
    }


def expire(store: MemoryStore) -> None:
    """Let the lease of a dead export end: in a test it is of this very process, which lives."""
    if stored := store.objects.get("v1/pending.json"):
        pending = dataclasses.replace(decode_pending(stored.data), expires_at="2000-01-01T00:00:00Z")
        store.objects["v1/pending.json"] = Stored(pending.encode(), stored.version)
