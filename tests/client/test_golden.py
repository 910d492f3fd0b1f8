"""What people and tools see of the demo is what was looked at: `python -m tests.support.golden` writes it anew."""

import pathlib

import pytest
from markdown_it import MarkdownIt

from exporter.cli.main import run
from tests.support.golden import FOLDER, made
from tests.support.junit_rules import faults
from tests.support.platform import Platform, export, files


def test_the_report_and_the_junit_xml_of_the_demo_are_as_they_were(tmp_path: pathlib.Path) -> None:
    kept = {file.name: file.read_text() for file in FOLDER.iterdir()}
    assert made(tmp_path) == kept
    assert list(faults(kept["junit.xml"].encode())) == []
    assert "```diff" in kept["report.md"] and "| on main too |" in kept["report.md"]


HOSTILE = "@octocat <script>alert(1)</script> ![x](https://evil.example/a.png) | `` ]]> \u202e"


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_a_hostile_run_makes_a_harmless_report(
    small: Platform, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small.execute(f"UPDATE regression_test SET command = '{HOSTILE}'")
    small.execute(f"UPDATE sample SET original_name = '{HOSTILE}'")
    small.run(1, "completed", results={1: 0, 2: 1}, branch=HOSTILE, pr_nr=5, test_type="pr")
    files(small, 1, {10: None, 20: None})
    export(small.url, tmp_path)
    assert run(["report", "--pr", "5", "--base", str(tmp_path)]) == 0
    markdown = capsys.readouterr().out
    html = MarkdownIt("gfm-like").render(markdown)
    assert "alert(1)" in html and "<script" not in html and "<img" not in html and "evil.example" in html
    assert "@" not in markdown and 'href="https://evil' not in html
    assert list(faults((tmp_path / "v1/runs/1/junit.xml").read_bytes())) == []
