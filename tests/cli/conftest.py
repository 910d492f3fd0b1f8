"""What tests of commands share: no settings from around them, and a small platform with its export."""

import contextlib
import logging
import os
import pathlib
import shutil
import sqlite3
from collections.abc import Iterator

import pytest

from exporter import logs
from exporter.demo import create_demo
from tests.support.platform import export
from tests.support.processes import Commands, commands


@pytest.fixture
def alone(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings from around us; logs as they were afterwards."""
    for name in [name for name in os.environ if name.startswith("EXPORTER_")]:
        monkeypatch.delenv(name)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    root = logging.getLogger()
    handlers, level, secrets = root.handlers[:], root.level, set(logs._secrets)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logs._secrets.clear()
    logs._secrets.update(secrets)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A small platform with runs in two partitions."""
    file = tmp_path_factory.mktemp("database") / "platform.sqlite"
    create_demo(f"sqlite:///{file}", runs=16, tests=4, seed=1)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        for table, column in (("test", "id"), *((f"test_{name}", "test_id") for name in RUN_TABLES)):
            connection.execute(f"UPDATE {table} SET {column} = {column} + 100 WHERE {column} > 8")
        connection.commit()
    return file


RUN_TABLES = ("progress", "result", "result_file")


@pytest.fixture
def url(database: pathlib.Path) -> str:
    return f"sqlite:///{database}"


@pytest.fixture(scope="module")
def published(database: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An export of `database`, to be read only."""
    root = tmp_path_factory.mktemp("published") / "store"
    export(f"sqlite:///{database}", root)
    return root


@pytest.fixture
def store(published: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """The same, to be damaged."""
    return pathlib.Path(shutil.copytree(published, tmp_path / "store"))


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with commands(tmp_path_factory.mktemp("commands")) as begun:
        yield begun
