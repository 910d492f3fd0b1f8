"""Option declarations: their names, types, defaults and help, and where a value may come from."""

import dataclasses
import functools
import os
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from exporter import logs
from exporter.builders.document_options import DocumentOptions
from exporter.cli.duration import Duration, Seconds
from exporter.cli.file_mode import FileMode
from exporter.cli.settings_file import SettingsFile
from exporter.export.dask_cluster import DaskCluster
from exporter.export.service import Export
from exporter.publish.local.folder_store import FILE_MODE
from exporter.publish.open_store import WRITES_PER_SECOND, StoreAccess
from exporter.rules.lineage import MainLine
from exporter.source import DATABASE_TIMEOUT

Command = Callable[..., Any]

PREFIX = "EXPORTER_"
"""Begins the environment variable of every option."""


class Setting(click.Option):
    """An option that the environment and the settings file may give too, all three under one name.

    An error names the place where the value stands: the option, the variable, or the file and its line.

    Args:
        command_line_only: whether the option may be given on the command line alone.
    """

    def __init__(self, *args: Any, command_line_only: bool = False, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.setting = next(name for name in self.opts if name.startswith("--")).removeprefix("--")
        self.command_line_only = command_line_only
        if not command_line_only:
            self.envvar = PREFIX + self.setting.replace("-", "_").upper()

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, click.core.ParameterSource]:
        """The value before it is converted; one of the command line is kept as it was typed, for `typed`."""
        value, source = super().consume_value(ctx, opts)
        if source is click.core.ParameterSource.COMMANDLINE and isinstance(value, str | bool) and self.envvar:
            ctx.meta.setdefault(_TYPED, {})[str(self.envvar)] = str(value)
        return value, source

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """The place where the value stands, or where it may stand if it is missing."""
        option = f"'--{self.setting}'"
        if ctx is None or self.command_line_only:
            return option
        return _place(self, ctx, self.setting) or (
            f"{option}: give it here, as {self.envvar}, or as {self.setting} in {SettingsFile.NAME}"
            if ctx.get_parameter_source(self.name or "") is not click.core.ParameterSource.COMMANDLINE
            else option
        )


_TYPED = "exporter.typed"


def typed(context: click.Context) -> dict[str, str]:
    """The options of the command line as environment variables: with these another command has the same settings."""
    return dict(context.meta.get(_TYPED, {}))


class StoreArgument(click.Argument):
    """`STORE`, which the environment and the settings file may give too."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """The place where the value stands, or where it may stand if it is missing."""
        return (ctx and _place(self, ctx, "store")) or (
            f"'STORE': name the store here, as {PREFIX}STORE, or as store in {SettingsFile.NAME}"
        )


def _place(parameter: click.Parameter, context: click.Context, setting: str) -> str | None:
    """The variable, or the file and its line, that gives a parameter its value."""
    match context.get_parameter_source(parameter.name or ""):
        case click.core.ParameterSource.ENVIRONMENT:
            return str(parameter.envvar)
        case click.core.ParameterSource.DEFAULT_MAP:
            file = context.find_object(SettingsFile)
            return file.place(setting) if file else None
    return None


def option(*names: str, **attributes: Any) -> Callable[[Command], Command]:
    """Declare a `Setting`."""
    return click.option(*names, cls=Setting, **attributes)


def logging_options(command: Command) -> Command:
    """Add what every command takes."""

    @option(
        "--log-format",
        type=click.Choice(["plain", "json"]),
        default="plain",
        show_default=True,
        help="Lines for people, or JSON lines for machines.",
    )
    @option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        show_default=True,
        help="The least that is logged.",
    )
    @functools.wraps(command)
    def with_logging(*args: Any, log_format: logs.Format, log_level: str, **kwargs: Any) -> Any:
        logs.configure(log_format, log_level)
        return command(*args, **kwargs)

    return with_logging


def database_option(**attributes: Any) -> Callable[[Command], Command]:
    """Add `--database-url`."""
    return option("--database-url", metavar="URL", **attributes)


class Folder(click.Path):
    """The path of a folder. An empty one, as of a shell's variable that is not set, is not the working directory."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(exists=exists, file_okay=False, path_type=pathlib.Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, as it was given."""
        if not value:
            self.fail("the name is empty; write . for the working directory", param, ctx)
        if "://" in str(value):
            self.fail(f"{str(value)[:100]} is a URL, not a folder", param, ctx)
        return super().convert(value, param, ctx)


spool_option = option(
    "--spool",
    type=Folder(),
    show_default="$XDG_STATE_HOME/exporter/STORE'S HASH",
    help="The folder of the hook's requests, its log, and the result of the last export.",
)


def run_option(help_: str) -> Callable[[Command], Command]:
    """Add `--run`. An id that no run can have is refused: the hook would keep the request for ever."""
    return option(
        "--run",
        type=click.IntRange(1, 2**31 - 1),
        multiple=True,
        metavar="ID",
        help=help_,
    )


store_argument = click.argument("store", cls=StoreArgument, envvar=f"{PREFIX}STORE")

credentials_option = option(
    "--credentials",
    type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path),
    show_default="the application default credentials",
    help="For a bucket: a file of credentials, of any kind that Google issues.",
)


