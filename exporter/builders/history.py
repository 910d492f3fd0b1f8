"""Histories: every result of a sample in every run, and each test's newest results."""

from collections.abc import Iterable, Iterator, Mapping

from exporter import layout
from exporter.builders.feeds import Feeds, archive_page, head_page, tests_by_sample
from exporter.builders.results import Result
from exporter.documents import Document, HistoryEntry, Run
from exporter.source.catalog import Catalog

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
    lists = [found[test] for test in tests if test in found]
    if len(lists) == 1:
        return lists[0]
    return sorted(
        (entry for one in lists for entry in one),
        key=lambda entry: (-entry["run_id"], entry["regression_test_id"]),
    )


def archive(partition: int, catalog: Catalog, found: Entries, before: Mapping[str, int]) -> Iterator[Document]:
    """The archive pages of one partition of all samples' histories."""
    for sample_id, tests in tests_by_sample(catalog).items():
        if items := merged(tests, found):
            name = layout.sample_history(sample_id)
            yield archive_page(name, partition, items, before.get(name))


def heads(catalog: Catalog, feeds: Feeds, tails: Mapping[int, Entries]) -> Iterator[Document]:
    """The heads of all samples' histories; `tails` holds what `Feeds.needed` asked for, by partition."""
    tests_of = tests_by_sample(catalog)
    for sample_id in catalog.samples:
        name = layout.sample_history(sample_id)
        held, before = feeds.head(name)
        items = [entry for partition in held for entry in merged(tests_of[sample_id], tails[partition])]
        yield head_page(name, items, feeds.total(name), before)
