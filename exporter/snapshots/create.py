"""Snapshots: everything that is published, read at one moment, as files that people can take home."""

import hashlib
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass

from exporter import paths
from exporter.documents.snapshots import Snapshot, SnapshotCounts, SnapshotFile
from exporter.export import work_dir
from exporter.media_types import media_type
from exporter.paths import stored
from exporter.progress import Progress, quiet
from exporter.publish.lease import moment, now
from exporter.publish.store import Store
from exporter.snapshots.columns import REGRESSION_TESTS, RESULTS, RUNS, SAMPLES, TABLES
from exporter.snapshots.readme import readme
from exporter.snapshots.row_reader import Reader
from exporter.snapshots.snapshot_index import announced, clean, publish, snapshots
from exporter.snapshots.writer_process import writing
from exporter.source.database import Connection, Database
from exporter.source.row_values import InvalidRow

README, SUMS = "README.txt", "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a snapshot: the newest one there is, whether it is new, how many rows made no sense."""

    snapshot: Snapshot
    new: bool
    problems: int


def create(database: Database, store: Store, keep: int, progress: Progress = quiet, *, process: bool = False) -> Made:
    """Make a snapshot of the database and publish it, unless the newest one holds the same.

    Args:
        database: the platform's.
        store: gets the snapshot.
        keep: how many snapshots stay, the new one included.
        progress: shows how far it is.
        process: whether a process of its own writes the files, which takes half the time.

    Raises:
        ExporterError: something is not as it must be; the snapshots that there were are intact.
    """
    database.check()
    store.sweep()
    with work_dir.temporary_folder() as folder:
        made_at = moment(now())
        written = database.read("everything", lambda connection: _write(connection, folder, progress, process=process))
        snapshot = _describe(folder, made_at, written)
        newest = next(iter(snapshots(store)), None)
        new = newest is None or newest["digest"] != snapshot["digest"]
        if new:
            with announced(store, snapshot["id"]):
                store.write(_objects(folder, snapshot))
                publish(store, snapshot, keep)
    clean(store)
    return Made(snapshot if newest is None or new else newest, new, len(written.problems))


@dataclass(frozen=True, slots=True)
class _Written:
    """What was written: rows by table, the newest run, the rows that made no sense."""

    counts: SnapshotCounts
    latest_run_id: int | None
    problems: list[InvalidRow]


def _write(connection: Connection, folder: pathlib.Path, progress: Progress, *, process: bool) -> _Written:
    """Write the files of all rows that a connection sees, over what an attempt that was cut off has left."""
    for file in folder.iterdir():
        file.unlink()
    reader = Reader(connection)
    counts: SnapshotCounts = {"runs": 0, "results": 0, "samples": 0, "regression_tests": 0}
    latest = None
    with writing(folder, process=process) as files:
        for table, rows in ((SAMPLES, reader.samples()), (REGRESSION_TESTS, reader.regression_tests())):
            counts[table.name] += len(rows)
            files.rows(table.name, rows)
        for batch in progress("reading", reader.batches(), len(reader.partitions)):
            counts[RUNS.name] += len(batch.runs)
            counts[RESULTS.name] += len(batch.places)
            latest = batch.runs[-1]["run_id"]
            files.runs(batch, reader.outcomes)
        files.finish()
    return _Written(counts, latest, reader.problems)


def _describe(folder: pathlib.Path, made_at: str, written: _Written) -> Snapshot:
    """Add `README.txt` and `SHA256SUMS`, and tell of the files."""
    (folder / README).write_text(readme(written.counts))
    rows = {table.file: written.counts[table.name] for table in TABLES}
    found: list[SnapshotFile] = []
    sums = ""
    for file in sorted(folder.iterdir()):
        digest = _digest(file)
        sums += f"{digest}  {file.name}\n"
        found.append(_file(file, digest, rows.get(file.name.partition(".")[0])))
    (folder / SUMS).write_text(sums)
    digest = _digest(folder / SUMS)
    found.append(_file(folder / SUMS, digest, None))
    id_ = paths.snapshot_id(made_at, digest)
    for one in found:
        one["href"] = paths.snapshot_file(id_, one["name"])
    return {
        "id": id_,
        "created_at": made_at,
        "api_version": paths.API_VERSION,
        "digest": digest,
        "latest_run_id": written.latest_run_id,
        "counts": written.counts,
        "bytes": sum(one["bytes"] for one in found),
        "files": found,
    }


def _file(file: pathlib.Path, digest: str, rows: int | None) -> SnapshotFile:
    return {
        "name": file.name,
        "href": "",
        "content_type": media_type(file.name),
        "bytes": file.stat().st_size,
        "sha256": digest,
        "rows": rows,
    }


def _digest(file: pathlib.Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _objects(folder: pathlib.Path, snapshot: Snapshot) -> Iterator[tuple[str, bytes]]:
    """What is to be written to the store, a file at a time."""
    for one in snapshot["files"]:
        yield stored(one["href"]), (folder / one["name"]).read_bytes()
