"""Failures: one line on standard error, the documented exit code, and what was published is intact."""

import contextlib
import errno
import functools
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from exporter.cli.main import run
from exporter.demo import create_demo
from exporter.export import pipeline
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.verify import verify
from tests.support.messages import PASSWORD, USER, changed, one_line
from tests.support.platform import export
from tests.support.processes import Commands
from tests.support.reader import look

pytestmark = pytest.mark.usefixtures("alone")


class Case:
    """What to type so that it fails; `prepare` gives more arguments, or None."""

    def __init__(self, code: int, message: str, *arguments: str, prepare: Any = None) -> None:
        self.code, self.message, self.arguments, self.prepare = code, message, arguments, prepare


def _mysql(where: str) -> list[str]:
    return ["--database-url", f"mysql+pymysql://{USER}:{PASSWORD}@{where}"]


def _on_server(request: pytest.FixtureRequest, **parts: str) -> list[str]:
    """A URL on the tests' server."""
    server = sa.make_url(request.getfixturevalue("mariadb_server")).set(**parts)
    return ["--database-url", server.render_as_string(hide_password=False)]


def _database(request: pytest.FixtureRequest, change: Callable[[pathlib.Path], object]) -> list[str]:
    """A changed copy of the platform."""
    file = pathlib.Path(shutil.copy(request.getfixturevalue("database"), "changed.sqlite"))
    change(file)
    return ["--database-url", f"sqlite:///{file}"]


def _locked(request: pytest.FixtureRequest) -> list[str]:
    """A copy of the platform that another process is just writing."""
    request.getfixturevalue("monkeypatch").setattr(sqlite3, "connect", functools.partial(sqlite3.connect, timeout=0))
    arguments = _database(request, lambda _: None)
    writing = sqlite3.connect("changed.sqlite")
    request.addfinalizer(writing.close)
    writing.execute("BEGIN EXCLUSIVE")
    return arguments


def _store(request: pytest.FixtureRequest, path: str, data: str | None) -> list[str]:
    """A store in which one file is another."""
    root: pathlib.Path = request.getfixturevalue("store")
    if data is None:
        (root / path).unlink()
    else:
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(data)
    return [str(root)]


def _option(name: str, prepare: Callable[..., list[str]], *arguments: Any) -> Callable[..., list[str]]:
    return lambda request: [name, *prepare(request, *arguments)]


