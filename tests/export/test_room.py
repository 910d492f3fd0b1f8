"""What is checked before rows are read: rights, room, and the folder for temporary files."""

import os
import pathlib
import shutil
import tempfile
from typing import Any, NamedTuple

import pytest

from exporter.errors import ExporterError, StoreError
from exporter.export import pipeline, room
from exporter.export.plan import Plan
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.publisher import PublishedState, Publisher
from exporter.source.database import Database
from tests.support.platform import Platform, export


@pytest.fixture
def url(tmp_path: pathlib.Path) -> str:
    platform = Platform(f"sqlite:///{tmp_path}/platform.sqlite")
    platform.insert("regression_test", id=1, command="-out=srt", expected_rc=0, active=1)
    for number in (100, 101, 200):
        platform.run(number, "completed", results={1: 0})
    return platform.url


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


def _not_read(*_: Any) -> None:
    raise AssertionError("rows were read")


@pytest.fixture
def nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.export.worker.read_partition", _not_read)


@pytest.mark.usefixtures("nothing_is_read")
def test_a_full_temporary_folder_is_noticed(url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(10, 9, 1))
    with pytest.raises(ExporterError, match="temporary files may take"):
        export(url, tmp_path / "store")


@pytest.mark.usefixtures("nothing_is_read")
def test_a_full_store_is_noticed(url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fstatvfs

    def full(descriptor: int) -> os.statvfs_result:
        fields = list(real(descriptor))
        fields[3] = fields[4] = 1  # f_bfree, f_bavail
        return os.statvfs_result(fields)

    monkeypatch.setattr(os, "fstatvfs", full)
    with pytest.raises(StoreError, match="MB are free, and this export may write"):
        export(url, tmp_path / "store")


def test_a_store_that_cannot_be_written_to_is_noticed_first(
    url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(pipeline, "read_catalog", _not_read)
    with pytest.raises(StoreError):
        export(url, tmp_path / "file")
    with pytest.raises(StoreError):
        export(url, tmp_path / "file/store")


def test_no_folder_for_temporary_files(url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setattr(pipeline, "read_catalog", _not_read)
    with pytest.raises(ExporterError, match="TMPDIR"):
        export(url, tmp_path / "store")


def test_only_partitions_that_are_not_published_need_room(url: str, tmp_path: pathlib.Path) -> None:
    database = Database(url)
    new = PublishedState(None, "", None, "")
    all_, none = (room.estimate(Plan({1: "new"}), new, database, which) for which in ("all", "none"))
    assert all_.store == 3 * 4096 and all_.work_dir == 3 * 2_500
    assert none.store == none.work_dir == 3 * 1_000
    export(url, tmp_path / "store")
    base = Publisher(LocalStore(tmp_path / "store")).published()
    assert room.estimate(Plan({1: "changed", 2: "changed"}), base, database, "all") == (0, 0)
    assert base.manifest is not None
    some = room.estimate(Plan({2: "changed", 3: "new"}), base, database, "all")
    assert some.work_dir == sum(part.bytes for part in base.manifest.partitions) // 2
    assert some.store >= 4096 * sum(part.documents for part in base.manifest.partitions) // 2
    database.close()
