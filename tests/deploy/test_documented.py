"""Every shell command of the documents is run by `.ci/documented.py`, or listed there; here all are read."""

import importlib.util
import pathlib
import re
import shlex
import sys
from collections.abc import Iterator

import click
import pytest
from markdown_it import MarkdownIt

from exporter.cli.main import cli

ROOT = pathlib.Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("documented", ROOT / ".ci" / "documented.py")
assert _spec is not None and _spec.loader is not None
documented = importlib.util.module_from_spec(_spec)
sys.modules["documented"] = documented
_spec.loader.exec_module(documented)

COMMANDS = [command for document in documented.documents() for command in documented.commands(document)]
PAGES = [document for document in documented.documents() if document.endswith(".md")]


def invocations(text: str) -> Iterator[list[str]]:
    """The arguments of each call of `exporter` in a shell's text, in those that another program is given, too."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|;&><()")
    lexer.whitespace_split = True
    words: list[str] | None = None
    first = True
    for word in [*lexer, ";"]:
        ends = set(word) <= set("|;&><()")
        if ends:
            if words is not None:
                yield words
            words = None
        elif words is not None:
            words.append(word)
        elif first and word.rpartition("/")[2] == "exporter":
            words = []
        elif "exporter " in word:
            yield from invocations(word)
        first = ends or (first and "=" in word) or word == "--"


def parse(words: list[str]) -> None:
    """Raise `click.UsageError` if there is no such command or option; values are not looked at."""
    command: click.Command = cli
    context = click.Context(cli, **cli.context_settings)
    while isinstance(command, click.Group):
        words = command.make_parser(context).parse_args(words)[1]
        if not words:
            return
        found = command.get_command(context, words[0])
        assert found is not None, words[0]
        command, words, context = found, words[1:], click.Context(found, parent=context)
    command.make_parser(context).parse_args(words)


@pytest.mark.parametrize("page", PAGES)
def test_blocks_are_those_of_markdown(page: str) -> None:
    text = (ROOT / page).read_text()
    tokens = [one for one in MarkdownIt().parse(text) if one.type in ("fence", "code_block")]
    expected = [("" if one.type == "code_block" else one.info or "text", one.content.rstrip("\n")) for one in tokens]
    assert [(one.language, "\n".join(one.lines).rstrip("\n")) for one in documented.blocks(text)] == expected


def test_every_command_is_run_or_listed() -> None:
    scripts = "\n".join(line for _, lines in documented.sessions() for line in lines)
    assert len(COMMANDS) > 100
    for command in COMMANDS:
        assert bool(command.reason) != (f"{command.document}:{command.line}: " in scripts), command
    assert {command.document for command in COMMANDS} >= {"README.md", "docs/operating.md", "docs/hook.md"}


def test_nothing_stands_for_what_a_reader_would_put_in() -> None:
    """A new word in capitals needs a value in PLACES. Variables and the password of all examples are no such words."""
    for command in COMMANDS:
        if not command.reason and "python" not in command.text:
            text = re.sub(r"EXPECTED-\w+|CHANGE-ME|\$\{?\w+|\b\w+=", "", command.concrete.split("  #")[0])
            assert not re.search(r"\b[A-Z]{3,}\b|…", text), command


def test_no_entry_is_stale() -> None:
    run = [command for command in COMMANDS if not command.reason]
    assert {command.program for command in run} == documented.PROGRAMS | {""}, (
        "PROGRAMS or NOT_RUN lacks one, or has more"
    )
    places = {(command.document, command.section) for command in run}
    assert set(documented.ROOT) <= places and set(documented.BEFORE) <= places
    for start in documented.NOT_RUN:
        assert any(command.text.startswith(start) for command in COMMANDS), start
    for part in documented.SERVERS:
        assert any(part in command.text for command in run), part
    for pattern in documented.PLACES:
        assert any(re.search(pattern, command.text) for command in COMMANDS), pattern


def test_the_exporters_commands_and_options_exist() -> None:
    found = [words for command in COMMANDS for words in invocations(command.text)]
    assert len(found) > 40
    text = "\n".join((ROOT / page).read_text() for page in PAGES)
    spans = re.findall(r"`((?:\S*/)?exporter [a-z-][^`]*)`", text)
    assert len(spans) > 100
    mentioned = [words for span in spans for words in invocations(span)]
    for words in [*found, *mentioned]:
        try:
            parse(words)
        except click.BadOptionUsage as error:  # a text may name an option without its value
            assert words in mentioned, error
        except click.UsageError as error:
            pytest.fail(f"exporter {shlex.join(words)}: {error.format_message()}")


def test_files_of_listed_commands_exist() -> None:
    names = {file.name for file in (ROOT / "deploy").iterdir()}
    named = [
        word
        for command in COMMANDS
        if command.reason
        for word in command.text.split()
        if re.search(r"\.(yaml|service|timer|env|conf)$", word)
    ]
    assert len(named) > 4
    for word in named:
        assert (ROOT / word).exists() or word in names, word
