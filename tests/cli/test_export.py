"""The command `export`: what it says of options that differ, and of what it would do."""

import pathlib
import re

import pytest

from exporter.cli.main import run
from tests.support.platform import tree

pytestmark = pytest.mark.usefixtures("alone")


def test_what_was_exported_otherwise_is_not_rewritten_unsaid(
    url: str, store: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", "--database-url", url, "--store", str(store), "--workers", "0", "--result-documents"]
    assert run([*arguments, "all"]) == 0
    assert "warning" not in capsys.readouterr().err
    for options in (["--dry-run", "--allow-shrink"], ["--allow-shrink"]):
        assert run([*arguments, "failures", *options]) == 0
        (warning,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
        assert "--result-documents all" in warning and "give all to every export" in warning
    assert run([*arguments, "failures"]) == 0
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--result-documents", "failures"], "--result-documents (all, now failures)"),
        (["--main-branch", "other"], "--main-branch (master, now other)"),
        (["--main-repository", "a/b"], "--main-repository (CCExtractor/ccextractor, now a/b)"),
        (["--junit", "none"], "--junit (failures, now none)"),
    ],
)
def test_a_dry_run_names_the_option_that_differs_and_counts_deletions_by_kind(
    url: str, store: pathlib.Path, option: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", "--database-url", url, "--store", str(store), "--workers", "0"]
    assert run(arguments) == 0
    arguments += ["--dry-run", "--allow-shrink", *option]
    before = dict(tree(store))
    capsys.readouterr()
    assert run(arguments) == 0
    short = capsys.readouterr().out
    assert f"changed since the last export: {said}\n" in short
    assert run([*arguments, "--verbose"]) == 0
    listed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("delete ")]
    counted = re.search(r"delete (\d+) documents \((.*)\); --verbose lists them", short)
    assert len(listed) == (int(counted[1]) if counted else 0)
    if counted:
        assert sum(int(one.split()[0]) for one in counted[2].split(", ")) == len(listed)
    assert (counted is not None and "result documents" in counted[2]) == (option[0] == "--result-documents")
    assert (counted is not None and "JUnit documents" in counted[2]) == (option[0] == "--junit")
    assert dict(tree(store)) == before


def test_a_setting_that_may_be_repeated_is_a_list(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    pathlib.Path("exporter.toml").write_text("run = [3, 4]\ndry-run = true\nworkers = 0")
    assert run(["export", "--database-url", url, "--store", "new"]) == 0
    said = capsys.readouterr().out
    assert "build 2 partitions: new" in said and " new documents of partition 0" in said and "changed" not in said
    assert not pathlib.Path("new/v1").exists()
