"""The command `demo`."""

import logging
import pathlib

import click

from exporter import logs
from exporter.cli import options
from exporter.cli.help import Command

log = logging.getLogger(__name__)


@click.command(
    cls=Command,
    examples=(
        "demo",
        "demo --runs 1000 --database-url sqlite:///big.sqlite --sample-repository files",
    ),
    docs="README.md",
)
@options.database_option(
    default="sqlite:///demo.sqlite",
    show_default=True,
    command_line_only=True,
    help="The database to make; it must not hold a platform yet. Given here alone, as is --sample-repository: "
    "settings name the platform's own.",
)
@options.option("--runs", type=click.IntRange(1), default=300, show_default=True, help="Number of runs.")
@options.option("--tests", type=click.IntRange(1), default=60, show_default=True, help="Number of regression tests.")
@options.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same rows.")
@options.option(
    "--sample-repository",
    type=options.Folder(),
    command_line_only=True,
    help="Also write the outputs and logs to which the rows refer to this folder.",
)
@options.logging_options
def demo(database_url: str, runs: int, tests: int, seed: int, sample_repository: pathlib.Path | None) -> None:
    """Make a platform database with synthetic, realistic data."""
    from exporter.demo import create_demo

    logs.hide_url(database_url)
    with logs.bar("making runs", runs) as show:
        create_demo(
            database_url,
            runs=runs,
            tests=tests,
            seed=seed,
            progress=lambda done, _: show(done),
            sample_repository=sample_repository,
        )
    place = database_url.partition(":///")[2] or "the database"
    log.info("%s holds %d runs of %d regression tests now", place, runs, tests)
