"""The program: help, version, and one platform from its beginning to what a browser gets."""

import pathlib
import re
import subprocess
import sys

import click
import httpx
import pytest

import exporter
from exporter.cli.main import cli, commands, run

pytestmark = pytest.mark.usefixtures("alone")

README = pathlib.Path(__file__).parent.parent.parent / "README.md"
PROGRAM = pathlib.Path(sys.executable).with_name("exporter")
PROGRAM_COMMANDS = {name: command for name, command in commands() if " " not in name}
COMMANDS = sorted(name for name, command in PROGRAM_COMMANDS.items() if not command.hidden)
OPTIONS = [
    pytest.param(command, option, id=f"{command} {option.opts[-1]}")
    for command in (cli, *(PROGRAM_COMMANDS[name] for name in COMMANDS))
    for option in command.params
    if isinstance(option, click.Option)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_stands_in_the_readme(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and (PROGRAM_COMMANDS[command].help or "").split(".")[0] in " ".join(out.split())
    assert all(option.opts[0] in out for option in PROGRAM_COMMANDS[command].params if isinstance(option, click.Option))
    assert f"exporter {command}" in README.read_text()


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_every_option_is_described_and_has_its_environment_variable(
    command: click.Command, option: click.Option
) -> None:
    assert option.help
    if option.name != "version":
        name = next(one for one in option.opts if one.startswith("--")).removeprefix("--")
        own = getattr(option, "command_line_only", False)
        assert option.envvar == (None if own else f"EXPORTER_{name.replace('-', '_').upper()}")


def test_the_environment_variable_of_a_setting_is_the_same_for_all_commands() -> None:
    """So that a line of the settings file means one thing."""
    names: dict[str, set[str]] = {}
    for command in PROGRAM_COMMANDS.values():
        for option in command.params:
            if isinstance(option, click.Option):
                names.setdefault(option.name or "", set()).add(next(one for one in option.opts if one[:2] == "--"))
    assert {name: opts for name, opts in names.items() if len(opts) > 1} == {}


@pytest.mark.parametrize("settings", ["workers =", "colour = 'red'", "workers = -1", "store = ['x']"])
@pytest.mark.parametrize("arguments", [["export", "-h"], ["bucket", "check", "--help"], ["--help"]], ids=" ".join)
def test_no_settings_file_keeps_anybody_from_help(
    settings: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pathlib.Path("exporter.toml").write_text(settings)
    assert run([*arguments]) == 0
    out, err = capsys.readouterr()
    assert "Usage:" in out and err == ""


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "Commands:" in capsys.readouterr().err


@pytest.mark.parametrize("program", [[PROGRAM], [sys.executable, "-m", "exporter"]], ids=["exporter", "python -m"])
def test_version(program: list[str]) -> None:
    done = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"exporter, version {exporter.__version__}\n", "")


def test_demo_export_verify_serve(tmp_path: pathlib.Path) -> None:
    """What a person types first, with nothing but the command's own defaults where there are any."""

    def type_(*arguments: str) -> tuple[str, str]:
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    out, err = type_("demo", "--runs", "6", "--tests", "3", "--sample-repository", "files")
    assert out == "" and "holds 6 runs of 3 regression tests now" in err
    url = "sqlite:///demo.sqlite"
    out, err = type_("export", "--database-url", url, "--store", "api", "--sample-repository", "files")
    assert out == "" and "published 6 runs" in err and err.count("\n") == 1
    out, err = type_("verify", "api")
    assert "all is well" in out and err == ""
    with subprocess.Popen([PROGRAM, "serve", "api", "--port", "0"], stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stderr
        found = re.search(r"http://\S+", serving.stderr.readline())
        assert found
        assert httpx.get(f"{found[0]}v1/runs.json").json()["pagination"]["total"] == 6
        serving.terminate()
        assert (serving.stderr.read(), serving.wait()) == ("", 0)
