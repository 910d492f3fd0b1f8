"""Option declarations of the commands that read a published API."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from exporter.cli.duration import Duration
from exporter.cli.options import Command, option
from exporter.cli.output import FORMATS, SHOWN, Shown

if TYPE_CHECKING:  # urllib3 takes some time to load
    from exporter.client.api import Api
    from exporter.client.http import Limits


@dataclass(frozen=True, slots=True)
class Reader:
    """The published API to read from, as the options say."""

    base: str
    limits: "Limits"

    def open(self) -> "Api":
        """Open the API.

        Raises:
            UsageError: the base is nothing of the kind.
        """
        from exporter.client.api import Api

        return Api(self.base, request_timeout=self.limits.request, time_limit=self.limits.total)


def limits_options(total: str) -> Callable[[Command], Command]:
    """Add how long a reader waits; the command gets it as one `Limits`, named `limits`. `total` is the default."""

    def add(command: Command) -> Command:
        @option(
            "--request-timeout",
            type=Duration(),
            default="30s",
            show_default=True,
            metavar="DURATION",
            help="How long a server may send nothing before a request counts as failed; a failed one is repeated, up "
            "to 5 times.",
        )
        @option(
            "--time-limit",
            type=Duration(),
            default=total,
            show_default=True,
            metavar="DURATION",
            help="How long the command may take in all.",
        )
        @functools.wraps(command)
        def with_limits(*args: Any, request_timeout: int, time_limit: int, **kwargs: Any) -> Any:
            from exporter.client.http import Limits

            return command(*args, limits=Limits(request_timeout, time_limit), **kwargs)

        return with_limits

    return add


def base_options(command: Command) -> Command:
    """Add what reading a published API takes; the command gets it as one `Reader`, named `reader`."""

    @option(
        "--base",
        metavar="BASE",
        required=True,
        help="Where the API is published: https://…, file://…, gs://BUCKET[/PREFIX] or a folder.",
    )
    @limits_options("10m")
    @functools.wraps(command)
    def with_reader(*args: Any, base: str, limits: "Limits", **kwargs: Any) -> Any:
        return command(*args, reader=Reader(base, limits), **kwargs)

    return with_reader


def list_options(command: Command) -> Command:
    """Add what printing a list takes; the command gets it as one `Shown`, named `shown`."""

    @option(
        "--output",
        "-o",
        type=click.Choice(FORMATS),
        show_default="table on a terminal, else ndjson",
        help="How to print: a table, JSON lines, one JSON array, or CSV.",
    )
    @option(
        "--limit",
        "-n",
        type=click.IntRange(1),
        show_default=f"{SHOWN} in a table, else all",
        help="The most items that are printed.",
    )
    @option("--fail-if-empty", is_flag=True, help="Exit with 1 if nothing is found.")
    @functools.wraps(command)
    def with_shown(*args: Any, output: Any, limit: int | None, fail_if_empty: bool, **kwargs: Any) -> Any:
        return command(*args, shown=Shown(output, limit, fail_if_empty), **kwargs)

    return with_shown