def access_options(command: Command) -> Command:
    """Add what writing to a store takes; the command gets it as one `StoreAccess`, named `access`."""

    @credentials_option
    @option(
        "--max-writes-per-second",
        type=click.IntRange(1),
        default=WRITES_PER_SECOND,
        show_default=True,
        help="For a bucket: how many objects all workers together write or delete in a second.",
    )
    @option(
        "--grace",
        type=Duration(),
        metavar="DURATION",
        show_default="0s for a folder, 24h for a bucket",
        help="How long documents that are no longer published stay, for readers who still have links to them.",
    )
    @option(
        "--file-mode",
        type=FileMode(),
        default=f"{FILE_MODE:o}",
        show_default=True,
        help="For a folder: permissions of published files, whatever the umask; folders can be searched likewise.",
    )
    @functools.wraps(command)
    def with_access(
        *args: Any,
        credentials: pathlib.Path | None,
        max_writes_per_second: int,
        grace: int | None,
        file_mode: int,
        **kwargs: Any,
    ) -> Any:
        access = StoreAccess(credentials, max_writes_per_second, grace, file_mode)
        return command(*args, access=access, **kwargs)

    return with_access


def publishing_options(command: Command) -> Command:
    """Add `--database-url`, `--database-timeout` and `--store`, for what publishes the database's data."""
    command = option(
        "--store",
        metavar="STORE",
        required=True,
        help="Where to publish: a folder, or gs://BUCKET[/PREFIX].",
    )(command)
    command = option(
        "--database-timeout",
        type=Duration(),
        metavar="DURATION",
        default=Seconds(DATABASE_TIMEOUT),
        show_default=f"{DATABASE_TIMEOUT}s",
        help="How long the database may take for an answer. Then, as when a connection is lost, the read is retried.",
    )(command)
    return database_option(
        required=True, help="The platform's database: mysql+pymysql://USER:PASSWORD@HOST/NAME or sqlite:///FILE."
    )(command)


def main_line_options(command: Command) -> Command:
    """Add the main line, with which failures are compared; the command gets it as one `MainLine`, named `main`."""

    @option(
        "--main-repository",
        metavar="OWNER/NAME",
        default="CCExtractor/ccextractor",
        show_default=True,
        help="The repository of the main line, with which failures are compared.",
    )
    @option(
        "--main-branch",
        metavar="BRANCH",
        default="master",
        show_default=True,
        help="The branch of the main line.",
    )
    @functools.wraps(command)
    def with_main_line(*args: Any, main_repository: str, main_branch: str, **kwargs: Any) -> Any:
        return command(*args, main=MainLine(main_repository, main_branch), **kwargs)

    return with_main_line


redaction_option = option(
    "--redaction/--no-redaction",
    default=True,
    show_default=True,
    help="Replace secrets and mail addresses in logs, messages and notes by [redacted]. Without it, everyone who "
    "reads what is published can read the tokens, passwords and keys in them.",
)


def cluster_options(command: Command) -> Command:
    """Add where the workers run; the command gets it as a `DaskCluster` or None, named `cluster`."""

    @option(
        "--executor",
        type=click.Choice(["local", "dask"]),
        default="local",
        show_default=True,
        help="Where the workers run: on this machine, or on a Dask cluster, which takes a bucket (docs/scaling.md).",
    )
    @option(
        "--dask-scheduler",
        metavar="ADDRESS",
        default="",
        help="With --executor dask: the scheduler's address, such as tls://HOST:8786; Dask's own configuration has the "
        "TLS files.",
    )
    @option(
        "--dask-cluster",
        metavar="MODULE:FUNCTION",
        default="",
        help="With --executor dask, for --dask-scheduler: a function without arguments that makes a cluster.",
    )
    @functools.wraps(command)
    def with_cluster(*args: Any, executor: str, dask_scheduler: str, dask_cluster: str, **kwargs: Any) -> Any:
        cluster = DaskCluster(dask_scheduler, dask_cluster) if executor == "dask" else None
        return command(*args, cluster=cluster, **kwargs)

    return with_cluster


_DOCUMENT_OPTIONS = {field.name for field in dataclasses.fields(DocumentOptions)} - {"files"}


def export_options(command: Command) -> Command:
    """Add what an export takes; the command gets it as one `Export`, its first argument."""

    @publishing_options
    @access_options
    @option(
        "--workers",
        type=click.IntRange(0, 256),
        default=_processors,
        show_default="the number of processors",
        help="Worker processes; 0 does everything in this one.",
    )
    @cluster_options
    @option(
        "--result-documents",
        type=click.Choice(["all", "failures", "none"]),
        default="all",
        show_default=True,
        help="Which results get a document of their own.",
    )
    @option(
        "--junit",
        type=click.Choice(["none", "failures", "all"]),
        default="failures",
        show_default=True,
        help="What the JUnit XML of each finished run lists; passes are counted in any case. none: no such documents.",
    )
    @option(
        "--sample-repository",
        type=Folder(exists=True),
        help="The folder that holds TestResults/ and LogFiles/: for diffs and logs.",
    )
    @option("--docs", is_flag=True, help="Publish the documentation, too, as pages below /docs/.")
    @option(
        "--public-url",
        metavar="URL",
        callback=_public_url,
        help="Where readers reach the store. With it there is a sitemap.xml, which takes absolute URLs alone.",
    )
    @main_line_options
    @redaction_option
    @functools.wraps(command)
    def with_export(*, database_url: str, **kwargs: Any) -> Any:
        logs.hide_url(database_url)
        kwargs["documents"] = DocumentOptions(**{name: kwargs.pop(name) for name in _DOCUMENT_OPTIONS})
        options = {field.name: kwargs.pop(field.name) for field in dataclasses.fields(Export)[1:]}
        return command(Export(database_url, **options), **kwargs)

    return with_export


def _public_url(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A URL without user, query and fragment, with a final `/`."""
    if value is None:
        return None
    if not re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w.~%/-]*)?", value, re.ASCII):
        raise click.BadParameter(f"{value!r} is not a URL such as https://HOST/PATH/.", context, parameter)
    return value.rstrip("/") + "/"


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
