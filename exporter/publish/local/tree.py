"""The folders below a root, opened one below the other, never through a symbolic link, and kept open.

An operation by descriptor cannot leave the root and does not look up the folders again. A file appears whole or not at
all: the tree writes a batch of files to its scratch folder, waits until the disk has them, and then renames each to its
place. So a published path never has unwritten data behind it, and after a power cut holds the old or the new bytes.
"""

import contextlib
import errno
import fcntl
import os
import pathlib
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from exporter.errors import StoreError
from exporter.publish.local.scratch import FILE, FOLDER, Scratch, opened, sync
from exporter.publish.store import Entry

SCRATCH = ".tmp"
LOCK = ".lock"

_GONE = "gone"
"""Where, in a scratch folder, what is deleted goes, one file after the other."""
_OPEN_FOLDERS = 64
_LONGEST_LOCK = 60.0
"""Seconds to wait for the lock."""
_TRIES = 100
"""How often a folder may be deleted under a writer before it gives up."""


class Tree:
    """The folders below a root, for the duration of one operation of the store.

    Methods raise `OSError` as the system does, and `StoreError` where a symbolic link or no folder stands in the way.
    The error of one file among many has that file's path.

    Args:
        root: the root.
        create: the permissions of files to be written, such as 0o644; folders get those of 0o755 then. None: absent
            folders are not made.
    """

    def __init__(self, root: pathlib.Path, create: int | None = None) -> None:
        self._root, self._create = root, create
        self._open: dict[str, int] = {}
        self._scratch: Scratch | None = None

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *error: object) -> None:
        self._forget()

    def read(self, path: str) -> bytes | None:
        """The bytes of an object; None where there is none."""
        try:
            folder, name = self._place(path)
            return None if _size(folder, name) is None else _read(folder, name)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def try_writing(self, folders: Iterable[str]) -> int:
        """Write a file and remove it; return the number of bytes that are free. `folders` must be writable too."""
        if os.fstatvfs(self._folder("")).f_flag & os.ST_RDONLY:  # `access` would say that it is not permitted
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        for folder in folders:
            with contextlib.suppress(FileNotFoundError):
                name = folder.rstrip("/")
                if not os.access(name, os.W_OK | os.X_OK, dir_fd=self._folder(""), effective_ids=True):
                    os.stat(name, dir_fd=self._folder(""))  # absent rather than forbidden?
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        self._stage({"": b"x"})
        room = os.fstatvfs(self._folder(""))
        if room.f_files and not room.f_favail:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return room.f_bavail * room.f_frsize

    def has(self, path: str) -> bool:
        """Whether there is an object at a path."""
        try:
            return _size(*self._place(path)) is not None
        except (FileNotFoundError, NotADirectoryError):
            return False

    def holds(self, path: str, data: bytes) -> bool:
        """Whether exactly these bytes stand at a path."""
        try:
            folder, name = self._place(path)
            return _size(folder, name) == len(data) and _holds(folder, name, data)
        except FileNotFoundError:  # another process deletes the emptied folder
            return False
        except OSError as error:
            error.filename = path
            raise

    def write(self, files: Mapping[str, bytes], check: Callable[[bool], None], *, synced: bool = True) -> None:
        """Write files so that none is visible before the data of all of them is on the disk.

        Args:
            files: path → bytes.
            synced: False leaves their data to a later `write_durably`; each is visible whole or not at all even so, but
                not after a power cut.
            check: called before each file becomes visible; raises to stop. Its argument says whether folders have
                vanished since the last call, as the scratch folder does when another export takes over.
        """
        left = dict(files)
        for attempt in range(_TRIES):
            try:
                self._write(left, check, synced=synced)
                return
            except FileNotFoundError:  # another process deletes the emptied folder
                if attempt == _TRIES - 1:
                    raise
                self._forget()
                check(True)

    def write_durably(self, path: str, data: bytes) -> None:
        """Write a file that is on the disk when this returns, and that is never there without all written before it."""
        sync(self._folder(""))
        self.write({path: data}, lambda _: None)
        os.fsync(self._place(path)[0])

    def remove(self, path: str) -> bool:
        """Delete an object: whether it was there."""
        try:
            folder, name = self._place(path)
            os.unlink(name, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return False
        return True

    def move_away(self, path: str, writer: "Tree", check: Callable[[], None]) -> bool:
        """Delete an object by a rename into a writer's scratch folder; whether it was there.

        Args:
            path: the object's.
            writer: has the scratch folder.
            check: called when that has been made, and anew when it has vanished, as it does when another export takes
                over; raises to stop.
        """
        for _ in range(_TRIES):
            try:
                folder, name = self._place(path)
                if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    return False
            except (FileNotFoundError, NotADirectoryError):
                return False
            try:
                if writer._scratch is None:
                    writer._stage({})
                    check()
                assert writer._scratch is not None
                os.rename(name, _GONE, src_dir_fd=folder, dst_dir_fd=writer._scratch.folder)
                return True
            except FileNotFoundError:
                writer._forget()
        return False

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

    def sweep(self, *, living: bool = False) -> None:
        """Remove the scratch folders of dead writers; with `living`, of all, so that no rename from them succeeds."""
        try:
            scratch = self._folder(SCRATCH)
        except FileNotFoundError:
            return
        fcntl.flock(scratch, fcntl.LOCK_EX)
        with os.scandir(scratch) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            try:
                with opened(name, FOLDER, scratch) as folder:
                    if not living:
                        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(name, dir_fd=scratch)
            except NotADirectoryError:
                os.unlink(name, dir_fd=scratch)
            except (FileNotFoundError, BlockingIOError):  # its writer has ended, or lives
                pass

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the store's one lock, which processes need for the moment of a replacement.

        Raises:
            StoreError: another process has not released it for a minute; it may be stopped.
        """
        with opened(LOCK, os.O_RDWR | os.O_CREAT | FILE, self._folder("")) as lock:
            until = time.monotonic() + _LONGEST_LOCK
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise StoreError(
                            f"{self._root}: the process that holds {LOCK} is stuck: continue or end it (fuser {LOCK})"
                        ) from None
                time.sleep(0.002)
            yield

    def _write(self, left: dict[str, bytes], check: Callable[[bool], None], *, synced: bool) -> None:
        """Write files, and drop from `left` those that are in their place."""
        scratch = self._stage(left, synced=synced)
        for number, path in enumerate(list(left)):
            check(False)
            try:
                folder, name = self._place(path)
                os.rename(str(number), name, src_dir_fd=scratch.folder, dst_dir_fd=folder)
            except OSError as error:
                error.filename = path
                raise
            del left[path]

    def _stage(self, files: Mapping[str, bytes], *, synced: bool = True) -> Scratch:
        """Write files to the scratch folder, named by their numbers; `synced`: until the disk has them."""
        if self._scratch is None:
            assert self._create is not None
            self._scratch = Scratch(self._folder(SCRATCH), self._create)
        path = ""
        try:
            for number, path in enumerate(files):
                self._scratch.write(str(number), files[path], awaited=synced)
            if synced:
                self._scratch.sync()
        except OSError as error:  # of a file in the scratch folder
            error.filename = path
            raise
        return self._scratch

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
        try:
            return os.open(name, FOLDER, dir_fd=parent)
        except FileNotFoundError:
            if self._create is None:
                raise
        except NotADirectoryError:
            if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                raise StoreError(f"{self._root}: {path} is a symbolic link: put a real folder in its place") from None
            raise
        made = False
        with contextlib.suppress(FileExistsError):  # another writer was faster
            os.mkdir(name, dir_fd=parent)
            made = True
        folder = os.open(name, FOLDER, dir_fd=parent)
        if made:
            _permit(folder, self._create)
        return folder

    def _enter_root(self) -> int:
        try:
            if self._create is not None:
                for folder in (*reversed(self._root.parents), self._root):
                    if not folder.exists():
                        folder.mkdir(exist_ok=True)
                        with opened(str(folder), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as descriptor:
                            _permit(descriptor, self._create)
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


def _permit(folder: int, file_mode: int) -> None:
    """Give a new folder the permissions of files, and search to whom they allow reading, whatever the umask."""
    inherited = os.fstat(folder).st_mode & stat.S_ISGID
    os.fchmod(folder, inherited | file_mode | 0o300 | (file_mode & 0o044) >> 2)


def _size(folder: int, name: str) -> int | None:
    """The size of a file; None where there is none, or something else."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _read(folder: int, name: str) -> bytes:
    with os.fdopen(os.open(name, os.O_RDONLY | FILE, dir_fd=folder), "rb") as file:
        return file.read()


def _holds(folder: int, name: str, data: bytes) -> bool:
    with opened(name, os.O_RDONLY | FILE, folder) as file:
        return os.read(file, len(data) + 1) == data
