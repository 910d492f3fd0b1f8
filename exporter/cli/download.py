"""The command `download`."""

import logging
import pathlib
from typing import TYPE_CHECKING

import click

from exporter import logs
from exporter.cli import options, reader_options
from exporter.cli.help import Command

if TYPE_CHECKING:
    from exporter.client.http import Limits

log = logging.getLogger(__name__)


@click.command(
    cls=Command,
    examples=(
        "download https://HOST/v1/ data",
        "download gs://BUCKET data --snapshot 20260630T120000Z",
    ),
    docs="docs/consumers.md",
)
@click.argument("base", metavar="BASE-URL")
@click.argument("folder", metavar="DIR", type=options.Folder())
@options.option("--snapshot", metavar="ID", help="The snapshot to download.  [default: the newest]")
@options.credentials_option
@reader_options.limits_options("6h")
@options.logging_options
def download(
    base: str, folder: pathlib.Path, snapshot: str | None, credentials: pathlib.Path | None, limits: "Limits"
) -> None:
    """Download a snapshot, whole and verified.

    BASE-URL is that of v1/, or of the folder that holds v1/: https, http, file or gs. An interrupted download resumes
    where it stopped, and the files in DIR are replaced when all new ones have arrived. Prints the snapshot's id.
    """
    from exporter.client.download import choose
    from exporter.client.download import download as fetch
    from exporter.client.transfer import source

    with source(base, credentials, limits) as opened, logs.transfer("downloading") as bar:
        chosen = choose(opened, snapshot)
        log.info(
            "downloading snapshot %s: %d files, %s", chosen["id"], len(chosen["files"]), logs.megabytes(chosen["bytes"])
        )
        fetch(opened, folder, chosen, bar)
    log.info("%s: snapshot %s is complete", folder, chosen["id"])
    click.echo(chosen["id"])
