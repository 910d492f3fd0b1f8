"""Snapshots: everything that is published, from one consistent read, as files to download."""

import hashlib
import pathlib
from dataclasses import dataclass

from exporter import paths
from exporter.documents.snapshots import Snapshot, SnapshotCounts, SnapshotFile
from exporter.export import work_dir
from exporter.media_types import media_type
from exporter.paths import stored
from exporter.progress import Progress, quiet
from exporter.publish.lease import moment, now
from exporter.publish.store import Store
from exporter.rules.lineage import MainLine
from exporter.snapshots.columns import REGRESSION_TESTS, RESULTS, RUNS, SAMPLES, TABLES
from exporter.snapshots.readme import readme
from exporter.snapshots.row_reader import Reader
from exporter.snapshots.snapshot_index import announced, clean, publish, snapshots
from exporter.snapshots.writer_process import writer
from exporter.source.database import Connection, Database
from exporter.source.redaction import Redactor
from exporter.source.row_values import InvalidRow

README, SUMS = "README.txt", "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """How to make a snapshot.

    Args:
        keep: how many snapshots stay, the new one included.
        process: whether a process of its own writes the files, which takes half the time.
    """

    keep: int = 5
    main: MainLine = MainLine()  # noqa: RUF009 - immutable
    process: bool = False
    redaction: bool = True


@dataclass(frozen=True, slots=True)
class SnapshotResult:
    """The newest snapshot, whether this call published it, and the number of invalid rows."""

    snapshot: Snapshot
    new: bool
    problems: int


def create(
    database: Database, store: Store, settings: SnapshotSettings = SnapshotSettings(), progress: Progress = quiet
) -> SnapshotResult:
    """Make a snapshot of the database and publish it, unless the newest one holds the same.

    Raises:
        ExporterError: the snapshot failed; the published ones are intact.
    """
    database.check()
    store.sweep()
    with work_dir.temporary_folder() as folder:
        made_at = moment(now())
        written = database.read("everything", lambda connection: _write(connection, folder, settings, progress))
        snapshot = _describe(folder, made_at, written, settings.main)
        newest = next(iter(snapshots(store)), None)
        new = newest is None or newest["digest"] != snapshot["digest"]
        if new:
            with announced(store, snapshot["id"]):
                # One file at a time is in memory.
                store.write((stored(one["href"]), (folder / one["name"]).read_bytes()) for one in snapshot["files"])
                publish(store, snapshot, settings.keep)
    clean(store)
    return SnapshotResult(snapshot if newest is None or new else newest, new, len(written.problems))


@dataclass(frozen=True, slots=True)
class _Written:
    """What was written: rows by table, the newest run, the invalid rows."""

    counts: SnapshotCounts
    latest_run_id: int | None
    problems: list[InvalidRow]


def _write(connection: Connection, folder: pathlib.Path, settings: SnapshotSettings, progress: Progress) -> _Written:
    """Write the files of all rows that a connection reads. A lost connection is retried: older files are deleted."""
    for file in folder.iterdir():
        file.unlink()
    redactor = Redactor(settings.redaction)
    reader = Reader(connection, settings.main, redactor)
    counts: SnapshotCounts = {"runs": 0, "results": 0, "samples": 0, "regression_tests": 0}
    latest = None
    with writer(folder, process=settings.process) as files:
        for table, rows in ((SAMPLES, reader.samples()), (REGRESSION_TESTS, reader.regression_tests())):
            counts[table.name] += len(rows)
            files.rows(table.name, rows)
        for batch in progress("reading", reader.batches(), len(reader.partitions)):
            counts[RUNS.name] += len(batch.runs)
            counts[RESULTS.name] += len(batch.places)
            latest = batch.runs[-1]["run_id"]
            files.runs(batch, reader.outcomes)
        files.finish()
    redactor.report("snapshot")
    return _Written(counts, latest, reader.problems)


def _describe(folder: pathlib.Path, made_at: str, written: _Written, main: MainLine) -> Snapshot:
    """Add `README.txt` and `SHA256SUMS`, and describe the files."""
    (folder / README).write_text(readme(written.counts, main))
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
        "main_line": {"repository": main.repository, "branch": main.branch},
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
