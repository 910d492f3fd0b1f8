"""The command `live-api`."""

import click

from exporter.cli import options
from exporter.cli.help import Command


@click.command(cls=Command, examples=("live-api site --port 8080",), docs="docs/live-api.md")
@click.argument("base", metavar="BASE")
@options.option("--upstream", metavar="URL", help="The platform itself, for requests that no published tree answers.")
@options.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@options.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port to listen on.")
@options.logging_options
def live_api(base: str, upstream: str | None, host: str, port: int) -> None:
    """Answer the platform's own GET /api/v1/… from the tree published at BASE.

    BASE is a folder, gs://BUCKET[/PREFIX] or a URL.
    """
    from exporter.server.listening import run_app
    from exporter.server.live_api import create_app
    from exporter.server.platform_api import ROOT

    run_app(create_app(base, upstream), f"the platform's {ROOT}/", host, port)
