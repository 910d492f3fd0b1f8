"""The commands. Nothing else knows about click, nothing here knows how anything is done."""

import gc
import itertools
import logging
import os
import pathlib
import re
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import click

from exporter import __version__, logs
from exporter.cli import options, settings_file
from exporter.cli.bucket import bucket
from exporter.cli.hook import hook, status
from exporter.cli.readers import get, history, runs
from exporter.cli.snapshots import download, mirror, snapshot
from exporter.errors import UsageError
from exporter.hook import last_export

log = logging.getLogger(__name__)

_URL = re.compile(r"[\w+.-]+://.*@.*", re.DOTALL)


def main() -> None:
    """Run the command line; expected failures end in one line and their exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    gc.set_threshold(100_000, 50, 50)  # a tenth of a small export's time went into looking for cycles, of which are few
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:  # the reader has gone, or the disk is full: Python would complain once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    gc.freeze()  # or the interpreter would go through all that is left in search of cycles, for a tenth of a second
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line; give its exit code: 0, 1 (failed), 2 (wrong usage) or 130 (interrupted)."""
    for argument in arguments:
        if url := _URL.search(argument):  # with a user: it may stand in a message about the arguments
            logs.hide(url[0])
    logs.configure(_log_format(arguments), "info")
    try:
        with cli.make_context("exporter", arguments) as context:
            return int(cli.invoke(context) or 0)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        help_ = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        log.error("%s%s", error.format_message().rstrip("."), help_)
        return error.exit_code
    except click.ClickException as error:
        log.error("%s", error.format_message())
        return error.exit_code
    except click.Abort:
        return last_export.tell(KeyboardInterrupt())
    except (Exception, KeyboardInterrupt) as error:
        return last_export.tell(error)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _log_format(arguments: list[str]) -> logs.Format:
    """The format that is asked for, before the arguments are understood: what is wrong with them is logged as well."""
    asked = os.environ.get("EXPORTER_LOG_FORMAT")
    for argument, following in itertools.pairwise([*arguments, ""]):
        name, equals, value = argument.partition("=")
        if name == "--log-format":
            asked = value if equals else following
    return "json" if asked == "json" else "plain"


