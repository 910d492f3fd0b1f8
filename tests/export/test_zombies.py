"""Exports of a folder that are stopped past their lease and go on when a successor has published; three at once."""

import contextlib
import datetime
import fcntl
import os
import pathlib
import random
import shutil
import signal
import time

import pytest

from exporter.errors import StoreError
from exporter.publish import publisher
from exporter.publish.local import tree
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.verify import verify
from tests.export.test_kill import (  # noqa: F401
    Effort,
    History,
    Moment,
    _begin,
    _copy,
    _files,
    _measure,
    _publishing,
    exports,
    history,
)
from tests.support.platform import export
from tests.support.processes import Commands, commands

pytestmark = pytest.mark.soak

ROUNDS = 10


def _stop(exports: Commands, root: pathlib.Path, moment: Moment, effort: Effort) -> bool:  # noqa: F811
    """Stop an export at a moment of its publishing; whether it had not ended."""
    limit = 0.0
    while not exports.ended(0.0005):
        spent = exports.spent()
        if not limit and _publishing(root):
            limit = spent + effort.until(moment)
        if limit and spent >= limit:
            os.kill(exports.process, signal.SIGSTOP)
            return _publishing(root)
    return False


def test_an_export_that_wakes_after_another_has_published_changes_nothing_of_its_work(
    exports: Commands,  # noqa: F811
    history: History,  # noqa: F811
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The successor's clock is ahead, so that the lease has expired soon. Its documents stay as published."""
    effort = _measure(exports, history, tmp_path / "measured", 0)
    now = publisher.now
    slept = 0
    for number in range(ROUNDS):
        root = tmp_path / str(number)
        _copy(history.stores[0], root)
        _begin(exports, history.urls[1], root, 0)
        if not _stop(exports, root, Moment(publishing=True, part=number / ROUNDS), effort):
            with contextlib.suppress(ProcessLookupError):  # it may have ended
                os.kill(exports.process, signal.SIGCONT)
            assert exports.exit_code() == 0
            continue
        with monkeypatch.context() as patch:
            patch.setattr(publisher, "now", lambda: now() + datetime.timedelta(minutes=11))
            if _is_locked(root):  # it sleeps within the moment of a replacement
                patch.setattr(tree, "_LONGEST_LOCK", 1.0)
                with pytest.raises(StoreError, match="is stuck"):
                    export(history.urls[0], root)
                os.kill(exports.process, signal.SIGCONT)
                assert exports.exit_code() == 0, exports.stderr.read_text()
                assert _files(root) == history.files[1]
                continue
            slept += 1
            export(history.urls[0], root)
        successors, manifest = _files(root), _read(root / "v1/manifest.json")
        assert {path: data for path, data in successors.items() if not path.startswith(".tmp/")} == history.files[0]
        os.kill(exports.process, signal.SIGCONT)
        while not exports.ended(0.001):
            found = {path: data for path in successors if (data := _read(root / path)) is not None}
            if not _publishing(root) and _read(root / "v1/manifest.json") == manifest:
                # Nobody publishes, so whatever differs was overwritten by the export that woke up.
                assert [path for path in found if path.startswith("v1/runs/") and found[path] != successors[path]] == []
        assert exports.exit_code() == 0, exports.stderr.read_text()
        assert not verify(LocalStore(root)).problems
        assert _files(root) == history.files[1], "it began again from what the other published"
        shutil.rmtree(root)
    assert slept >= ROUNDS / 2


def test_three_exports_at_once_end_right(
    history: History,  # noqa: F811
    tmp_path: pathlib.Path,
) -> None:
    chance = random.Random(ROUNDS)
    met = set()
    with contextlib.ExitStack() as stack:
        folders = [tmp_path / str(number) for number in range(3)]
        for folder in folders:
            folder.mkdir()
        exporters = [stack.enter_context(commands(folder)) for folder in folders]
        root = tmp_path / "store"
        _copy(history.stores[0], root)
        for number in range(2 * ROUNDS):
            states = [chance.randrange(2) for _ in exporters]
            for exporter, state in zip(exporters, states, strict=True):
                _begin(exporter, history.urls[state], root, 0)
                time.sleep(chance.random() / 4)
            for exporter in exporters:
                assert exporter.exit_code() == 0, exporter.stderr.read_text()
            found = _files(root)
            assert found in [history.files[state] for state in states], f"in round {number}"
            met.add(history.files.index(found))
            assert not verify(LocalStore(root)).problems
    assert met == {0, 1}


def _is_locked(root: pathlib.Path) -> bool:
    """Whether a process holds the store's lock."""
    with (root / tree.LOCK).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _read(path: pathlib.Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
