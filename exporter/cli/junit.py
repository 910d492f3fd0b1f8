"""The command `junit`."""

import click

from exporter.cli import options
from exporter.cli.help import Command
from exporter.cli.output import unread_is_no_error


@click.command(cls=Command, examples=("junit 9301 --base site",), docs="docs/consumers.md")
@click.argument("run", metavar="RUN", type=click.IntRange(1))
@options.option("--passes", is_flag=True, help="List results that pass as well; else they are counted alone.")
@options.base_options
@options.logging_options
def junit(run: int, passes: bool, reader: options.Reader) -> None:
    """Print a run as JUnit XML, for tools that show test results."""
    from exporter.documents.junit import junit as xml

    with reader.open() as api, unread_is_no_error():
        failures = {one["regression_test_id"]: one for one in api.failures(run)}
        click.echo(xml(api.run(run), api.results(run), failures, "list" if passes else "count"), nl=False)
