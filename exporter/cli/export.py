"""The command `export`."""

import gc
import pathlib
from collections import Counter
from typing import TYPE_CHECKING

import click

from exporter.cli import exit_codes, options
from exporter.cli.help import Command
from exporter.export.service import Export
from exporter.hook import last_export
from exporter.hook.spool import existing_spool

if TYPE_CHECKING:
    from exporter.export.pipeline import Report


@click.command(
    cls=Command,
    examples=(
        "export --database-url mysql+pymysql://USER:PASSWORD@HOST/NAME --store site",
        "export --store gs://BUCKET --run 9301",
        "export --dry-run --verbose",
    ),
    docs="docs/operating.md",
)
@options.export_options
@options.run_option(
    "Look for changed rows only around this run; repeatable. For a hook, with a full export now and then."
)
@options.option(
    "--dry-run",
    is_flag=True,
    help="Say what would be built, written and deleted, and why; write nothing.",
)
@options.option("--verbose", "-v", is_flag=True, help="With --dry-run: list every partition and every deletion.")
@options.option(
    "--allow-shrink",
    is_flag=True,
    help="Publish even if that deletes more than half of the published documents of a kind. Without it such an export "
    "publishes nothing and exits with 3.",
)
@options.spool_option
@options.logging_options
def export(
    export: Export, run: tuple[int, ...], dry_run: bool, verbose: bool, allow_shrink: bool, spool: pathlib.Path | None
) -> None:
    """Export the platform's database to a store.

    Only documents whose rows have changed are built, and only those that differ are written. Readers of the store
    meet no broken link at any moment, and a failed export leaves the published documents intact: run it again.
    """
    gc.disable()  # as in worker processes
    if dry_run:
        _show(export.perform(run or None, dry_run=True, allow_shrink=allow_shrink), verbose=verbose)
        return
    with last_export.noted(spool or existing_spool(export.store), run or None, exit_codes.explain):
        export.perform(run or None, allow_shrink=allow_shrink)


def _show(report: "Report", *, verbose: bool) -> None:
    """Print what an export would do."""
    if verbose:
        for number, why in report.plan.build.items():
            click.echo(f"build partition {number}: {why}")
    else:
        for why, count in Counter(report.plan.build.values()).items():
            click.echo(f"build {count} {'partition' if count == 1 else 'partitions'}: {why}")
    for name, counts in report.writes.items():
        if any(counts.values()):
            of = name if not name.lstrip("-").isdecimal() else f"partition {name}"
            total = sum(counts.values())
            click.echo(
                f"write {total} new documents of {of}"
                if report.first
                else f"write {counts['new']} new and {counts['changed']} changed documents of {of}"
            )
    if verbose:
        for path in report.gone:
            click.echo(f"delete {path}")
    elif report.gone:
        from exporter.export.shrink_guard import kind_name

        kinds = Counter(map(kind_name, report.gone))
        counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        click.echo(f"delete {len(report.gone)} documents ({counted}); --verbose lists them")
