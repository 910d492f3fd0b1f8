"""A writer's own folder below `.tmp/`, where files are written and synced before they are renamed to their place.

File systems that keep the order of metadata need no more than the data on the disk before the rename: the log has the
file's size before its new name. So only the files' own data is waited for (sync_file_range(2)), neither the log nor
what other processes wrote, which syncfs(2) would write as well. Elsewhere syncfs is called once for a batch of files.
"""

import contextlib
import ctypes
import fcntl
import functools
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from typing import NoReturn

FILE = os.O_CLOEXEC | os.O_NOFOLLOW
FOLDER = FILE | os.O_RDONLY | os.O_DIRECTORY

_ORDERED = frozenset({0xEF53, 0x58465342, 0x9123683E, 0x01021994, 0x2FC12FC1})
"""Types (statfs(2)) of file systems that keep the order of metadata: ext4, XFS, btrfs, tmpfs, ZFS."""
_START, _WAIT = 2, 1 | 2 | 4
"""Flags of sync_file_range(2): begin writing; write, and wait for all that was begun."""
_UNSYNCED = 128
"""Files that stay open until their data is waited for: opening them anew costs as much as waiting."""


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
            self._ordered = _keeps_order(self.folder)
            self._open = self._open.pop_all()
        self._unsynced: list[int] = []
        self._is_masked: bool | None = None
        self._open.callback(self._close_files)

    def write(self, name: str, data: bytes, *, awaited: bool) -> None:
        """Write a file; `awaited`: one whose data `sync` will wait for."""
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | FILE, self._mode, dir_fd=self.folder)
        try:
            if self._is_masked is None:  # all files of one folder get the same permissions
                self._is_masked = stat.S_IMODE(os.fstat(file).st_mode) != self._mode
            if self._is_masked:
                os.fchmod(file, self._mode)
            while data:
                data = data[os.write(file, data) :]
            if awaited and self._ordered:
                _sync_range(file, _START)
        except BaseException:
            os.close(file)
            raise
        if awaited and self._ordered:
            self._unsynced.append(file)
            if len(self._unsynced) == _UNSYNCED:
                self._wait()
        else:
            os.close(file)

    def sync(self) -> None:
        """Wait until the data of all files that are awaited is on the disk."""
        if self._ordered:
            self._wait()
        else:
            sync(self.folder)

    def _wait(self) -> None:
        for file in self._unsynced:
            _sync_range(file, _WAIT)
        self._close_files()

    def _close_files(self) -> None:
        while self._unsynced:
            os.close(self._unsynced.pop())

    def close(self) -> None:
        """Remove the folder and the files that were not renamed to their place."""
        with self._open, contextlib.suppress(OSError):  # the next sweep's, then
            shutil.rmtree(self._name, dir_fd=self._parent)


def sync(descriptor: int) -> None:
    """Wait until the disk has all data and names that any process wrote to a descriptor's file system.

    This is Linux's syncfs(2), which Python lacks: one call for any number of files. Elsewhere it is sync(2).
    """
    syncfs = getattr(_libc(), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(descriptor):
        _raise()


def _keeps_order(descriptor: int) -> bool:
    """Whether a descriptor's file system keeps the order of metadata and sync_file_range(2) is there."""
    if sys.platform != "linux" or not hasattr(_libc(), "sync_file_range"):
        return False
    found = ctypes.create_string_buffer(512)  # struct statfs begins with a long, the type
    if _libc().fstatfs(descriptor, found):
        return False
    return int.from_bytes(found.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) & 0xFFFFFFFF in _ORDERED


def _sync_range(file: int, flags: int) -> None:
    if _libc().sync_file_range(file, 0, 0, flags):
        _raise()


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "sync_file_range"):
        libc.sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return libc


def _raise() -> NoReturn:
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
