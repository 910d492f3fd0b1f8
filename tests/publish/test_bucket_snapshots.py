"""A snapshot in a bucket: its files are served as what they are, and come back whole."""

import hashlib
import pathlib
import urllib.request

import pytest

from exporter.client.download import choose, download
from exporter.client.transfer import source
from exporter.demo import create_demo
from exporter.publish.gcs.bucket_store import GcsStore
from exporter.snapshots import create as snapshots
from exporter.source.database import Database
from tests.support.emulator import Emulator, bucket, emulator  # noqa: F401

pytestmark = pytest.mark.soak


def test_a_snapshot_goes_to_a_bucket_and_comes_back(
    emulator: Emulator,  # noqa: F811
    bucket: str,  # noqa: F811
    tmp_path: pathlib.Path,
) -> None:
    create_demo(f"sqlite:///{tmp_path}/platform.sqlite", runs=120, tests=6, seed=1)
    store = GcsStore(bucket, "api")
    made = snapshots.create(Database(f"sqlite:///{tmp_path}/platform.sqlite"), store).snapshot
    assert len(made["files"]) == 11
    for file in made["files"]:
        address = f"{emulator.url}/{bucket}/api/v1/{file['href']}"
        with urllib.request.urlopen(urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})) as reply:
            assert reply.headers["Content-Type"] == file["content_type"]
            assert reply.headers["Content-Encoding"] is None
            assert hashlib.sha256(reply.read()).hexdigest() == file["sha256"]
    for number, base in enumerate((store.name, f"{emulator.url}/{bucket}/api")):
        folder = tmp_path / str(number)
        with source(base) as opened:
            chosen = choose(opened)
            download(opened, folder, chosen)
            assert chosen["id"] == made["id"]
        sums = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
        assert sums == {file["name"]: file["sha256"] for file in made["files"]}
