"""The command `download`."""

import logging
import pathlib

import click

from exporter import logs
from exporter.cli import options

log = logging.getLogger(__name__)


@click.command()
@click.argument("base", metavar="BASE-URL")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=pathlib.Path))
@options.option("--snapshot", metavar="ID", help="The snapshot to download.  [default: the newest]")
@options.credentials_option
@options.logging_options
def download(base: str, folder: pathlib.Path, snapshot: str | None, credentials: pathlib.Path | None) -> None:
    """Download a snapshot, whole and verified.

    BASE-URL is that of v1/, or of the folder that holds v1/: https, http, file or gs. An interrupted download resumes
    where it stopped, and the files in DIR are replaced when all new ones have arrived. Prints the snapshot's id.
    """
    from exporter.client.download import download as fetch
    from exporter.client.transfer import source

    with source(base, credentials) as opened, logs.bar("downloading", 100) as show:
        id_ = fetch(opened, folder, snapshot, show)
    log.info("%s: snapshot %s is complete", folder, id_)
    click.echo(id_)
