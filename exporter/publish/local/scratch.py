"""A writer's own folder below `.tmp/`, where files are written and synced before they are renamed to their place."""

import contextlib
import ctypes
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator

FILE = os.O_CLOEXEC | os.O_NOFOLLOW
FOLDER = FILE | os.O_RDONLY | os.O_DIRECTORY


class Scratch:
    """A writer's own folder below `.tmp/`, locked as long as the writer lives.

    Args:
        parent: the descriptor of `.tmp/`.
        mode: permissions of the files, whatever the process's umask.
    """

    def __init__(self, parent: int, mode: int) -> None:
        self._mode = mode
        self._name = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._open = contextlib.ExitStack()
        self._parent = self._open.enter_context(opened(".", FOLDER, parent))
        with self._open:
            # A sweep waits, lest it take the folder for a dead writer's before it is locked.
            fcntl.flock(self._parent, fcntl.LOCK_SH)
            os.mkdir(self._name, 0o700, dir_fd=self._parent)
            self.folder = self._open.enter_context(opened(self._name, FOLDER, self._parent))
            fcntl.flock(self.folder, fcntl.LOCK_EX)
            fcntl.flock(self._parent, fcntl.LOCK_UN)
            self._open = self._open.pop_all()

    def write(self, name: str, data: bytes) -> None:
        """Write a file."""
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | FILE, self._mode, dir_fd=self.folder)
        try:
            os.fchmod(file, self._mode)
            while data:
                data = data[os.write(file, data) :]
        finally:
            os.close(file)

    def close(self) -> None:
        """Remove the folder and the files that were not renamed to their place."""
        with self._open, contextlib.suppress(OSError):  # the next sweep's, then
            shutil.rmtree(self._name, dir_fd=self._parent)


def sync(descriptor: int) -> None:
    """Wait until the disk has all data and names that any process wrote to a descriptor's file system.

    This is Linux's syncfs(2), which Python lacks: one call for any number of files. Elsewhere it is sync(2).
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextlib.contextmanager
def opened(name: str, flags: int, folder: int | None = None) -> Iterator[int]:
    """The descriptor of a file or folder beside others, closed in the end."""
    descriptor = os.open(name, flags, 0o666, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
