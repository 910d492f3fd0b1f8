"""Gathering: the documents over all partitions, from their digests and the tails of their histories."""

from collections.abc import Container, Iterator, Mapping

from exporter import layout
from exporter.builders import contract, history, regression_tests, samples
from exporter.builders.facets import index, numbered
from exporter.builders.feeds import Feeds, head_page, linked, run_feeds
from exporter.documents import Document, Run
from exporter.source.catalog import Catalog
from exporter.status import PLATFORMS, RUN_STATUSES

ALWAYS = {"platform": PLATFORMS, "status": RUN_STATUSES}
"""Facets whose values are few and known have a list for each, even if it is empty."""


class Everything(Container[str]):
    """All subjects."""

    def __contains__(self, name: object) -> bool:
        return True


def documents(
    catalog: Catalog,
    feeds: Feeds,
    subjects: Container[str],
    tail: history.Tail,
    run_lists: Mapping[str, list[Run]],
) -> Iterator[Document]:
    """The documents that are no partition's: all lists of the catalogue, and those of the subjects.

    Args:
        catalog: the catalogue.
        feeds: folded from the digests of all partitions.
        subjects: what may have changed, as `layout.subject_of` names it.
        tail: gives the history entries that `history.needed` asks for.
        run_lists: name → runs, newest first, of the lists of commits and pull requests among the subjects.
    """
    newest = history.newest(catalog, feeds, subjects, tail)
    yield from contract.documents()
    yield from regression_tests.named_documents(catalog)
    yield from samples.documents(catalog, subjects, newest)
    yield from regression_tests.documents(catalog, subjects, newest)
    yield from history.heads(catalog, feeds, subjects, tail)
    for name, runs in run_lists.items():
        yield from numbered(name, runs, lambda run, path: linked([run], path)[0])
    listed = _Listed(feeds)
    for facet in layout.RUN_FACETS:
        totals = dict.fromkeys(ALWAYS.get(facet, ()), 0) | feeds.values[facet]
        for value in totals:
            name = layout.facet_list(layout.RUNS, facet, value)
            if name in subjects:
                yield listed.head(name)
        yield from index(layout.RUNS, facet, totals)
    if layout.RUNS in subjects:
        yield listed.head(layout.RUNS)


class _Listed:
    """The runs of each feed in each partition, as far as they were asked for."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds
        self._found: dict[int, dict[str, list[Run]]] = {}

    def _of(self, partition: int) -> dict[str, list[Run]]:
        if partition not in self._found:
            found = self._found[partition] = {}
            for run in self._feeds.records[partition].digest.runs:
                for name in run_feeds(run):
                    found.setdefault(name, []).append(run)
        return self._found[partition]

    def head(self, name: str) -> Document:
        held, before = self._feeds.head(name)
        runs = [run for partition in held for run in self._of(partition)[name]]
        return head_page(name, linked(runs, layout.document(name)), self._feeds.total(name), before)
