"""The narrow interface behind which every store stands.

A store maps paths to bytes. A path is relative to the store's root, has `/` between its segments and no empty,
`.` or `..` segment; it is the one `layout.py` made, never a value from a row. What a store must be able to do is
little, so that a folder, a bucket and a test's fake can all do it and one test-suite holds for all of them:

- read one object, with a version that names exactly these bytes;
- replace one object on condition that it is still at a version (control objects: manifest, lease, state);
- write many objects without condition, writing none whose bytes are there already (documents);
- delete many, list many.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

ABSENT = ""
"""The version of an object that does not exist."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as read: its bytes and the version to name in a conditional replacement."""

    data: bytes
    version: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as listed: its path and its size in bytes before any compression, -1 where the store can't tell."""

    path: str
    size: int


class Store(Protocol):
    """Where an export is published. Instances are picklable: each worker process opens its own connections.

    Every method raises `StoreError` for what an operator can mend (permissions, a full disk, no such bucket) and
    for a path that could leave the root.
    """

    @property
    def name(self) -> str:
        """What messages call it: the folder's path or the bucket's URL, never a credential."""
        ...

    @property
    def grace(self) -> int:
        """Seconds for which readers may still hold links to what is no longer published."""
        ...

    def get(self, path: str) -> Stored | None:
        """Read one object; None where there is none."""
        ...

    def replace(self, path: str, data: bytes, version: str) -> str:
        """Write one object if it is still at `version` (`ABSENT`: if it does not exist); give its new version.

        Raises:
            ConflictError: it is at another version; nothing was written.
        """
        ...

    def write(self, documents: Iterable[tuple[str, bytes]]) -> int:
        """Write each (path, bytes) whose bytes are not already there; give the number written.

        Returns only when all are durable against the death of this process; raises on the first that fails for
        good, having written any subset of the others.
        """
        ...

    def delete(self, paths: Iterable[str]) -> int:
        """Delete what exists of these; give the number deleted."""
        ...

    def list(self, prefix: str) -> Iterator[Entry]:
        """Every object whose path starts with `prefix`, in no promised order."""
        ...

    def sweep(self) -> None:
        """Remove what a writer that died left half-written, outside every path a reader can know."""
        ...
