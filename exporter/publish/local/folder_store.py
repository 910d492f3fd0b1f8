"""A folder as a store: each object is a file that appears whole or not at all.

`tree.py` works on the files; this module has the rules of a store, and the advice for each error of the system.
"""

import contextlib
import errno
import hashlib
import math
import pathlib
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass

from exporter import paths
from exporter.errors import ConflictError, StoreError
from exporter.publish.local.tree import SCRATCH, Tree
from exporter.publish.store import ABSENT, Entry, Stored, check_path, is_path, nothing

_CHECK = 1.0
"""Seconds between two checks while documents are written."""

_BATCH, _BATCH_BYTES = 4_000, 4_000_000
"""Documents, and their bytes, that are written and then waited for together."""

_MANIFEST = paths.stored(paths.MANIFEST)

FILE_MODE = 0o644
"""Permissions of published files: a web server of another user must be able to read them."""

_FULL = "disk full or quota used up: free some space (or inodes) and export again"
_FORBIDDEN = "not permitted: give this user access to the folder"
_IN_THE_WAY = "a file stands where a folder is needed, or the reverse: move it away"
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: "the file system is read-only: mount it writable or choose another folder",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ELOOP: "a symbolic link is in the way: remove it",
    errno.EXDEV: "another file system is mounted inside: choose a folder that lies on one",
    errno.EFBIG: "larger than a file may be: raise the limit (ulimit -f)",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n)",
    errno.ENOENT: "its folder cannot be made, or does not stay: choose another, or see that nothing deletes it",
}


