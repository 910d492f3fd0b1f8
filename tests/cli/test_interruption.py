"""Commands that end before their end: signals, dead workers, readers that go away."""

import os
import pathlib
import re
import signal
import subprocess
import sys

import httpx
import pytest

from tests.support.messages import one_line
from tests.support.platform import export, tree
from tests.support.processes import Commands

pytestmark = pytest.mark.usefixtures("alone")

PROGRAM = pathlib.Path(sys.executable).with_name("exporter")
INTERRUPTED = "interrupted; what was published is intact"


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
    one_line(started.stderr.read_text(), INTERRUPTED)
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
    one_line(started.stderr.read_text(), INTERRUPTED)
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
    one_line(started.stderr.read_text(), INTERRUPTED)


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
    one_line(started.stderr.read_text(), "a worker process died")
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


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["serve", "live-api"])
def test_a_server_tells_its_address_and_ends_without_a_word(
    started: Commands, published: pathlib.Path, command: str, signal_: signal.Signals
) -> None:
    started.begin(command, published, "--port", 0)
    while not (found := re.search(r" serving .* at (http://127\.0\.0\.1:\d+/)\n", started.stderr.read_text())):
        assert not started.ended(0.002), started.stderr.read_text()
    path = {"serve": "v1/runs.json", "live-api": "api/v1/runs"}[command]
    assert httpx.get(found[1] + path, trust_env=False).json()["data"]
    os.kill(started.process, signal_)
    assert started.exit_code() == 0
    assert started.stderr.read_text().count("\n") == 1
