"""The command `get`."""

import sys

import click
import orjson

from exporter import paths
from exporter.cli import options, reader_options
from exporter.cli.help import Command
from exporter.cli.output import printable
from exporter.errors import ExporterError, FetchError


@click.command(
    cls=Command,
    examples=(
        "get runs/9301.json --base https://HOST",
        "get manifest --base site | jq .counts",
    ),
    docs="docs/consumers.md",
)
@click.argument("path", metavar="PATH")
@reader_options.base_options
@options.logging_options
def get(path: str, reader: reader_options.Reader) -> None:
    """Print the document at PATH, such as runs/12.json, as it is published; indented on a terminal.

    The suffix .json may be left out.
    """
    from exporter.client.http import NotFoundError

    path = path.removeprefix("/").removeprefix(paths.API_ROOT)
    folder = path.rstrip("/")
    with reader.open() as api:
        try:
            data = api.read(folder if path else paths.MANIFEST)
        except NotFoundError as error:
            if folder.endswith(".json"):
                raise
            try:
                data = api.read(f"{folder}.json")
            except FetchError:
                raise ExporterError(
                    f"{error}; if {folder}/ is a folder, name a document in it, such as runs/12.json"
                ) from None
        if not sys.stdout.isatty():
            click.echo(data)
            return
        try:
            click.echo(printable(orjson.dumps(orjson.loads(data), option=orjson.OPT_INDENT_2).decode()))
        except ValueError:
            raise ExporterError(f"{api.name}{folder} is not a JSON document; redirect the output to a file") from None
