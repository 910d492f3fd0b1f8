"""Histories: every result of a sample in every run, and each test's newest results."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from exporter import paths
from exporter.builders.feeds import FeedIndex, archive_page, head_page
from exporter.documents.encoding import Document
from exporter.documents.results import HistoryEntry
from exporter.rules.lineage import MainLine
from exporter.rules.result_matrix import Found, Matrix
from exporter.source.catalog import Catalog


def entry(found: Found, on_main: bool) -> HistoryEntry:
    """A result as histories show it; `on_main`: its run is of the main line."""
    run, outcome, runtime = found
    return {
        "run_id": run.run_id,
        "regression_test_id": outcome.test_id,
        "status": outcome.status,
        "platform": run.platform,
        "branch": run.branch,
        "commit_sha": run.commit_sha,
        "tested_at": run.at,
        "failure_signature": outcome.signature,
        "runtime_ms": runtime,
        "exit_code": outcome.exit_code,
        "pr_number": run.pr_number,
        "main_line": on_main and run.platform is not None,
    }


def merged(tests: Iterable[int], matrix: Matrix, main: MainLine) -> list[HistoryEntry]:
    """A partition's results of some tests in the order of a sample's history: newest run first, then by test."""
    main_runs = matrix.main_runs(main)
    lists = [found for test in tests if (found := matrix.of_test(test))]
    if len(lists) == 1:
        return [entry(found, found[0].run_id in main_runs) for found in lists[0]]
    return sorted(
        (entry(found, found[0].run_id in main_runs) for one in lists for found in one),
        key=lambda entry: (-entry["run_id"], entry["regression_test_id"]),
    )


def archive(
    partition: int, catalog: Catalog, matrix: Matrix, next_pages: Mapping[str, int], main: MainLine
) -> Iterator[Document]:
    """The archive pages of one partition of all samples' histories.

    `next_pages`: name of a history → the partition of its next older page, where there is one.
    """
    for sample_id, tests in catalog.tests_of_sample.items():
        if items := merged(tests, matrix, main):
            name = paths.sample_history(sample_id)
            yield archive_page(name, partition, items, next_pages.get(name))


MatrixOf = Callable[[int], Matrix]
"""Returns the matrix of a partition."""


class NewestResults(NamedTuple):
    """A test's newest results on a platform, newest first: of all runs, and of those that count."""

    all: list[Found]
    counted: list[Found]


def newest(test: int, platform: str, least: int, index: FeedIndex, matrix_of: MatrixOf) -> NewestResults:
    """The `least` newest results of a test on a platform, or all, newest first; and as many that count."""
    found = NewestResults([], [])
    for number in index.partitions(paths.recent_results(test, platform)):
        of_platform = [one for one in matrix_of(number).of_test(test) if one[0].platform == platform]
        found.all.extend(of_platform)
        found.counted.extend([one for one in of_platform if one[0].is_counted])
        if len(found.counted) >= least:
            break
    return NewestResults(found.all[:least], found.counted[:least])


def head(sample_id: int, catalog: Catalog, index: FeedIndex, matrix_of: MatrixOf, main: MainLine) -> Document:
    """The head of a sample's history."""
    name = paths.sample_history(sample_id)
    newest_partitions = index.head(name)
    tests = catalog.tests_of_sample.get(sample_id, [])
    items = [entry for number in newest_partitions.partitions for entry in merged(tests, matrix_of(number), main)]
    return head_page(name, items, index.total(name), newest_partitions.next)
