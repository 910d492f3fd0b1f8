"""The commands `report` and `junit` over a published tree."""

import json
import pathlib
import xml.etree.ElementTree as ET

import pytest

from exporter.cli.main import run
from tests.support.platform import export


@pytest.fixture(scope="module")
def tree(parity_sqlite: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report") / "store"
    export(f"sqlite:///{parity_sqlite}", folder)
    return str(folder)


def test_a_report_of_a_pull_request_names_the_newest_finished_run_of_each_platform(
    tree: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", "--pr", "907", "--base", tree, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["title"] == "Pull request 907"
    runs = {(one["platform"], one["run_id"]) for one in told["runs"]}
    assert runs == {("linux", 47), ("windows", 48)}


@pytest.mark.parametrize("form", ["markdown", "text"])
def test_a_report_counts_what_it_lists(tree: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "--run", "74", "--base", tree, "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)["runs"][0]["failures"]
    assert run(["report", "--run", "74", "--base", tree, "--format", form]) == 0
    text = capsys.readouterr().out
    assert all(str(one["regression_test_id"]) in text for one in listed) and listed


@pytest.mark.parametrize("given", [[], ["--pr", "1", "--run", "2"]])
def test_one_subject_is_asked_for(tree: str, given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", *given, "--base", tree]) == 2
    assert "give one of" in capsys.readouterr().err


def test_junit_lists_the_failures_of_a_run(tree: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["get", "runs/74/failures.json", "--base", tree]) == 0
    failing = {f"regression-test-{one['regression_test_id']}" for one in json.loads(capsys.readouterr().out)["data"]}
    assert run(["junit", "74", "--base", tree]) == 0
    root = ET.fromstring(capsys.readouterr().out)
    assert {case.get("name") for case in root.iter("testcase")} == failing
    assert run(["junit", "74", "--passes", "--base", tree]) == 0
    root = ET.fromstring(capsys.readouterr().out)
    assert len(list(root.iter("testcase"))) == sum(int(one.get("tests", "0")) for one in root) > len(failing)
