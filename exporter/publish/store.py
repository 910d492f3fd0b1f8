"""The interface of every store.

A store maps paths to bytes. A path is relative to the store's root, has `/` between its segments and no empty,
`.` or `..` segment; it is the one `paths.py` makes, never a value from a row. A store needs few
operations, so that a folder, a bucket and a store in memory can all have them and pass one test suite:

- read one object, with a version that names exactly these bytes;
- replace one object on condition that it is still at a version (control objects: manifest, lease, state);
- write many objects without condition, writing none whose bytes are there already (documents);
- delete many, list many.
"""

import contextlib
import re
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from exporter.errors import StoreError

ABSENT = ""
"""The version of an object that does not exist."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as read: its bytes and the version to name in a conditional replacement."""

    data: bytes
    version: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as listed.

    Args:
        size: in bytes before any compression; -1 where the store can't tell.
        digest: SHA-256 in hex of its bytes before any compression; empty where the store would have to read them.
    """

    path: str
    size: int
    digest: str = ""


def nothing() -> None:
    """Check nothing."""


class Store(Protocol):
    """Where an export is published. Instances are picklable: each worker process opens its own connections.

    Every method raises `StoreError` for what an operator can correct (permissions, a full disk, no such bucket) and
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

    def check_writable(self, size: int = 0) -> None:
        """Check that documents, of about `size` bytes together, can be written here; leave nothing behind.

        Raises:
            StoreError: they can't, or there is no room for them.
        """
        ...

    def get(self, path: str) -> Stored | None:
        """Read one object; None where there is none."""
        ...

    def replace(self, path: str, data: bytes, version: str) -> str:
        """Write one object if it is still at `version` (`ABSENT`: if it does not exist); return its new version.

        Raises:
            ConflictError: it is at another version; nothing was written.
        """
        ...

    def write(
        self, documents: Iterable[tuple[str, bytes]], check: Callable[[], None] = nothing, anew: Container[str] = ()
    ) -> int:
        """Write each (path, bytes) whose bytes are not already there, or whose path is in `anew`; return the number.

        `check` raises what is to stop the writing. It is called now and then: in a bucket each time between looking at
        what is there and writing, on condition that it has not changed, over it. So if nobody else wrote before the
        call, nothing of anybody else's is overwritten after it, however long this process sleeps in between.

        At paths in `anew` another export may still write or delete on condition of what it saw before it fell asleep.
        Where writes have conditions, the object there is written even if it has these bytes: then that condition fails.

        Returns only when all are durable against the death of this process; raises on the first that fails for
        good, having written any subset of the others.
        """
        ...

    def delete(self, paths: Iterable[str], check: Callable[[], None] = nothing) -> int:
        """Delete what exists of these; return the number deleted.

        `check` raises what is to stop it. It is called before the first deletion and before the next after a `fence`;
        in a bucket between looking at what is there and deleting it, on condition that it has not changed. So what
        others make anew after the check stays. The bucket deletes files of `_state/`, which can be made again, without
        a look.
        """
        ...

    def delete_at(self, path: str, version: str) -> None:
        """Delete one object if it is still at `version`; do nothing if it is not, or is gone."""
        ...

    def list(self, prefix: str) -> Iterator[Entry]:
        """Every object whose path starts with `prefix`, in no promised order."""
        ...

    def sweep(self) -> None:
        """Remove what a writer that died left half-written, outside every path a reader can know."""
        ...

    def fence(self) -> None:
        """Make every `write` or `delete` that is under way call its check before it changes anything more."""
        ...

    def limit(self, share: float) -> None:
        """Take this share of what all writers together may write a second, above 0 and up to 1, from now on."""
        ...


@runtime_checkable
class Distant(Store, Protocol):
    """A store that is asked over a network: what need not wait for another answer is asked for ahead of its use."""

    def expect(self, paths: Iterable[str]) -> None:
        """Begin to read these objects; the next `get` of each returns what is read now, or raises its error.

        Only for objects that are named by their content, or that are replaced on condition of the version read.
        """
        ...

    def looked(self, *groups: Iterable[str], absent: Iterable[str] = ()) -> AbstractContextManager[None]:
        """Look at what is there at these paths now, together, in groups of paths that lie close to each other.

        While the block lasts, `write` goes by what is seen, and calls its check once, when all looks are over. At
        `absent` paths nothing was there when the caller listed them; if something is now, `write` compares it.
        """
        ...


def expect(store: Store | None, paths: Iterable[str]) -> None:
    """Begin to read objects of a store that is distant, as `Distant.expect`."""
    if isinstance(store, Distant):
        store.expect(paths)


def looked(store: Store | None, *groups: Iterable[str], absent: Iterable[str] = ()) -> AbstractContextManager[None]:
    """Look at what is there in a store that is distant, as `Distant.looked`."""
    return store.looked(*groups, absent=absent) if isinstance(store, Distant) else contextlib.nullcontext()


_SEGMENT = r"(?!\.\.?(?:/|\Z))[^/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]+"
_PATH = re.compile(rf"(?!\.){_SEGMENT}(?:/{_SEGMENT})*")
"""A dot at the very beginning is kept for the store's own files."""


def is_path(path: str) -> bool:
    """Whether a path can be an object's in any store."""
    encoded = path.encode("utf-8", "replace")
    return (
        _PATH.fullmatch(path) is not None
        and len(encoded) <= 1024
        and (len(encoded) <= 255 or all(len(part) <= 255 for part in encoded.split(b"/")))
    )


def check_path(path: str) -> None:
    """See that a path can be an object's in any store.

    Raises:
        StoreError: it could leave the root, is longer than 1,024 bytes or has a segment longer than 255, or holds
            what not every store can.
    """
    if not is_path(path):
        raise StoreError(f"{path[:100]!r} cannot be the path of an object")
