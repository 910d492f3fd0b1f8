"""The folders below a root, opened one below the other, never through a symbolic link, and kept open.

What is done by descriptor cannot leave the root, costs no second look at the way there, and is what `local.py` is made
of. A file appears whole or not at all: it is written below `.tmp/` and renamed to its place.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import pathlib
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from types import TracebackType

from exporter.errors import StoreError
from exporter.publish.store import Entry

SCRATCH = ".tmp"
LOCK = ".lock"
_NEW = "new"
"""The file in a writer's own scratch folder that is just being written."""

_OPEN_FOLDERS = 64
_TRIES = 100
"""How often a folder may be deleted under a writer before it gives up."""

_FILE = os.O_CLOEXEC | os.O_NOFOLLOW
_FOLDER = _FILE | os.O_RDONLY | os.O_DIRECTORY


class Tree:
    """The folders below a root while one method works on them. Without `create` what is absent stays so.

    Methods raise `OSError` as the system does, and `StoreError` where a symbolic link or no folder stands in the way.
    """

    def __init__(self, root: pathlib.Path, *, create: bool = False) -> None:
        self._root, self._create = root, create
        self._open: dict[str, int] = {}
        self._scratch: _Scratch | None = None

    def __enter__(self) -> "Tree":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget()

    def read(self, path: str) -> bytes | None:
        """The bytes of an object; None where there is none."""
        try:
            folder, name = self._place(path)
            return None if _size(folder, name) is None else _read(folder, name)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def try_writing(self, folders: Iterable[str]) -> int:
        """Write a file and remove it; return the number of bytes that are free.

        Args:
            folders: folders that must be writable too, if they exist.
        """
        for folder in folders:
            with contextlib.suppress(FileNotFoundError):
                name = folder.rstrip("/")
                if not os.access(name, os.W_OK | os.X_OK, dir_fd=self._folder(""), effective_ids=True):
                    os.stat(name, dir_fd=self._folder(""))  # absent rather than forbidden?
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        scratch = _Scratch(self._folder(SCRATCH))
        try:
            scratch.write(b"x")
        finally:
            scratch.close()
        room = os.fstatvfs(self._folder(""))
        if room.f_files and not room.f_favail:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return room.f_bavail * room.f_frsize

    def put(self, path: str, data: bytes, *, durable: bool = False) -> bool:
        """Write an object, unless its bytes are there already: whether it was written.

        If `durable`, it then stands against the death of the machine, and it never stands there without all that was
        written before it.
        """
        for _ in range(_TRIES - 1):
            try:
                return self._put(path, data, durable)
            except FileNotFoundError:  # its folder was emptied, and so deleted, just now
                self._forget()
        return self._put(path, data, durable)

    def remove(self, path: str) -> bool:
        """Delete an object: whether it was there."""
        try:
            folder, name = self._place(path)
            os.unlink(name, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return False
        return True

    def prune(self, folder: str) -> None:
        """Delete a folder if it is empty, then its parents as far as they are; never the root."""
        while folder:
            try:
                parent, name = self._place(folder)
                os.rmdir(name, dir_fd=parent)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.EBUSY):
                    return
                raise
            folder = folder.rpartition("/")[0]

    def walk(self, prefix: str) -> Iterator[Entry]:
        """The objects whose path starts with `prefix`, but nothing that the root has under a name with a dot."""
        folders = [prefix.rpartition("/")[0]]
        while folders:
            folder = folders.pop()
            try:
                entries = os.scandir(self._folder(folder))
            except (FileNotFoundError, NotADirectoryError):
                continue
            with entries:
                for entry in entries:
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if not path.startswith(prefix) or path.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(path)
                    elif entry.is_file(follow_symlinks=False):
                        with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                            yield Entry(path, entry.stat(follow_symlinks=False).st_size)

    def sweep(self) -> None:
        """Remove the scratch folders that no living writer holds."""
        try:
            scratch = self._folder(SCRATCH)
        except FileNotFoundError:
            return
        fcntl.flock(scratch, fcntl.LOCK_EX)
        with os.scandir(scratch) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            try:
                with _opened(name, _FOLDER, scratch) as folder:
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(name, dir_fd=scratch)
            except NotADirectoryError:
                os.unlink(name, dir_fd=scratch)
            except (FileNotFoundError, BlockingIOError):  # its writer has ended, or lives
                pass

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the store's one lock."""
        with _opened(LOCK, os.O_RDWR | os.O_CREAT | _FILE, self._folder("")) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _put(self, path: str, data: bytes, durable: bool) -> bool:
        folder, name = self._place(path)
        if not durable and _size(folder, name) == len(data) and _holds(folder, name, data):
            return False
        if self._scratch is None:
            self._scratch = _Scratch(self._folder(SCRATCH))
        self._scratch.write(data)
        if durable:
            _sync(self._scratch.folder)
        os.rename(_NEW, name, src_dir_fd=self._scratch.folder, dst_dir_fd=folder)
        if durable:
            os.fsync(folder)
        return True

    def _place(self, path: str) -> tuple[int, str]:
        """The folder of an object, open until many others were asked for, and the object's name therein."""
        folder, _, name = path.rpartition("/")
        return self._folder(folder), name

    def _folder(self, path: str) -> int:
        """A folder's descriptor."""
        if path not in self._open:
            self._touch("")
            for slash in re.finditer("/", path):
                self._touch(path[: slash.start()])
        return self._touch(path)

    def _touch(self, path: str) -> int:
        """The descriptor of a folder whose parent was touched just before. Few stay open: those touched last."""
        descriptor = self._open.pop(path, None)
        if descriptor is None:
            descriptor = self._enter(path) if path else self._enter_root()
        self._open[path] = descriptor
        if len(self._open) > _OPEN_FOLDERS:
            os.close(self._open.pop(next(iter(self._open))))
        return descriptor

    def _enter(self, path: str) -> int:
        outside, _, name = path.rpartition("/")
        parent = self._open[outside]
        if self._create:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=parent)
        try:
            return os.open(name, _FOLDER, dir_fd=parent)
        except NotADirectoryError:
            if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                raise StoreError(f"{self._root}: {path} is a symbolic link: put a real folder in its place") from None
            raise

    def _enter_root(self) -> int:
        try:
            if self._create:
                self._root.mkdir(parents=True, exist_ok=True)
            return os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileExistsError, NotADirectoryError):
            raise StoreError(f"{self._root} is not a folder: choose another, or move the file away") from None

    def _forget(self) -> None:
        """Close everything; what has gone from under us is found anew."""
        if self._scratch:
            self._scratch.close()
            self._scratch = None
        while self._open:
            os.close(self._open.popitem()[1])


