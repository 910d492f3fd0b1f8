"""The commands that read a published API: `get`, `runs` and `history`."""

import itertools
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click
import orjson

from exporter import paths
from exporter.cli import options
from exporter.errors import ExporterError, UsageError
from exporter.rules.status import PLATFORMS, RUN_STATUSES

if TYPE_CHECKING:  # httpx takes a tenth of a second
    from exporter.client.api import Api

SHOWN = 20
"""Rows that a terminal is shown if no limit is asked for."""

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
"""What a terminal may obey, line feeds aside."""

_NUMBERS = {"run", "test", "passed", "failed", "ms"}
_LONG = {"of", "branch", "failure"}
_STYLES = {"pass": "green", "fail": "red", "missing_output": "red", "error": "bold red", "running": "yellow"}


def _base_option(command: options.Command) -> options.Command:
    return click.option(
        "--base",
        metavar="BASE",
        required=True,
        envvar="EXPORTER_BASE",
        help="Where the API is published: https://…, file://…, gs://BUCKET[/PREFIX] or a folder.",
    )(command)


def _limit_option(command: options.Command) -> options.Command:
    return click.option(
        "--limit",
        type=click.IntRange(1),
        envvar="EXPORTER_LIMIT",
        show_default=f"{SHOWN} on a terminal, else all",
        help="The most that is shown.",
    )(command)


@click.command()
@click.argument("path", metavar="PATH")
@_base_option
@options.logging_options
def get(path: str, base: str) -> None:
    """Print the document at PATH, such as runs/12.json, as it is published; indented on a terminal."""
    with _api(base) as api:
        data = api.read(path.removeprefix("/").removeprefix(paths.API_ROOT))
    if sys.stdout.isatty():
        try:
            click.echo(_printable(orjson.dumps(orjson.loads(data), option=orjson.OPT_INDENT_2).decode()))
        except ValueError:
            raise ExporterError(f"{api.name}{path} is no JSON document") from None
    else:
        click.echo(data)


@click.command()
@click.option("--pr", type=click.IntRange(1), metavar="N", envvar="EXPORTER_PR", help="Of this pull request.")
@click.option("--branch", metavar="NAME", envvar="EXPORTER_BRANCH", help="Of this branch.")
@click.option("--commit", metavar="SHA", envvar="EXPORTER_COMMIT", help="Of this commit, by its full hash.")
@click.option("--repository", metavar="NAME", envvar="EXPORTER_REPOSITORY", help="Of this fork, as OWNER/NAME.")
@click.option("--platform", type=click.Choice(PLATFORMS), envvar="EXPORTER_PLATFORM", help="On this platform.")
@click.option("--status", type=click.Choice(RUN_STATUSES), envvar="EXPORTER_STATUS", help="With this status.")
@_limit_option
@_base_option
@options.logging_options
def runs(base: str, limit: int | None, **wanted: Any) -> None:
    """List the runs that have all that is asked for, newest first: a table on a terminal, else JSON lines."""
    with _api(base) as api:
        _show(
            api.runs(**wanted),
            limit,
            {
                "run": lambda run: run["run_id"],
                "status": lambda run: run["status"],
                "platform": lambda run: run["platform"],
                "of": lambda run: run["branch"] if run["test_type"] != "pr" else f"PR {run['pr_number']}",
                "commit": lambda run: (run["commit_sha"] or "")[:8],
                "ended (UTC)": lambda run: _minute(run["completed_at"]),
                "passed": lambda run: run["summary"]["pass_count"],
                "failed": lambda run: run["summary"]["fail_count"] + run["summary"]["missing_output_count"],
            },
        )


@click.command()
@click.argument("sample", metavar="SAMPLE")
@_limit_option
@_base_option
@options.logging_options
def history(sample: str, base: str, limit: int | None) -> None:
    """List every result with a sample, newest run first: a table on a terminal, else JSON lines.

    SAMPLE is the sample's id, its hash, or its name.
    """
    with _api(base) as api:
        _show(
            api.history(_sample_id(api, sample)),
            limit,
            {
                "run": lambda entry: entry["run_id"],
                "test": lambda entry: entry["regression_test_id"],
                "status": lambda entry: entry["status"],
                "platform": lambda entry: entry["platform"],
                "branch": lambda entry: entry["branch"],
                "commit": lambda entry: (entry["commit_sha"] or "")[:8],
                "tested (UTC)": lambda entry: _minute(entry["tested_at"]),
                "ms": lambda entry: entry["runtime_ms"],
                "failure": lambda entry: entry["failure_signature"],
            },
        )


def _api(base: str) -> "Api":
    from exporter.client.api import Api

    return Api(base)


def _sample_id(api: "Api", sample: str) -> int:
    """The id of the sample that a text names.

    Raises:
        UsageError: it names several.
        ExporterError: it names none.
    """
    from exporter.client.api import NotFoundError

    if re.fullmatch(r"[0-9]{1,18}", sample):
        return int(sample)
    if re.fullmatch(r"[0-9a-f]{64}", sample):
        try:
            return api.sample(sample)["sample_id"]
        except NotFoundError:
            raise ExporterError(f"no sample has the hash {sample}") from None
    found = [one["sample_id"] for one in api.samples() if sample in (one["original_name"], one["filename"])]
    if not found:
        raise ExporterError(f"no sample is called {sample[:100]!r}; exporter get samples.json lists them")
    if len(found) > 1:
        raise UsageError(f"{len(found)} samples are called {sample[:100]!r}; name one by its id: {_some(found)}")
    return found[0]


def _some(ids: list[int]) -> str:
    return ", ".join(map(str, ids[:10])) + (" …" if len(ids) > 10 else "")


Columns = Mapping[str, Callable[[Any], Any]]


def _show(items: Iterator[Any], limit: int | None, columns: Columns) -> None:
    """Items as a table on a terminal, elsewhere as JSON, one a line, in full."""
    if not sys.stdout.isatty():
        for item in itertools.islice(items, limit):
            click.echo(orjson.dumps(item))
        return
    most = limit or SHOWN
    shown = list(itertools.islice(items, most))
    if not shown:
        click.echo("there is none", err=True)
        return
    _print_table(shown, columns)
    if limit is None and next(items, None) is not None:
        click.echo(f"… and more; --limit shows more than {most}", err=True)


def _minute(moment: str | None) -> str | None:
    """A time as a table shows it."""
    return moment and moment[:16].replace("T", " ")


def _print_table(items: Iterable[Any], columns: Columns) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(
            name, justify="right" if name in _NUMBERS else "left", no_wrap=name not in _LONG, overflow="fold"
        )
    for item in items:
        try:
            values = {name: "" if (value := of(item)) is None else str(value) for name, of in columns.items()}
        except (KeyError, TypeError):
            raise ExporterError("what is published is not as the contract says: its schemas tell more") from None
        table.add_row(
            *(
                Text(_printable(value), _STYLES.get(value, "") if name == "status" else "")
                for name, value in values.items()
            )
        )
    Console().print(table)


def _printable(text: str) -> str:
    """A text that moves no cursor and changes no colour: what rows say is anybody's."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
