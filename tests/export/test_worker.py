"""What a worker leaves behind: processes that build thousands of partitions do not search for reference cycles."""

import gc
import pathlib
from collections import Counter
from collections.abc import Iterator

import pytest

from exporter.builders.document_options import DocumentOptions
from exporter.export import pipeline
from exporter.export.worker import BuildTask, BuiltPartition, RowsChanged, Worker


@pytest.fixture
def uncollected() -> Iterator[Counter[str]]:
    """What the garbage collector would have had to free, by type; filled in by the wrapped build."""
    gc.collect()
    gc.disable()
    yield Counter()
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


def test_building_leaves_no_reference_cycle(
    uncollected: Counter[str], parity_sqlite: pathlib.Path, parity_files: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = Worker.build

    def watched(worker: Worker, task: BuildTask) -> BuiltPartition | RowsChanged:
        gc.collect()  # what reading and imports left
        found = build(worker, task)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        uncollected.update(type(one).__qualname__ for one in gc.garbage if type(one).__module__.startswith("exporter."))
        gc.set_debug(0)
        gc.garbage.clear()
        return found

    monkeypatch.setattr(Worker, "build", watched)
    report = pipeline.export(
        pipeline.Settings(
            database_url=f"sqlite:///{parity_sqlite}",
            store=None,
            workers=0,
            documents=DocumentOptions(junit="all"),
            sample_repository=parity_files,
        )
    )
    assert report.plan.build
    assert not uncollected
