"""Fixtures for all: a MariaDB server with fresh databases, and the shared parity data on both kinds of database."""

import contextlib
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator

import hypothesis
import pytest
import sqlalchemy as sa

from tests.support import mariadb_load, needs
from tests.support.servers import MYSQL_URL, SERVERS

pytest_plugins = ["tests.support.platform", "tests.support.emulator"]
pytest.register_assert_rewrite("tests.support.store_suite")

PARITY = pathlib.Path(__file__).parent / "data" / "parity"
USERS = "CREATE OR REPLACE USER root@'127.0.0.1'; GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;"


# A busy machine, or one that measures coverage, is no defect.
hypothesis.settings.register_profile("exporter", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("exporter")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what only root can do; `.ci/run` runs it as root, and the rest as an ordinary user."""
    if os.geteuid() != 0:
        for item in items:
            if item.get_closest_marker("root"):
                item.add_marker(pytest.mark.skip(reason="needs root: pytest -m root"))


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[str]:
    """The URL, without a database, of a server on which tests may do everything.

    It is `EXPORTER_TEST_MARIADB_URL`, else that of a server of our own, which ends with the tests.
    """
    given = os.environ.get("EXPORTER_TEST_MARIADB_URL")
    if given:
        yield given
        return
    server, install = (needs.program(name, "mariadb-server") for name in ("mariadbd", "mariadb-install-db"))
    # Not below pytest's folder: a socket's path may have 107 bytes only.
    with (
        tempfile.TemporaryDirectory(prefix="mariadb-") as folder,
        _running(server, install, pathlib.Path(folder)) as url,
    ):
        yield url


@contextlib.contextmanager
def _running(server: str, install: str, folder: pathlib.Path) -> Iterator[str]:
    """A private server on a free port; what it knows is thrown away, so nothing needs to be durable."""
    (folder / "tmp").mkdir()
    # A server that starts removes temporary tables from its folder for them, whoever made them.
    common = [
        "--no-defaults",
        f"--datadir={folder / 'data'}",
        f"--tmpdir={folder / 'tmp'}",
        *(["--user=root"] if os.geteuid() == 0 else []),
    ]
    made = subprocess.run(
        [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
        env={**os.environ, "PATH": needs.PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, f"mariadb-install-db failed: {made.stdout}{made.stderr}"
    (folder / "users.sql").write_text(USERS)
    command = [server, *common, "--bind-address=127.0.0.1", "--skip-name-resolve"]
    command += [f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}", f"--init-file={folder / 'users.sql'}"]
    command += ["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-use-native-aio=0"]
    command += ["--innodb-buffer-pool-size=64M", "--skip-log-bin", "--local-infile=1"]
    process, url = _started(command, folder / "log")
    try:
        yield url
    finally:
        process.kill()
        process.wait(30)


def _started(command: list[str], log: pathlib.Path) -> "tuple[subprocess.Popen[bytes], str]":
    """The server's process, when it answers, and its URL.

    A port that was free may be taken before the server has it.
    """
    for _ in range(5):
        port = _free_port()
        url = f"mysql+pymysql://root@127.0.0.1:{port}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, f"--port={port}"], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        if _answers(url, process):
            return process, url
        process.kill()
        process.wait(30)
        if b"already in use" not in log.read_bytes():
            break
    pytest.fail(f"mariadbd does not answer: {log.read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(url: str, process: "subprocess.Popen[bytes]") -> bool:
    """Wait until the server answers, or has ended; whether it answers."""
    deadline = time.monotonic() + 180
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(sa.exc.OperationalError):
            _execute(f"{url}/?read_timeout=5", "SELECT 1")  # whoever else has the port may say nothing
            return True
        time.sleep(0.05)
    return False


def _execute(url: str, statement: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


@contextlib.contextmanager
def _database(server: str) -> Iterator[str]:
    """The URL of a new, empty database that is dropped in the end."""
    name = f"exporter_{secrets.token_hex(6)}"
    _execute(server, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(server, f"DROP DATABASE {name}")


@pytest.fixture(params=SERVERS)
def mariadb_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database on MariaDB, and on MySQL where `EXPORTER_TEST_MYSQL_URL` names a server."""
    with _database(MYSQL_URL if request.param == "mysql" else request.getfixturevalue("mariadb_server")) as url:
        yield url


@pytest.fixture(scope="session")
def parity_sqlite(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The parity data as an SQLite file: a copy, to be read only."""
    return pathlib.Path(shutil.copy(PARITY / "platform.sqlite", tmp_path_factory.mktemp("parity")))


@pytest.fixture(scope="session")
def parity_mariadb_url(mariadb_server: str, parity_sqlite: pathlib.Path) -> Iterator[str]:
    """The parity data in MariaDB, to be read only."""
    with _database(mariadb_server) as url:
        mariadb_load.load(parity_sqlite, url)
        yield url


@pytest.fixture(scope="session")
def parity_files(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The sample repository of the parity data, to be read only."""
    folder = tmp_path_factory.mktemp("sample-repository")
    with tarfile.open(PARITY / "sample-repository.tgz") as archive:
        # An older Python has no filters; Python 3.12 and 3.13 warn where none is named.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def recorded() -> pathlib.Path:
    """What the platform answered over the parity data, gzipped, a line per request."""
    return PARITY / "recorded.ndjson.gz"
