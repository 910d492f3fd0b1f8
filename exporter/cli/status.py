"""The command `status`; its texts are in `hook/store_report.py`."""

import logging
import pathlib

import click

from exporter.cli import options
from exporter.cli.duration import Duration
from exporter.cli.help import Command
from exporter.hook.spool import existing_spool
from exporter.publish.open_store import open_store

log = logging.getLogger(__name__)


@click.command(
    cls=Command,
    examples=(
        "status site",
        "status gs://BUCKET --max-age 2h --json",
    ),
    docs="docs/hook.md",
)
@options.store_argument
@options.credentials_option
@options.spool_option
@options.option(
    "--max-age",
    type=Duration(),
    metavar="DURATION",
    help="Exit with 1 if the last successful export is older, as in 90s, 30m, 2h, 1d.",
)
@options.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@options.option("--prometheus", "as_prometheus", is_flag=True, help="Print Prometheus' text format.")
@options.logging_options
def status(
    store: str,
    credentials: pathlib.Path | None,
    spool: pathlib.Path | None,
    max_age: int | None,
    as_json: bool,
    as_prometheus: bool,
) -> int:
    """Show when a store was last brought up to date, what it holds, and which requests are waiting.

    Exits with 1 if nothing is published there, or if the last successful export is too old.
    """
    from exporter.hook import store_report

    if as_json and as_prometheus:
        raise click.UsageError("--json and --prometheus exclude each other")
    report = store_report.read(open_store(store, credentials=credentials), spool or existing_spool(store))
    if as_json:
        click.echo(store_report.as_json(report, max_age))
    elif as_prometheus:
        click.echo(store_report.as_prometheus(report), nl=False)
    else:
        click.echo(store_report.as_text(report))
    if max_age is not None and report.age > max_age:
        log.error("the last successful export was %s ago", store_report.span(report.age))
        return 1
    return 0
