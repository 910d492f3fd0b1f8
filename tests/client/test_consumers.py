"""The examples of docs/consumers.md, run as they stand there but for the address."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import duckdb
import orjson
import pytest

from exporter.demo import create_demo
from exporter.publish.local.folder_store import LocalStore
from exporter.snapshots import create as snapshots
from exporter.source.database import Database
from tests.support import web
from tests.support.platform import export

PAGE = (pathlib.Path(__file__).parent.parent.parent / "docs" / "consumers.md").read_text()
ADDRESS = "https://storage.googleapis.com/BUCKET"


def examples(section: str) -> Iterator[tuple[str, str]]:
    """Language and text of each example in a section of the page, but for that of a client to be generated first."""
    text = re.search(rf"^## {section}$(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert text is not None
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text[1], re.M | re.S)
    yield from ((language, example) for language, example in found if "import Client" not in example)


def run(language: str, text: str, folder: pathlib.Path, base: str) -> str:
    """What an example prints that is run in a folder; it must end well, and say nothing on standard error."""
    text = text.replace(ADDRESS, base)
    if language == "sql":
        here = pathlib.Path.cwd()
        os.chdir(folder)
        try:
            return "\n".join(str(duckdb.sql(part).fetchall()) for part in text.split(";") if part.strip())
        finally:
            os.chdir(here)
    command = {"python": [sys.executable, "-c", text], "sh": ["bash", "-euo", "pipefail", "-c", text]}[language]
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "EXPORTER_LOG_LEVEL": "warning"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), text
    return done.stdout


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    for program in ("curl", "jq"):
        if shutil.which(program) is None:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"needs {program}")
    root = tmp_path_factory.mktemp("consumers")
    create_demo(f"sqlite:///{root}/platform.sqlite", runs=250, tests=6, seed=1)
    export(f"sqlite:///{root}/platform.sqlite", root / "tree")
    snapshots.create(
        Database(f"sqlite:///{root}/platform.sqlite"), LocalStore(root / "tree"), snapshots.SnapshotSettings(1)
    )
    with web.running(web.files(root / "tree")) as server:
        yield server.url


def test_the_apis_examples_run(base: str, tmp_path: pathlib.Path) -> None:
    printed = [(language, run(language, text, tmp_path, base)) for language, text in examples("API")]
    assert [language for language, _ in printed].count("sh") == 5
    assert {language for language, _ in printed} == {"python", "sh", "sql"}
    rows = (tmp_path / "runs.ndjson").read_bytes().splitlines()
    assert [orjson.loads(row)["run_id"] for row in rows] == list(range(250, 0, -1))
    assert (tmp_path / "history.ndjson").read_bytes().count(b"\n") > 100
    silent = [number for number, (_, text) in enumerate(printed) if not text]
    assert silent == [4]  # it writes a file


@pytest.mark.parametrize("section", ["Snapshots", "Mirror"])
def test_the_examples_of_copies_run(base: str, tmp_path: pathlib.Path, section: str) -> None:
    printed = [run(language, text, tmp_path, base) for language, text in examples(section)]
    assert printed and all(any(letter.isdigit() for letter in text) for text in printed)
