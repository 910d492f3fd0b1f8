"""Real exports, killed at any moment: what readers find then, and how the next export completes it."""

import collections
import contextlib
import itertools
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import orjson
import pytest

from exporter.demo import create_demo
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.verify import verify
from tests.support.platform import export
from tests.support.processes import Commands, commands
from tests.support.reader import look

RUN_COLUMNS = {
    "test": "id",
    "test_progress": "test_id",
    "customized_test": "test_id",
    "test_result": "test_id",
    "test_result_file": "test_id",
}


class History(NamedTuple):
    """Two states of a platform, and the folder store as it is after each: everything in it but the time."""

    urls: tuple[str, str]
    stores: tuple[pathlib.Path, pathlib.Path]
    files: tuple[dict[str, bytes], dict[str, bytes]]


@pytest.fixture(scope="module")
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> History:
    """Runs, samples and tests of the second state are all others; their ids partly agree with the first's.

    A parameter says how far the ids of runs lie apart in each state: by default they fill several partitions.
    """
    folder = tmp_path_factory.mktemp("history")
    urls, stores = [], []
    for state, distance in enumerate(getattr(request, "param", (9, 12))):
        file = folder / f"{state}.sqlite"
        urls.append(f"sqlite:///{file}")
        create_demo(urls[-1], runs=20, tests=5, seed=state)
        _spread(file, distance)
        stores.append(folder / str(state))
        export(urls[-1], stores[-1])
        assert not verify(LocalStore(stores[-1])).problems
    return History((urls[0], urls[1]), (stores[0], stores[1]), (_files(stores[0]), _files(stores[1])))


def _spread(database: pathlib.Path, distance: int) -> None:
    """Put ids between the runs, so that they fill several partitions."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        for table, column in RUN_COLUMNS.items():
            connection.execute(f"UPDATE {table} SET {column} = -{column} * {distance}")
            connection.execute(f"UPDATE {table} SET {column} = -{column}")
        connection.commit()


def _files(root: pathlib.Path) -> dict[str, bytes]:
    """Every file in a store, also what readers don't see; the manifest without its time."""
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    manifest = orjson.loads(files["v1/manifest.json"]) | {"generated_at": None}
    return files | {"v1/manifest.json": orjson.dumps(manifest)}


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with commands(tmp_path_factory.mktemp("exports")) as started:
        yield started


def _begin(exports: Commands, url: str, root: pathlib.Path, workers: int) -> None:
    exports.begin(
        "export", "--database-url", url, "--store", root, "--workers", workers, "--log-level", "error", "--allow-shrink"
    )


class Moment(NamedTuple):
    """When to kill: `part` of the way through the whole export, or through its publishing."""

    publishing: bool
    part: float


class Effort(NamedTuple):
    """Seconds of processors that an export takes. They tell how far it is, however busy the machine is."""

    whole: float
    publishing: float

    def until(self, moment: Moment) -> float:
        """How much of it is spent when a moment has come, from the beginning or from that of publishing."""
        return moment.part * (self.publishing if moment.publishing else self.whole)


def _moments(count: int, seed: int) -> list[Moment]:
    """Moments that lie evenly over both, but for some chance."""
    chance = random.Random(seed)
    parts = [(place + chance.random()) / count * 2 for place in range(count // 2)]
    moments = [Moment(publishing, part) for part in parts for publishing in (False, True)]
    chance.shuffle(moments)
    return moments


def _copy(store: pathlib.Path, root: pathlib.Path) -> None:
    # A store never changes a file in place, so links will do.
    shutil.copytree(store, root, copy_function=os.link)


def _publishing(root: pathlib.Path) -> bool:
    return (root / "v1/pending.json").exists()


def _measure(exports: Commands, history: History, root: pathlib.Path, workers: int) -> Effort:
    """What an undisturbed export takes."""
    _copy(history.stores[0], root)
    _begin(exports, history.urls[1], root, workers)
    spent = [0.0]
    publishing = []
    while not exports.ended(0.0015):
        spent.append(exports.spent())
        if _publishing(root):
            publishing.append(spent[-1])
    assert exports.exit_code() == 0, exports.stderr.read_text()
    assert _files(root) == history.files[1]
    shutil.rmtree(root)
    return Effort(max(spent), publishing[-1] - publishing[0])


def _kill(exports: Commands, root: pathlib.Path, moment: Moment, effort: Effort) -> str:
    """Kill an export at a moment; give what was going on."""
    limit = 0.0 if moment.publishing else effort.until(moment)
    while not exports.ended(0.0015):
        spent = exports.spent()
        if moment.publishing and not limit and _publishing(root):
            limit = spent + effort.until(moment)
        if limit and spent >= limit:
            break
    with contextlib.suppress(ProcessLookupError):
        os.kill(exports.process, signal.SIGKILL)
    code = exports.exit_code()
    assert exports.orphans() == []
    if code == 0:
        return "over"
    return "publishing" if _publishing(root) else "building"


@pytest.mark.parametrize(("workers", "kills"), [(0, 40), (2, 6)])
def test_a_killed_export_leaves_a_whole_tree_and_the_next_one_completes_it(
    exports: Commands,
    history: History,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    kills: int,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(exports.temporary))
    effort = _measure(exports, history, tmp_path / "measured", workers)
    moments = _moments(kills, seed=workers)
    met: collections.Counter[str] = collections.Counter()
    for number in itertools.count():
        if not moments:
            break
        root = tmp_path / str(number)
        _copy(history.stores[0], root)
        for moment in [moments.pop() for _ in range(min(1 + number % 2, len(moments)))]:  # the next one may die as well
            _begin(exports, history.urls[1], root, workers)
            what = _kill(exports, root, moment, effort)
            met[what] += 1
            if what == "over":  # this time it took less
                moments.insert(0, moment._replace(part=moment.part * 0.9))
            look(
                {str(path.relative_to(root)): path.read_bytes() for path in (root / "v1").rglob("*") if path.is_file()}
            )
            for spool in exports.temporary.iterdir():  # those of the last minute are kept
                os.utime(spool, (0, 0))
        state = min(number % 4, 1)  # now and then the rows are again as they were
        export(history.urls[state], root)
        assert _files(root) == history.files[state], f"after {moment}, killed while {what}"
        assert [*exports.temporary.glob("exporter-work-*")] == []
        shutil.rmtree(root)
    assert met["publishing"] + met["building"] == kills
    assert min(met["publishing"], met["building"]) >= kills / 8, met
