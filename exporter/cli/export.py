"""The command `export`."""

import pathlib

import click

from exporter.cli import exit_codes, options
from exporter.cli.help import Command
from exporter.export.service import Export
from exporter.hook import last_export
from exporter.hook.spool import existing_spool


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
@options.option(
    "--allow-shrink",
    is_flag=True,
    help="Publish even if that deletes more than half of the published documents of a kind. Without it such an export "
    "publishes nothing and exits with 3.",
)
@options.spool_option
@options.logging_options
def export(export: Export, run: tuple[int, ...], dry_run: bool, allow_shrink: bool, spool: pathlib.Path | None) -> None:
    """Export the platform's database to a store.

    Only documents whose rows have changed are built, and only those that differ are written. Readers of the store
    meet no broken link at any moment, and a failed export leaves the published documents intact: run it again.
    """
    if dry_run:
        report = export.perform(run or None, dry_run=True, allow_shrink=allow_shrink)
        for number, why in report.plan.build.items():
            click.echo(f"build partition {number}: {why}")
        for name, counts in report.writes.items():
            if any(counts.values()):
                of = name if name == "catalog" else f"partition {name}"
                click.echo(f"write {counts['new']} new and {counts['changed']} changed documents of {of}")
        for path in report.gone:
            click.echo(f"delete {path}")
        return
    with last_export.noted(spool or existing_spool(export.store), run or None, exit_codes.explain):
        export.perform(run or None, allow_shrink=allow_shrink)
