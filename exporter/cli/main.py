"""The program: its commands, where their settings come from, and how a failure ends it."""

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
from click.shell_completion import shell_complete

from exporter import __version__, logs
from exporter.cli import exit_codes, options
from exporter.cli.bucket import bucket
from exporter.cli.check import check
from exporter.cli.demo import demo
from exporter.cli.download import download
from exporter.cli.export import export
from exporter.cli.get import get
from exporter.cli.help import Group
from exporter.cli.history import history
from exporter.cli.hook import hook, hook_worker
from exporter.cli.junit import junit
from exporter.cli.live_api import live_api
from exporter.cli.mirror import mirror
from exporter.cli.prune import prune
from exporter.cli.report import report
from exporter.cli.runs import runs
from exporter.cli.serve import serve
from exporter.cli.settings_file import SettingsFile, did_you_mean
from exporter.cli.snapshot import snapshot
from exporter.cli.status import status
from exporter.cli.verify import verify
from exporter.errors import UsageError

log = logging.getLogger(__name__)

_COMPLETE = "_EXPORTER_COMPLETE"
"""The variable with which a shell asks for completions, or for the script that does: `bash_source` and the like."""

_URL = re.compile(r"[\w+.-]+://.*@.*", re.DOTALL)

_NOT_OURS = re.compile(rf"{options.PREFIX}(UPSTREAM|(TEST|BENCH|SERVICE|PORT)_\w+)")
"""Variables that are no settings: those of the live API and of our tests, and those
that Kubernetes makes for a service named `exporter`."""


def main() -> None:
    """Run the command line; an expected failure ends it with one line and its exit code."""
    if asked := os.environ.get(_COMPLETE):
        sys.exit(shell_complete(cli, {}, "exporter", _COMPLETE, asked))
    signal.signal(signal.SIGTERM, _interrupt)
    gc.set_threshold(100_000, 50, 50)  # a tenth of a small export's time went into looking for cycles, of which are few
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:  # the reader has gone, or the disk is full: Python would complain once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    gc.freeze()  # or the interpreter would search all that is left for cycles, which takes a tenth of a second
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line; returns its exit code: 0, 1 (failed), 2 (wrong usage) or 130 (interrupted)."""
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
        return exit_codes.report(KeyboardInterrupt())
    except (Exception, KeyboardInterrupt) as error:
        return exit_codes.report(error)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _log_format(arguments: list[str]) -> logs.Format:
    """The format that is asked for, before the arguments are parsed: an error in them is logged as well."""
    asked = os.environ.get(f"{options.PREFIX}LOG_FORMAT")
    for argument, following in itertools.pairwise([*arguments, ""]):
        name, equals, value = argument.partition("=")
        if name == "--log-format":
            asked = value if equals else following
    return "json" if asked == "json" else "plain"


class _Group(Group):
    """The program: a group whose commands take settings from the environment and from the settings file."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            _check_environment(self)
            ctx.obj = SettingsFile.read(ctx.params.get("config"))
            ctx.default_map = _defaults(self, ctx.obj)
        except UsageError:
            if not set(ctx.help_option_names).intersection(ctx.args):  # whoever asks for help may need it for that file
                raise
        return super().invoke(ctx)


def _check_environment(group: click.Group) -> None:
    """Refuse variables that look like settings and are none.

    Raises:
        UsageError: there is one.
    """
    known = {str(one.envvar) for _, command in [("", group), *commands(group)] for one in command.params if one.envvar}
    for name in sorted(os.environ):
        if name.startswith(options.PREFIX) and name not in known and not _NOT_OURS.fullmatch(name):
            raise UsageError(f"the environment variable {name} is no setting{did_you_mean(name, known)}")


def _defaults(group: click.Group, file: SettingsFile) -> dict[str, Any]:
    """The defaults that a settings file gives, nested as groups and commands are."""
    settings = {
        name: {
            setting: (one.name, getattr(one, "multiple", False))
            for one in command.params
            if one.name and (setting := _setting(one))
        }
        for name, command in commands(group)
    }
    defaults: dict[str, Any] = {}
    for name, values in file.defaults(settings).items():
        of_group = defaults
        *groups, last = name.split(" ")
        for one in groups:
            of_group = of_group.setdefault(one, {})
        of_group.setdefault(last, {}).update(values)
    return defaults


def _setting(parameter: click.Parameter) -> str | None:
    """The name of a parameter in the settings file; None if it cannot stand there."""
    if isinstance(parameter, options.StoreArgument):
        return "store"
    return parameter.setting if isinstance(parameter, options.Setting) and parameter.envvar else None


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """All commands with their full names, such as `bucket check`."""
    for name, command in group.commands.items():
        yield prefix + name, command
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="exporter")
@options.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="Settings file.  [default: exporter.toml, if there is one]",
)
def cli(config: pathlib.Path | None) -> None:
    """Publish the CCExtractor Sample Platform's results as a static JSON API.

    Every option can also be given as an environment variable EXPORTER_NAME, or as a line `name = value` of
    exporter.toml; the command line wins over the environment, which wins over the file.

    For completion in the shell: eval "$(_EXPORTER_COMPLETE=bash_source exporter)", or zsh_source, fish_source.
    """


for command in (
    *(check, export, hook, hook_worker, status, verify, prune, snapshot, bucket, demo, serve),
    *(get, runs, history, report, junit, download, mirror, live_api),
):
    cli.add_command(command)
