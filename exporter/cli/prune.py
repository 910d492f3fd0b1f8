"""The command `prune`."""

import logging

import click

from exporter.cli import options
from exporter.cli.help import Command
from exporter.publish.open_store import StoreAccess

log = logging.getLogger(__name__)


@click.command(
    cls=Command,
    examples=(
        "prune gs://BUCKET",
        "prune gs://BUCKET --yes",
    ),
    docs="docs/operating.md",
)
@options.store_argument
@options.access_options
@options.option("--yes", is_flag=True, help="Delete them.")
@options.logging_options
def prune(store: str, access: StoreAccess, yes: bool) -> None:
    """List the objects in a store that no manifest names any more, or delete them.

    An export deletes the documents that it replaces; this is for the objects that an export that died, or a lost
    _state/, has left.
    """
    from exporter.publish import prune as pruning
    from exporter.state import state_file

    opened = access.open(store)
    if yes:
        deleted = pruning.prune(opened, state_file.named_files)
        log.info("%s: %s", opened.name, f"{deleted} objects deleted" if deleted else "nothing to delete")
        return
    count = size = 0
    for entry in pruning.strays(opened, state_file.named_files):
        click.echo(entry.path)
        count, size = count + 1, size + max(0, entry.size)
    if count:
        log.info("%s: %d objects of %d bytes; --yes deletes them", opened.name, count, size)
    else:
        log.info("%s: nothing to delete: every object is named by a manifest or the state", opened.name)
