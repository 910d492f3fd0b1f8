"""Histories: every result of a sample in every run, and each test's newest results."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from exporter import paths
from exporter.builders.feeds import FeedIndex, archive_page, head_page
from exporter.documents.encoding import Document
from exporter.documents.results import HistoryEntry
from exporter.rules.result_matrix import Found, Matrix, entry
from exporter.source.catalog import Catalog


def merged(tests: Iterable[int], matrix: Matrix) -> list[HistoryEntry]:
    """A partition's results of some tests in the order of a sample's history: newest run first, then by test."""
    lists = [found for test in tests if (found := matrix.of_test(test))]
    if len(lists) == 1:
        return list(map(entry, lists[0]))
    return sorted(
        (entry(found) for one in lists for found in one),
        key=lambda entry: (-entry["run_id"], entry["regression_test_id"]),
    )


def archive(partition: int, catalog: Catalog, matrix: Matrix, next_pages: Mapping[str, int]) -> Iterator[Document]:
    """The archive pages of one partition of all samples' histories.

    `next_pages`: name of a history → the partition of its next older page, where there is one.
    """
    for sample_id, tests in catalog.tests_of_sample.items():
        if items := merged(tests, matrix):
            name = paths.sample_history(sample_id)
            yield archive_page(name, partition, items, next_pages.get(name))


MatrixOf = Callable[[int], Matrix]
"""Returns the matrix of a partition."""


def newest(test: int, platform: str, least: int, index: FeedIndex, matrix_of: MatrixOf) -> list[Found]:
    """The `least` newest results of a test on a platform, or all, newest first."""
    name = paths.recent_chain(test, platform)
    partitions = index.newest([name], least)[name].partitions
    return [found for number in partitions for found in matrix_of(number).of_test(test, platform)][:least]


def head(sample_id: int, catalog: Catalog, index: FeedIndex, matrix_of: MatrixOf) -> Document:
    """The head of a sample's history."""
    name = paths.sample_history(sample_id)
    newest_partitions = index.head(name)
    tests = catalog.tests_of_sample.get(sample_id, [])
    items = [entry for number in newest_partitions.partitions for entry in merged(tests, matrix_of(number))]
    return head_page(name, items, index.total(name), newest_partitions.next)
