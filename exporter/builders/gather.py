"""Gathering: the documents over all partitions, from their digests and the tails of their histories."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from exporter import layout
from exporter.builders import history, regression_tests, samples
from exporter.builders.facets import index, numbered
from exporter.builders.feeds import RECENT, Digest, Feeds, facet_values, head_page, linked
from exporter.documents import Document, HistoryEntry, Run
from exporter.source.catalog import Catalog
from exporter.status import PLATFORMS, RUN_STATUSES

_ALWAYS = {"platform": PLATFORMS, "status": RUN_STATUSES}
"""Facets whose values are few and known have a list for each, even if it is empty."""


def documents(
    catalog: Catalog, digests: Mapping[int, Digest], feeds: Feeds, tails: Mapping[int, history.Entries]
) -> Iterator[Document]:
    """Every document that is not a partition's.

    Args:
        catalog: the catalogue.
        digests: of all partitions, ascending.
        feeds: folded from them.
        tails: partition → what `Feeds.needed` asks of it.
    """
    newest = {
        test_id: {platform: _recent(test_id, platform, feeds, tails) for platform in PLATFORMS}
        for test_id in catalog.tests
    }
    yield from regression_tests.named_documents(catalog)
    yield from samples.documents(catalog, newest)
    yield from regression_tests.documents(catalog, newest)
    yield from history.heads(catalog, feeds, tails)
    yield from _run_lists(digests, feeds)


def _recent(test_id: int, platform: str, feeds: Feeds, tails: Mapping[int, history.Entries]) -> list[HistoryEntry]:
    return [
        entry
        for partition in feeds.recent(test_id, platform)
        for entry in tails[partition][test_id]
        if entry["platform"] == platform
    ][:RECENT]


def _run_lists(digests: Mapping[int, Digest], feeds: Feeds) -> Iterator[Document]:
    """The heads of the run feeds, the indexes of their facets, and the runs of each commit and pull request."""
    yield _head(layout.RUNS, digests, feeds, lambda _: True)
    totals: dict[str, dict[str, int]] = {facet: dict.fromkeys(_ALWAYS.get(facet, ()), 0) for facet in layout.RUN_FACETS}
    numbered_lists: dict[str, list[Run]] = {}
    for run in _newest_first(digests.values()):
        for facet, value in facet_values(run):
            totals[facet][value] = totals[facet].get(value, 0) + 1
        if run["commit_sha"] is not None:
            numbered_lists.setdefault(layout.runs_of_commit(run["commit_sha"]), []).append(run)
        if run["pr_number"] is not None:
            numbered_lists.setdefault(layout.runs_of_pull_request(run["pr_number"]), []).append(run)
    for facet, values in totals.items():
        for value in values:
            name = layout.facet_list(layout.RUNS, facet, value)
            yield _head(name, digests, feeds, lambda run, facet=facet, value=value: run[facet] == value)  # type: ignore[misc]
        yield from index(layout.RUNS, facet, values)
    for name, runs in numbered_lists.items():
        yield from numbered(name, runs, lambda run, path: linked([run], path)[0])


def _newest_first(digests: Iterable[Digest]) -> Iterator[Run]:
    for digest in sorted(digests, key=lambda digest: -digest.partition):
        yield from digest.runs


def _head(name: str, digests: Mapping[int, Digest], feeds: Feeds, belongs: Callable[[Run], bool]) -> Document:
    held, before = feeds.head(name)
    runs = [run for partition in held for run in digests[partition].runs if belongs(run)]
    return head_page(name, linked(runs, layout.document(name)), feeds.total(name), before)
