"""What commands log: lines and bars, for people and machines, without secrets."""

import contextlib
import json
import os
import pathlib
import pty
import select
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable

import pytest

from exporter import logs
from exporter.cli.main import run
from tests.support.messages import changed
from tests.support.processes import Commands

pytestmark = pytest.mark.usefixtures("alone")


def test_json_lines(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--workers", "0", "--log-level", "debug", "--log-format", "json"]
    assert run(["export", "--database-url", url, "--store", "new", *options]) == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in err.splitlines()]
    assert out == "" and len(lines) > 3
    assert all(line.keys() == {"time", "level", "logger", "message"} for line in lines)
    assert lines[-1]["message"].startswith("published 16 runs") and lines[-1]["level"] == "info"


WORKER = """
import logging, pathlib, sys
from exporter import logs
from exporter.export import executor
from exporter.builders.document_options import DocumentOptions
from exporter.source.catalog import read_catalog
from exporter.source.database import Database
from exporter.export.job import Job
from exporter.export.work_dir import WorkDir

def warn(worker, what):
    logging.getLogger("worker").warning("a row holds %s", what)

if __name__ == "__main__":
    logs.configure("json", "warning")
    logs.hide("PassWord")
    url = sys.argv[1]
    catalog = read_catalog(Database(url))[0]
    job = Job(url, catalog, DocumentOptions(), WorkDir(pathlib.Path()), store=None, remembered={})
    with executor.start(job, 1) as workers:
        list(workers.map(warn, ["a PassWord"]))
"""


def test_workers_log_as_their_export_does(url: str) -> None:
    pathlib.Path("program.py").write_text(WORKER)
    done = subprocess.run([sys.executable, "program.py", url], capture_output=True, text=True, check=True)
    line = json.loads(done.stderr)
    assert (line["level"], line["logger"], line["message"]) == ("warning", "worker", "a row holds a ***")


@pytest.mark.parametrize(
    ("terminal", "options", "shown"),
    [(True, [], True), (True, ["--log-format", "json"], False), (False, [], False)],
    ids=["terminal", "terminal in JSON", "pipe"],
)
def test_a_bar_is_shown_on_a_terminal_alone(
    started: Commands, url: str, tmp_path: pathlib.Path, terminal: bool, options: list[str], shown: bool
) -> None:
    arguments = ["export", "--database-url", url, "--store", tmp_path / "new", "--workers", 0, *options]
    environment = {"TERM": "xterm", "COLUMNS": "100", "FORCE_COLOR": "1"}
    if terminal:
        ours, theirs = pty.openpty()
        started.begin(*arguments, stderr=os.ttyname(theirs), environment=environment)
        err = ""
        while not started.ended(0) or _readable(ours):
            if _readable(ours):
                err += os.read(ours, 65536).decode()
        os.close(ours)
        os.close(theirs)
        assert started.exit_code() == 0, err
    else:
        assert started.run(*arguments, environment=environment) == 0
        err = started.stderr.read_text()
    assert started.stdout.read_text() == ""
    assert ("building" in err and "━" in err) == shown
    assert "published 16 runs" in err
    assert shown or "\x1b" not in err


def _readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0.01)[0])


def test_elsewhere_a_line_now_and_then_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(logs.time, "monotonic", lambda: next(clock))
    logs.configure("plain", "info")
    assert list(logs.progress("building", "abcdef", 6)) == list("abcdef")
    told = [line.split(" ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert told == ["building: 3 of 6", "building: 6 of 6"] or told == ["building: 3 of 6"]


@pytest.mark.parametrize("workers", [0, 2])
def test_no_secret_of_the_platform_is_logged(
    started: Commands, parity_sqlite: pathlib.Path, tmp_path: pathlib.Path, workers: int
) -> None:
    arguments = ["--store", tmp_path / "new", "--workers", workers, "--log-level", "debug"]
    assert started.run("export", "--database-url", f"sqlite:///{parity_sqlite}", *arguments) == 0
    output = started.stdout.read_text() + started.stderr.read_text()
    assert "done" in output and "CANARY" not in output


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: changed("DROP TABLE regression_test_output", file),
        lambda file: changed("ALTER TABLE test_result DROP COLUMN runtime", file),
        lambda file: os.truncate(file, file.stat().st_size * 2 // 3),
        lambda file: changed("UPDATE test SET id = 'CANARY' || id", file),
        lambda file: changed(
            "UPDATE test SET platform = token, test_type = token, pr_nr = token, fork_id = token", file
        ),
        lambda file: changed("UPDATE test_progress SET status = 'CANARY', timestamp = 'CANARY'", file),
        lambda file: changed("UPDATE test_result SET runtime = 'CANARY', exit_code = 'CANARY'", file),
        lambda file: changed("UPDATE regression_test SET sample_id = 'CANARY', active = 'CANARY'", file),
    ],
    ids=["table", "column", "damaged", "ids", "runs", "progress", "results", "tests"],
)
def test_no_secret_of_the_platform_is_logged_when_rows_are_odd(
    damage: Callable[[pathlib.Path], None],
    database: pathlib.Path,
    tmp_path: pathlib.Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = pathlib.Path(shutil.copy(database, tmp_path))
    with contextlib.suppress(sqlite3.IntegrityError):
        damage(file)
    arguments = ["--store", str(tmp_path / "new"), "--workers", "0", "--log-level", "debug"]
    code = run(["export", "--database-url", f"sqlite:///{file}", *arguments])
    out, err = capfd.readouterr()
    assert "CANARY" not in out + err
    assert code in (0, 1) and "internal error" not in err
