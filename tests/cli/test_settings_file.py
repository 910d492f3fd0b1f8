"""Settings: which of command line, environment and file wins, and which file is read."""

import itertools
import pathlib

import pytest

from exporter.cli.main import run
from exporter.errors import ExporterError
from exporter.export import pipeline
from exporter.publish.local.folder_store import LocalStore

pytestmark = pytest.mark.usefixtures("alone")


WAYS = ("command line", "environment", "settings file")
VALUES = {
    "database-url": ("sqlite:///1", "sqlite:///2", "sqlite:///3"),
    "store": ("one", "two", "three"),
    "workers": ("1", "2", "3"),
    "result-documents": ("failures", "none", "all"),
    "run": ("1", "2", "3"),
}


@pytest.mark.parametrize("used", list(itertools.product([False, True], repeat=3)))
def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    used: tuple[bool, bool, bool], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[pipeline.Settings] = []

    def export(settings: pipeline.Settings, *_: object) -> None:
        seen.append(settings)
        raise ExporterError("seen")

    monkeypatch.setattr(pipeline, "export", export)
    arguments = ["export"]
    lines = []
    for name, (on_line, in_environment, in_file) in VALUES.items():
        if used[0]:
            arguments += [f"--{name}", on_line]
        if used[1]:
            monkeypatch.setenv(f"EXPORTER_{name.replace('-', '_').upper()}", in_environment)
        if used[2]:
            lines.append(f"{name} = {in_file if in_file.isdigit() else repr(in_file)}")
    pathlib.Path("exporter.toml").write_text("\n".join(lines))
    if not any(used):
        assert run(arguments) == 2
        return
    assert run(arguments) == 1
    wins = used.index(True)
    (settings,) = seen
    assert isinstance(settings.store, LocalStore)
    assert [
        settings.database_url,
        settings.store.name,
        str(settings.workers),
        settings.documents.result_documents,
        *map(str, settings.runs or ()),
    ] == [values[wins] for values in VALUES.values()]


@pytest.mark.parametrize("how", ["command line", "environment"])
def test_another_settings_file(
    how: str, published: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pathlib.Path("exporter.toml").write_text("is not read")
    pathlib.Path("other.toml").write_text(f"store = '{published}'\nlog_level = 'error'")
    if how == "environment":
        monkeypatch.setenv("EXPORTER_CONFIG", "other.toml")
    assert run([*(["--config", "other.toml"] if how == "command line" else []), "verify"]) == 0
    assert "all is well" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["verify"], ["status"], ["prune"]], ids=" ".join)
@pytest.mark.parametrize("used", [used for used in itertools.product([False, True], repeat=3) if any(used)])
def test_the_store_may_be_named_as_an_argument_in_the_environment_or_in_the_file(
    command: list[str],
    used: tuple[bool, bool, bool],
    published: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first that is there counts; those after it name nothing that exists."""
    names = iter([str(published), *["nothing"] * 2])
    on_line, in_environment, in_file = (next(names) if one else None for one in used)
    if in_environment:
        monkeypatch.setenv("EXPORTER_STORE", in_environment)
    if in_file:
        pathlib.Path("exporter.toml").write_text(f"store = '{in_file}'")
    assert run([*command, *([on_line] if on_line else [])]) == 0
