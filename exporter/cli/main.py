"""The program: its commands, where their settings come from, and how a failure ends it."""

import contextlib
import gc
import importlib
import itertools
import logging
import os
import pathlib
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

import click
from click.shell_completion import shell_complete

from exporter import __version__, logs
from exporter.cli import exit_codes, options, streams
from exporter.cli.help import Group
from exporter.cli.settings_file import SettingsFile, did_you_mean
from exporter.errors import UsageError

log = logging.getLogger(__name__)

_COMMANDS = (
    *("check", "export", "hook", "hook-worker", "status", "verify", "prune", "snapshot", "bucket", "demo", "serve"),
    *("get", "runs", "history", "report", "junit", "download", "mirror", "live-api"),
)
"""The commands; each stands in the module of its name."""

_COMPLETE = "_EXPORTER_COMPLETE"
"""The variable with which a shell asks for completions, or for the script that does: `bash_source` and the like."""

_URL = re.compile(r"[\w+.-]+://.*@.*", re.DOTALL)

_NOT_OURS = re.compile(rf"{options.PREFIX}(UPSTREAM|(TEST|BENCH|SERVICE|PORT)_\w+)")
"""Variables that are no settings: those of the live API and of our tests, and those
that Kubernetes makes for a service named `exporter`."""


def main() -> None:
    """Run the command line; an expected failure ends it with one line and its exit code."""
    streams.prepare()
    if asked := os.environ.get(_COMPLETE):
        sys.exit(_complete(asked))
    signal.signal(signal.SIGTERM, _interrupt)
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:  # the disk is full: Python would complain once more
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
        log.error("%s%s", _message(error).rstrip("."), help_)
        return error.exit_code
    except click.ClickException as error:
        log.error("%s", error.format_message())
        return error.exit_code
    except click.Abort:
        return exit_codes.report(KeyboardInterrupt())
    except (Exception, KeyboardInterrupt) as error:
        return exit_codes.report(error)


def _complete(asked: str) -> int:
    """Answer a shell that completes a command line; returns the exit code."""
    with contextlib.suppress(KeyError):  # a shell that asks for completions also says which words there are
        if shell_complete(cli, {}, "exporter", _COMPLETE, asked) == 0:
            return 0
    logs.configure("plain", "info")
    return exit_codes.report(
        UsageError(f"{_COMPLETE}={asked}: name the script of your shell, bash_source, zsh_source or fish_source")
    )


def _message(error: click.UsageError) -> str:
    """What is wrong with a command line; an option that is an argument here is not compared with options."""
    if isinstance(error, click.NoSuchOption) and error.ctx:
        program, _, command = error.ctx.command_path.partition(" ")
        if error.option_name == "--config" and command:
            return f"No such option '--config': it stands before the command: {program} --config FILE {command}"
        for parameter in error.ctx.command.params:
            if isinstance(parameter, click.Argument) and error.option_name == f"--{parameter.name}":
                shown = f"{error.ctx.command_path} {parameter.make_metavar(error.ctx)}"
                return f"No such option '{error.option_name}': write {shown}"
    return error.format_message()


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


class _Program(Group):
    """The program: a group that imports a command when it is asked for, and has it take settings.

    Importing all commands takes as long as a tenth of what a small export does.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return command(cmd_name) if cmd_name in _COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, found, rest = super().resolve_command(ctx, args)
        assert name and found
        try:
            _check_environment([self, *(one for _, one in commands(name))])
            ctx.obj = SettingsFile.read(ctx.params.get("config"))
            ctx.default_map = _defaults(ctx.obj, name)
        except UsageError:
            if not set(ctx.help_option_names).intersection(rest):  # whoever asks for help may need it for that file
                raise
        return name, found, rest


def _check_environment(used: list[click.Command]) -> None:
    """Refuse variables that look like settings and are none, of these commands or of others.

    Raises:
        UsageError: there is one.
    """
    unknown = [
        name
        for name in sorted(set(os.environ) - _variables(used))
        if name.startswith(options.PREFIX) and not _NOT_OURS.fullmatch(name)
    ]
    known = _variables(one for _, one in commands()) if unknown else set()
    for name in unknown:
        if name not in known:
            like = did_you_mean(name, known, options.PREFIX)
            raise UsageError(f"the environment variable {name} is no setting{like}")


def _variables(of: Iterable[click.Command]) -> set[str]:
    return {str(parameter.envvar) for command in of for parameter in command.params if parameter.envvar}


def _defaults(file: SettingsFile, used: str) -> dict[str, Any]:
    """The defaults that a settings file gives a command and those of its group, nested as they are.

    Raises:
        UsageError: a setting is no command's option, or has a value that no option takes.
    """
    of_used = {name: _settings(command) for name, command in commands(used)}
    if not file.values.keys() <= set().union(*of_used.values()):
        file.check({setting for _, command in commands() for setting in _settings(command)})
    defaults: dict[str, Any] = {}
    for name, settings in of_used.items():
        of_group = defaults
        *groups, last = name.split(" ")
        for one in groups:
            of_group = of_group.setdefault(one, {})
        of_group.setdefault(last, {}).update(file.defaults(settings))
    return defaults


def _settings(command: click.Command) -> dict[str, tuple[str, bool]]:
    """The settings that a command takes: name in the file → the parameter that takes it, and whether several values."""
    return {
        setting: (one.name, getattr(one, "multiple", False))
        for one in command.params
        if one.name and (setting := _setting(one))
    }


def _setting(parameter: click.Parameter) -> str | None:
    """The name of a parameter in the settings file; None if it cannot stand there."""
    if isinstance(parameter, options.StoreArgument):
        return "store"
    return parameter.setting if isinstance(parameter, options.Setting) and parameter.envvar else None


def command(name: str) -> click.Command:
    """The command of this name, from its module."""
    module = importlib.import_module(f"exporter.cli.{name.removesuffix('-worker').replace('-', '_')}")
    found = getattr(module, name.replace("-", "_"))
    assert isinstance(found, click.Command)
    return found


def commands(*names: str) -> Iterator[tuple[str, click.Command]]:
    """Commands and those of their groups, with full names such as `bucket check`; without names, all.

    Args:
        names: names of commands of the program.
    """
    for name in names or _COMMANDS:
        found = command(name)
        yield name, found
        if isinstance(found, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in found.commands.items())


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
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
