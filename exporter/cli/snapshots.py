"""The commands `snapshot`, `download` and `mirror`."""

import contextlib
import gc
import logging
import pathlib

import click

from exporter import logs
from exporter.cli import options

log = logging.getLogger(__name__)


@click.command()
@options.publishing_options
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
    from exporter.snapshots.create import create
    from exporter.source.database import Database

    options.hide(database_url)
    gc.disable()  # a third of the time of reading goes into looking for cycles among rows that have none
    with contextlib.closing(Database(database_url)) as database:
        made = create(database, access.open(store), keep, logs.progress, process=True)
    counts = made.snapshot["counts"]
    log.info(
        "%s: %d runs, %d results, %d samples, %d regression tests, %d bytes; %d invalid rows",
        "published" if made.new else "nothing has changed since the newest snapshot",
        *(counts[name] for name in ("runs", "results", "samples", "regression_tests")),
        made.snapshot["bytes"],
        made.problems,
    )
    click.echo(made.snapshot["id"])


@click.command()
@click.argument("base", metavar="BASE-URL")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=pathlib.Path))
@click.option("--snapshot", metavar="ID", envvar="EXPORTER_SNAPSHOT", help="Which one.  [default: the newest]")
@options.credentials_option
@options.logging_options
def download(base: str, folder: pathlib.Path, snapshot: str | None, credentials: pathlib.Path | None) -> None:
    """Download a snapshot, whole and verified.

    BASE-URL is that of v1/, or of what it lies in: https, http, file or gs. A download that was broken off goes on
    where it was, and the files in DIR are replaced when all new ones are there. Prints the snapshot's id.
    """
    from exporter.client.download import download as fetch
    from exporter.client.transfer import source

    with source(base, credentials) as opened, logs.bar("downloading", 100) as show:
        id_ = fetch(opened, folder, snapshot, show)
    log.info("%s: snapshot %s is there", folder, id_)
    click.echo(id_)


@click.command()
@click.argument("base", metavar="BASE-URL")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=pathlib.Path))
@click.option(
    "--wait",
    type=options.Duration(),
    default="5m",
    show_default=True,
    envvar="EXPORTER_WAIT",
    help="How long to wait in all while the source is being published.",
)
@options.credentials_option
@options.logging_options
def mirror(base: str, folder: pathlib.Path, wait: int, credentials: pathlib.Path | None) -> None:
    """Copy a published API to a folder, or bring the copy up to date.

    Only documents whose digests differ are fetched. Readers of the copy meet no broken link at any moment; one that was
    broken off is completed by the next.
    """
    from exporter.client.mirror import mirror as copy
    from exporter.client.transfer import source
    from exporter.publish.local.folder_store import LocalStore

    with source(base, credentials) as opened:
        report = copy(opened, LocalStore(folder), logs.progress, wait=wait)
    log.info("%s: %d documents, %d fetched, %d deleted", folder, report.documents, report.written, report.deleted)
