"""The work dir: the temporary files of one export, in a private folder that is removed with it.

Here are all names of temporary files. A partition's rows are kept between the reading and the building of it, so that
its documents are built from the rows that its statistics were computed from. Manifests and documents are kept until
all are built and it is decided that they are published.
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
from dataclasses import dataclass
from typing import IO, Literal

from exporter.documents.encoding import Document
from exporter.errors import ExporterError
from exporter.state.incremental import Folders

_PREFIX = "exporter-work-"
_ABANDONED_AFTER = 60
"""Seconds after which the folder of a process that was killed is removed."""

_CHUNK = 100_000
"""Bytes of documents that are written at once."""

WritePhase = Literal["new", "changed"]
"""Documents that no published document links to yet, and the others; the former are written first."""


@dataclass(frozen=True, slots=True)
class WorkDir:
    """The folder of one export's temporary files."""

    root: pathlib.Path

    @property
    def state(self) -> Folders:
        """The folders of what is to be remembered."""
        return Folders(self.root / "partitions", self.root / "list_heads")

    def rows(self, partition: int) -> pathlib.Path:
        """The file of a partition's rows."""
        return self.root / "rows" / str(partition)

    def documents(self, part: str, phase: WritePhase) -> pathlib.Path:
        """The file of a part's documents of one write phase."""
        return self.root / "documents" / f"{part}.{phase}"

    def anew(self, part: str) -> pathlib.Path:
        """The file of the paths of a part's documents that are written even where their bytes are there."""
        return self.root / "documents" / f"{part}.anew"

    def manifest(self, part: str) -> pathlib.Path:
        """The file of a part's manifest."""
        return self.root / "manifests" / part


@contextlib.contextmanager
def work_dir() -> Iterator[WorkDir]:
    """A new work dir for one export.

    Raises:
        ExporterError: temporary files cannot be written, or the file system has no room for them.
    """
    with temporary_folder() as root:
        for name in ("rows", "documents", "manifests", "partitions", "list_heads"):
            (root / name).mkdir()
        yield WorkDir(root)


@contextlib.contextmanager
def temporary_folder() -> Iterator[pathlib.Path]:
    """A new private folder; such folders of processes that were killed some time ago are removed.

    Raises:
        ExporterError: temporary files cannot be written, or the file system has no room for them.
    """
    try:
        parent = pathlib.Path(tempfile.gettempdir())
    except FileNotFoundError:
        raise ExporterError(
            "no folder for temporary files can be written to: name one with TMPDIR, or correct the permissions of /tmp"
        ) from None
    for other in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _locked(other):
            if time.time() - other.stat().st_mtime >= _ABANDONED_AFTER:
                shutil.rmtree(other, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, _locked(pathlib.Path(name)):
            yield pathlib.Path(name)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise ExporterError(
            f"{parent}: no room for the export's temporary files: free some space, or name another folder with TMPDIR"
        ) from error


@contextlib.contextmanager
def _locked(folder: pathlib.Path) -> Iterator[None]:
    """Lock a folder; the kernel releases the lock when the process exits.

    Raises:
        OSError: another process holds the lock.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


class DocumentFiles:
    """Writes the documents of one part that the store may lack, by write phase. A file is made for its first one."""

    def __init__(self, folder: WorkDir, part: str) -> None:
        self._folder, self._part = folder, part
        self._files: dict[WritePhase, IO[bytes]] = {}
        self._open = contextlib.ExitStack()
        self._unwritten: dict[WritePhase, list[Document]] = {"new": [], "changed": []}
        self._size = 0
        self.counts: dict[WritePhase, int] = {"new": 0, "changed": 0}

    def close(self) -> None:
        """Close the files."""
        self._open.close()

    def add(self, phase: WritePhase, document: Document) -> None:
        """Append a document to those of its phase."""
        self._unwritten[phase].append(document)
        self.counts[phase] += 1
        self._size += len(document[1])
        if self._size >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write what was added."""
        self._size = 0
        for phase, documents in self._unwritten.items():
            if documents:
                if phase not in self._files:
                    self._files[phase] = self._open.enter_context(self._folder.documents(self._part, phase).open("wb"))
                pickle.dump(documents, self._files[phase], protocol=5)
                documents.clear()


def read_documents(file: pathlib.Path) -> Iterator[Document]:
    """The documents in a file in the order in which they were added."""
    if not file.exists():
        return
    with file.open("rb") as documents, contextlib.suppress(EOFError):
        while True:
            yield from pickle.load(documents)  # noqa: S301 - our own file, in a folder that only we can write


def take_documents(file: pathlib.Path) -> Iterator[Document]:
    """As `read_documents`; then the file is removed."""
    yield from read_documents(file)
    file.unlink(missing_ok=True)
