"""`exporter get`, `runs` and `history`: JSON lines in a pipe, a table on a terminal."""

import csv
import io
import os
import pathlib
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from exporter.cli import main
from exporter.client.api import Api
from exporter.demo import create_demo
from exporter.errors import ExporterError
from tests.support import web
from tests.support.platform import Platform, export
from tests.support.web import Reply

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("reader")
    create_demo(f"sqlite:///{root}/platform.sqlite", runs=60, tests=6, seed=1)
    export(f"sqlite:///{root}/platform.sqlite", root / "tree")
    return root / "tree"


@pytest.fixture
def run(published: pathlib.Path) -> Run:
    def run(*arguments: object, base: str | None = None) -> Result:
        return CliRunner().invoke(main.cli, [*map(str, arguments), "--base", base or str(published)])

    return run


def lines(result: Result) -> list[Any]:
    assert result.exit_code == 0, result.exception
    return [orjson.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("path", ["runs/12.json", "v1/runs/12.json", "/v1/runs/12.json", "/runs/12.json"])
def test_get_prints_the_documents_bytes(run: Run, published: pathlib.Path, path: str) -> None:
    result = run("get", path)
    assert result.stdout_bytes.rstrip(b"\n") == (published / "v1/runs/12.json").read_bytes()


def test_runs_are_those_of_the_api(run: Run, published: pathlib.Path) -> None:
    with Api(str(published)) as api:
        everything = list(api.runs())
        assert lines(run("runs")) == everything
        pr = next(item["pr_number"] for item in everything if item["pr_number"])
        assert lines(run("runs", "--pr", pr, "--platform", "linux")) == list(api.runs(pr=pr, platform="linux"))
        commit = everything[3]["commit_sha"]
        assert lines(run("runs", "--commit", commit)) == list(api.runs(commit=commit)) != []
        wanted = {"branch": "master", "status": "fail"}
        assert (
            lines(run("runs", "--branch", "master", "--status", "fail", "--limit", 2)) == list(api.runs(**wanted))[:2]
        )
        assert lines(run("runs", "--branch", "no such branch")) == []


def test_a_history_is_found_by_id_hash_and_name(run: Run, published: pathlib.Path) -> None:
    with Api(str(published)) as api:
        names = [sample["original_name"] for sample in api.samples()]
        sample = next(one for one in api.samples() if names.count(one["original_name"]) == 1)
        wanted = list(api.history(sample["sample_id"]))
    assert wanted
    for name in ("sample_id", "sha", "original_name", "filename"):
        assert lines(run("history", sample[name])) == wanted  # type: ignore[literal-required]
    assert lines(run("history", sample["sample_id"], "--limit", 3)) == wanted[:3]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("get", "runs/0.json"), 1, "does not exist"),
        (("get", "../_state/plan.json"), 1, "not a document path"),
        (("history", "no such sample"), 1, "no sample is called 'no such sample'"),
        (("history", "f" * 64), 1, "no sample has the hash"),
        (("history", 10**9), 1, "no sample has the id"),
        (("runs", "--base", "ftp://example.org"), 2, "is not a base"),
        (("runs", "--base", "/no/such/folder"), 1, "v1/runs.json does not exist"),
        (("runs", "--branch", "master", "--base", "/no/such/folder"), 1, "v1/manifest.json does not exist"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(
    run: Run, arguments: tuple[object, ...], code: int, message: str
) -> None:
    result = run(*arguments) if "--base" not in arguments else run(*arguments[:-2], base=str(arguments[-1]))
    assert isinstance(result.exception, ExporterError)
    assert result.exception.exit_code == code and message in str(result.exception) and not result.stdout


def test_a_name_of_several_samples_is_not_enough(small: Platform, tmp_path: pathlib.Path, run: Run) -> None:
    small.insert("sample", id=7, sha="7" * 64, extension="ts", original_name="first")
    export(small.url, tmp_path / "tree")
    result = run("history", "first", base=str(tmp_path / "tree"))
    assert isinstance(result.exception, ExporterError) and result.exception.exit_code == 2
    assert "2 samples are called 'first'; name one by its id: 1, 7" in str(result.exception)


def on_a_terminal(*arguments: object, kind: str = "dumb", width: int = 160) -> tuple[int, str]:
    """A real process whose standard output is a terminal: exit code, and what it shows."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "exporter", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": str(width), "TERM": kind},
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += (part := os.read(ours, 1 << 16))
            except OSError:  # Linux: everybody else has closed it
                break
            if not part:
                break
        os.close(ours)
        return process.wait(60), shown.decode().replace("\r\n", "\n")


def test_a_terminal_is_shown_a_table(published: pathlib.Path) -> None:
    code, shown = on_a_terminal("runs", "--base", published, kind="xterm")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    head, *rows, more = shown.rstrip("\n").split("\n")
    assert (code, len(rows)) == (0, 20) and more == "… and more; --limit shows more than 20"
    assert head.split()[:4] == ["run", "status", "platform", "of"]
    with Api(str(published)) as api:
        for row, item in zip(rows, api.runs(), strict=False):
            assert row.split()[:3] == [str(item["run_id"]), item["status"], item["platform"]]


@pytest.mark.parametrize(("width", "command"), [(80, "history"), (60, "history"), (80, "runs"), (40, "runs")])
def test_a_table_fits_the_terminal_one_line_a_row(published: pathlib.Path, width: int, command: str) -> None:
    arguments = ("history", 1) if command == "history" else ("runs",)
    code, shown = on_a_terminal(*arguments, "-n", 15, "--base", published, kind="xterm", width=width)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    head, *rows = [line for line in shown.splitlines() if not line.startswith("not shown for lack of width")]
    assert code == 0 and len(rows) == 15 and head.split()[0] == "run"
    assert max(map(len, [head, *rows])) <= width
    assert all(row.split()[0].isdecimal() for row in rows)


def test_formats_hold_the_same(run: Run, published: pathlib.Path) -> None:
    with Api(str(published)) as api:
        wanted = list(api.runs(branch="master"))[:7]
    arguments = ("runs", "-b", "master", "-n", 7, "-o")
    assert lines(run(*arguments, "ndjson")) == wanted == orjson.loads(run(*arguments, "json").stdout)
    rows = list(csv.DictReader(io.StringIO(run(*arguments, "csv").stdout)))
    assert [row["run_id"] for row in rows] == [str(one["run_id"]) for one in wanted]
    assert [row["summary.pass_count"] for row in rows] == [str(one["summary"]["pass_count"]) for one in wanted]
    head, *table = run(*arguments, "table").stdout.splitlines()
    assert head.split()[:3] == ["run", "status", "platform"] and len(table) == 7


@pytest.mark.parametrize("digits", [7, 12, 39, 40])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_a_commit_by_some_of_its_digits(
    run: Run, published: pathlib.Path, digits: int, case: Callable[[str], str]
) -> None:
    with Api(str(published)) as api:
        everything = list(api.runs())
    commit = everything[3]["commit_sha"]
    assert commit is not None
    wanted = [one for one in everything if str(one["commit_sha"]).startswith(commit[:digits])]
    assert lines(run("runs", "--commit", case(commit[:digits]))) == wanted != []


def test_nothing_found_is_no_failure_unless_asked(published: pathlib.Path, run: Run) -> None:
    nothing = ("runs", "--branch", "no such branch")
    assert run(*nothing).exit_code == 0 and run(*nothing).output == ""
    assert run(*nothing, "-o", "json").stdout == "[]\n"
    failed = CliRunner().invoke(
        main.cli, [*nothing, "--base", str(published), "--fail-if-empty"], standalone_mode=False
    )
    assert failed.return_value == 1
    code, shown = on_a_terminal(*nothing, "--base", published)
    assert (code, shown) == (0, "nothing found\n")


@pytest.mark.parametrize("path", ["runs/12", "runs/12/", "/v1/runs/12"])
def test_the_suffix_may_be_left_out(run: Run, published: pathlib.Path, path: str) -> None:
    assert run("get", path).stdout_bytes.rstrip(b"\n") == (published / "v1/runs/12.json").read_bytes()


def test_a_folder_without_a_document_of_its_name_is_named(run: Run) -> None:
    result = run("get", "runs/12/samples/")
    assert result.exit_code == 0
    error = run("get", "manifests").exception
    assert isinstance(error, ExporterError) and "if manifests/ is a folder, name a document in it" in str(error)


def test_a_terminal_is_shown_no_control_characters(published: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with Api(str(published)) as api:
        page: Any = {"data": list(api.history(1))[:1], "pagination": {"total": 1, "next": None}, "meta": {}}
    page["data"][0] |= {"branch": "a\x1b[31m\x9b\x07b", "failure_signature": "[bold]x"}
    with web.running(lambda _: Reply(orjson.dumps(page))) as server:
        for arguments in (("history", 1), ("get", "samples/1/history.json")):
            code, shown = on_a_terminal(*arguments, "--base", server.url)
            assert code == 0 and "[bold]x" in shown
            assert not {"\x1b", "\x9b", "\x07"}.intersection(shown)


def test_what_is_not_as_the_contract_says_is_said(tmp_path: pathlib.Path) -> None:
    answer = Reply(b'{"data": [{"run_id": 1}], "pagination": {"total": 1, "next": null}, "meta": {}}')
    with web.running(lambda _: answer) as server:
        code, shown = on_a_terminal("runs", "--base", server.url)
    assert code == 1 and "error: the documents are not as the API's schemas describe them" in shown
