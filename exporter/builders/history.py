"""Histories: every result of a sample in every run, and each test's newest results."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping

from exporter import layout
from exporter.builders.feeds import RECENT, Feeds, archive_page, head_page
from exporter.builders.results import Result
from exporter.documents import Document, HistoryEntry, Run
from exporter.source.catalog import Catalog, TestRow
from exporter.status import PLATFORMS

Entries = Mapping[int, list[HistoryEntry]]
"""Regression test id → its results, newest run first."""


def entries(runs: Iterable[tuple[Run, list[Result]]]) -> dict[int, list[HistoryEntry]]:
    """The history entries of runs that are given newest first."""
    found: dict[int, list[HistoryEntry]] = {}
    for run, results in runs:
        run_id, platform, branch, commit = run["run_id"], run["platform"], run["branch"], run["commit_sha"]
        tested_at = run["completed_at"] or run["started_at"]
        for outcome, runtime in results:
            test_id = outcome.test_id
            entry: HistoryEntry = {
                "run_id": run_id,
                "regression_test_id": test_id,
                "status": outcome.status,
                "platform": platform,
                "branch": branch,
                "commit_sha": commit,
                "tested_at": tested_at,
                "failure_signature": outcome.signature,
                "runtime_ms": runtime,
                "exit_code": outcome.exit_code,
            }
            if test_id in found:
                found[test_id].append(entry)
            else:
                found[test_id] = [entry]
    return found


def merged(tests: Iterable[int], found: Entries) -> list[HistoryEntry]:
    """The entries of some tests in the order of a sample's history: newest run first, then by test."""
    lists = [found[test] for test in tests if found.get(test)]
    if len(lists) == 1:
        return lists[0]
    return sorted(
        (entry for one in lists for entry in one),
        key=lambda entry: (-entry["run_id"], entry["regression_test_id"]),
    )


def archive(partition: int, catalog: Catalog, found: Entries, before: Mapping[str, int]) -> Iterator[Document]:
    """The archive pages of one partition of all samples' histories."""
    for sample_id, tests in catalog.tests_of_sample.items():
        if items := merged(tests, found):
            name = layout.sample_history(sample_id)
            yield archive_page(name, partition, items, before.get(name))


Tail = Callable[[int, int], list[HistoryEntry]]
"""Gives a partition's entries of a regression test, newest run first."""


def needed(catalog: Catalog, feeds: Feeds, subjects: Container[str]) -> dict[int, set[int]]:
    """Partition → the tests whose entries there the documents of these samples and tests hold."""
    found: dict[int, set[int]] = {}
    for sample_id, tests in catalog.tests_of_sample.items():
        if layout.sample_subject(sample_id) in subjects:
            for partition in feeds.head(layout.sample_history(sample_id))[0]:
                found.setdefault(partition, set()).update(tests)
    for test in catalog.tests.values():
        if _shows_newest(test, subjects):
            for platform in PLATFORMS:
                for partition in feeds.newest(layout.recent_chain(test.id, platform), RECENT)[0]:
                    found.setdefault(partition, set()).add(test.id)
    return found


def _shows_newest(test: TestRow, subjects: Container[str]) -> bool:
    sample = test.sample_id
    return layout.test_subject(test.id) in subjects or (
        sample is not None and layout.sample_subject(sample) in subjects
    )


def newest(
    catalog: Catalog, feeds: Feeds, subjects: Container[str], tail: Tail
) -> dict[int, dict[str, list[HistoryEntry]]]:
    """Test id → platform → its newest results, of the tests that the documents of these samples and tests show."""
    return {
        test.id: {
            platform: [
                entry
                for partition in feeds.newest(layout.recent_chain(test.id, platform), RECENT)[0]
                for entry in tail(partition, test.id)
                if entry["platform"] == platform
            ][:RECENT]
            for platform in PLATFORMS
        }
        for test in catalog.tests.values()
        if _shows_newest(test, subjects)
    }


def heads(catalog: Catalog, feeds: Feeds, subjects: Container[str], tail: Tail) -> Iterator[Document]:
    """The heads of these samples' histories."""
    for sample_id in catalog.samples:
        if layout.sample_subject(sample_id) in subjects:
            name = layout.sample_history(sample_id)
            held, before = feeds.head(name)
            tests = catalog.tests_of_sample.get(sample_id, [])
            items = [
                entry for partition in held for entry in merged(tests, {test: tail(partition, test) for test in tests})
            ]
            yield head_page(name, items, feeds.total(name), before)
