"""Histories: every result of a sample in every run, and each test's newest results."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from exporter import paths
from exporter.builders.feeds import Feeds, archive_page, head_page
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


def archive(partition: int, catalog: Catalog, found: Matrix, before: Mapping[str, int]) -> Iterator[Document]:
    """The archive pages of one partition of all samples' histories."""
    for sample_id, tests in catalog.tests_of_sample.items():
        if items := merged(tests, found):
            name = paths.sample_history(sample_id)
            yield archive_page(name, partition, items, before.get(name))


MatrixOf = Callable[[int], Matrix]
"""Gives the matrix of a partition."""


def newest(test: int, platform: str, least: int, feeds: Feeds, matrix_of: MatrixOf) -> list[Found]:
    """So many of a test's newest results on a platform, or all, newest first."""
    chain = paths.recent_chain(test, platform)
    partitions = feeds.newest([chain], least)[chain].partitions
    return [found for number in partitions for found in matrix_of(number).of_test(test, platform)][:least]


def head(sample_id: int, catalog: Catalog, feeds: Feeds, matrix_of: MatrixOf) -> Document:
    """The head of a sample's history."""
    name = paths.sample_history(sample_id)
    held, before = feeds.head(name)
    tests = catalog.tests_of_sample.get(sample_id, [])
    items = [entry for number in held for entry in merged(tests, matrix_of(number))]
    return head_page(name, items, feeds.total(name), before)
