"""The command line, as people and scripts see it."""

import contextlib
import errno
import functools
import itertools
import json
import logging
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click
import httpx
import pytest
import sqlalchemy as sa

import exporter
from exporter import logs
from exporter.cli.main import cli, run
from exporter.demo import create_demo
from exporter.errors import ExporterError
from exporter.export import pipeline
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.verify import verify
from tests.support.platform import export, tree
from tests.support.processes import Commands, commands
from tests.support.reader import look

README = pathlib.Path(__file__).parent.parent.parent / "README.md"
PROGRAM = pathlib.Path(sys.executable).with_name("exporter")
INTERRUPTED = "interrupted; what was published is intact"

COMMANDS = sorted(name for name, command in cli.commands.items() if not command.hidden)
OPTIONS = [
    pytest.param(command, option, id=f"{command} {option.opts[-1]}")
    for command in (cli, *(cli.commands[name] for name in COMMANDS))
    for option in command.params
    if isinstance(option, click.Option)
]


@pytest.fixture(autouse=True)
def alone(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings from around us; logs as they were afterwards."""
    for name in [name for name in os.environ if name.startswith("EXPORTER_")]:
        monkeypatch.delenv(name)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    root = logging.getLogger()
    handlers, level, secrets = root.handlers[:], root.level, set(logs._secrets)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logs._secrets.clear()
    logs._secrets.update(secrets)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A small platform with runs in two partitions."""
    file = tmp_path_factory.mktemp("database") / "platform.sqlite"
    create_demo(f"sqlite:///{file}", runs=16, tests=4, seed=1)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        for table, column in (("test", "id"), *((f"test_{name}", "test_id") for name in RUN_TABLES)):
            connection.execute(f"UPDATE {table} SET {column} = {column} + 100 WHERE {column} > 8")
        connection.commit()
    return file


RUN_TABLES = ("progress", "result", "result_file")


@pytest.fixture
def url(database: pathlib.Path) -> str:
    return f"sqlite:///{database}"


@pytest.fixture(scope="module")
def published(database: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An export of `database`, to be read only."""
    root = tmp_path_factory.mktemp("published") / "store"
    export(f"sqlite:///{database}", root)
    return root


@pytest.fixture
def store(published: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """The same, to be damaged."""
    return pathlib.Path(shutil.copytree(published, tmp_path / "store"))


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with commands(tmp_path_factory.mktemp("commands")) as begun:
        yield begun


# --- help and documentation


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_stands_in_the_readme(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and (cli.commands[command].help or "").split(".")[0] in " ".join(out.split())
    assert all(option.opts[0] in out for option in cli.commands[command].params if isinstance(option, click.Option))
    assert f"exporter {command}" in README.read_text()


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_every_option_is_described_and_has_its_environment_variable(
    command: click.Command, option: click.Option
) -> None:
    assert option.help
    if option.name != "version":
        name = next(one for one in option.opts if one.startswith("--")).removeprefix("--")
        own = getattr(option, "command_line_only", False)
        assert option.envvar == (None if own else f"EXPORTER_{name.replace('-', '_').upper()}")


def test_the_environment_variable_of_a_setting_is_the_same_for_all_commands() -> None:
    """So that a line of the settings file means one thing."""
    names: dict[str, set[str]] = {}
    for command in cli.commands.values():
        for option in command.params:
            if isinstance(option, click.Option):
                names.setdefault(option.name or "", set()).add(next(one for one in option.opts if one[:2] == "--"))
    assert {name: opts for name, opts in names.items() if len(opts) > 1} == {}


@pytest.mark.parametrize("settings", ["workers =", "colour = 'red'", "workers = -1", "store = ['x']"])
@pytest.mark.parametrize("arguments", [["export", "-h"], ["bucket", "check", "--help"], ["--help"]], ids=" ".join)
def test_no_settings_file_keeps_anybody_from_help(
    settings: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pathlib.Path("exporter.toml").write_text(settings)
    assert run([*arguments]) == 0
    out, err = capsys.readouterr()
    assert "Usage:" in out and err == ""


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "Commands:" in capsys.readouterr().err


@pytest.mark.parametrize("program", [[PROGRAM], [sys.executable, "-m", "exporter"]], ids=["exporter", "python -m"])
def test_version(program: list[str]) -> None:
    done = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"exporter, version {exporter.__version__}\n", "")


# --- from the beginning to the end


def test_demo_export_verify_serve(tmp_path: pathlib.Path) -> None:
    """What a person types first, with nothing but the command's own defaults where there are any."""

    def type_(*arguments: str) -> tuple[str, str]:
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    out, err = type_("demo", "--runs", "6", "--tests", "3", "--sample-repository", "files")
    assert out == "" and "made 6 runs of 3 regression tests" in err
    url = "sqlite:///demo.sqlite"
    out, err = type_("export", "--database-url", url, "--store", "api", "--sample-repository", "files")
    assert out == "" and "published 6 runs" in err and err.count("\n") == 1
    out, err = type_("verify", "api")
    assert "all is well" in out and err == ""
    with subprocess.Popen([PROGRAM, "serve", "api", "--port", "0"], stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stderr
        found = re.search(r"http://\S+", serving.stderr.readline())
        assert found
        assert httpx.get(f"{found[0]}v1/runs.json").json()["pagination"]["total"] == 6
        serving.terminate()
        assert (serving.stderr.read(), serving.wait()) == ("", 0)


# --- failures


USER, PASSWORD = "UserName", "PassWord"


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


def _sql(statement: str, file: pathlib.Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
        connection.commit()


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
        1, "SQLITE_NOTADB", prepare=lambda r: _database(r, lambda file: file.write_text("something else " * 99))
    ),
    "missing table": Case(
        1,
        "lacks table test_progress:",
        prepare=lambda r: _database(r, functools.partial(_sql, "DROP TABLE test_progress")),
    ),
    "missing column": Case(
        1,
        "lacks column regression_test.command:",
        prepare=lambda r: _database(r, functools.partial(_sql, "ALTER TABLE regression_test DROP COLUMN command")),
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
        2, "export (exporter.toml): there is no such", "verify", "x", prepare=_settings("[export]\nworkers = 2")
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
    "settings that are no text": Case(2, "is not TOML", "verify", "x", prepare=_settings(b"\xff\xfe")),
    "no settings file": Case(2, "No such file", "--config", "nothing.toml", "verify", "x"),
    "settings file is a folder": Case(2, "is a directory", "--config", ".", "verify", "x"),
}


def _parameters(cases: dict[str, Case]) -> Any:
    return pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in cases.items()])


@pytest.mark.parametrize("log_format", ["plain", "json"])
@_parameters(OF_USAGE)
def test_what_makes_no_sense_gets_one_line(
    case: Case,
    log_format: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("EXPORTER_LOG_FORMAT", log_format)
    _fails(case, list(case.arguments), request, capsys, log_format)


@_parameters(OF_DATABASE)
def test_a_database_that_cannot_be_read_gets_one_line(
    case: Case, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    store = tmp_path / "new"
    arguments = ["export", "--store", str(store), "--workers", "0", "--log-format", "json", *case.arguments]
    _fails(case, arguments, request, capsys, "json")
    assert not (store / "v1").exists()


@_parameters(OF_STORE)
def test_a_store_that_cannot_be_written_gets_one_line(
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
    _one_line(err, case.message, format_)
    assert not [argument for argument in arguments if "@" in argument and argument in err]


def _one_line(err: str, message: str, format_: str = "plain") -> None:
    """See that there is one line, which says this and no secret."""
    assert err.endswith("\n") and err.count("\n") == 1, err
    if format_ == "json":
        line = json.loads(err)
        assert line["level"] == "error" and line.keys() == {"time", "level", "logger", "message"}
        err = line["message"]
    else:
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ error: ", err)
    assert message in err and USER not in err and PASSWORD not in err


def test_a_defect_gets_one_line_and_at_debug_level_its_traceback(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def defect(*_: object) -> None:
        raise ZeroDivisionError(f"mysql://{USER}:{PASSWORD}@localhost", PASSWORD)

    monkeypatch.setattr(pipeline, "export", defect)
    arguments = ["export", "--store", "x", "--database-url", f"mysql://{USER}:{PASSWORD}@localhost"]
    assert run(arguments) == 1
    _one_line(capsys.readouterr().err, "internal error (ZeroDivisionError)")
    assert run([*arguments, "--log-level", "debug", "--log-format", "json"]) == 1
    error, debug = map(json.loads, capsys.readouterr().err.splitlines())
    assert error["level"] == "error" and "defect" in "".join(debug["traceback"])
    assert PASSWORD not in json.dumps(debug)


# --- disks


MOUNTED = """
import os, pathlib, shutil, subprocess, sys
from exporter.cli.main import run
size, mode, published, out, *arguments = sys.argv[1:]
mount = pathlib.Path("mount")
mount.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", mount], check=True)
shutil.copytree(published, mount / "store")
subprocess.run(["mount", "-o", f"remount,{mode}", mount], check=True)
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
    ("size", "mode", "message"), [("2000k", "rw", "disk full"), ("100m", "ro", "read-only")], ids=["full", "read-only"]
)
def test_a_disk_that_takes_nothing_leaves_what_was_published(
    published: pathlib.Path, tmp_path: pathlib.Path, size: str, mode: str, message: str
) -> None:
    if not _may_mount():
        pytest.skip("may not mount a file system")
    create_demo("sqlite:///other.sqlite", runs=60, tests=20, seed=2)
    arguments = ["export", "--database-url", "sqlite:///other.sqlite", "--store", "mount/store", "--workers", "0"]
    arguments.append("--allow-shrink")
    command = ["unshare", "--mount", sys.executable, "-c", MOUNTED, size, mode, published, tmp_path / "out", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    _one_line(done.stderr, message)
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
    _one_line(started.stderr.read_text(), "TMPDIR")
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
    _one_line(capsys.readouterr().err, message)


# --- settings


WAYS = ("command line", "environment", "settings file")
VALUES = {
    "database-url": ("sqlite:///1", "sqlite:///2", "sqlite:///3"),
    "store": ("one", "two", "three"),
    "workers": ("1", "2", "3"),
    "result-documents": ("failures", "none", "all"),
    "run": ("1", "2", "3"),
}


@pytest.mark.parametrize("used", list(itertools.product([False, True], repeat=3)))
def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    used: tuple[bool, bool, bool], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[pipeline.Settings] = []

    def export(settings: pipeline.Settings, *_: object) -> None:
        seen.append(settings)
        raise ExporterError("seen")

    monkeypatch.setattr(pipeline, "export", export)
    arguments = ["export"]
    lines = []
    for name, (on_line, in_environment, in_file) in VALUES.items():
        if used[0]:
            arguments += [f"--{name}", on_line]
        if used[1]:
            monkeypatch.setenv(f"EXPORTER_{name.replace('-', '_').upper()}", in_environment)
        if used[2]:
            lines.append(f"{name} = {in_file if in_file.isdigit() else repr(in_file)}")
    pathlib.Path("exporter.toml").write_text("\n".join(lines))
    if not any(used):
        assert run(arguments) == 2
        return
    assert run(arguments) == 1
    wins = used.index(True)
    (settings,) = seen
    assert isinstance(settings.store, LocalStore)
    assert [
        settings.database_url,
        settings.store.name,
        str(settings.workers),
        settings.result_documents,
        *map(str, settings.runs or ()),
    ] == [values[wins] for values in VALUES.values()]


@pytest.mark.parametrize("how", ["command line", "environment"])
def test_another_settings_file(
    how: str, published: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pathlib.Path("exporter.toml").write_text("is not read")
    pathlib.Path("other.toml").write_text(f"store = '{published}'\nlog_level = 'error'")
    if how == "environment":
        monkeypatch.setenv("EXPORTER_CONFIG", "other.toml")
    assert run([*(["--config", "other.toml"] if how == "command line" else []), "verify"]) == 0
    assert "all is well" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["verify"], ["status"], ["prune"]], ids=" ".join)
@pytest.mark.parametrize("used", [used for used in itertools.product([False, True], repeat=3) if any(used)])
def test_the_store_may_be_named_as_an_argument_in_the_environment_or_in_the_file(
    command: list[str],
    used: tuple[bool, bool, bool],
    published: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first that is there counts; those after it name nothing that exists."""
    names = iter([str(published), *["nothing"] * 2])
    on_line, in_environment, in_file = (next(names) if one else None for one in used)
    if in_environment:
        monkeypatch.setenv("EXPORTER_STORE", in_environment)
    if in_file:
        pathlib.Path("exporter.toml").write_text(f"store = '{in_file}'")
    assert run([*command, *([on_line] if on_line else [])]) == 0


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
    assert "build 2 partitions: it is new" in said and " new documents of partition 0" in said and "changed" not in said
    assert not pathlib.Path("new/v1").exists()


# --- logs and progress


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
        assert started.exit_code() == 0
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
        lambda file: _sql("DROP TABLE regression_test_output", file),
        lambda file: _sql("ALTER TABLE test_result DROP COLUMN runtime", file),
        lambda file: os.truncate(file, file.stat().st_size * 2 // 3),
        lambda file: _sql("UPDATE test SET id = 'CANARY' || id", file),
        lambda file: _sql("UPDATE test SET platform = token, test_type = token, pr_nr = token, fork_id = token", file),
        lambda file: _sql("UPDATE test_progress SET status = 'CANARY', timestamp = 'CANARY'", file),
        lambda file: _sql("UPDATE test_result SET runtime = 'CANARY', exit_code = 'CANARY'", file),
        lambda file: _sql("UPDATE regression_test SET sample_id = 'CANARY', active = 'CANARY'", file),
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


# --- ends before the end


@pytest.mark.parametrize(
    ("signal_", "group", "when"),
    [
        (signal.SIGINT, False, "workers begin"),
        (signal.SIGINT, True, "workers begin"),
        (signal.SIGINT, True, "publishing"),
        (signal.SIGTERM, False, "publishing"),
        (signal.SIGTERM, True, "workers begin"),
    ],
)
def test_a_signal_ends_an_export_in_order(
    started: Commands,
    database: pathlib.Path,
    published: pathlib.Path,
    tmp_path: pathlib.Path,
    signal_: signal.Signals,
    group: bool,
    when: str,
) -> None:
    root = tmp_path / "new"
    started.begin("export", "--database-url", f"sqlite:///{database}", "--store", root, "--workers", 2)
    # The first process that is begun only keeps account of the others.
    come = {"workers begin": lambda: len(started.workers()) > 1, "publishing": (root / "v1/pending.json").exists}[when]
    while not come():
        assert not started.ended(0.002), "over before the signal"
    (os.killpg if group else os.kill)(started.process, signal_)
    assert started.exit_code() == 130
    _one_line(started.stderr.read_text(), INTERRUPTED)
    _nothing_is_left(started)
    export(f"sqlite:///{database}", root)
    assert dict(tree(root)) == dict(tree(published))


def test_an_export_that_is_killed_leaves_no_line_of_python(started: Commands, url: str, tmp_path: pathlib.Path) -> None:
    root = tmp_path / "new"
    started.begin("export", "--database-url", url, "--store", root, "--workers", 2)
    while not (root / "v1/pending.json").exists():  # its workers have begun, and it has not ended
        assert not started.ended(0.002), "over before it could be killed"
    os.kill(started.process, signal.SIGKILL)
    assert started.exit_code() == -signal.SIGKILL
    assert started.orphans() == []  # the process that clears up after it is the last to end
    assert started.stderr.read_text() == ""


def _nothing_is_left(started: Commands) -> None:
    assert started.orphans() == []
    assert [*started.temporary.glob("exporter-work-*")] == []


def test_ctrl_c_waits_for_no_worker(
    started: Commands, url: str, published: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    root = tmp_path / "new"
    started.begin("export", "--database-url", url, "--store", root, "--workers", 2)
    while len(workers := started.workers()) < 3:
        assert not started.ended(0.002), "over before the signal"
    for worker in workers[1:]:
        os.kill(worker, signal.SIGSTOP)  # it would never begin, nor end
    os.kill(started.process, signal.SIGINT)
    assert started.ended(10)
    assert started.exit_code() == 130
    _one_line(started.stderr.read_text(), INTERRUPTED)
    _nothing_is_left(started)
    export(url, root)
    assert dict(tree(root)) == dict(tree(published))


def test_a_signal_ends_what_a_script_began_in_the_background(
    started: Commands, url: str, tmp_path: pathlib.Path
) -> None:
    """There Ctrl-C is ignored, and SIGTERM must do."""
    started.begin("export", "--database-url", url, "--store", tmp_path / "new", "--workers", 0, ignored=["SIGINT"])
    while not (tmp_path / "new/v1").exists():
        assert not started.ended(0.002), "over before the signal"
    os.kill(started.process, signal.SIGTERM)
    assert started.exit_code() == 130
    _one_line(started.stderr.read_text(), INTERRUPTED)


def test_a_worker_that_is_killed_ends_the_export(
    started: Commands, database: pathlib.Path, published: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """As the system does when memory runs out."""
    root = tmp_path / "new"
    started.begin("export", "--database-url", f"sqlite:///{database}", "--store", root, "--workers", 2)
    while len(workers := started.workers()) < 3:
        assert not started.ended(0.002), "over before a worker could be killed"
    os.kill(workers[-1], signal.SIGKILL)
    assert started.exit_code() == 1
    _one_line(started.stderr.read_text(), "a worker process died")
    _nothing_is_left(started)
    export(f"sqlite:///{database}", root)
    assert dict(tree(root)) == dict(tree(published))


def test_verify_tells_what_is_wrong_and_ends_quietly_when_nobody_reads_on(store: pathlib.Path) -> None:
    for path in (store / "v1/runs").glob("*.json"):
        path.write_text("{}")
    done = subprocess.run([PROGRAM, "verify", store], capture_output=True, text=True, check=False)
    *problems, last, advice = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, "")
    assert last.endswith("problems") and 10 < len(problems) <= 51 and "delete v1/manifest.json" in advice
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen([PROGRAM, "verify", store], stdout=writing, stderr=subprocess.PIPE, text=True) as unread:
        os.close(writing)
        assert unread.stderr and unread.stderr.read() == ""
    assert unread.returncode == 1
