"""One export as its caller asks for it, whatever the caller is: a command, the hook's worker, a program."""

import logging
import pathlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter import logs
from exporter.builders.document_options import DocumentOptions
from exporter.export.dask_cluster import DaskCluster
from exporter.publish.open_store import StoreAccess

if TYPE_CHECKING:  # it loads the database's library, for which the hook has no time
    from exporter.export.pipeline import Report

log = logging.getLogger(__name__)

NO_REDACTION = (
    "redaction is off: passwords, tokens, private keys and mail addresses in logs, messages and notes are published "
    "for everyone to read"
)


@dataclass(frozen=True, slots=True)
class Export:
    """What to export, where to, and how.

    Args:
        store: the name of the store, as `open_store` takes it.
        access: how to reach the store and write to it.
        workers: number of worker processes; 0: everything in this one.
        sample_repository: the folder that holds `TestResults/` and `LogFiles/`.
        database_timeout: seconds that the database may be silent for.
        cluster: the Dask cluster that takes the place of `workers`; None: there is none.
    """

    database_url: str
    store: str
    access: StoreAccess
    workers: int
    documents: DocumentOptions
    sample_repository: pathlib.Path | None
    database_timeout: int
    cluster: DaskCluster | None

    def perform(
        self, runs: tuple[int, ...] | None = None, *, dry_run: bool = False, allow_shrink: bool = False
    ) -> "Report":
        """Export, and log the result in one line; arguments as in `pipeline.Settings`.

        Raises:
            ExporterError: the export failed; what was published is intact.
        """
        from exporter.export import pipeline

        logs.hide_url(self.database_url)
        settings = pipeline.Settings(
            self.database_url,
            self.access.open(self.store),
            self.workers,
            self.documents,
            self.sample_repository,
            runs=runs,
            dry_run=dry_run,
            allow_shrink=allow_shrink,
            database_timeout=self.database_timeout,
            cluster=self.cluster,
        )
        if not self.documents.redaction:
            log.warning(NO_REDACTION)
        report = pipeline.export(settings, logs.progress)
        counts = report.manifest.counts
        log.info(
            "%s %d runs, %d results, %d samples, %d regression tests: %d documents %s, %d %s, %d invalid rows",
            "would publish" if dry_run else "published",
            *(counts[name] for name in ("runs", "results", "samples", "regression_tests")),
            report.written,
            "to write" if dry_run else "written",
            len(report.gone),
            "to delete" if dry_run else "no longer published",
            report.problems,
        )
        return report
