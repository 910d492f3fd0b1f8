"""`exporter check`: one line for each thing that an export needs."""

import json
import pathlib

import pytest

from exporter.cli.main import run
from exporter.demo import create_demo
from tests.support.platform import export


def check(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, tuple[str, str]]]:
    code = run(["check", *arguments, "--json"])
    out, err = capsys.readouterr()
    assert err == "", err
    told = json.loads(out)
    assert told["ok"] is (code == 0)
    return code, {one["check"]: (one["state"], one["detail"]) for one in told["checks"]}


@pytest.fixture
def arguments(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    create_demo("sqlite:///platform.sqlite", runs=4, tests=2, seed=1, sample_repository=tmp_path / "files")
    return ["--database-url", "sqlite:///platform.sqlite", "--store", "site", "--sample-repository", "files"]


def test_all_is_well_before_and_after_the_first_export(
    arguments: list[str], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = check(capsys, *arguments)
    assert code == 0 and {state for state, _ in found.values()} == {"ok"}
    assert "the first export fills it" in found["store"][1]
    assert not (tmp_path / "site").exists(), "it changes nothing"
    export("sqlite:///platform.sqlite", tmp_path / "site")
    capsys.readouterr()
    assert "holds 4 runs" in check(capsys, *arguments)[1]["store"][1]


@pytest.mark.parametrize(
    ("option", "value", "name", "text"),
    [
        ("--database-url", "sqlite:///nothing.sqlite", "database", "no such SQLite file"),
        ("--database-url", "nonsense", "database", "malformed"),
        ("--database-url", "sqlite:///files/LogFiles/1.txt", "database", "is no SQLite database"),
        ("--database-url", "mysql+pymysql://u:p@127.0.0.1:1/x?odd=1", "database", "its driver does not take"),
        ("--database-url", "mysql+pymysql://u:p@127.0.0.1:1/x?ssl_ca=/no", "database", "cannot be read: No such file"),
        ("--store", "platform.sqlite", "store", "not a folder"),
        ("--store", "ftp://x", "store", "there is no store for ftp"),
        ("--sample-repository", "site", "sample repository", "neither TestResults nor LogFiles"),
    ],
)
def test_each_fault_is_one_error_and_the_rest_is_checked(
    arguments: list[str], option: str, value: str, name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pathlib.Path("site").mkdir()
    arguments[arguments.index(option) + 1] = value
    code, found = check(capsys, *arguments)
    assert code == 1 and found[name][0] == "error" and text in found[name][1]
    assert [one for one, (state, _) in found.items() if state == "error"] == [name]
    assert {"versions", "database", "sample repository", "store"} <= found.keys()


def test_for_people_it_is_a_line_each(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", *arguments[:4]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok: versions: exporter ") and "warning: sample repository: not given" in lines[4]
