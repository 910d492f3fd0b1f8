"""The command `runs`."""

import re
from typing import Any

import click

from exporter.cli import options, reader_options
from exporter.cli.help import Command
from exporter.cli.output import Column, Shown, minute, show
from exporter.paths import PLATFORMS
from exporter.rules.status import RUN_STATUSES

_COLUMNS = (
    Column("run", lambda run: run["run_id"], number=True),
    Column("status", lambda run: run["status"]),
    Column("platform", lambda run: run["platform"], rank=1),
    Column("of", lambda run: run["branch"] if run["test_type"] != "pr" else f"PR {run['pr_number']}", longest=24),
    Column("commit", lambda run: (run["commit_sha"] or "")[:8]),
    Column("ended (UTC)", lambda run: minute(run["completed_at"]), rank=2),
    Column("passed", lambda run: run["summary"]["pass_count"], number=True),
    Column("failed", lambda run: run["summary"]["fail_count"] + run["summary"]["missing_output_count"], number=True),
)


def commit_hash(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Check a commit's hash, which may be abbreviated, and return it in lower case."""
    if value is not None and re.fullmatch("[0-9a-fA-F]{7,40}", value) is None:
        raise click.BadParameter(f"{value[:50]!r} is not a commit: give 7 to 40 hexadecimal digits of its hash")
    return value and value.lower()


@click.command(
    cls=Command,
    examples=(
        "runs --branch master --status fail --base https://HOST",
        "runs -c 4f2a9c1 -o csv --base site",
    ),
    docs="docs/consumers.md",
)
@options.option("--pr", "-p", type=click.IntRange(1), metavar="N", help="Of this pull request.")
@options.option("--branch", "-b", metavar="NAME", help="Of this branch.")
@options.option(
    "--commit", "-c", metavar="SHA", callback=commit_hash, help="Of this commit: 7 or more digits of its hash."
)
@options.option("--repository", metavar="NAME", help="Of this fork, as OWNER/NAME or its URL.")
@options.option("--platform", type=click.Choice(PLATFORMS), help="On this platform.")
@options.option("--status", "-s", type=click.Choice(RUN_STATUSES), help="With this status.")
@reader_options.list_options
@reader_options.base_options
@options.logging_options
def runs(reader: reader_options.Reader, shown: Shown, **wanted: Any) -> int:
    """List the runs that meet all conditions, newest first: a table on a terminal, else JSON lines."""
    with reader.open() as api:
        return show(api.runs(**wanted), shown, _COLUMNS)
    return 0