class _Group(click.Group):
    """A group whose commands take defaults from the settings file."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            ctx.default_map = self._defaults(ctx.params.get("config"))
        except UsageError:
            if not set(ctx.help_option_names).intersection(ctx.args):  # whoever asks for help may need it for that file
                raise
        return super().invoke(ctx)

    def _defaults(self, file: pathlib.Path | None) -> dict[str, Any]:
        """The defaults that a settings file gives, nested as groups and commands are."""
        options = {
            name: {option.name: getattr(option, "multiple", False) for option in command.params if option.name}
            for name, command in _commands(self)
        }
        defaults: dict[str, Any] = {}
        for name, values in settings_file.defaults(settings_file.read(file), options).items():
            of_group = defaults
            *groups, last = name.split(" ")
            for group in groups:
                of_group = of_group.setdefault(group, {})
            of_group.setdefault(last, {}).update(values)
        return defaults


def _commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """All commands with their full names, such as `bucket check`."""
    for name, command in group.commands.items():
        yield before + name, command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{before}{name} ")


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="exporter")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    envvar="EXPORTER_CONFIG",
    help="Settings file.  [default: exporter.toml, if there is one]",
)
def cli(config: pathlib.Path | None) -> None:
    """Publish the CCExtractor Sample Platform's results as a static JSON API.

    Every option can also be given as an environment variable EXPORTER_NAME, or as a line `name = value` of
    exporter.toml; the command line wins over the environment, that over the file.
    """


@cli.command()
@options.export_options
@options.run_option(
    "Look for changed rows only around this run; repeatable. For a hook, with a full export now and then."
)
@click.option(
    "--dry-run",
    is_flag=True,
    envvar="EXPORTER_DRY_RUN",
    help="Say what would be built, written and deleted, and why; write nothing.",
)
@options.spool_option
@options.logging_options
def export(export: options.Export, run: tuple[int, ...], dry_run: bool, spool: pathlib.Path | None) -> None:
    """Export the platform's database to a store.

    Only what has changed is built, and only what differs is written. Readers of the store meet no broken link at any
    moment, and a failed export leaves what was published intact: run it again.
    """
    if dry_run:
        report = export.perform(run or None, dry_run=True)
        for number, why in report.plan.build.items():
            click.echo(f"build partition {number}: {why}")
        for name, counts in report.writes.items():
            if any(counts.values()):
                of = name if name == "catalog" else f"partition {name}"
                click.echo(f"write {counts['new']} new and {counts['changed']} changed documents of {of}")
        for path in report.gone:
            click.echo(f"delete {path}")
        return
    with last_export.noted(spool or last_export.existing_spool(export.store), run or None):
        export.perform(run or None)


@cli.command()
@options.store_argument
@options.credentials_option
@click.option(
    "--content",
    is_flag=True,
    envvar="EXPORTER_CONTENT",
    help="Read every document of a bucket, and check its links. Else the digests are compared that its listing has.",
)
@options.logging_options
def verify(store: str, credentials: pathlib.Path | None, content: bool) -> int:
    """Check that a store holds what its manifest says, whole and without a broken link.

    Exits with 1 if it does not. Of a folder all is read.
    """
    from exporter.publish.verify import verify as check
    from exporter.snapshots import snapshot_index

    opened = options.store(store, credentials)
    report = check(opened, logs.progress, content=content)
    report.problems += snapshot_index.check(opened)
    for problem in report.problems[:_MOST_SHOWN]:
        click.echo(problem)
    if len(report.problems) > _MOST_SHOWN:
        click.echo(f"… and {len(report.problems) - _MOST_SHOWN} more")
    links = "links not looked at (--content does)" if report.links is None else f"{report.links} links"
    click.echo(
        f"{report.documents} documents, {links}, {report.bytes} bytes: "
        + (f"{len(report.problems)} problems" if report.problems else "all is well")
    )
    for line in report.advice:
        click.echo(line)
    return 1 if report.problems else 0


_MOST_SHOWN = 50


@cli.command()
@options.store_argument
@options.access_options
@click.option("--yes", is_flag=True, envvar="EXPORTER_YES", help="Delete them.")
@options.logging_options
def prune(store: str, access: options.Access, yes: bool) -> None:
    """List the objects in a store that nothing names any more, or delete them.

    Exports delete what they replace; this is for what exports that died, or a lost _state/, have left.
    """
    from exporter.publish import prune as pruning
    from exporter.state import state_file

    opened = access.open(store)
    if yes:
        deleted = pruning.prune(opened, state_file.named_files)
        log.info("%s: %s", opened.name, f"{deleted} objects deleted" if deleted else "nothing to delete")
        return
    count = size = 0
    for entry in pruning.strays(opened, state_file.named_files):
        click.echo(entry.path)
        count, size = count + 1, size + max(0, entry.size)
    if count:
        log.info("%s: %d objects of %d bytes; --yes deletes them", opened.name, count, size)
    else:
        log.info("%s: nothing to delete: every object is named by a manifest or the state", opened.name)


@cli.command()
@options.database_option(
    default="sqlite:///demo.sqlite", show_default=True, help="The database to make; it must not hold a platform yet."
)
@click.option(
    "--runs", type=click.IntRange(1), default=300, show_default=True, envvar="EXPORTER_RUNS", help="Number of runs."
)
@click.option(
    "--tests",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    envvar="EXPORTER_TESTS",
    help="Number of regression tests.",
)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    envvar="EXPORTER_SEED",
    help="The same seed makes the same rows.",
)
@click.option(
    "--sample-repository",
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    envvar="EXPORTER_SAMPLE_REPOSITORY",
    help="Also write the outputs and logs that the rows point at to this folder.",
)
@options.logging_options
def demo(database_url: str, runs: int, tests: int, seed: int, sample_repository: pathlib.Path | None) -> None:
    """Make a platform database with synthetic, realistic data."""
    from exporter.demo import create_demo

    options.hide(database_url)
    with logs.bar("making runs", runs) as show:
        create_demo(
            database_url,
            runs=runs,
            tests=tests,
            seed=seed,
            progress=lambda done, _: show(done),
            sample_repository=sample_repository,
        )
    log.info("made %d runs of %d regression tests", runs, tests)


@cli.command()
@options.store_argument
@click.option("--host", default="127.0.0.1", show_default=True, envvar="EXPORTER_HOST", help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    envvar="EXPORTER_PORT",
    help="0: a free one.",
)
@options.logging_options
def serve(store: str, host: str, port: int) -> None:
    """Preview an exported folder in a browser, as a bucket would serve it."""
    from exporter.server.preview import serve as serve_folder

    if "://" in store or not pathlib.Path(store).is_dir():
        raise click.UsageError(f"{store!r} is no folder that exists: only a folder can be previewed")
    serve_folder(pathlib.Path(store), host, port)


for command in (bucket, hook, status, get, runs, history, snapshot, download, mirror):
    cli.add_command(command)
