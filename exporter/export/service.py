"""One export as its caller asks for it, whatever the caller is: a command, the hook's worker, a program."""

import logging
import pathlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter import logs
from exporter.export.dask_cluster import DaskCluster
from exporter.publish.open_store import StoreAccess
from exporter.source import DATABASE_TIMEOUT

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
        database_url: the platform's database.
        store: the name of the store, as `open_store` takes it.
        access: how to reach the store and write to it.
        workers: number of worker processes; 0: everything in this one.
        result_documents: which results get a document of their own: `all`, `failures` or `none`.
        sample_repository: the folder that holds `TestResults/` and `LogFiles/`.
        main_repository: the repository of the main line, as OWNER/NAME.
        main_branch: the branch of the main line.
        redaction: whether secrets are taken out of free text; if not, a warning says so.
        database_timeout: seconds that the database may be silent for.
        junit: what the JUnit XML of runs lists: `failures`, `all`, or `none` for no such documents.
        public_url: where readers reach the store, with a final `/`; None: unknown, there is no sitemap.
        docs: publish the documentation as pages.
        cluster: the Dask cluster that takes the place of `workers`; None: there is none.
    """

    database_url: str
    store: str
    access: StoreAccess
    workers: int
    result_documents: str
    sample_repository: pathlib.Path | None
    main_repository: str
    main_branch: str
    redaction: bool = True
    database_timeout: int = DATABASE_TIMEOUT
    junit: str = "failures"
    public_url: str | None = None
    docs: bool = False
    cluster: DaskCluster | None = None

    def perform(
        self, runs: tuple[int, ...] | None = None, *, dry_run: bool = False, allow_shrink: bool = False
    ) -> "Report":
        """Export, and log the result in one line; arguments as in `pipeline.Settings`.

        Raises:
            ExporterError: the export failed; what was published is intact.
        """
        from exporter.export import pipeline
        from exporter.rules.lineage import MainLine

        logs.hide_url(self.database_url)
        settings = pipeline.Settings(
            self.database_url,
            self.access.open(self.store, self.workers if self.cluster is None else 1),
            self.workers,
            self.result_documents,
            MainLine(self.main_repository, self.main_branch),
            self.sample_repository,
            runs=runs,
            dry_run=dry_run,
            allow_shrink=allow_shrink,
            redaction=self.redaction,
            database_timeout=self.database_timeout,
            junit=self.junit,
            public_url=self.public_url,
            docs=self.docs,
            cluster=self.cluster,
        )
        if not self.redaction:
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
