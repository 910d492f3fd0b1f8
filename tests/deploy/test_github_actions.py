"""The workflow for GitHub: its report is one comment, made once and then changed."""

import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.support import needs
from tests.support.platform import export

WORKFLOW = pathlib.Path(__file__).parents[2] / "deploy/github-actions.yml"


@pytest.fixture(scope="module")
def store(parity_sqlite: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("actions") / "store"
    export(f"sqlite:///{parity_sqlite}", folder)
    return folder


def job(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())["jobs"][name]
    return found


def test_only_the_job_that_comments_may_write_to_pull_requests() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert "pull-requests" not in workflow["permissions"]
    assert job("report")["permissions"] == {"contents": "read", "pull-requests": "write"}
    for one in workflow["jobs"].values():
        # A payload is anybody's text: it reaches a shell through the environment alone.
        assert not any("${{" in step.get("run", "") for step in one["steps"])


# What GitHub's own command line is told: it is not on every machine, and asks GitHub.
GH = """#!/bin/sh
echo "$*" >> asked
case "$*" in *--paginate*) cat found ;; esac
"""


@pytest.mark.parametrize("found", ["", "41\n57\n"])
def test_the_first_report_makes_a_comment_and_later_ones_change_it(
    store: pathlib.Path, tmp_path: pathlib.Path, found: str
) -> None:
    needs.program("bash", "bash")
    step = job("report")["steps"][-1]
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "gh").write_text(GH)
    (tools / "gh").chmod(0o755)
    (tmp_path / "found").write_text(found)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
        "EXPORTER_BASE": str(store),
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "PR": "907",
    }
    subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], env=environment, cwd=tmp_path, check=True)
    report = (tmp_path / "report.md").read_text()
    assert report.startswith("<!-- sample-platform-report -->\n### Pull request 907: ")
    assert (tmp_path / "summary").read_text() == report
    listed, written = (tmp_path / "asked").read_text().splitlines()
    assert listed.startswith("api --paginate repos/o/r/issues/907/comments --jq")
    expected = "-X PATCH repos/o/r/issues/comments/41" if found else "repos/o/r/issues/907/comments"
    assert written == f"api --silent {expected} -F body=@report.md"
