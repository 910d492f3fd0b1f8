"""Every backend, held to the rules of every store."""

import multiprocessing
import pathlib
import secrets

import pytest

from exporter.publish.gcs import GcsStore
from exporter.publish.local import LocalStore
from tests.publish.emulator import Emulator, bucket, emulator  # noqa: F401
from tests.publish.memory_store import MemoryStore
from tests.publish.store_suite import NewStore, Rules, SharedRules

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
