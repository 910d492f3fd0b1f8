"""The command `snapshot`."""

import contextlib
import gc
import logging

import click

from exporter import logs
from exporter.cli import options
from exporter.cli.help import Command
from exporter.export.service import NO_REDACTION
from exporter.publish.open_store import StoreAccess
from exporter.rules.lineage import MainLine

log = logging.getLogger(__name__)


@click.command(
    cls=Command,
    examples=("snapshot --database-url sqlite:///demo.sqlite --store site --keep 5",),
    docs="docs/consumers.md",
)
@options.publishing_options
@options.access_options
@options.main_line_options
@options.redaction_option
@options.option(
    "--keep",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="How many snapshots stay; older ones are deleted.",
)
@options.logging_options
def snapshot(
    *,
    database_url: str,
    database_timeout: int,
    store: str,
    access: StoreAccess,
    keep: int,
    main: MainLine,
    redaction: bool,
) -> None:
    """Publish all data as files to download: NDJSON, Parquet and SQLite.

    All rows are read in one consistent read. Nothing is published if the newest snapshot holds the same. Prints the
    newest snapshot's id.
    """
    from exporter.snapshots.create import SnapshotSettings, create
    from exporter.source.database import Database

    logs.hide_url(database_url)
    settings = SnapshotSettings(keep, main, process=True, redaction=redaction)
    if not redaction:
        log.warning(NO_REDACTION)
    gc.disable()  # a third of the time of reading goes into looking for cycles among rows that have none
    with contextlib.closing(Database(database_url, database_timeout)) as database:
        made = create(database, access.open(store), settings, logs.progress)
    counts = made.snapshot["counts"]
    log.info(
        "%s: %d runs, %d results, %d samples, %d regression tests, %d bytes; %d invalid rows",
        "published" if made.new else "nothing has changed since the newest snapshot",
        *(counts[name] for name in ("runs", "results", "samples", "regression_tests")),
        made.snapshot["bytes"],
        made.problems,
    )
    click.echo(made.snapshot["id"])
