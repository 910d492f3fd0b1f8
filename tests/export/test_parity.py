"""The platform's own recorded answers, found again in the published tree."""

import pathlib
import re
import shutil

import pytest

from tests.support import parity
from tests.support.platform import export, tree

ON_PURPOSE: dict[str, str] = {}
"""Recorded answers that differ on purpose, by path, with the reason. There is none: no recorded file has a byte order
mark, lines in two encodings, or lines of a log that a lone CR separates (`docs/contract.md`, "Where this differs")."""


@pytest.fixture(scope="session")
def published(parity_sqlite: str, parity_files: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("parity") / "tree"
    export(f"sqlite:///{parity_sqlite}", root, sample_repository=parity_files)
    return root


def test_every_recorded_answer_agrees(published: pathlib.Path, recorded: pathlib.Path) -> None:
    check = parity.Check(parity.Tree(published))
    wrong, kinds, agree = [], set(), 0
    for path, query, live in parity.merged(recorded):
        try:
            answer = check.run(path, query, live)
        except Exception as error:
            answer = re.sub(r"\d+", "N", path), [f"{type(error).__name__}: {error}"]
        if answer is not None and path not in ON_PURPOSE:
            kinds.add(re.sub(r"/\d+(?=/|$)", "/N", answer[0]))
            wrong += [f"{path} {query}: {difference}" for difference in answer[1]]
            agree += not answer[1]
    assert not wrong
    assert agree == 4334 - len(ON_PURPOSE)
    assert {"/runs/N/logs", "diff", "diff?unified"} < kinds
    assert len(kinds) > 25


def test_mariadb_gives_the_same_bytes(
    published: pathlib.Path, parity_mariadb_url: str, parity_files: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    export(parity_mariadb_url, tmp_path / "tree", sample_repository=parity_files)
    assert dict(tree(tmp_path / "tree")) == dict(tree(published))


@pytest.mark.parametrize("workers", [1, 4])
def test_any_number_of_workers_gives_the_same_bytes(
    published: pathlib.Path, parity_sqlite: str, parity_files: pathlib.Path, tmp_path: pathlib.Path, workers: int
) -> None:
    export(f"sqlite:///{parity_sqlite}", tmp_path / "tree", workers=workers, sample_repository=parity_files)
    assert dict(tree(tmp_path / "tree")) == dict(tree(published))


def test_nothing_secret_is_published(published: pathlib.Path) -> None:
    assert not [path for path, data in tree(published) if b"CANARY" in data]
    assert b"CANARY" not in (published / "v1/manifest.json").read_bytes()


def test_a_second_export_writes_nothing(
    published: pathlib.Path, parity_sqlite: str, parity_files: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(published, root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    assert export(f"sqlite:///{parity_sqlite}", root, sample_repository=parity_files).written == 0
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()} == before
