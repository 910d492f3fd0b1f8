"""How many round trips in sequence an export of one run to a bucket takes, and how many requests in all."""

import pathlib
from collections import Counter

import pytest

from exporter.demo import create_demo
from exporter.export import pipeline
from exporter.publish.gcs.bucket_store import GcsStore
from exporter.publish.published_state import PublishedState
from exporter.publish.publisher import Publisher
from exporter.publish.verify import verify
from tests.support import faulty_proxy
from tests.support.demo_runs import add_run
from tests.support.emulator import Emulator, bucket, emulator  # noqa: F401
from tests.support.faulty_proxy import Request
from tests.support.round_trips import chain, kind

VISIBLE = 10
"""Round trips in sequence until readers see the new run."""
DONE = 13
"""… and until the lease has ended."""
DELAY = 0.3
"""Seconds: much more than this process needs to send all that it sends together."""


def _requests(*lines: tuple[str, float, float]) -> list[Request]:
    return [Request(line, "", begun, ended) for line, begun, ended in lines]


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([], 0),
        ([("GET /a", 0, 1), ("GET /b", 1, 2)], 2),
        ([("GET /a", 0, 1), ("GET /b", 0.5, 1.5)], 1),
        ([("GET /a", 0, 3), ("GET /b", 0.5, 1), ("GET /c", 1, 2)], 2),
        ([("POST /upload/a", 0, 1), ("POST /upload/b", 0.9, 2), ("POST /upload/c", 1.9, 3)], 1),
        ([("POST /upload/a", 0, 1), ("POST /upload/b", 1.1, 2)], 2),
        ([("POST /upload/a", 0, 1), ("DELETE /b", 0.9, 2), ("POST /upload/c", 0.5, 3)], 1),
    ],
)
def test_the_longest_chain(requests: list[tuple[str, float, float]], expected: int) -> None:
    assert len(chain(_requests(*requests))) == expected


@pytest.mark.soak
def test_one_run_takes_few_round_trips(
    tmp_path: pathlib.Path,
    emulator: Emulator,  # noqa: F811
    bucket: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With partitions behind it, whose history it shows; and the store is as after an export of everything."""
    url = f"sqlite:///{tmp_path}/demo.sqlite"
    create_demo(url, runs=350, tests=8, seed=1)
    store = GcsStore(bucket, "api", max_writes_per_second=100_000)
    pipeline.export(pipeline.Settings(url, store, 0))
    for seed in range(2):
        run = add_run(url, seed=seed)
        with faulty_proxy.running(emulator.url, lambda _: "stall", DELAY) as proxy:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
            fresh = GcsStore(bucket, "api", max_writes_per_second=100_000)
            report = pipeline.export(pipeline.Settings(url, fresh, 0, runs=(run,)))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
        seen = [one.uploaded for one in proxy.answered].index("api/v1/manifest.json")
        visible, done = chain(proxy.answered[: seen + 1]), chain(proxy.answered)
        kinds = Counter(kind(one.line) or "read" for one in proxy.answered)
        told = "\n".join(f"{one.begun:.2f} {one.ended:.2f} {one.line[:120]} {one.uploaded}" for one in done)
        assert len(visible) <= VISIBLE and len(done) <= DONE, f"{len(visible)}, {len(done)}: {kinds}\n{told}"
        assert kinds["upload"] < report.written + 40 and kinds["read"] < 90, kinds
        assert not verify(store).problems
    again = pipeline.export(pipeline.Settings(url, store, 0))
    assert not again.written


@pytest.mark.soak
def test_a_damaged_manifest_that_comes_after_the_listing_is_mended(
    tmp_path: pathlib.Path,
    bucket: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Manifests that the listing does not show are sent without another look; a refusal is looked into."""
    url = f"sqlite:///{tmp_path}/demo.sqlite"
    create_demo(url, runs=20, tests=3, seed=1)
    undisturbed = GcsStore(bucket, "undisturbed")
    pipeline.export(pipeline.Settings(url, undisturbed, 0))
    store, read, reads = GcsStore(bucket, "api"), Publisher.published_with_parts, list[int]()

    def read_early(self: Publisher) -> PublishedState:
        found = read(self)
        if not reads:
            manifests = [entry.path for entry in undisturbed.list("v1/manifests/")]
            GcsStore(bucket, "api").write((path, b"damaged") for path in manifests)
        reads.append(1)
        return found

    monkeypatch.setattr(Publisher, "published_with_parts", read_early)
    pipeline.export(pipeline.Settings(url, store, 0))
    assert len(reads) == 2
    assert not verify(store, content=True).problems
