"""Wrong inputs: each gets one line that says what to do, its documented code, no class name and no traceback."""

import logging
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from exporter import logs
from exporter.cli.main import run
from exporter.cli.output import FORMATS
from exporter.demo import create_demo
from tests.support import web
from tests.support.platform import export

DB, STORE, BASE = "--database-url sqlite:///platform.sqlite", "--store site", "--base site"

WRONG: dict[str, tuple[int, str]] = {
    # Names that do not exist.
    "nothing": (2, "No such command 'nothing'"),
    "exprot": (2, "No such command 'exprot'"),
    "export --stroe x": (2, "Did you mean '--store'"),
    "EXPORTER_STROE=x status site": (2, "EXPORTER_STROE is no setting; did you mean EXPORTER_STORE"),
    "EXPORTER_DATABASE=x status site": (2, "EXPORTER_DATABASE is no setting; did you mean EXPORTER_DATABASE_URL"),
    "EXPORTER_QQQ=x status site": (2, "EXPORTER_QQQ is no setting"),
    "[wokers = 2] status site": (2, "wokers (exporter.toml, line 1): there is no such setting; did you mean workers"),
    "[\n\nlog_levle = 'debug'] status site": (2, "log-levle (exporter.toml, line 3): there is no such setting"),
    "[workers = ] status site": (2, "exporter.toml is not TOML"),
    "[store = {}] status": (2, "store (exporter.toml, line 1): the value must be a text or a number"),
    "[run = [[1]]] export": (2, "run (exporter.toml, line 1): the value must be a text, a number, or a list of them"),
    "[[export]\nstore = 'x'] status site": (2, "export (exporter.toml, line 1): a settings file has no sections"),
    "[\nstore = 'Stra\udcdfe'] status": (2, "exporter.toml is not UTF-8 (line 2)"),
    '[store = "a\\u0000b"] status': (2, "store (exporter.toml, line 1): the value must not hold a NUL character"),
    "--config empty status site": (2, "is a directory"),
    "EXPORTER_WORKER=2 status site": (2, "is no setting; did you mean EXPORTER_WORKERS?"),
    "status site --config x.toml": (2, "it stands before the command: exporter --config FILE status"),
    "mirror copy http://127.0.0.1:8000": (2, "http://127.0.0.1:8000 is a URL, not a folder"),
    "status --store site": (2, "No such option '--store': write exporter status STORE"),
    "--config nothing.toml status site": (2, "cannot read the settings file nothing.toml"),
    # Values, where they stand.
    f"export {DB} {STORE} --workers two": (2, "'--workers': 'two' is not a valid integer"),
    f"EXPORTER_WORKERS=two export {DB} {STORE}": (2, "EXPORTER_WORKERS: 'two' is not a valid integer"),
    f"[workers = 'two'] export {DB} {STORE}": (2, "workers (exporter.toml, line 1): 'two' is not a valid integer"),
    f"[\nlog-level = 'loud'] export {DB} {STORE}": (2, "log-level (exporter.toml, line 2): 'loud' is not one of"),
    f"export {DB}": (2, "'--store': give it here, as EXPORTER_STORE, or as store in exporter.toml"),
    f"export {STORE}": (2, "as EXPORTER_DATABASE_URL, or as database-url in exporter.toml"),
    "verify": (2, "'STORE': name the store here, as EXPORTER_STORE, or as store in exporter.toml"),
    f"export {DB} {STORE} --grace 5": (2, "'5' is not a duration: write it as 90s, 30m, 2h or 1d"),
    f"hook {DB} {STORE} --run 0": (2, "--run"),
    f"export {DB} {STORE} --credentials nothing": (2, "--credentials"),
    f"snapshot {DB} {STORE} --keep 0": (2, "--keep"),
    "status site --json --prometheus": (2, "exclude each other"),
    "status site --max-age soon": (2, "write it as 90s, 30m, 2h or 1d"),
    "serve site --port 70000": (2, "--port"),
    "serve gs://bucket": (2, "only a folder can be previewed"),
    "bucket setup gs://b --setting odd": (2, "--setting"),
    "bucket setup gs://b --expire x": (2, "write it as PREFIX=DAYS"),
    "bucket check site": (2, "write gs://BUCKET or gs://BUCKET/PREFIX"),
    "demo --runs 0": (2, "--runs"),
    "demo --database-url nonsense": (2, "it should look like sqlite:///FILE"),
    "demo --database-url mysql+odd://user:PassWord@h/x": (2, "mysql+odd is not installed: use mysql+pymysql"),
    f"export {DB} --store gs:/bucket": (2, "gs:/bucket is no bucket: write gs://BUCKET"),
    "runs --base 127.0.0.1:8000": (2, "did you mean http://127.0.0.1:8000?"),
    # Places that cannot be read or written.
    "demo --database-url sqlite:///file/x.sqlite": (1, "cannot be written"),
    f"export {DB} --store file": (1, "choose another, or move the file away"),
    f"export {DB} --store file/x": (1, "choose another, or move the file away"),
    f"export {STORE} --database-url sqlite:///nothing.sqlite": (1, "no such SQLite file"),
    f"export {STORE} --database-url sqlite:///file": (1, "the file is no SQLite database: check the URL"),
    f"export {STORE} --database-url sqlite:///empty": (1, "no such SQLite file"),
    f"export {STORE} --database-url postgresql://user:PassWord@h/x": (2, "must be MySQL, MariaDB or SQLite"),
    f"export {STORE} --database-url mysql+odd://user:PassWord@h/x": (2, "use mysql+pymysql"),
    f"export {STORE} --database-url mysql+pymysql://user:PassWord@h:x/y": (2, "it should look like mysql+pymysql://"),
    f"export {STORE} --database-url mysql+pymysql://user:PassWord@h/x?odd=1": (
        2,
        "a parameter that its driver does not take",
    ),
    f"export {STORE} --database-url mysql+pymysql://user:PassWord@h/x?ssl_ca=/no": (
        2,
        "a file that cannot be read: No such file",
    ),
    f"export {STORE} --database-url mysql+pymysql://user:PassWord@127.0.0.1:1/x": (1, "check host and port"),
    f"export {DB} {STORE} --sample-repository empty": (1, "is it the right folder"),
    f"hook {DB} {STORE} --run 1 --spool file/x": (1, "name another folder with --spool"),
    f"snapshot {DB} --store file": (1, "choose another, or move the file away"),
    f"export {DB} --store /proc/x": (1, "choose another"),
    "verify file": (1, "choose another, or move the file away"),
    "status nothing": (1, "run exporter export"),
    "mirror site file/x": (1, "choose another, or move the file away"),
    "mirror site site": (2, "name another folder for the mirror"),
    "mirror nothing copy": (1, "check the base URL"),
    "mirror http://127.0.0.1:1 copy": (1, "cannot connect to 127.0.0.1:1: Connection refused"),
    "download site data": (1, "no snapshot is published there"),
    "download http://nowhere.invalid data": (1, "there is no host nowhere.invalid"),
    # What is not published.
    f"get runs/0 {BASE}": (1, "name a document in it, such as runs/12.json"),
    f"get ../x {BASE}": (1, "expected e.g. runs/12.json"),
    "get runs.json --base http://127.0.0.1:1": (1, "cannot connect to 127.0.0.1:1: Connection refused"),
    "get runs.json --base ftp://x": (2, "name https://…, http://…, file://…, gs://BUCKET or a folder"),
    "get runs.json": (2, "'--base': give it here, as EXPORTER_BASE"),
    f"runs {BASE} --commit 12345": (2, "give 7 to 40 hexadecimal digits"),
    f"runs {BASE} --status odd": (2, "is not one of"),
    f"runs {BASE} -o xml": (2, "is not one of"),
    f"history nothing {BASE}": (1, "exporter get samples.json lists them"),
    f"history 99 {BASE}": (1, "no sample has the id 99; exporter get samples.json lists them"),
    f"get 'run s.json' {BASE}": (1, "expected e.g. runs/12.json"),
    f"get 'runs.json\n' {BASE}": (1, "expected e.g. runs/12.json"),
    f"get \udcff {BASE}": (1, "expected e.g. runs/12.json"),
    "mirror site site/copy": (2, "name another folder for the mirror"),
    "live-api ftp://x": (2, "name https://…, http://…, file://…, gs://BUCKET or a folder"),
    "live-api site --port 0x": (2, "--port"),
    "live-api nothing": (1, "nothing/v1/manifest.json does not exist"),
    "live-api empty": (1, "empty/v1/manifest.json does not exist"),
    "live-api file://localhost/nowhere": (1, "/nowhere/v1/manifest.json does not exist"),
    "serve ''": (2, "'' is not an existing folder"),
    "mirror site ''": (2, "the name is empty; write . for the working directory"),
    "download site ''": (2, "the name is empty"),
    f"hook {DB} {STORE} --run 1 --spool ''": (2, "'--spool': the name is empty"),
    f"export {DB} {STORE} --sample-repository ''": (2, "'--sample-repository': the name is empty"),
    f"junit 0 {BASE}": (2, "RUN"),
    f"junit 99 {BASE}": (1, "99"),
    f"report --run 99 {BASE}": (1, "99"),
    f"export {DB} {STORE} --junit some": (2, "is not one of"),
    f"export {DB} {STORE} --public-url x": (2, "is not a URL such as https://HOST/PATH/"),
    f"report {BASE}": (2, "give one of --pr, --run and --commit"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with a platform, its export, a file and an empty folder."""
    folder = tmp_path_factory.mktemp("wrong")
    create_demo(f"sqlite:///{folder}/platform.sqlite", runs=4, tests=2, seed=1)
    export(f"sqlite:///{folder}/platform.sqlite", folder / "site")
    (folder / "file").write_text("in the way")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture(autouse=True)
def alone(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("EXPORTER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(logs, "_secrets", set(logs._secrets))
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    pathlib.Path("exporter.toml").unlink(missing_ok=True)


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_input_gets_one_line_that_says_what_to_do(
    line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, message = WRONG[line]
    if line.startswith("["):
        settings, _, line = line[1:].rpartition("] ")
        pathlib.Path("exporter.toml").write_text(settings, "utf-8", "surrogateescape")
    arguments = shlex.split(line)
    while "=" in arguments[0]:
        name, _, value = arguments.pop(0).partition("=")
        monkeypatch.setenv(name, value)
    began = time.monotonic()
    assert run(arguments) == code
    out, err = capsys.readouterr()
    *progress, last = err.splitlines()
    assert out == "" and " error: " in last and message in last, err
    assert all(" reading what " in line for line in progress), "nothing else is said"
    assert not re.search(r"\b[A-Z]\w*(Error|Exception)\b|Traceback|<[a-z_]+\.", err)
    assert "127.0.0.1" not in message or "mysql" in message or time.monotonic() - began < 2


@pytest.mark.parametrize("command", ["serve", "live-api"])
def test_a_port_that_is_taken_is_named(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run([command, "site", "--port", str(port)]) == 2
    assert f"port {port} of 127.0.0.1 is taken: choose another" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "code", "out", "err"),
    [
        ("{} status site >&-", 0, "", ""),
        ("{} status site 2>&-", 0, "store ", ""),
        ("{} runs --base site >&- 2>&- <&-", 0, "", ""),
        ("{} verify nothing 2>&-", 1, "", ""),
        ("mv site s\udcff; {} status s\udcff; code=$?; mv s\udcff site; exit $code", 0, "s\\udcff", ""),
        ("PYTHONIOENCODING=ascii {} demo --database-url sqlite:///ö.sqlite --runs 1 --tests 1", 0, "", "\\xf6.sqlite"),
        ("set -o pipefail; {} verify odd | true", 1, "", "odd"),
        ("set -o pipefail; {} verify odd 2>&1 | true", 1, "", ""),
        ("{} runs --base site >/dev/full", 1, "", "error: the disk is full"),
        ("_EXPORTER_COMPLETE=odd {}", 2, "", "_EXPORTER_COMPLETE=odd: name the script of your shell, bash_source, zsh"),
        ("_EXPORTER_COMPLETE=bash_complete {}", 2, "", "_EXPORTER_COMPLETE=bash_complete: name the script"),
        ("set -o pipefail; _EXPORTER_COMPLETE=bash_source {} | true", 0, "", ""),
    ],
)
def test_streams_that_are_closed_or_of_another_encoding_change_no_exit_code(
    line: str, code: int, out: str, err: str
) -> None:
    program = f"{shlex.quote(sys.executable)} -m exporter"
    ended = subprocess.run(["bash", "-c", line.format(program)], capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stderr
    assert out in ended.stdout and err in ended.stderr and "Traceback" not in ended.stderr


PRINTING = (
    *("--help", "--version", "runs --help", "bucket check --help", "status site", "status site --json", "verify site"),
    *(f"{command} {BASE}{form}" for command in ("runs", "history 1") for form in ("", *(f" -o {x}" for x in FORMATS))),
    *(f"get runs.json {BASE}", f"junit 1 {BASE}", f"report --run 1 {BASE}", f"check {DB} {STORE}", "prune site"),
    f"export {DB} --store new --dry-run --verbose",
)


@pytest.mark.parametrize("line", PRINTING)
def test_nobody_has_to_read_what_a_command_prints(line: str) -> None:
    """The reader has gone before the first byte, and after the first line."""
    pathlib.Path("new").mkdir(exist_ok=True)
    program = f"{shlex.quote(sys.executable)} -m exporter {line}"
    for pipe in ("| true", "| head -n 1", "2>&1 | true"):
        command = ["bash", "-o", "pipefail", "-c", f"{program} {pipe}"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0 and "error" not in ended.stderr and "Traceback" not in ended.stderr, pipe


def test_a_list_that_nobody_reads_is_not_read_to_its_end(tmp_path: pathlib.Path) -> None:
    create_demo(f"sqlite:///{tmp_path}/platform.sqlite", runs=350, tests=1, seed=1)
    export(f"sqlite:///{tmp_path}/platform.sqlite", tmp_path / "site")
    with web.running(web.files(tmp_path / "site")) as server:
        program = f"{shlex.quote(sys.executable)} -m exporter runs --base {server.url}"
        printed = subprocess.run(["bash", "-c", f"{program} | head -n 1"], capture_output=True, check=True).stdout
    assert printed.count(b"\n") == 1
    assert [one.path for one in server.asked if "archive" in one.path] == []


@pytest.mark.parametrize(
    ("target", "code", "folder_"),
    [
        *((one, 0, "mirrored") for one in ("mirrored", "./mirrored//", "none/../mirrored", "link/../mirrored")),
        *(("site/../mirrored", 0, "mirrored"), ("link/mirrored", 0, "empty/mirrored"), ("link", 0, "empty")),
        *(
            (one, 2, None)
            for one in ("none/../site", "site/.", "site/none/..", "to-site", "to-site/x", "empty/../site/x")
        ),
        ("loop", 1, None),
    ],
)
def test_every_spelling_of_a_mirrors_folder_means_that_folder(
    target: str,
    code: int,
    folder_: str | None,
    tmp_path: pathlib.Path,
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "site", "site")
    pathlib.Path("empty").mkdir()
    for link, leads_to in (("link", "empty"), ("to-site", "site"), ("loop", "loop")):
        pathlib.Path(link).symlink_to(leads_to)
    assert run(["mirror", "site", target]) == code
    made = {str(one.parent.parent) for one in tmp_path.rglob("v1/manifest.json")} - {str(tmp_path / "site")}
    assert made == ({str(tmp_path / folder_)} if folder_ else set())
    assert not pathlib.Path("none").exists(), "it is a name on the way, and no folder"


def test_the_documented_variables_of_others_are_no_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("EXPORTER_SERVICE_HOST", "EXPORTER_PORT_80_TCP_ADDR", "EXPORTER_TEST_MYSQL_URL"):
        monkeypatch.setenv(name, "x")
    assert run(["status", "site"]) == 0


def test_a_demo_takes_no_database_and_no_folder_from_settings(
    monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXPORTER_DATABASE_URL", "sqlite:///platforms-own.sqlite")
    monkeypatch.setenv("EXPORTER_SAMPLE_REPOSITORY", str(folder / "empty"))
    pathlib.Path("exporter.toml").write_text("database-url = 'sqlite:///platforms-own.sqlite'\nruns = 2\ntests = 2")
    assert run(["demo"]) == 0
    assert pathlib.Path("demo.sqlite").exists() and not pathlib.Path("platforms-own.sqlite").exists()
    assert list((folder / "empty").iterdir()) == []
    assert "demo.sqlite holds 2 runs of 2 regression tests now" in capsys.readouterr().err
