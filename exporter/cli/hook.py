"""The commands `hook` and `status`."""

import logging
import pathlib

import click

from exporter.cli import options
from exporter.hook import last_export
from exporter.hook import queue as hooks

log = logging.getLogger(__name__)


@click.command()
@options.export_options
@options.run_option("A run that has changed; repeatable. Without: only what earlier hooks have left is done.")
@options.spool_option
@click.option(
    "--wait", is_flag=True, envvar="EXPORTER_WAIT", help="Return when it is published, with the export's exit code."
)
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    envvar="EXPORTER_TIMEOUT",
    help="With --wait: how long another export of the hook is waited for.",
)
@options.logging_options
@click.pass_context
def hook(
    context: click.Context,
    /,
    export: options.Export,
    run: tuple[int, ...],
    spool: pathlib.Path | None,
    wait: bool,
    timeout: float,
) -> int:
    """Have runs published, at once and in the background: for the end of a CI run.

    What is asked for is on disk when this returns. One process for each store does it; what is asked for while it is
    busy is done together. If that fails, it is kept and done with the next.
    """
    spool = (spool or last_export.default_spool(export.store)).absolute()
    requests = hooks.Requests(spool)
    if (lock := hooks.Lock.inherited()) is not None:
        return hooks.work(requests, lock, export.perform, held=True)
    mine = frozenset({requests.record(run)} if run else requests.names())
    if not mine:
        log.info("nothing is left to do")
        return 0
    if wait:
        return hooks.wait(requests, mine, export.perform, timeout)
    hooks.start_worker(spool, {**_environment(context), "EXPORTER_SPOOL": str(spool)})
    log.info("recorded; %s tells more", spool / "hook.log")
    return 0


def _environment(context: click.Context | None) -> dict[str, str]:
    """The options of a command, and of those above it, as environment variables."""
    values: dict[str, str] = {}
    while context is not None:
        for parameter in context.command.params:
            value = context.params.get(parameter.name or "")
            if isinstance(parameter.envvar, str) and isinstance(value, str | int | float | pathlib.Path):
                values[parameter.envvar] = str(value)
        context = context.parent
    return values


@click.command()
@options.store_argument
@options.credentials_option
@options.spool_option
@click.option(
    "--max-age",
    type=options.Duration(),
    metavar="DURATION",
    envvar="EXPORTER_MAX_AGE",
    help="Exit with 1 if the last export that ended well is longer ago, as in 90s, 30m, 2h, 1d.",
)
@click.option("--json", "as_json", is_flag=True, envvar="EXPORTER_JSON", help="Print one JSON object.")
@click.option(
    "--prometheus", "as_prometheus", is_flag=True, envvar="EXPORTER_PROMETHEUS", help="Print Prometheus' text format."
)
@options.logging_options
def status(
    store: str,
    credentials: pathlib.Path | None,
    spool: pathlib.Path | None,
    max_age: int | None,
    as_json: bool,
    as_prometheus: bool,
) -> int:
    """Tell when a store was last brought up to date, what it holds, and what is still to be done.

    Exits with 1 if nothing is published there, or if that was too long ago.
    """
    from exporter.hook import store_report

    if as_json and as_prometheus:
        raise click.UsageError("--json and --prometheus exclude each other")
    report = store_report.read(options.store(store, credentials), spool or last_export.existing_spool(store))
    if as_json:
        click.echo(store_report.as_json(report, max_age))
    elif as_prometheus:
        click.echo(store_report.as_prometheus(report), nl=False)
    else:
        click.echo(store_report.as_text(report))
    if max_age is not None and report.age > max_age:
        log.error("the last export that ended well is %s ago", store_report.span(report.age))
        return 1
    return 0
