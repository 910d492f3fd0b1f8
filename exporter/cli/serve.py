"""The command `serve`."""

import pathlib

import click

from exporter.cli import options
from exporter.cli.help import Command


@click.command(
    cls=Command,
    examples=(
        "serve site",
        "serve site --port 8080",
    ),
    docs="README.md",
)
@options.store_argument
@options.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@options.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port to listen on; 0: a free one."
)
@options.logging_options
def serve(store: str, host: str, port: int) -> None:
    """Preview an exported folder in a browser, as a bucket would serve it."""
    from exporter.server.preview import serve as serve_folder

    if not store or "://" in store or not pathlib.Path(store).is_dir():
        raise click.UsageError(f"{store!r} is not an existing folder: only a folder can be previewed")
    serve_folder(pathlib.Path(store), host, port)
