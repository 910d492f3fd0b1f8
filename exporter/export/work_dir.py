"""Rows and documents on their way through the disk, in a private folder that ends with the export.

A partition's rows wait here between its digest and its documents, its documents between its manifest, which must be
published first, and the store.
"""

import contextlib
import errno
import fcntl
import os
import pathlib
import pickle
import shutil
import tempfile
import time
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Literal

from exporter.documents.encoding import Document
from exporter.errors import ExporterError

_PREFIX = "exporter-spool-"

WritePhase = Literal["new", "changed"]
"""Documents that nothing published links to yet, and the others; the former are written first."""


@contextlib.contextmanager
def folder() -> Iterator[pathlib.Path]:
    """A new folder for one export; those of exports that were killed more than a minute ago are removed.

    Raises:
        ExporterError: there is no room for it.
    """
    for other in pathlib.Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _locked(other):
            if time.time() - other.stat().st_mtime >= 60:
                shutil.rmtree(other, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, _locked(pathlib.Path(name)):
            yield pathlib.Path(name)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise ExporterError(
            f"{tempfile.gettempdir()}: no room for the export's temporary files: free some space, "
            "or name another folder with TMPDIR"
        ) from error


@contextlib.contextmanager
def _locked(folder: pathlib.Path) -> Iterator[None]:
    """Hold a folder's lock, which ends with the process.

    Raises:
        OSError: another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


class Spool:
    """The documents of one part that the store may lack, by wave. A file is made when something goes into it."""

    def __init__(self, folder: pathlib.Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._files: dict[WritePhase, IO[bytes]] = {}
        self._open = contextlib.ExitStack()
        self.counts: dict[WritePhase, int] = {"new": 0, "changed": 0}

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def add(self, wave: WritePhase, document: Document) -> None:
        """Put a document behind those of its wave."""
        if wave not in self._files:
            self._files[wave] = self._open.enter_context(_path(self._folder, self._name, wave).open("wb"))
        pickle.dump(document, self._files[wave], protocol=5)
        self.counts[wave] += 1


def take(folder: pathlib.Path, name: str, wave: WritePhase) -> Iterator[Document]:
    """The documents of a part's wave in the order in which they were added; the file is gone at the end."""
    path = _path(folder, name, wave)
    if not path.exists():
        return
    with path.open("rb") as file, contextlib.suppress(EOFError):
        while True:
            yield pickle.load(file)  # noqa: S301 - our own file, in a folder that only we can write
    path.unlink()


def _path(folder: pathlib.Path, name: str, wave: WritePhase) -> pathlib.Path:
    return folder / f"{name}.{wave}"