def _settings(content: str | bytes, *arguments: str) -> Callable[..., list[str]]:
    def write(_request: pytest.FixtureRequest) -> list[str]:
        pathlib.Path("exporter.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(arguments)

    return write


def _in_the_way(_request: pytest.FixtureRequest, store: str) -> list[str]:
    pathlib.Path("file").write_text("in the way")
    return ["--store", store]


def _taken(request: pytest.FixtureRequest) -> list[str]:
    """A port that is taken."""
    taken = socket.create_server(("127.0.0.1", 0))
    request.addfinalizer(taken.close)
    return [str(request.getfixturevalue("published")), "--port", str(taken.getsockname()[1])]


OF_DATABASE = {
    "no server": Case(1, "does not answer", prepare=lambda _: _mysql("127.0.0.1:1/platform")),
    "no such host": Case(1, "does not answer", prepare=lambda _: _mysql("nowhere.invalid/platform")),
    "wrong password": Case(
        1, "check the user and the password", prepare=lambda r: _on_server(r, username=USER, password=PASSWORD)
    ),
    "no such database": Case(1, "no such database", prepare=lambda r: _on_server(r, database="nothing")),
    "no database": Case(1, "names no database", prepare=_on_server),
    "no password that can be": Case(2, "does not take", prepare=lambda r: _on_server(r, username=USER, password="€")),
    "unknown parameter": Case(
        2, "does not take", prepare=lambda r: [*_on_server(r)[:1], _on_server(r)[1] + "/platform?nonsense=1"]
    ),
    "no SQLite file": Case(1, "no such SQLite file", "--database-url", "sqlite:///nothing.sqlite"),
    "no SQLite": Case(
        1,
        "the file is no SQLite database",
        prepare=lambda r: _database(r, lambda file: file.write_text("something else " * 99)),
    ),
    "missing table": Case(
        1,
        "lacks table test_progress:",
        prepare=lambda r: _database(r, functools.partial(changed, "DROP TABLE test_progress")),
    ),
    "missing column": Case(
        1,
        "lacks column regression_test.command:",
        prepare=lambda r: _database(r, functools.partial(changed, "ALTER TABLE regression_test DROP COLUMN command")),
    ),
    "damaged file": Case(
        1, "SQLITE_CORRUPT", prepare=lambda r: _database(r, lambda file: os.truncate(file, file.stat().st_size // 2))
    ),
    "locked file": Case(1, "SQLITE_BUSY", prepare=_locked),
    "no URL": Case(2, "malformed", "--database-url", "nonsense"),
    "empty URL": Case(2, "malformed", "--database-url", ""),
    "port that is none": Case(2, "malformed", prepare=lambda _: _mysql("localhost:port/platform")),
    "another kind": Case(2, "must be MySQL", "--database-url", f"postgresql://{USER}:{PASSWORD}@localhost/platform"),
    "no driver": Case(2, "not installed", "--database-url", f"mysql+nothing://{USER}:{PASSWORD}@localhost/platform"),
}


OF_STORE = {
    "a file": Case(1, "not a folder", prepare=lambda r: _in_the_way(r, "file")),
    "below a file": Case(1, "file", prepare=lambda r: _in_the_way(r, "file/store")),
    "empty name": Case(2, "empty name", "--store", ""),
    "unknown kind": Case(2, "no store for ftp", "--store", f"ftp://{USER}:{PASSWORD}@localhost"),
    "newer layout": Case(
        1, "newer exporter", prepare=_option("--store", _store, "_state/layout.json", '{"layout": 99}')
    ),
    "damaged layout": Case(1, "damaged", prepare=_option("--store", _store, "_state/layout.json", "{")),
    "newer API": Case(
        1,
        "newer exporter",
        prepare=_option("--store", _store, "v1/manifest.json", '{"api_version": "9.0.0", "partition_size": 100}'),
    ),
    "damaged manifest": Case(1, "damaged", prepare=_option("--store", _store, "v1/manifest.json", "[]")),
    "empty manifest": Case(1, "damaged", prepare=_option("--store", _store, "v1/manifest.json", "")),
    "damaged lease": Case(1, "damaged", prepare=_option("--store", _store, "v1/pending.json", "{}")),
}


OF_USAGE = {
    "unknown command": Case(2, "No such command 'publish'", "publish"),
    "unknown option": Case(2, "No such option '--nothing'", "export", "--nothing"),
    "option without a value": Case(2, "requires an argument", "export", "--store"),
    "nothing to export": Case(2, "Missing option", "export"),
    "no number": Case(2, "--workers", "export", "--workers", "two"),
    "too small": Case(2, "--workers", "export", "--workers", "-1"),
    "too large": Case(2, "--workers", "export", "--workers", "1000"),
    "no choice": Case(2, "--result-documents", "export", "--result-documents", "some"),
    "no folder": Case(2, "--sample-repository", "export", "--sample-repository", "nothing"),
    "no run": Case(2, "--run", "export", "--run", "last"),
    "a run that no database has": Case(2, "--run", "export", "--run", "2147483648"),
    "no level": Case(2, "--log-level", "export", "--log-level", "loud"),
    "one argument too many": Case(
        2,
        "unexpected extra argument",
        *("export", "--database-url", "sqlite:///x", "--store", "x", f"mysql://{USER}:{PASSWORD}@h/d"),
    ),
    "nothing to verify": Case(2, "Missing argument 'STORE'", "verify"),
    "no store to verify": Case(1, "nothing is published", "verify", "nothing"),
    "empty store to verify": Case(
        1, "nothing is published", "verify", prepare=lambda r: _store(r, "v1/manifest.json", None)
    ),
    "damaged store to verify": Case(1, "damaged", "verify", prepare=lambda r: _store(r, "v1/manifest.json", "[]")),
    "newer store to verify": Case(
        1, "newer exporter", "verify", prepare=lambda r: _store(r, "_state/layout.json", '{"layout": 99}')
    ),
    "nothing to serve": Case(2, "Missing argument 'STORE'", "serve"),
    "a bucket to serve": Case(2, "only a folder", "serve", "gs://bucket"),
    "no store to serve": Case(2, "not an existing folder", "serve", "nothing"),
    "empty store to serve": Case(1, "holds no", "serve", prepare=lambda r: _store(r, "v1/manifest.json", None)),
    "taken port": Case(2, "is taken", "serve", prepare=_taken),
    "no port": Case(2, "--port", "serve", ".", "--port", "70000"),
    "no runs to make": Case(2, "--runs", "demo", "--runs", "0"),
    "a platform already": Case(
        2, "already holds", "demo", prepare=lambda r: ["--database-url", f"sqlite:///{r.getfixturevalue('database')}"]
    ),
    "demo without a server": Case(
        1, "cannot be written", "demo", prepare=lambda _: _mysql("127.0.0.1:1/platform?connect_timeout=1")
    ),
    "unknown setting": Case(
        2, "colour (exporter.toml, line 2): there is no such", "verify", "x", prepare=_settings('\ncolour = "red"')
    ),
    "settings of a command": Case(
        2,
        "export (exporter.toml, line 1): a settings file has no sections",
        "verify",
        "x",
        prepare=_settings("[export]\nworkers = 2"),
    ),
    "setting out of range": Case(
        2,
        "workers (exporter.toml, line 1)",
        "export",
        prepare=_settings("workers = -1\ndatabase-url = 'x'\nstore = 'x'"),
    ),
    "setting that is a list": Case(2, "store", "export", prepare=_settings('store = ["x"]\ndatabase-url = "x"')),
    "setting that is a date": Case(2, "seed", "demo", prepare=_settings("seed = 2026-01-01")),
    "malformed settings": Case(2, "is not TOML", "verify", "x", prepare=_settings("workers =")),
    "settings that are no text": Case(2, "is not UTF-8 (line 1)", "verify", "x", prepare=_settings(b"\xff\xfe")),
    "no settings file": Case(2, "No such file", "--config", "nothing.toml", "verify", "x"),
    "settings file is a folder": Case(2, "is a directory", "--config", ".", "verify", "x"),
}


def _parameters(cases: dict[str, Case]) -> Any:
    return pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in cases.items()])


@pytest.mark.parametrize("log_format", ["plain", "json"])
@_parameters(OF_USAGE)
def test_what_makes_no_sense_getsone_line(
    case: Case,
    log_format: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("EXPORTER_LOG_FORMAT", log_format)
    _fails(case, list(case.arguments), request, capsys, log_format)


@_parameters(OF_DATABASE)
def test_a_database_that_cannot_be_read_getsone_line(
    case: Case, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    store = tmp_path / "new"
    arguments = ["export", "--store", str(store), "--workers", "0", "--log-format", "json", *case.arguments]
    _fails(case, arguments, request, capsys, "json")
    assert not (store / "v1").exists()


@_parameters(OF_STORE)
def test_a_store_that_cannot_be_written_getsone_line(
    case: Case, url: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", "--database-url", url, "--workers", "0", *case.arguments]
    _fails(case, arguments, request, capsys, "plain")


def _fails(
    case: Case, arguments: list[str], request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], format_: str
) -> None:
    arguments += case.prepare(request) if case.prepare else []
    capsys.readouterr()
    code = run(arguments)
    out, err = capsys.readouterr()
    assert (code, out) == (case.code, ""), err
    one_line(err, case.message, format_)
    assert not [argument for argument in arguments if "@" in argument and argument in err]


def test_a_defect_gets_one_line_and_at_debug_level_its_traceback(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def defect(*_: object) -> None:
        raise ZeroDivisionError(f"mysql://{USER}:{PASSWORD}@localhost", PASSWORD)

    monkeypatch.setattr(pipeline, "export", defect)
    arguments = ["export", "--store", "x", "--database-url", f"mysql://{USER}:{PASSWORD}@localhost"]
    assert run(arguments) == 1
    one_line(capsys.readouterr().err, "internal error (ZeroDivisionError)")
    assert run([*arguments, "--log-level", "debug", "--log-format", "json"]) == 1
    error, debug = map(json.loads, capsys.readouterr().err.splitlines())
    assert error["level"] == "error" and "defect" in "".join(debug["traceback"])
    assert PASSWORD not in json.dumps(debug)


MOUNTED = """
import os, pathlib, shutil, subprocess, sys
from exporter.cli.main import run
spare, mode, published, out, *arguments = sys.argv[1:]
mount = pathlib.Path("mount")
mount.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mount], check=True)
shutil.copytree(published, mount / "store")
space = os.statvfs(mount)
size = (space.f_blocks - space.f_bfree) * space.f_frsize + int(spare)
subprocess.run(["mount", "-o", f"remount,{mode},size={size}", mount], check=True)
code = run(arguments)
shutil.copytree(mount / "store", out)
os._exit(code)
"""


@functools.cache
def _may_mount() -> bool:
    with contextlib.suppress(FileNotFoundError):
        command = "mount -t tmpfs tmpfs ."
        tried = subprocess.run(["unshare", "--mount", "sh", "-c", command], capture_output=True, check=False)
        return tried.returncode == 0
    return False


@pytest.mark.root
@pytest.mark.parametrize(
    ("spare", "mode", "message"),
    [(200_000, "rw", "disk full"), (100_000_000, "ro", "read-only")],
    ids=["full", "read-only"],
)
def test_a_disk_that_takes_nothing_leaves_what_was_published(
    published: pathlib.Path, tmp_path: pathlib.Path, spare: int, mode: str, message: str
) -> None:
    if not _may_mount():
        pytest.skip("may not mount a file system")
    create_demo("sqlite:///other.sqlite", runs=60, tests=20, seed=2)
    arguments = ["export", "--database-url", "sqlite:///other.sqlite", "--store", "mount/store", "--workers", "0"]
    arguments.append("--allow-shrink")
    command = ["unshare", "--mount", sys.executable, "-c", MOUNTED, str(spare), mode, published, tmp_path / "out"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    one_line(done.stderr, message)
    out = tmp_path / "out"
    look({str(path.relative_to(out)): path.read_bytes() for path in (out / "v1").rglob("*") if path.is_file()})
    export("sqlite:///other.sqlite", tmp_path / "out")
    assert not verify(LocalStore(tmp_path / "out")).problems


def test_a_full_temporary_folder_ends_the_export(started: Commands, url: str, store: pathlib.Path) -> None:
    """Files that may not grow are like a full disk, also for those who may not mount one."""
    for path in (store / "v1/runs").glob("*.json"):
        path.unlink()
    (store / "v1/manifest.json").unlink()
    arguments = ["export", "--database-url", url, "--store", store, "--workers", 0]
    assert started.run(*arguments, limits={"RLIMIT_FSIZE": 10_000}) == 1
    one_line(started.stderr.read_text(), "TMPDIR")
    assert not list(started.temporary.iterdir()) and not list((store / "v1/runs").glob("*.json"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full\n"),
        (OSError(errno.EDQUOT, "Quota exceeded", "somewhere"), "the disk quota is used up: somewhere\n"),
        (PermissionError(errno.EACCES, "Permission denied", "somewhere"), "Permission denied: somewhere\n"),
        (OSError("odd"), "input or output failed\n"),
    ],
)
def test_any_other_failure_of_the_system_is_told(
    error: OSError, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(pipeline, "export", fail)
    assert run(["export", "--store", "x", "--database-url", "x"]) == 1
    one_line(capsys.readouterr().err, message)
