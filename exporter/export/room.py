"""Whether there is room for an export, before its rows are read: an estimate, rather too low than too high."""

import shutil
from typing import NamedTuple

from exporter.errors import ExporterError
from exporter.export.plan import Plan
from exporter.export.work_dir import WorkDir
from exporter.publish.published_state import PublishedState
from exporter.publish.store import Store
from exporter.source.database import Database
from exporter.source.partitions import count_results

_BLOCK = 4096
"""Bytes that a file of the store takes at least."""
_BYTES_PER_RESULT = {"all": 2_500, "failures": 1_000, "none": 1_000}
"""Bytes of documents that a result leads to, by which results get a document of their own (docs/benchmarks.md)."""


class Estimate(NamedTuple):
    """Bytes that an export takes in the store and in its work dir."""

    store: int
    work_dir: int


def estimate(plan: Plan, base: PublishedState, database: Database, result_documents: str) -> Estimate:
    """What the partitions of a plan that are not published yet may take; others replace what is there.

    Raises:
        SourceError: the database can't be read.
    """
    published = base.manifest.partitions if base.manifest else ()
    new = len(set(map(str, plan.build)).difference(part.name for part in published))
    if not new:
        return Estimate(0, 0)
    if published:
        documents, size = (sum(part.documents for part in published), sum(part.bytes for part in published))
        share = new / len(published)
        return Estimate(int(max(size, documents * _BLOCK) * share), int(size * share))
    results = count_results(database)
    size = results * _BYTES_PER_RESULT[result_documents]
    return Estimate(max(size, results * _BLOCK) if result_documents == "all" else size, size)


def check_room(needed: Estimate, store: Store, folder: WorkDir) -> None:
    """See that there is room.

    Raises:
        StoreError: there is none in the store.
        ExporterError: there is none for temporary files.
    """
    if needed.store:
        store.check_writable(needed.store)
    free = shutil.disk_usage(folder.root).free
    if free < needed.work_dir:
        raise ExporterError(
            f"{folder.root.parent}: {free / 1e6:.0f} MB are free, and the export's temporary files may take "
            f"{needed.work_dir / 1e6:.0f} MB: free some space, or name another folder with TMPDIR"
        )
