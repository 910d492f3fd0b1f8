"""The man page, made of the commands' help: `python -m tests.support.man` writes it anew. The wheel installs it."""

import pathlib
import re
import textwrap
from collections.abc import Iterator

import click

from exporter import __version__
from exporter.cli.help import Command, summary
from exporter.cli.main import cli, commands

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "exporter.1"
README = pathlib.Path(__file__).parents[2] / "README.md"


def page() -> str:
    """The whole page, as roff."""
    lines = [
        ".\\\" Made of the commands' help: make reference",
        f'.TH EXPORTER 1 "" "exporter {__version__}" "Sample Platform Exporter"',
        ".ad l",
        ".SH NAME",
        f"exporter \\- {_text(_summary())}",
        ".SH SYNOPSIS",
        ".B exporter",
        "[\\fB\\-\\-config\\fR \\fIFILE\\fR] \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]",
        ".SH COMMANDS",
    ]
    for name, command in commands():
        if not command.hidden and not isinstance(command, click.Group):
            lines += _command(name, command)
    lines += [".SH ENVIRONMENT", *_paragraph(_readme("Settings"))]
    lines += [".SH FILES", ".TP", ".I exporter.toml", "Settings, in the working directory."]
    lines += [".SH EXIT STATUS", *_paragraph(_readme("Exit codes"))]
    return "\n".join(lines) + "\n"


def _summary() -> str:
    first = summary(cli)
    return first[:1].lower() + first[1:]


def _readme(name: str) -> str:
    """What the README says under a bold name, up to the next empty line."""
    found = re.search(rf"^\*\*{name}\.\*\* (.*?):?(?:\n\n|\Z)", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return re.sub(r"[`]", "", " ".join(found[1].split())).removesuffix(".") + "."


def _command(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=f"exporter {name}", help_option_names=["-h", "--help"])
    yield f".SS exporter {name}"
    yield f".B exporter {_text(name)}"
    yield _text(" ".join(command.collect_usage_pieces(context)))
    yield ".PP"
    for paragraph in textwrap.dedent(command.help or "").split("\n\n"):
        yield from _paragraph(paragraph)
        yield ".PP"
    for parameter in command.get_params(context):
        if (record := parameter.get_help_record(context)) is not None:
            yield ".TP"
            yield f"\\fB{_text(record[0])}\\fR"
            yield from _paragraph(record[1])
    if isinstance(command, Command) and command.examples:
        yield from (".PP", "Examples:", ".PP", ".nf", ".RS")
        yield from (_text(f"exporter {example}") for example in command.examples)
        yield from (".RE", ".fi")


def _paragraph(text: str) -> Iterator[str]:
    """A paragraph in lines, of which none is taken for a request."""
    for line in textwrap.wrap(" ".join(text.split()), 100, break_on_hyphens=False, break_long_words=False):
        yield _text(line)


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "\\&...").replace("→", "\\(->")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    PAGE.write_text(page())