@dataclass(frozen=True, slots=True)
class LocalStore:
    """The folder `root` as a store. The first write makes it.

    An object's version is the SHA-256 of its bytes in hex. A symbolic link is no object; one in place of a folder
    is refused. `.tmp` and `.lock` in the root are the store's own.

    Args:
        root: the folder, or a symbolic link to it.
        grace: seconds for which readers may still hold links to what is no longer published.
        file_mode: permissions of new files, whatever the umask; new folders can be searched by whoever may read files.
    """

    root: pathlib.Path
    _: KW_ONLY
    grace: int = 0
    file_mode: int = FILE_MODE

    @property
    def name(self) -> str:
        """The folder's path."""
        return str(self.root)

    def check_writable(self, size: int = 0) -> None:
        """Check that files can be written here, by writing one into the scratch folder, and that `size` bytes fit.

        Raises:
            StoreError: they can't, or there is not enough room.
        """
        with _explaining(self.root, SCRATCH), self._writing() as tree:
            free = tree.try_writing((paths.API_ROOT, paths.STATE_ROOT))
        if free < size:
            raise StoreError(
                f"{self.root}: {free / 1e6:.0f} MB are free, and this export may write {size / 1e6:.0f} MB: "
                "free some space or choose another folder"
            )

    def get(self, path: str) -> Stored | None:
        """Read one object; None where there is none.

        Raises:
            StoreError: the path is none, or cannot be read.
        """
        check_path(path)
        with _explaining(self.root, path), Tree(self.root) as tree:
            data = tree.read(path)
        return None if data is None else Stored(data, _version(data))

    def replace(self, path: str, data: bytes, version: str) -> str:
        """Write one object if it is still at `version` (`ABSENT`: if it does not exist); return its new version.

        It is then durable, also against the death of the machine, and so is all that was written before it.

        Raises:
            ConflictError: it is at another version; nothing was written.
            StoreError: the path is none, or cannot be written.
        """
        check_path(path)
        with _explaining(self.root, path), self._writing() as tree, tree.locked():
            found = self.get(path)
            if (found.version if found else ABSENT) != version:
                raise ConflictError(f"{self.root}: another writer changed {path} at the same time")
            tree.write_durably(path, data)
        return _version(data)

    def write(
        self, documents: Iterable[tuple[str, bytes]], check: Callable[[], None] = nothing, anew: Container[str] = ()
    ) -> int:
        """Write each (path, bytes) whose bytes are not already there; return the number written.

        `anew` is nothing to a folder, which has a `fence`.

        No path ever has unwritten data behind it, even if the machine loses power. The names are on the disk before
        those of the next call's documents are, and before any object that is replaced later. As long as no manifest
        publishes anything, data is not waited for here: the first manifest is not written before it is on the disk.

        `check` is called before the first document becomes visible, and before one that does a second or more after
        the last call: so a process that slept calls it before it goes on.

        Raises:
            StoreError: a path is none, or cannot be written; the documents that are visible are whole.
        """
        written = 0
        last_check = -math.inf

        def check_when_due(vanished: bool) -> None:
            nonlocal last_check
            if vanished or not 0 <= time.time() - last_check < _CHECK:
                check()
                last_check = time.time()

        batch: dict[str, bytes] = {}
        size = 0
        published = False

        def put(batch: Mapping[str, bytes]) -> None:
            nonlocal published
            published = published or self._is_published()
            tree.write(batch, check_when_due, synced=published)

        with _explaining(self.root, SCRATCH), self._writing() as tree:
            for path, data in documents:
                check_path(path)
                if path in batch or not tree.holds(path, data):
                    batch[path] = data
                    size += len(data)
                    written += 1
                if len(batch) >= _BATCH or size >= _BATCH_BYTES:
                    put(batch)
                    batch, size = {}, 0
            if batch:
                put(batch)
        return written

    def delete(self, paths: Iterable[str], check: Callable[[], None] = nothing) -> int:
        """Delete what exists of these, and the folders that are empty then; return the number deleted.

        `check` is called before the first deletion, and before the next after a `fence`.

        Raises:
            StoreError: a path is none, or cannot be deleted.
        """
        deleted = 0
        folders = set()
        with Tree(self.root) as tree, self._writing() as writer:
            for path in paths:
                check_path(path)
                with _explaining(self.root, path):
                    if tree.move_away(path, writer, check):
                        deleted += 1
                        folders.add(path.rpartition("/")[0])
            for folder in sorted(folders, key=len, reverse=True):
                with _explaining(self.root, folder):
                    tree.prune(folder)
        return deleted

    def delete_at(self, path: str, version: str) -> None:
        """Delete one object if it is still at `version`.

        Raises:
            StoreError: the path is none, or cannot be deleted.
        """
        check_path(path)
        with _explaining(self.root, path), self._writing() as tree, tree.locked():
            found = self.get(path)
            if found is not None and found.version == version:
                tree.remove(path)

    def list(self, prefix: str) -> Iterator[Entry]:
        """Every object whose path starts with `prefix`, in no promised order.

        Raises:
            StoreError: no path can start so, or a folder cannot be read.
        """
        check_path(prefix + "x")
        with _explaining(self.root, prefix or "the folder"), Tree(self.root) as tree:
            yield from (entry for entry in tree.walk(prefix) if is_path(entry.path))

    def _is_published(self) -> bool:
        with Tree(self.root) as tree:
            return tree.has(_MANIFEST)

    def _writing(self) -> Tree:
        return Tree(self.root, self.file_mode)

    def sweep(self) -> None:
        """Remove the scratch folders of writers that died.

        Raises:
            StoreError: one cannot be removed.
        """
        with _explaining(self.root, SCRATCH), Tree(self.root) as tree:
            tree.sweep()

    def limit(self, share: float) -> None:
        """Do nothing: a folder has no such bound."""

    def fence(self) -> None:
        """Remove the scratch folders of all writers: one that is asleep cannot rename from there when it wakes.

        Raises:
            StoreError: one cannot be removed.
        """
        with _explaining(self.root, SCRATCH), Tree(self.root) as tree:
            tree.sweep(living=True)


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def _explaining(root: pathlib.Path, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _explained(root, path, error) from error


def _explained(root: pathlib.Path, path: str, error: OSError) -> StoreError:
    if isinstance(error.filename, str) and is_path(error.filename):  # `Tree` names the one of a batch
        path = error.filename
    what = _ADVICE.get(error.errno or 0) or f"{error.strerror or error}: check the disk, and export again"
    return StoreError(f"{root}: {what}" if path == str(root) else f"{root}: {path}: {what}")
