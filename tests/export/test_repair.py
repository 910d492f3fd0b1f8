"""A damaged store: `exporter verify` sees it, and what it then says to do mends it."""

import pathlib
import shutil
from collections.abc import Callable, Iterator

import orjson
import pytest

from exporter.cli.main import run
from tests.support.platform import Platform, export, tree


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A platform with runs in two partitions."""
    platform = Platform(f"sqlite:///{tmp_path_factory.mktemp('platform')}/platform.sqlite")
    platform.insert("fork", id=1, github="https://github.com/CCExtractor/ccextractor.git")
    for id_ in (1, 2):
        platform.insert("sample", id=id_, sha=f"{id_:064x}", extension="ts", original_name="name")
        platform.insert("regression_test", id=id_, sample_id=id_, command="-out=srt", expected_rc=0, active=1)
    for run_ in (7, 8, 107):
        platform.run(run_, "completed", fork_id=1, results={1: 0, 2: run_ % 2})
    return platform.url


@pytest.fixture(scope="module")
def whole(url: str, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("whole") / "store"
    export(url, root)
    return root


@pytest.fixture
def store(whole: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(whole, tmp_path / "store"))


def _files(root: pathlib.Path, pattern: str) -> Iterator[pathlib.Path]:
    found = sorted(root.glob(pattern))
    assert found, pattern
    return iter(found)


def _delete(pattern: str) -> Callable[[pathlib.Path], None]:
    def damage(root: pathlib.Path) -> None:
        for path in _files(root, pattern):
            path.unlink()

    return damage


def _edit(pattern: str, change: Callable[[bytes], bytes]) -> Callable[[pathlib.Path], None]:
    def damage(root: pathlib.Path) -> None:
        for path in _files(root, pattern):
            path.write_bytes(change(path.read_bytes()))

    return damage


def _one_bit(data: bytes) -> bytes:
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


def _empty(_: bytes) -> bytes:
    return b""


def _without_a_partition(data: bytes) -> bytes:
    value = orjson.loads(data)
    del value["partitions"][0]
    return orjson.dumps(value)


def _stray(path: str) -> Callable[[pathlib.Path], None]:
    def damage(root: pathlib.Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("{}")

    return damage


def _both(*damages: Callable[[pathlib.Path], None]) -> Callable[[pathlib.Path], None]:
    return lambda root: [damage(root) for damage in damages] and None


DAMAGES = {
    "a run is gone": _delete("v1/runs/7.json"),
    "a bit of a run's list": _edit("v1/runs/7/samples.json", _one_bit),
    "a result is empty": _edit("v1/runs/7/samples/*.json", _empty),
    "a sample leads to nothing": _edit("v1/samples/1.json", lambda data: data.replace(b"history", b"histor_")),
    "all runs are gone": _both(_delete("v1/runs/*.json"), _delete("v1/runs/*/*.json")),
    "archive pages are empty": _edit("v1/runs/archive/*.json", _empty),
    "an entry document is gone": _delete("v1/samples.json"),
    "a partition's manifest is gone": _delete("v1/manifests/1-*.json"),
    "a bit of a partition's manifest": _edit("v1/manifests/1-*.json", _one_bit),
    "the catalogue's manifest is empty": _edit("v1/manifests/catalog-*.json", _empty),
    "all manifests are gone": _delete("v1/manifests/*.json"),
    "all documents are empty": _edit("v1/*/*.json", _empty),
    "manifest.json lacks a partition": _edit("v1/manifest.json", _without_a_partition),
    "a stray": _stray("v1/runs/9999.json"),
    "a stray that was to be a manifest": _stray("v1/manifests/0-000000000000.json"),
    "a stray, and a sample that is gone": _both(
        _stray("v1/samples/by-tag/x/page/9.json"), _delete("v1/samples/1.json")
    ),
    "a run, and all that is remembered": _both(_delete("v1/runs/7.json"), _delete("_state/*.json")),
    "a run, and records": _both(_delete("v1/runs/7.json"), _edit("_state/partitions/*/*.json", _one_bit)),
    "a run, and the plan": _both(_delete("v1/runs/7.json"), _edit("_state/plan.json", _empty)),
}


@pytest.mark.parametrize("damage", [pytest.param(damage, id=name) for name, damage in DAMAGES.items()])
def test_what_verify_says_mends_it(
    damage: Callable[[pathlib.Path], None],
    url: str,
    whole: pathlib.Path,
    store: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = dict(tree(store))
    damage(store)
    untouched = {path: _identity(store / path) for path, data in tree(store) if before.get(path) == data}
    assert run(["verify", str(store)]) == 1
    *_, advice = capsys.readouterr().out.partition(" problems\n")
    assert advice
    for line in advice.splitlines():
        match line.partition(":"):
            case ("to repair it", _, how):
                assert "delete v1/manifest.json and export again" in how
                (store / "v1/manifest.json").unlink()
                assert run(["export", "--database-url", url, "--store", str(store), "--workers", "0"]) == 0
            case ("for files that no manifest names", _, how):
                assert how.startswith(" exporter prune")
                assert run(["prune", str(store), "--yes"]) == 0
            case _:
                raise AssertionError(f"who knows what to do: {line}")
    assert run(["verify", str(store)]) == 0
    export(url, store)
    assert run(["verify", str(store)]) == 0
    assert dict(tree(store)) == dict(tree(whole))
    assert {path: _identity(store / path) for path in untouched} == untouched, "what is whole is not rewritten"


def _identity(path: pathlib.Path) -> tuple[int, int]:
    """What no file keeps when it is written anew."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns
