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

_written: "_Written | None" = None


class _Written:
    """The files, where they are written."""

    def __init__(self, folder: pathlib.Path) -> None:
        with contextlib.ExitStack() as stack:
            self.files: list[Files] = [kind(folder, stack) for kind in (Ndjson, Parquet, Sqlite)]
            self.stack = stack.pop_all()
        self.outcomes = Outcomes()

    def rows(self, name: Name, rows: Sequence[Mapping[str, Any]]) -> None:
        (table,) = (table for table in TABLES if table.name == name)
        for one in self.files:
            one.rows(table, rows)

    def runs(self, batch: RunBatch, lines: Sequence[bytes]) -> None:
        self.outcomes.lines += lines
        for one in self.files:
            one.runs(batch, self.outcomes)

    def finish(self) -> None:
        with self.stack:
            for one in self.files:
                one.finish()


class Writing:
    """Hands rows over to be written, in the order of their keys."""

    def __init__(self, pool: Executor, folder: pathlib.Path) -> None:
        self._pool = pool
        self._pending = collections.deque([pool.submit(_open, folder)])  # a task can say why it failed
        self._outcomes = 0

    def rows(self, name: Name, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows of samples or of regression tests."""
        self._do(_Written.rows, name, rows)

    def runs(self, batch: RunBatch, outcomes: Outcomes) -> None:
        """Add a partition's runs and their results."""
        new = outcomes.lines[self._outcomes :]
        self._outcomes += len(new)
        self._do(_Written.runs, batch, new)

    def finish(self) -> None:
        """Write what is left, and wait for all."""
        self._do(_Written.finish)
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
def writing(folder: pathlib.Path, *, process: bool) -> Iterator[Writing]:
    """Write to a folder, in a process of its own or in this one."""
    if process:
        with processes(1) as pool:
            yield Writing(pool, folder)
        return
    try:
        yield Writing(InProcess(), folder)
    finally:
        if _written is not None:
            _written.stack.close()


def _open(folder: pathlib.Path) -> None:
    global _written
    _written = _Written(folder)


def _call(method: Callable[..., None], *arguments: Any) -> None:
    assert _written is not None
    method(_written, *arguments)
