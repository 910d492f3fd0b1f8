"""Feeds: lists that grow with every run, sealed a hundred runs at a time.

What a partition tells of itself is its `Digest`. `Feeds`, folded from the digests in order, knows how many items
each feed has in each partition, and with that which page follows which, how long a head is, and which partitions'
items a head needs; no result row is read for it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter import layout
from exporter.documents import Document, Encoded, Run, encode, fragment, listing
from exporter.source.catalog import Catalog

RECENT = 50
"""Results per platform in a regression test's document."""

Pages = dict[int, int]
"""Partition → number of items, in ascending order of partitions, none of them empty."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What gathering needs to know of one partition.

    Args:
        partition: its number.
        runs: its runs as the lists show them, newest first.
        results: the number of its results.
        counts: platform (None where a run has none) → regression test id → number of results.
    """

    partition: int
    runs: list[Run]
    results: int
    counts: Mapping[str | None, Mapping[int, int]]


@dataclass(slots=True)
class Feeds:
    """How many items each feed, and each test's results on each platform, have by partition."""

    lists: dict[str, Pages] = field(default_factory=dict)
    tests: dict[tuple[int, str | None], Pages] = field(default_factory=dict)

    def add(self, digest: Digest, catalog: Catalog) -> dict[str, int]:
        """Fold in the next partition; give, for each of its feeds that has one, the partition of the page before."""
        before = {}
        for name, count in _feed_counts(digest, catalog).items():
            pages = self.lists.setdefault(name, {})
            if pages:
                before[name] = next(reversed(pages))
            pages[digest.partition] = count
        for platform, counts in digest.counts.items():
            for test_id, count in counts.items():
                self.tests.setdefault((test_id, platform), {})[digest.partition] = count
        return before

    def total(self, name: str) -> int:
        """The number of a feed's items."""
        return sum(self.lists.get(name, {}).values())

    def head(self, name: str) -> tuple[list[int], int | None]:
        """The partitions whose items a feed's head holds, newest first, and the one its `next` leads to."""
        return newest(self.lists.get(name, {}), layout.PER_PAGE)

    def recent(self, test_id: int, platform: str) -> list[int]:
        """The partitions that hold a test's newest results on a platform, newest first."""
        return newest(self.tests.get((test_id, platform), {}), RECENT)[0]

    def needed(self, catalog: Catalog) -> dict[int, set[int]]:
        """Partition → the tests whose results there the history heads and recent results will hold."""
        needed: dict[int, set[int]] = {}
        tests_of = tests_by_sample(catalog)
        for sample_id, tests in tests_of.items():
            for partition in self.head(layout.sample_history(sample_id))[0]:
                needed.setdefault(partition, set()).update(tests)
        for test_id, platform in self.tests:
            if platform is not None and test_id in catalog.tests:
                for partition in self.recent(test_id, platform):
                    needed.setdefault(partition, set()).add(test_id)
        return needed


def newest(pages: Pages, least: int) -> tuple[list[int], int | None]:
    """The newest partitions that together hold at least so many items, or all; and the one before them."""
    held = 0
    taken: list[int] = []
    for partition in reversed(pages):
        if held >= least:
            return taken, partition
        taken.append(partition)
        held += pages[partition]
    return taken, None


def tests_by_sample(catalog: Catalog) -> dict[int, list[int]]:
    """Sample id → the ids of its regression tests, ascending; samples without one are left out."""
    tests: dict[int, list[int]] = {}
    for test in catalog.tests.values():
        if test.sample_id is not None:
            tests.setdefault(test.sample_id, []).append(test.id)
    return tests


def facet_values(run: Run) -> Iterator[tuple[str, str]]:
    """The (facet, value) pairs that a run is listed under; a null stands under none."""
    for name in layout.RUN_FACETS:
        value = run[name]  # type: ignore[literal-required]
        if value is not None:
            yield name, value


def run_feeds(run: Run) -> Iterator[str]:
    """The names of the feeds that list a run."""
    yield layout.RUNS
    for name, value in facet_values(run):
        yield layout.facet_list(layout.RUNS, name, value)


def _feed_counts(digest: Digest, catalog: Catalog) -> dict[str, int]:
    """How many items a partition adds to each feed."""
    counts: dict[str, int] = {}
    for run in digest.runs:
        for name in run_feeds(run):
            counts[name] = counts.get(name, 0) + 1
    for tests in digest.counts.values():
        for test_id, count in tests.items():
            test = catalog.tests.get(test_id)
            if test is not None and test.sample_id is not None:
                name = layout.sample_history(test.sample_id)
                counts[name] = counts.get(name, 0) + count
    return counts


def archive_page(name: str, partition: int, items: list[Any], before: int | None) -> Document:
    """A feed's archive page of one partition; `before` is the partition of the next older page."""
    path = layout.archive(name, partition)
    return (path, encode(listing(items, {"next": _next(path, name, before)})))


def head_page(name: str, items: list[Any], total: int, before: int | None) -> Document:
    """A feed's head; `before` is the partition of the newest page that it does not hold."""
    path = layout.document(name)
    return (path, encode(listing(items, {"total": total, "next": _next(path, name, before)})))


def _next(path: str, name: str, before: int | None) -> str | None:
    return None if before is None else layout.relative(path, layout.archive(name, before))


def linked(runs: Iterable[Run], path: str) -> list[Encoded]:
    """Runs as items of the list that stands at `path`, each with a link to its document."""
    return [fragment({**run, "href": layout.relative(path, layout.run(run["run_id"]))}) for run in runs]