class _Scratch:
    """A writer's own folder below `.tmp/`, locked as long as the writer lives."""

    def __init__(self, parent: int) -> None:
        self._name = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._open = contextlib.ExitStack()
        self._parent = self._open.enter_context(_opened(".", _FOLDER, parent))
        with self._open:
            # A sweep waits, lest it take the folder for a dead writer's before it is locked.
            fcntl.flock(self._parent, fcntl.LOCK_SH)
            os.mkdir(self._name, 0o700, dir_fd=self._parent)
            self.folder = self._open.enter_context(_opened(self._name, _FOLDER, self._parent))
            fcntl.flock(self.folder, fcntl.LOCK_EX)
            fcntl.flock(self._parent, fcntl.LOCK_UN)
            self._open = self._open.pop_all()

    def write(self, data: bytes) -> None:
        """Write the file `_NEW`."""
        file = os.open(_NEW, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FILE, 0o666, dir_fd=self.folder)
        try:
            while data:
                data = data[os.write(file, data) :]
        finally:
            os.close(file)

    def close(self) -> None:
        """Remove the folder."""
        with self._open, contextlib.suppress(OSError):  # the next sweep's, then
            shutil.rmtree(self._name, dir_fd=self._parent)


def _sync(descriptor: int) -> None:
    """Wait until all that was written to a descriptor's file system, by whomever, is on the disk.

    One call for any number of files: Linux's syncfs(2), which Python lacks; elsewhere all file systems'.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextlib.contextmanager
def _opened(name: str, flags: int, folder: int) -> Iterator[int]:
    descriptor = os.open(name, flags, 0o666, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _size(folder: int, name: str) -> int | None:
    """The size of a file; None where there is none, or something else."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _read(folder: int, name: str) -> bytes:
    with os.fdopen(os.open(name, os.O_RDONLY | _FILE, dir_fd=folder), "rb") as file:
        return file.read()


def _holds(folder: int, name: str, data: bytes) -> bool:
    with _opened(name, os.O_RDONLY | _FILE, folder) as file:
        return os.read(file, len(data) + 1) == data
