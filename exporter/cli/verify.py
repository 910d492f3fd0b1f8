"""The command `verify`."""

import pathlib

import click

from exporter import logs
from exporter.cli import options
from exporter.cli.help import Command
from exporter.publish.open_store import open_store

_MOST_SHOWN = 50


@click.command(
    cls=Command,
    examples=(
        "verify site",
        "verify gs://BUCKET --content",
    ),
    docs="docs/operating.md",
)
@options.store_argument
@options.credentials_option
@options.option(
    "--content",
    is_flag=True,
    help="Read every document of a bucket, and check its links. By default only the digests in the bucket listing are "
    "compared.",
)
@options.logging_options
def verify(store: str, credentials: pathlib.Path | None, content: bool) -> int:
    """Check that a store holds what its manifest says, whole and without a broken link.

    Exits with 1 if it does not. Every document of a folder is read.
    """
    from exporter.publish.verify import verify as check
    from exporter.snapshots import snapshot_index

    opened = open_store(store, credentials=credentials)
    report = check(opened, logs.progress, content=content)
    report.problems += snapshot_index.check(opened)
    lines = report.problems[:_MOST_SHOWN]
    if len(report.problems) > _MOST_SHOWN:
        lines.append(f"… and {len(report.problems) - _MOST_SHOWN} more")
    links = "links not checked (--content does)" if report.links is None else f"{report.links} links"
    lines.append(
        f"{report.documents} documents, {links}, {report.bytes} bytes: "
        + (f"{len(report.problems)} problems" if report.problems else "all is well")
    )
    click.echo("\n".join([*lines, *report.advice]))
    return 1 if report.problems else 0
