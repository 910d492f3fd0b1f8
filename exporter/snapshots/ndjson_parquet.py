"""The files of a snapshot: the same rows as gzipped NDJSON and as Parquet."""

import contextlib
import datetime
import pathlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from isal import isal_zlib

from exporter.documents.encoding import encode
from exporter.documents.snapshots import SnapshotVerdict
from exporter.errors import UsageError
from exporter.snapshots.columns import DOCUMENTED, RESULTS, RUNS, TABLES, Field, Kind, Table
from exporter.snapshots.row_reader import Outcomes, RunBatch

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 1 << 20
"""Bytes that are copied at a time."""
_ROW_GROUP = 500
"""Runs of a Parquet row group: five partitions."""
_SORTED = 1000
"""Runs whose results are sorted together in NDJSON: by the hundred the file is a tenth larger."""
_CHUNK = 10_000
"""Results that are compressed at a time, half a kilobyte each."""


class Files(Protocol):
    """Files that rows are written to, in the order of their keys."""

    def rows(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows of samples or of regression tests."""
        ...

    def runs(self, batch: RunBatch, outcomes: Outcomes) -> None:
        """Add a partition's runs and their results."""
        ...

    def finish(self) -> None:
        """Write the remaining rows; no more are added."""
        ...


class Gzip:
    """A gzip file that another thread compresses; equal bytes make an equal file.

    ISA-L takes a quarter of zlib's time; because results are sorted by test, a file is still smaller than a dump.
    """

    def __init__(self, file: pathlib.Path, stack: contextlib.ExitStack) -> None:
        self._target = stack.enter_context(file.open("wb"))
        self._thread = stack.enter_context(ThreadPoolExecutor(1))
        self._compress = isal_zlib.compressobj(3, wbits=31)
        self._pending: Future[None] | None = None

    def write(self, data: bytes) -> None:
        """Add bytes; the call returns once those before them are compressed."""
        self.wait()
        self._pending = self._thread.submit(self._write, data)

    def close(self) -> None:
        """Write the rest of the file."""
        self.wait()
        self._target.write(self._compress.flush())
        self._target.flush()

    def wait(self) -> None:
        """Wait until the added bytes are compressed.

        Raises:
            OSError: they could not be written.
        """
        if self._pending is not None:
            self._pending.result()
            self._pending = None

    def _write(self, data: bytes) -> None:
        self._target.write(self._compress.compress(data))


class Ndjson:
    """`TABLE.ndjson.gz`: a JSON object a line."""

    def __init__(self, folder: pathlib.Path, stack: contextlib.ExitStack) -> None:
        self._batches: list[RunBatch] = []
        self._lines: Sequence[bytes] = ()
        self._open = {table.name: Gzip(folder / f"{table.file}.ndjson.gz", stack) for table in TABLES}

    def rows(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows of samples or of regression tests."""
        self._open[table.name].write(b"".join(orjson.dumps(row) + b"\n" for row in rows))

    def runs(self, batch: RunBatch, outcomes: Outcomes) -> None:
        """Add a partition's runs and their results."""
        self.rows(RUNS, batch.runs)
        self._batches.append(batch)
        self._lines = outcomes.lines
        if sum(len(one.runs) for one in self._batches) >= _SORTED:
            self._results()

    def _results(self) -> None:
        """Write the results added since the last call, sorted by test: similar rows stand next to each other."""
        rows = [row for batch in self._batches for row in batch.results()]
        rows.sort(key=itemgetter(0))
        numbers = {number for batch in self._batches for number in (*batch.run_ids, *batch.runtimes)}
        texts = {number: b"null" if number is None else b"%d" % number for number in numbers}
        self._batches = []
        lines = self._lines
        for start in range(0, len(rows), _CHUNK):
            self._open[RESULTS.name].write(
                b"".join(
                    [
                        lines[place] % (texts[run_id], texts[runtime], b"null" if verdict is None else encode(verdict))
                        for _, run_id, runtime, place, verdict in rows[start : start + _CHUNK]
                    ]
                )
            )

    def finish(self) -> None:
        """Write the remaining rows."""
        self._results()
        for file in self._open.values():
            file.close()


class Parquet:
    """`TABLE.parquet`: typed columns, encoded by dictionaries and zstd, in row groups by run."""

    def __init__(self, folder: pathlib.Path, stack: contextlib.ExitStack) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ModuleNotFoundError:
            raise UsageError("snapshots need pyarrow: install it with pip install pyarrow") from None
        pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own pool keeps memory that was freed
        self._open = {
            table.name: stack.enter_context(
                pq.ParquetWriter(
                    folder / f"{table.file}.parquet",
                    schema(table),
                    version="2.6",
                    compression="zstd",
                    compression_level=6,
                    use_dictionary=True,
                )
            )
            for table in TABLES
        }
        self._runs: list[Mapping[str, Any]] = []
        self._run_ids, self._places = array("q"), array("q")
        self._runtimes: list[int | None] = []
        self._verdicts: list[SnapshotVerdict | None] = []
        self._outcomes: Outcomes | None = None

    def rows(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows of samples or of regression tests."""
        import pyarrow as pa

        if rows:
            typed = [{field.name: _typed(field, row[field.name]) for field in table.fields} for row in rows]
            made = pa.Table.from_pylist(typed, schema(table))
            self._open[table.name].write_table(made, row_group_size=len(rows))

    def runs(self, batch: RunBatch, outcomes: Outcomes) -> None:
        """Add a partition's runs and their results."""
        self._runs += batch.runs
        self._run_ids.extend(batch.run_ids)
        self._runtimes.extend(batch.runtimes)
        self._verdicts.extend(batch.verdicts)
        self._places.extend(batch.places)
        self._outcomes = outcomes
        if len(self._runs) >= _ROW_GROUP:
            self.finish()

    def finish(self) -> None:
        """Write the rows added since the last call, as a row group of each table."""
        import pyarrow as pa

        self.rows(RUNS, self._runs)
        self._runs = []
        if self._run_ids and self._outcomes is not None:
            used = sorted(set(self._places))
            where = {place: index for index, place in enumerate(used)}
            shape = schema(RESULTS)
            distinct = pa.Table.from_pylist([self._outcomes.row(place) for place in used], shape)
            table = distinct.take(pa.array([where[place] for place in self._places], pa.int32()))
            columns = (("run_id", self._run_ids), ("runtime_ms", self._runtimes), ("verdict", self._verdicts))
            for name, values in columns:
                index = shape.get_field_index(name)
                table = table.set_column(index, shape.field(index), pa.array(values, shape.field(index).type))
            self._open[RESULTS.name].write_table(table, row_group_size=len(table))
        self._run_ids, self._places, self._runtimes, self._verdicts = array("q"), array("q"), [], []


def _typed(field: Field, value: Any, *, item: bool = False) -> Any:
    """A value as its Parquet column takes it: times and days are texts in rows."""
    if value is None:
        return None
    if field.many and not item:
        return [_typed(field, one, item=True) for one in value]
    if field.fields:
        return {inner.name: _typed(inner, value[inner.name]) for inner in field.fields}
    convert = _CONVERT.get(field.kind)
    return convert(value) if convert else value


_CONVERT: Mapping[Kind | None, Callable[[str], Any]] = {
    "time": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
}


def schema(table: Table) -> "pa.Schema":
    """The Parquet schema of a table."""
    import pyarrow as pa

    kinds: dict[Kind | None, pa.DataType] = {
        "integer": pa.int64(),
        "text": pa.string(),
        "boolean": pa.bool_(),
        "time": pa.timestamp("ms", tz="UTC"),
        "date": pa.date32(),
    }

    def type_of(field: Field, way: str) -> "pa.DataType":
        one = kinds[field.kind] if field.kind else pa.struct([shown(inner, way) for inner in field.fields])
        return pa.list_(one) if field.many else one

    def shown(field: Field, parent: str = "") -> "pa.Field":
        way = parent + field.name
        return pa.field(field.name, type_of(field, f"{way}."), metadata={"description": DOCUMENTED[table.name][way]})

    return pa.schema([shown(field) for field in table.fields], metadata={"description": table.about})
