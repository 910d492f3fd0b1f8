"""Where tasks run: in order, in bounded memory, and without worker processes where there can be none."""

import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import synchronize
from typing import Any

import pytest

from exporter.demo import create_demo
from exporter.export.executor import InProcess, Workers
from tests.support.platform import Platform


def _twice(_: Any, task: int) -> int:
    return 2 * task


@pytest.mark.parametrize("ahead", [0, 1, 4])
def test_answers_come_in_order_and_few_tasks_are_taken_ahead(ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.export.executor._worker", object())
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for task in range(9):
            taken.append(task)
            yield task

    for done, answer in enumerate(Workers(InProcess(), ahead).map(_twice, tasks()), 1):  # type: ignore[arg-type]
        assert answer == 2 * (done - 1)
        assert len(taken) <= done + ahead


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), OSError(38, "not implemented")])
@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_without_shared_semaphores_an_export_goes_on_in_one_process(
    error: OSError,
    small: Platform,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from exporter.cli.main import run

    def refuse(*_: Any, **__: Any) -> None:
        raise error

    for number in (100, 200, 300):
        small.run(number, "completed", results={1: 0})
    monkeypatch.setattr(synchronize.SemLock, "__init__", refuse)
    store = tmp_path / "store"
    assert run(["export", "--database-url", small.url, "--store", str(store), "--workers", "2"]) == 0
    assert "/dev/shm can't be written to" in capsys.readouterr().err
    assert (store / "v1/runs/300.json").exists()


def test_a_working_directory_that_is_gone_gets_a_line(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from exporter.cli.main import run

    create_demo(f"sqlite:///{tmp_path}/demo.sqlite", runs=220, tests=2, seed=1)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    options = ["--database-url", f"sqlite:///{tmp_path}/demo.sqlite", "--store", str(tmp_path / "store")]
    assert run(["export", *options, "--workers", "2"]) == 1
    error = capfd.readouterr().err
    assert "cd /" in error.splitlines()[-1] and "Traceback" not in error
    assert not (tmp_path / "store" / "v1" / "manifest.json").exists()


@pytest.mark.skipif(shutil.which("unshare") is None, reason="there is no unshare here")
@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_a_read_only_dev_shm(small: Platform, tmp_path: pathlib.Path) -> None:
    """The real thing, where this user may make mounts of its own."""
    for number in (100, 200, 300):
        small.run(number, "completed", results={1: 0})
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "ro", "none", "/dev/shm"]).returncode:
        pytest.skip("no mounts here")
    export = [sys.executable, "-m", "exporter", "export", "--database-url", small.url, "--store", str(tmp_path / "s")]
    script = 'mount -t tmpfs -o ro none /dev/shm && exec "$@"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *export, "--workers", "2"],
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "/dev/shm can't be written to" in done.stderr


POOL = """
import time
from exporter.export.process_pool import processes

if __name__ == "__main__":
    with processes(2) as pool:
        pool.submit(abs, 1).result()
        print("ready", flush=True)
        time.sleep(60)
"""


def test_what_is_killed_leaves_no_warning_of_leaked_semaphores(tmp_path: pathlib.Path) -> None:
    (tmp_path / "pool.py").write_text(POOL)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "pool.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stderr
    assert process.stdout.readline() == "ready\n"
    process.kill()
    assert process.stderr.read() == ""  # to the end of the process that removes the semaphores
    process.wait()
    process.stdout.close()
    process.stderr.close()
