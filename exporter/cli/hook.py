"""The command `hook`, and the hidden one that its worker runs."""

import gc
import logging
import pathlib

import click

from exporter.cli import exit_codes, options
from exporter.cli.help import Command
from exporter.errors import ExporterError
from exporter.export.service import Export
from exporter.hook import last_export, queue_worker
from exporter.hook.queue import Lock, Requests
from exporter.hook.spool import Spool, default_spool

log = logging.getLogger(__name__)


@click.command(
    cls=Command,
    examples=(
        "hook --run 9301",
        "hook --wait",
    ),
    docs="docs/hook.md",
)
@options.export_options
@options.run_option("A run that has changed; repeatable. Without it, only the requests of earlier hooks are done.")
@options.spool_option
@options.option(
    "--wait",
    is_flag=True,
    command_line_only=True,  # EXPORTER_WAIT is a duration, of `mirror`
    help="Return when the runs are published, with the export's exit code.",
)
@options.option(
    "--timeout",
    type=click.FloatRange(0),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="With --wait: how long to wait for another export of the hook.",
)
@options.logging_options
@click.pass_context
def hook(
    context: click.Context,
    /,
    export: Export,
    run: tuple[int, ...],
    spool: pathlib.Path | None,
    wait: bool,
    timeout: float,
) -> int:
    """Queue runs for publication and return immediately; a background worker exports them.

    For the end of a CI run. The request is on disk when this command returns. Each store has one worker, which
    exports together the runs that are queued while it is busy. If an export fails, its requests are kept for the next.
    """
    spool = (spool or default_spool(export.store)).absolute()
    requests = Requests(spool)
    try:
        mine = frozenset({requests.record(run)} if run else requests.names())
    except OSError as error:
        raise ExporterError(
            f"the spool {spool} cannot be used: {error.strerror or error}; give this user the rights, or name another "
            "folder with --spool"
        ) from None
    if not mine:
        log.info("nothing is left to do")
        return 0
    if wait:
        return queue_worker.wait(requests, mine, _attempt(export, spool), timeout)
    queue_worker.start_worker(spool, {**options.typed(context), f"{options.PREFIX}SPOOL": str(spool)})
    log.info("queued; the worker logs to %s", Spool(spool).log)
    return 0


@click.command(queue_worker.COMMAND, hidden=True)
@click.argument("lock", type=int)
@options.export_options
@options.spool_option
@options.logging_options
def hook_worker(export: Export, lock: int, spool: pathlib.Path | None) -> int:
    """Carry out the requests of hooks. LOCK is the inherited descriptor of the spool's lock."""
    gc.disable()  # as in worker processes
    spool = spool or default_spool(export.store)
    return queue_worker.work(Requests(spool), Lock(lock), _attempt(export, spool), held=True)


def _attempt(export: Export, spool: pathlib.Path) -> queue_worker.Attempt:
    """One export for the hook: its end is noted and a failure logged."""

    def attempt(runs: tuple[int, ...] | None) -> int:
        try:
            with last_export.noted(spool, runs, exit_codes.explain):
                export.perform(runs)
        except Exception as error:
            return exit_codes.report(error)
        return 0

    return attempt
