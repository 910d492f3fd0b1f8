"""The commands `snapshot`, `download` and `mirror`."""

import logging

import click

from exporter import logs, options

log = logging.getLogger(__name__)


@click.command()
@options.database_option(
    required=True, help="The platform's database: mysql+pymysql://USER:PASSWORD@HOST/NAME or sqlite:///FILE."
)
@click.option(
    "--store",
    metavar="STORE",
    required=True,
    envvar="EXPORTER_STORE",
    help="Where to publish: a folder, or gs://BUCKET[/PREFIX].",
)
@options.access_options
@click.option(
    "--keep",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    envvar="EXPORTER_KEEP",
    help="How many snapshots stay; older ones are deleted.",
)
@options.logging_options
def snapshot(database_url: str, store: str, access: options.Access, keep: int) -> None:
    """Publish all data as files to download: NDJSON, Parquet and SQLite.

    All of it is read at one moment. Nothing is published if the newest snapshot holds the same. Prints the newest
    snapshot's id.
    """
    from exporter.snapshots import create
    from exporter.source.database import Database

    options.hide(database_url)
    made = create(Database(database_url), access.open(store), keep, logs.progress)
    counts = made.snapshot["counts"]
    log.info(
        "%s: %d runs, %d results, %d samples, %d regression tests, %d bytes; %d rows made no sense",
        "published" if made.new else "nothing has changed since the newest snapshot",
        *(counts[name] for name in ("runs", "results", "samples", "regression_tests")),
        made.snapshot["bytes"],
        made.problems,
    )
    click.echo(made.snapshot["id"])
