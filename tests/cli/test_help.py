"""`--help`, and completion in the shell."""

import os
import re
import shlex
import subprocess
import sys

import click
import pytest

from exporter.cli.help import Command
from exporter.cli.main import commands, run
from tests.support import man, needs

VISIBLE = {name: command for name, command in commands() if not command.hidden}
LEAVES = {name: command for name, command in VISIBLE.items() if not isinstance(command, click.Group)}


@pytest.mark.parametrize("name", LEAVES)
def test_every_help_has_examples_that_can_be_typed_and_names_its_documentation(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    command = LEAVES[name]
    assert isinstance(command, Command) and command.examples
    assert run([*name.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Documentation: {command.docs}" in out
    for example in command.examples:
        assert f"  exporter {example}\n" in out, "an example is not broken into lines"
        words = shlex.split(example.partition(" | ")[0])
        assert words[: len(name.split())] == name.split()
        rest = words[len(name.split()) :]
        if "--database-url" not in rest and "database_url" in {one.name for one in command.params}:
            rest += ["--database-url", "sqlite:///x"]
        if "--store" not in rest and "store" in {one.name for one in command.params if isinstance(one, click.Option)}:
            rest += ["--store", "x"]
        command.make_context(name, rest)  # raises if it cannot be typed so


def test_no_summary_is_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    assert "..." not in out.partition("Commands:")[2]
    for name in (name for name, _ in commands() if " " not in name):
        assert (f"\n  {name} " in out) == (name in VISIBLE)


def complete(words: str, position: int, shell: str = "bash") -> str:
    environment = {"_EXPORTER_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    command = [sys.executable, "-m", "exporter"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell: str) -> None:
    environment = {**os.environ, "_EXPORTER_COMPLETE": f"{shell}_source"}
    command = [sys.executable, "-m", "exporter"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "_EXPORTER_COMPLETE" in done.stdout and "Usage" not in done.stdout


def test_commands_options_and_choices_are_completed() -> None:
    assert complete("exporter ru", 1).split() == ["plain,runs"]
    assert "plain,--sample-repository" in complete("exporter export --sa", 2)
    assert complete("exporter runs --status p", 3).split() == ["plain,pass"]
    assert "hook-worker" not in complete("exporter hook", 1)


def test_a_variable_means_the_same_to_every_command() -> None:
    kinds: dict[str, set[tuple[str, bool, bool]]] = {}
    for command in LEAVES.values():
        for one in command.params:
            if isinstance(one, click.Option) and isinstance(one.envvar, str):
                kinds.setdefault(one.envvar, set()).add((type(one.type).__name__, one.is_flag, one.multiple))
    assert len(kinds) > 30
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


def test_the_man_page_is_the_helps() -> None:
    page = man.PAGE.read_text()
    assert page == man.page(), "write it anew: make reference"
    statuses = page.partition(".SH EXIT STATUS")[2]
    assert all(f"{code}:" in statuses for code in (0, 1, 2, 3, 130)) and "EXPORTER_CONFIG" in page


def test_the_man_page_can_be_read() -> None:
    groff = needs.program("groff", "groff-base")
    command = [groff, "-man", "-Tutf8", "-ww", "-P-c", str(man.PAGE)]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stderr == b""
    shown = re.sub(r".\x08", "", done.stdout.decode())
    for name, command_ in LEAVES.items():
        assert f"exporter {name}" in shown
        for parameter in command_.params:
            assert not isinstance(parameter, click.Option) or parameter.hidden or parameter.opts[0] in shown
