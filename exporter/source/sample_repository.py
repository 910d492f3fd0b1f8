"""The sample repository: the files beside the platform's database.

Names come from rows, and many programs write the folders, so nothing is trusted. A name is one path component; no
symbolic link below the root is followed (the root itself may be one), not even one to a file inside; only regular files
are opened, and no more is read than the caller asks for. A file that is refused or cannot be read is an `InvalidRow`; a
missing file is None.
"""

import contextlib
import errno
import os
import pathlib
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.errors import SourceError
from exporter.source.row_values import InvalidRow

OUTPUTS = "TestResults"
LOGS = "LogFiles"

LOG_LIMIT = 50_000_000
"""Bytes of a log that are read: of a longer one half of it from each end (issue 5: over 50 MB cut in the middle)."""

_LONGEST_NAME = 255
"""Bytes of a file's name: NAME_MAX of Linux file systems."""
_LOG_NAME = re.compile(r"(0|-?[1-9][0-9]{0,18})\.txt", re.ASCII)
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY | os.O_NONBLOCK


def log_name(run_id: int) -> str:
    """The file name of a run's log, also as the row of its `InvalidRow`."""
    return f"{run_id}.txt"


class Content(NamedTuple):
    """A file: its size in bytes, and its bytes unless it is larger than the limit."""

    size: int
    data: bytes | None


class Log(NamedTuple):
    """A run's log: its size in bytes, its bytes or their beginning, and its end if the middle was left out."""

    size: int
    head: bytes
    tail: bytes | None


class _RefusedError(Exception):
    """The message becomes `InvalidRow.what`."""


@dataclass(slots=True)
class SampleRepository:
    """Reads the files below `root`, and adds those that are refused or cannot be read to `problems`."""

    root: pathlib.Path
    problems: list[InvalidRow] = field(default_factory=list, repr=False)

    def output(self, content_hash: str, extension: str, limit: int) -> Content | None:
        """The output `TestResults/HASH + extension`, with its bytes if they are at most `limit`; None without it."""
        name = content_hash + extension
        with self._reporting(OUTPUTS, ""), self._opened(OUTPUTS, name) as file:  # the name is a row's
            size = os.fstat(file).st_size
            data = _read(file, 0, limit + 1) if size <= limit else None
            if data is None or len(data) > limit:  # it may have grown
                return Content(max(size, limit + 1), None)
            return Content(len(data), data)
        return None

    def log(self, run_id: int) -> Log | None:
        """The build log of a run, the middle left out if it is longer than `LOG_LIMIT`; None without it."""
        name = log_name(run_id)
        with self._reporting(LOGS, name), self._opened(LOGS, name) as file:
            size = os.fstat(file).st_size
            if size > LOG_LIMIT:
                half = LOG_LIMIT // 2
                return Log(size, _read(file, 0, half), _read(file, size - half, half))
            data = _read(file, 0, LOG_LIMIT)
            return Log(len(data), data, None)
        return None

    def check(self) -> None:
        """Check that the root, if it exists, holds at least one of the two folders.

        Raises:
            SourceError: it holds neither: a wrong folder, or one that is not mounted; outputs and logs are not gone.
        """
        if self.root.is_dir() and not any((self.root / name).exists() for name in (OUTPUTS, LOGS)):
            raise SourceError(
                f"{self.root}: the sample repository has neither {OUTPUTS} nor {LOGS}: is it the right folder, and is "
                "it mounted? Without them all diffs and logs that are published would go"
            )

    def log_fingerprints(self, runs: Iterable[int] | None = None) -> Mapping[int, str]:
        """Run id → its log's size and time of change (ns), which change when the log does; of all or of some runs.

        Raises:
            SourceError: the folder can't be read. Then the logs are not gone.
        """
        fingerprints: dict[int, str] = {}
        try:
            if not self.root.is_dir():
                raise NotADirectoryError
            with self._folder(LOGS) as folder:
                names = os.listdir(folder) if runs is None else [log_name(run) for run in runs]  # noqa: PTH208 - pathlib knows no descriptors
                for name in names:
                    if found := _LOG_NAME.fullmatch(name):
                        with contextlib.suppress(FileNotFoundError):
                            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                            fingerprints[int(found[1])] = f"{status.st_size}-{status.st_mtime_ns}"
        except FileNotFoundError:
            return {}
        except (OSError, _RefusedError) as error:
            raise SourceError(f"{self.root}: the sample repository's {LOGS} cannot be read: {error}") from None
        return fingerprints

    @contextlib.contextmanager
    def _opened(self, folder_name: str, name: str) -> Iterator[int]:
        """The descriptor of a regular file, closed afterwards."""
        encoded = _component(name)
        with self._folder(folder_name) as folder:
            # Checked before it is opened: opening a device or a FIFO can have effects.
            _check(os.stat(encoded, dir_fd=folder, follow_symlinks=False), stat.S_ISREG)
            file = os.open(encoded, _OPEN, dir_fd=folder)
        try:
            _check(os.fstat(file), stat.S_ISREG)
            yield file
        finally:
            os.close(file)

    @contextlib.contextmanager
    def _folder(self, name: str) -> Iterator[int]:
        root = os.open(self.root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            _check(os.stat(name, dir_fd=root, follow_symlinks=False), stat.S_ISDIR)
            folder = os.open(name, _OPEN | os.O_DIRECTORY, dir_fd=root)
        finally:
            os.close(root)
        try:
            yield folder
        finally:
            os.close(folder)

    @contextlib.contextmanager
    def _reporting(self, folder_name: str, name: str) -> Iterator[None]:
        """Report what goes wrong, but not that there is no file; `name` holds no value of a row."""
        try:
            yield
        except FileNotFoundError:
            pass
        except _RefusedError as e:
            self._report(folder_name, name, f"refused: {e}")
        except OSError as e:
            code = errno.errorcode.get(e.errno, "an error") if e.errno is not None else "an error"
            self._report(folder_name, name, f"cannot be read: {code}")

    def _report(self, folder_name: str, name: str, what: str) -> None:
        self.problems.append(InvalidRow(folder_name, name, what))


def _component(name: str) -> bytes:
    """The name as one component of a path."""
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:
        raise _RefusedError("no file can have this name") from None
    if b"/" in encoded or b"\0" in encoded or encoded in (b"", b".", b".."):
        raise _RefusedError("the name is not that of a file")
    if len(encoded) > _LONGEST_NAME:
        raise _RefusedError("the name is too long")
    return encoded


_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISREG, "a file"),
)


def _check(status: os.stat_result, wanted: object) -> None:
    """Refuse everything but the wanted kind of file, which is one of the `stat.S_IS…` functions."""
    kind, what = next(((kind, what) for kind, what in _KINDS if kind(status.st_mode)), (None, "a device"))
    if kind is not wanted:
        raise _RefusedError(f"it is {what}")


def _read(file: int, start: int, size: int) -> bytes:
    """The bytes from `start`, at most `size`: fewer at the file's end."""
    pieces = []
    while size > 0 and (piece := os.pread(file, min(size, 1 << 24), start)):
        pieces.append(piece)
        start, size = start + len(piece), size - len(piece)
    return b"".join(pieces)
