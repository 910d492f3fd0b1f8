"""What all tasks of one export share; workers get it once."""

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.builders.document_options import DocumentOptions
from exporter.export.work_dir import WorkDir
from exporter.publish.store import Store
from exporter.source import DATABASE_TIMEOUT
from exporter.source.catalog import Catalog
from exporter.state.state_file import PartitionState


@dataclass(frozen=True, slots=True)
class Job:
    """What all tasks of one export share.

    Args:
        database_url: the platform's database.
        store: None: documents are built, and nothing is kept of them.
        remembered: what the store remembers of partitions.
        sample_repository: the folder that holds `TestResults/` and `LogFiles/`.
        database_timeout: seconds that the database may be silent for.
        owner: the export's name in the lease, without which workers write no documents.
    """

    database_url: str
    catalog: Catalog
    options: DocumentOptions
    work_dir: WorkDir
    store: Store | None
    remembered: Mapping[int, PartitionState]
    sample_repository: pathlib.Path | None = None
    owner: str = ""
    database_timeout: int = DATABASE_TIMEOUT
