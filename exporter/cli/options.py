"""What several commands take, and make of it: logging, the database, the store, an export."""

import contextlib
import dataclasses
import functools
import logging
import os
import pathlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from exporter import logs
from exporter.publish.open_store import WRITES_PER_SECOND, open_store

if TYPE_CHECKING:  # these load the database's library, for which the hook has no time
    from exporter.export.pipeline import Report
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


def run_option(help_: str) -> Callable[[Command], Command]:
    """Add `--run`. What no run can be called is refused: the hook would try to look it up for ever."""
    return click.option(
        "--run",
        type=click.IntRange(1, 2**31 - 1),
        multiple=True,
        metavar="ID",
        envvar="EXPORTER_RUN",
        help=help_,
    )


def store_argument(command: Command) -> Command:
    """Add `STORE`, which may be left out where the environment or the settings file names the store."""
    return click.argument("store", required=False, envvar="EXPORTER_STORE", callback=_named)(command)


def _named(context: click.Context, argument: click.Parameter, value: str | None) -> str:
    if value is None:
        raise click.UsageError(
            "Missing argument 'STORE': name the store here, in EXPORTER_STORE, or as store in exporter.toml", context
        )
    return value


class Duration(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """`90s`, `30m`, `2h` or `1d`; its value is the seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Seconds":
        """The seconds that a text stands for."""
        if isinstance(value, Seconds):
            return value
        found = re.fullmatch(r"([0-9]{1,9})([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is no duration: write it as 90s, 30m, 2h or 1d.", param, ctx)
        return Seconds(int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]])


class Seconds(int):
    """A duration that is written as options take it."""

    def __str__(self) -> str:
        return f"{int(self)}s"


def credentials_option(command: Command) -> Command:
    """Add `--credentials`, for a bucket."""
    return click.option(
        "--credentials",
        type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path),
        envvar="EXPORTER_CREDENTIALS",
        show_default="the application default credentials",
        help="For a bucket: a file of credentials, of any kind that Google issues.",
    )(command)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a store and write to it, as the options say."""

    credentials: pathlib.Path | None
    max_writes_per_second: int
    grace: int | None

    def open(self, name: str, writers: int = 1) -> "Store":
        """The store of this name, to be written to by so many processes.

        Raises:
            UsageError: there is no such kind of store.
        """
        return open_store(
            name,
            credentials=self.credentials,
            max_writes_per_second=self.max_writes_per_second,
            grace=self.grace,
            writers=writers,
        )


def access_options(command: Command) -> Command:
    """Add what writing to a store takes; the command gets it as one `Access`, named `access`."""

    @credentials_option
    @click.option(
        "--max-writes-per-second",
        type=click.IntRange(1),
        default=WRITES_PER_SECOND,
        show_default=True,
        envvar="EXPORTER_MAX_WRITES_PER_SECOND",
        help="For a bucket: how many objects all workers together write or delete in a second.",
    )
    @click.option(
        "--grace",
        type=Duration(),
        metavar="DURATION",
        envvar="EXPORTER_GRACE",
        show_default="0s for a folder, 24h for a bucket",
        help="How long what is no longer published stays for readers who still hold links to it.",
    )
    @functools.wraps(command)
    def with_access(
        *args: Any, credentials: pathlib.Path | None, max_writes_per_second: int, grace: int | None, **kwargs: Any
    ) -> Any:
        return command(*args, access=Access(credentials, max_writes_per_second, grace), **kwargs)

    return with_access


@dataclass(frozen=True, slots=True)
class Export:
    """What to export, as the options say."""

    database_url: str
    store: str
    access: Access
    workers: int
    result_documents: str
    sample_repository: pathlib.Path | None
    main_repository: str
    main_branch: str

    def perform(self, runs: tuple[int, ...] | None = None, *, dry_run: bool = False) -> "Report":
        """Export, and log in one line what came of it; `runs` as `pipeline.Settings` has them.

        Raises:
            ExporterError: something is not as it must be; what was published is intact.
        """
        from exporter.export import pipeline
        from exporter.rules.lineage import MainLine

        hide(self.database_url)
        store = self.access.open(self.store, self.workers)
        settings = pipeline.Settings(
            self.database_url,
            store,
            self.workers,
            self.result_documents,
            MainLine(self.main_repository, self.main_branch),
            self.sample_repository,
            runs=runs,
            dry_run=dry_run,
        )
        report = pipeline.export(settings, logs.progress)
        counts = report.manifest.counts
        log.info(
            "%s %d runs, %d results, %d samples, %d regression tests: %d documents %s, %d deleted, %d invalid rows",
            "would publish" if dry_run else "published",
            *(counts[name] for name in ("runs", "results", "samples", "regression_tests")),
            report.written,
            "to write" if dry_run else "written",
            len(report.gone),
            report.problems,
        )
        return report


def publishing_options(command: Command) -> Command:
    """Add `--database-url` and `--store`, for what publishes the database's data."""
    command = click.option(
        "--store",
        metavar="STORE",
        required=True,
        envvar="EXPORTER_STORE",
        help="Where to publish: a folder, or gs://BUCKET[/PREFIX].",
    )(command)
    return database_option(
        required=True, help="The platform's database: mysql+pymysql://USER:PASSWORD@HOST/NAME or sqlite:///FILE."
    )(command)


def export_options(command: Command) -> Command:
    """Add what an export takes; the command gets it as one `Export`, its first argument."""

    @publishing_options
    @access_options
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
        help="The folder that holds TestResults/ and LogFiles/: for diffs and logs.",
    )
    @click.option(
        "--main-repository",
        metavar="OWNER/NAME",
        default="CCExtractor/ccextractor",
        show_default=True,
        envvar="EXPORTER_MAIN_REPOSITORY",
        help="The repository of the main line, against which failures are held.",
    )
    @click.option(
        "--main-branch",
        metavar="BRANCH",
        default="master",
        show_default=True,
        envvar="EXPORTER_MAIN_BRANCH",
        help="Its branch.",
    )
    @functools.wraps(command)
    def with_export(
        *,
        database_url: str,
        **kwargs: Any,
    ) -> Any:
        logs.hide(database_url)
        options = {field.name: kwargs.pop(field.name) for field in dataclasses.fields(Export)[1:]}
        return command(Export(database_url, **options), **kwargs)

    return with_export


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def store(name: str, credentials: pathlib.Path | None = None) -> "Store":
    """The store of this name, to be read.

    Raises:
        UsageError: there is no such kind of store.
    """
    return open_store(name, credentials=credentials)


def hide(database_url: str) -> None:
    """Keep the database's URL and password out of the logs."""
    import sqlalchemy as sa

    logs.hide(database_url)
    with contextlib.suppress(sa.exc.ArgumentError, ValueError):
        logs.hide(sa.make_url(database_url).password)
