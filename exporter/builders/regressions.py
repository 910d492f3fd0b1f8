"""What changed lately on the main line: every test that began to fail there, and every one that passes again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from exporter import paths
from exporter.builders.feeds import FeedIndex
from exporter.builders.regression_tests import tested_on
from exporter.builders.results import documented
from exporter.documents.analysis import Change, SlowerTest, Standing
from exporter.documents.atom import FeedLinks, atom
from exporter.documents.encoding import Document, encode
from exporter.documents.lists import FeedPagination, listing
from exporter.documents.runs import Run
from exporter.paths import PLATFORMS
from exporter.rules.flakiness import is_flaky, state_changes
from exporter.rules.history import HistorySummary
from exporter.rules.lineage import MainLine
from exporter.rules.lineage_state import Lineage
from exporter.rules.outcomes import sample_of
from exporter.rules.prior_history import Turn
from exporter.source.catalog import Catalog, TestRow

MOST_ENTRIES = 200
"""Entries of the Atom feed."""

CHANGES_PER_PART = 1_000
"""Changes in a part of an archive page: a run in which everything fails makes thousands."""


def change(run: Run, one: Turn, catalog: Catalog, result_documents: str) -> Change:
    """A change of the main line that a run makes; its `href` is a path."""
    outcome, sample = one.outcome, sample_of(catalog, one.outcome.test_id)
    assert run["platform"] is not None
    linked = documented(outcome.status, result_documents)
    path = paths.run_results(run["run_id"]) + paths.result_file(outcome.test_id)
    return {
        "kind": one.kind,
        "run_id": run["run_id"],
        "platform": run["platform"],
        "regression_test_id": outcome.test_id,
        "sample_id": sample.id if sample else None,
        "sample_name": sample.original_name if sample else None,
        "status": outcome.status,
        "code": outcome.code,
        "commit_sha": run["commit_sha"],
        "previous_run": one.previous_run,
        "flaky": one.flaky,
        "at": run["completed_at"] or run["started_at"],
        "href": path if linked else None,
    }


def _linked(changes: Sequence[Change], path: str) -> list[Change]:
    """Changes as items of the document at `path`."""
    return [
        {**change, "href": paths.relative(path, change["href"]) if change["href"] is not None else None}
        for change in changes
    ]


def archive(partition: int, changes: Sequence[Change], before: int | None) -> Iterator[Document]:
    """The archive page of one partition's changes, newest first, in parts; each after the one that it leads to.

    `before` is the partition of the next older page.
    """
    following = None if before is None else paths.archive(paths.REGRESSIONS, before)
    for number in range(-(-len(changes) // CHANGES_PER_PART), 0, -1):
        path = paths.archive_part(paths.REGRESSIONS, partition, number)
        items = changes[(number - 1) * CHANGES_PER_PART : number * CHANGES_PER_PART]
        to = None if following is None else paths.relative(path, following)
        yield path, encode(listing(_linked(items, path), {"next": to}))
        following = path


MainCounts = Mapping[str, tuple[int, int]]
"""Platform → how many active tests fail on the main line now, and how many have a result there."""


def heads(
    changes_of: Callable[[int], Sequence[Change]], index: FeedIndex, main: MainLine, main_now: MainCounts
) -> Iterator[Document]:
    """The head of the feed, with the changes of its newest pages, and the same as Atom.

    Of a page in parts the head has the first one. `changes_of` returns the changes of a partition, newest first.
    """
    path = paths.document(paths.REGRESSIONS)
    newest = index.head(paths.REGRESSIONS)
    following = None if newest.next is None else paths.archive(paths.REGRESSIONS, newest.next)
    items: list[Change] = []
    for partition in newest.partitions:
        changes = changes_of(partition)
        items += changes[:CHANGES_PER_PART]
        if len(changes) > CHANGES_PER_PART:
            following = paths.archive_part(paths.REGRESSIONS, partition, 2)
            break
    pagination: FeedPagination = {
        "total": index.total(paths.REGRESSIONS),
        "next": None if following is None else paths.relative(path, following),
    }
    now = {platform: {"failing": failing, "results": results} for platform, (failing, results) in main_now.items()}
    yield path, encode({**listing(_linked(items, path), pagination), "meta": {"main_now": now}})
    shown = [change for change in items if change["kind"] != "expectation"][:MOST_ENTRIES]
    yield paths.REGRESSIONS_FEED, _atom(_linked(shown, paths.REGRESSIONS_FEED), main)


def _atom(changes: list[Change], main: MainLine) -> bytes:
    links = FeedLinks(
        paths.relative(paths.REGRESSIONS_FEED, paths.REGRESSIONS_FEED),
        # Of the store's root; the feed stands below `v1/`, as all documents do.
        paths.relative(paths.stored(paths.REGRESSIONS_FEED), "index.html"),
        paths.relative(paths.REGRESSIONS_FEED, paths.document(paths.REGRESSIONS)),
    )
    return atom(changes, main.repository, main.branch, links)


def standings(catalog: Catalog, main: Mapping[str, Lineage]) -> Iterator[tuple[str, list[Standing]]]:
    """The lists of tests that are flaky, and that fail, on the main line now: list name → items by test, platform.

    `main`: platform → the main lineage there.
    """
    found = [
        (test, platform, one)
        for test in catalog.tests.values()
        if test.active
        for platform in PLATFORMS
        if (one := main[platform].of_test(test.id)) is not None
    ]
    yield paths.FLAKY, [_standing(catalog, *one) for one in found if is_flaky(one[2].newest)]
    yield paths.FAILING, [_standing(catalog, *one) for one in found if not one[2].passes]


def _standing(catalog: Catalog, test: TestRow, platform: str, one: HistorySummary) -> Standing:
    return {
        **tested_on(test, platform, catalog),
        "run_id": one.last_run,
        "passes": one.passes,
        "since_run": one.since,
        "last_pass_run": one.last_pass,
        "state_changes_20": state_changes(one.newest),
        "href": "",
    }


def shown(item: Standing | SlowerTest, path: str) -> dict[str, Any]:
    """A test as an item of the list at `path`."""
    return {**item, "href": paths.relative(path, paths.regression_test(item["regression_test_id"]))}
