"""The examples in the documentation run as they stand."""

import contextlib
import io
import pathlib
import re

import pytest

from exporter import snapshots
from exporter.demo import create_demo
from exporter.download import download
from exporter.fetch import source
from exporter.publish.local import LocalStore
from exporter.source.database import Database

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "consumers-snapshots.md"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder in which a snapshot was downloaded to `data/`."""
    home = tmp_path_factory.mktemp("home")
    create_demo(f"sqlite:///{home}/platform.sqlite", runs=80, tests=20, seed=1)
    snapshots.create(Database(f"sqlite:///{home}/platform.sqlite"), LocalStore(home / "store"), 1)
    with source(str(home / "store")) as opened:
        download(opened, home / "data")
    return home


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_an_example(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch, example: str) -> None:
    monkeypatch.chdir(home)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(example, str(PAGE), "exec"), {})
    assert any(letter.isdigit() for letter in said.getvalue())
