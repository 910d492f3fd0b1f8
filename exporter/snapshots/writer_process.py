"""Writes a snapshot's files in a process of its own, while this one reads: half of the work is compression."""

import collections
import contextlib
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from exporter.errors import ExporterError
from exporter.export.executor import InProcess
from exporter.export.process_pool import processes
from exporter.snapshots.columns import TABLES, Name
from exporter.snapshots.ndjson_parquet import Files, Ndjson, Parquet
from exporter.snapshots.row_reader import Outcomes, RunBatch
from exporter.snapshots.sqlite_file import Sqlite

_AHEAD = 2
"""Partitions that wait to be written."""

_open_files: "_OpenFiles | None" = None


class _OpenFiles:
    """The files of all formats, in the process that writes them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.stack = contextlib.ExitStack()
        self.files: list[Files] = [kind(folder, self.stack) for kind in (Ndjson, Parquet, Sqlite)]
        self.outcomes = Outcomes()

    def rows(self, name: Name, rows: Sequence[Mapping[str, Any]]) -> None:
        (table,) = (table for table in TABLES if table.name == name)
        for file in self.files:
            file.rows(table, rows)

    def runs(self, batch: RunBatch, lines: Sequence[bytes]) -> None:
        self.outcomes.lines += lines
        for file in self.files:
            file.runs(batch, self.outcomes)

    def finish(self) -> None:
        with self.stack:
            for file in self.files:
                file.finish()


class Writer:
    """Sends rows to be written, in the order of their keys."""

    def __init__(self, pool: Executor, folder: pathlib.Path) -> None:
        self._pool = pool
        self._pending = collections.deque([pool.submit(_open, folder)])  # a task's error reaches this process
        self._outcomes = 0

    def rows(self, name: Name, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows of samples or of regression tests."""
        self._do(_OpenFiles.rows, name, rows)

    def runs(self, batch: RunBatch, outcomes: Outcomes) -> None:
        """Add a partition's runs and their results."""
        new = outcomes.lines[self._outcomes :]
        self._outcomes += len(new)
        self._do(_OpenFiles.runs, batch, new)

    def finish(self) -> None:
        """Write the remaining rows, and wait until all are written."""
        self._do(_OpenFiles.finish)
        self._wait(0)

    def _do(self, method: Callable[..., None], *arguments: Any) -> None:
        try:
            self._pending.append(self._pool.submit(_call, method, *arguments))
        except BrokenProcessPool:
            raise ExporterError(_DIED) from None
        self._wait(_AHEAD)

    def _wait(self, ahead: int) -> None:
        try:
            while len(self._pending) > ahead:
                self._pending.popleft().result()
        except BrokenProcessPool:
            raise ExporterError(_DIED) from None


_DIED = "the process that writes the snapshot's files died; if memory ran out, free some and try again"


@contextlib.contextmanager
def writer(folder: pathlib.Path, *, process: bool) -> Iterator[Writer]:
    """Write to a folder, in a process of its own or in this one.

    Raises:
        ExporterError: the process died.
    """
    if process:
        with processes(1) as pool:
            yield Writer(pool, folder)
        return
    try:
        yield Writer(InProcess(), folder)
    finally:
        if _open_files is not None:
            _open_files.stack.close()


def _open(folder: pathlib.Path) -> None:
    global _open_files
    _open_files = _OpenFiles(folder)


def _call(method: Callable[..., None], *arguments: Any) -> None:
    assert _open_files is not None
    method(_open_files, *arguments)
