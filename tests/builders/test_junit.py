"""The published JUnit XML: which runs have it, that it says what their documents say, and what the setting changes."""

import pathlib
import re

import pytest
from junitparser import JUnitXml

from exporter.cli.main import run
from tests.support.junit_rules import faults
from tests.support.platform import Api, Platform, export, files


@pytest.fixture(scope="module")
def api(
    parity_sqlite: pathlib.Path, parity_files: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Api, pathlib.Path]:
    root = tmp_path_factory.mktemp("junit") / "store"
    export(f"sqlite:///{parity_sqlite}", root, sample_repository=parity_files)
    return Api(root), root


def test_runs_that_ended_with_results_have_it_and_no_others(api: tuple[Api, pathlib.Path]) -> None:
    reader, root = api
    statuses = {one["run_id"]: one["status"] for one in reader.items("runs.json")}
    assert {"pass", "fail", "canceled"} <= set(statuses.values())
    for run_id, status in statuses.items():
        link = reader(f"runs/{run_id}.json")["links"]["junit"]
        assert (link is not None) == (status in ("pass", "fail")) == (root / f"v1/runs/{run_id}/junit.xml").exists()


def test_it_is_valid_and_counts_what_the_run_counts(api: tuple[Api, pathlib.Path]) -> None:
    reader, root = api
    seen = 0
    for file in sorted(root.glob("v1/runs/*/junit.xml")):
        assert list(faults(file.read_bytes())) == []
        suites, run_id = list(JUnitXml.fromfile(str(file))), int(file.parent.name)
        summary = reader(f"runs/{run_id}.json")["summary"]
        failed = summary["fail_count"] + summary["missing_output_count"]
        assert sum(one.failures + one.errors for one in suites) == failed
        assert sum(one.tests for one in suites) == failed + summary["pass_count"]
        listed = {case.name for suite in suites for case in suite}
        assert listed == {
            f"regression-test-{one['regression_test_id']}" for one in reader.items(f"runs/{run_id}/failures.json")
        }
        seen += failed
    assert seen


def test_the_command_prints_the_same_but_for_links(
    api: tuple[Api, pathlib.Path], capsys: pytest.CaptureFixture[str]
) -> None:
    _, root = api
    file = max(root.glob("v1/runs/*/junit.xml"), key=lambda one: one.stat().st_size)
    assert run(["junit", file.parent.name, "--base", str(root)]) == 0
    printed = capsys.readouterr().out
    assert re.sub(r"(?m)^document: .*/(samples/\d+\.json)", r"document: \1", printed) == file.read_text()
    linked = re.findall(r"(?m)^document: (\S+\.json)", file.read_text())
    assert linked and all((file.parent / one).is_file() for one in linked)


@pytest.mark.parametrize(("setting", "listed"), [("none", None), ("failures", {2}), ("all", {1, 2})])
def test_the_setting_says_what_is_listed(
    small: Platform, tmp_path: pathlib.Path, setting: str, listed: set[int] | None
) -> None:
    small.run(1, "completed", results={1: 0, 2: 1})
    files(small, 1, {10: None, 20: None})
    small.run(2, "testing", results={1: 0})
    export(small.url, tmp_path / "store", junit=setting, result_documents="none")
    found = tmp_path / "store/v1/runs/1/junit.xml"
    assert found.exists() == (listed is not None) and not (tmp_path / "store/v1/runs/2/junit.xml").exists()
    if listed is not None:
        suites = JUnitXml.fromfile(str(found))
        assert {int(case.name.rpartition("-")[2]) for suite in suites for case in suite} == listed
        assert b"document:" not in found.read_bytes()  # no result has one
    export(small.url, tmp_path / "store", junit="none", result_documents="none")
    assert not found.exists() and Api(tmp_path / "store")("runs/1.json")["links"]["junit"] is None
