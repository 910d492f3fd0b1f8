"""What several commands take, and make of it: logging, the database, the store, an export."""

import contextlib
import functools
import logging
import os
import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from exporter import logs
from exporter.errors import UsageError

if TYPE_CHECKING:  # these load the database's library, for which the hook has no time
    from exporter.pipeline import Report
    from exporter.publish.store import Store

log = logging.getLogger(__name__)

Command = Callable[..., Any]


def logging_options(command: Command) -> Command:
    """Add what every command takes."""

    @click.option(
        "--log-format",
        type=click.Choice(["plain", "json"]),
        default="plain",
        show_default=True,
        envvar="EXPORTER_LOG_FORMAT",
        help="Lines for people, or JSON lines for machines.",
    )
    @click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        show_default=True,
        envvar="EXPORTER_LOG_LEVEL",
        help="The least that is logged.",
    )
    @functools.wraps(command)
    def with_logging(*args: Any, log_format: logs.Format, log_level: str, **kwargs: Any) -> Any:
        logs.configure(log_format, log_level)
        return command(*args, **kwargs)

    return with_logging


def database_option(**attributes: Any) -> Callable[[Command], Command]:
    """Add `--database-url`."""
    return click.option("--database-url", metavar="URL", envvar="EXPORTER_DATABASE_URL", **attributes)


def spool_option(command: Command) -> Command:
    """Add `--spool`, the folder of hook requests and of how the last export ended."""
    return click.option(
        "--spool",
        type=click.Path(file_okay=False, path_type=pathlib.Path),
        envvar="EXPORTER_SPOOL",
        show_default="$XDG_STATE_HOME/exporter/STORE'S HASH",
        help="The folder of the hook's requests, its log, and how the last export ended.",
    )(command)


@dataclass(frozen=True, slots=True)
class Export:
    """What to export, as the options say."""

    database_url: str
    store: str
    workers: int
    result_documents: str
    sample_repository: pathlib.Path | None

    def perform(self, runs: tuple[int, ...] | None = None, *, dry_run: bool = False) -> "Report":
        """Export, and log in one line what came of it; `runs` as `pipeline.Settings` has them.

        Raises:
            ExporterError: something is not as it must be; what was published is intact.
        """
        from exporter import pipeline

        hide(self.database_url)
        settings = pipeline.Settings(
            self.database_url,
            store(self.store),
            self.workers,
            self.result_documents,
            runs=runs,
            dry_run=dry_run,
        )
        report = pipeline.export(settings, logs.progress)
        counts = report.manifest.counts
        log.info(
            "%s %d runs, %d results, %d samples, %d regression tests: "
            "%d documents %s, %d deleted, %d rows made no sense",
            "would publish" if dry_run else "published",
            *(counts[name] for name in ("runs", "results", "samples", "regression_tests")),
            report.written,
            "to write" if dry_run else "written",
            len(report.gone),
            report.problems,
        )
        return report


def export_options(command: Command) -> Command:
    """Add what an export takes; the command gets it as one `Export`, its first argument."""

    @database_option(
        required=True, help="The platform's database: mysql+pymysql://USER:PASSWORD@HOST/NAME or sqlite:///FILE."
    )
    @click.option("--store", metavar="DIR", required=True, envvar="EXPORTER_STORE", help="The folder to publish to.")
    @click.option(
        "--workers",
        type=click.IntRange(0, 256),
        default=_processors,
        show_default="the number of processors",
        envvar="EXPORTER_WORKERS",
        help="Worker processes; 0 does everything in this one.",
    )
    @click.option(
        "--result-documents",
        type=click.Choice(["all", "failures", "none"]),
        default="all",
        show_default=True,
        envvar="EXPORTER_RESULT_DOCUMENTS",
        help="Which results get a document of their own.",
    )
    @click.option(
        "--sample-repository",
        type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path),
        envvar="EXPORTER_SAMPLE_REPOSITORY",
        help="The folder that holds TestResults/ and LogFiles/.",
    )
    @functools.wraps(command)
    def with_export(
        *,
        database_url: str,
        store: str,
        workers: int,
        result_documents: str,
        sample_repository: pathlib.Path | None,
        **kwargs: Any,
    ) -> Any:
        logs.hide(database_url)
        return command(Export(database_url, store, workers, result_documents, sample_repository), **kwargs)

    return with_export


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def store(name: str) -> "Store":
    """The store of this name.

    Raises:
        UsageError: there is no such kind of store.
    """
    from exporter.publish.local import LocalStore

    if not name:
        raise UsageError("the store has an empty name; name a folder")
    if "://" in name:
        raise UsageError(f"there is no store for {name.split('://')[0]}://; name a folder")
    return LocalStore(pathlib.Path(name))


def hide(database_url: str) -> None:
    """Keep the database's URL and password out of the logs."""
    import sqlalchemy as sa

    logs.hide(database_url)
    with contextlib.suppress(sa.exc.ArgumentError, ValueError):
        logs.hide(sa.make_url(database_url).password)
