"""The command `mirror`."""

import logging
import pathlib

import click

from exporter import logs
from exporter.cli import options

log = logging.getLogger(__name__)


@click.command()
@click.argument("base", metavar="BASE-URL")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=pathlib.Path))
@options.option(
    "--wait",
    type=options.Duration(),
    default="5m",
    show_default=True,
    help="How long to wait in all while the source is being published.",
)
@options.credentials_option
@options.logging_options
def mirror(base: str, folder: pathlib.Path, wait: int, credentials: pathlib.Path | None) -> None:
    """Copy a published API to a folder, or bring the copy up to date.

    Only documents whose digests differ are fetched. Readers of the copy meet no broken link at any moment; the next
    run completes an interrupted one.
    """
    from exporter.client.mirror import mirror as copy
    from exporter.client.transfer import source
    from exporter.publish.local.folder_store import LocalStore

    with source(base, credentials) as opened:
        report = copy(opened, LocalStore(folder), logs.progress, wait=wait)
    log.info("%s: %d documents, %d fetched, %d deleted", folder, report.documents, report.written, report.deleted)
