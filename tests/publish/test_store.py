"""Every backend, held to the rules of every store."""

import multiprocessing
import pathlib
import secrets

import pytest

from exporter.publish.gcs.bucket_store import GcsStore
from exporter.publish.local.folder_store import LocalStore
from tests.support.emulator import Emulator, bucket, emulator  # noqa: F401
from tests.support.memory_store import MemoryStore
from tests.support.store_suite import NewStore, Rules, SharedRules

multiprocessing.get_context("forkserver").set_forkserver_preload([__name__])


class TestFolder(SharedRules):
    @pytest.fixture
    def new_store(self, tmp_path: pathlib.Path) -> NewStore:
        return lambda: LocalStore(tmp_path / secrets.token_hex(4))


@pytest.mark.soak
class TestBucket(SharedRules):
    effort = 5

    @pytest.fixture
    def new_store(self, emulator: Emulator, bucket: str) -> NewStore:  # noqa: F811
        return lambda: GcsStore(emulator.new_bucket(), "api")


class TestMemory(Rules):
    @pytest.fixture
    def new_store(self) -> NewStore:
        return MemoryStore
