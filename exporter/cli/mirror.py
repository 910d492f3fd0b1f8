"""The command `mirror`."""

import logging
import os
import pathlib
import time
from typing import TYPE_CHECKING

import click

from exporter import logs, paths
from exporter.cli import options, reader_options
from exporter.cli.duration import Duration
from exporter.cli.help import Command
from exporter.errors import UsageError

if TYPE_CHECKING:
    from exporter.client.http import Limits

log = logging.getLogger(__name__)


@click.command(
    cls=Command,
    examples=(
        "mirror https://HOST/v1/ copy",
        "mirror https://HOST copy --time-limit 30m",
    ),
    docs="docs/consumers.md",
)
@click.argument("base", metavar="BASE-URL")
@click.argument("folder", metavar="DIR", type=options.Folder())
@options.option(
    "--wait",
    type=Duration(),
    default="5m",
    show_default=True,
    help="How long to wait in all while the source is being published.",
)
@options.credentials_option
@reader_options.limits_options("6h")
@options.logging_options
def mirror(base: str, folder: pathlib.Path, wait: int, credentials: pathlib.Path | None, limits: "Limits") -> None:
    """Copy a published API to a folder, or bring the copy up to date.

    Only documents whose digests differ are fetched. Readers of the copy meet no broken link at any moment; the next
    run completes an interrupted one. If the source's host serves v1/ alone, the copy has no site.
    """
    from exporter.client.mirror import Transfer
    from exporter.client.mirror import mirror as copy
    from exporter.client.transfer import source
    from exporter.publish.local.folder_store import LocalStore

    real = os.path.realpath(folder)  # `Path.resolve` raises a RuntimeError for a loop of links before Python 3.13
    for outside in pathlib.Path(real).parents:
        if os.path.lexists(outside / paths.STATE_PLAN):
            raise UsageError(
                f"{folder} lies in {outside}, where an exporter publishes; name another folder for the mirror"
            )
    with source(base, credentials, limits) as opened, logs.transfer("fetching") as bar:
        log.info("reading what %s has published", opened.name)
        began = time.monotonic()

        def show(now: Transfer) -> None:
            nonlocal began
            if not now.documents:
                began = time.monotonic()
                log.info("fetching %d documents, %s", now.of_documents, logs.megabytes(now.of_bytes))
            bar(now.documents, now.bytes, now.of_bytes)

        report = copy(opened, LocalStore(pathlib.Path(real)), show, wait=wait)
        seconds = time.monotonic() - began
    log.info(
        "%s: %d documents%s; fetched %s; %d deleted",
        folder,
        report.documents,
        "" if report.site else " without the site, which the source does not serve",
        logs.amount(report.written, report.bytes, seconds) if report.written else "nothing, it was up to date",
        report.deleted,
    )
