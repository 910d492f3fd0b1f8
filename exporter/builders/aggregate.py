"""The aggregate: the documents over all partitions, from what is kept of each."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from exporter import paths
from exporter.builders import (
    commit_lists,
    discovery,
    grid,
    regression_tests,
    regressions,
    sample_history,
    samples,
    search,
    site,
    targets,
)
from exporter.builders.document_options import DocumentOptions
from exporter.builders.facets import index, numbered
from exporter.builders.feeds import FeedIndex, head_page, linked
from exporter.builders.partition_summary import PartitionSummary
from exporter.builders.targets import AllTargets, DirtyTargets
from exporter.documents.encoding import Document
from exporter.documents.runs import Run
from exporter.paths import PLATFORMS
from exporter.rules.lineage import all_results, main_lineage
from exporter.rules.lineage_state import Lineage, Lineages
from exporter.rules.result_matrix import Matrix
from exporter.rules.stability import NEWEST
from exporter.rules.status import RUN_STATUSES, ResultStatus
from exporter.source.catalog import Catalog

ALWAYS = {"platform": PLATFORMS, "status": RUN_STATUSES}
"""Facets whose values are few and known have a list for each, even if it is empty."""


_TOGETHER = 50
"""Heads of feeds made at a time, with some hundred runs each."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Makes the documents that are no partition's: the catalogue's and the site's.

    Args:
        feeds: which partitions have items of which list.
        dirty: the targets that may have changed; no document of another target is made.
        lineages_of: returns the state, after a partition, of the lineages that it has runs of.
    """

    catalog: Catalog
    options: DocumentOptions
    feeds: FeedIndex
    dirty: DirtyTargets
    matrix_of: Callable[[int], Matrix]
    summary_of: Callable[[int], PartitionSummary]
    lineages_of: Callable[[int], Lineages]

    def documents(self) -> Iterator[Document]:
        """All lists of the catalogue, and the documents of dirty targets."""
        catalog, dirty = self.catalog, self.dirty
        if targets.CODE in dirty:
            from exporter.builders import api_description

            yield from api_description.documents()
            yield discovery.documentation(self.options)
        yield from regression_tests.named_documents(catalog)
        whole, main = self._lineages(all_results), self._lineages(main_lineage)

        def status(test: int, platform: str) -> ResultStatus | None:
            found = whole[platform].tests.get(test)
            return found.status if found else None

        yield from samples.documents(catalog, dirty, status)
        recent = functools.cache(self._recent)
        histories = regression_tests.Histories(recent, whole, main, self.options.main)
        yield from regression_tests.documents(catalog, dirty, histories)
        for sample_id in catalog.samples:
            if targets.sample(sample_id) in dirty:
                yield sample_history.head(sample_id, catalog, self.feeds, self.matrix_of, self.options.main)
        for name, standings in regressions.standings(catalog, main):
            yield from numbered(name, standings, regressions.shown)
        yield from numbered(paths.SLOWER, regression_tests.slower(catalog, recent), regressions.shown)
        if paths.REGRESSIONS in dirty:
            yield from regressions.heads(
                lambda number: self.summary_of(number).changes, self.feeds, self.options.main, self.main_now()
            )
        yield search.document(catalog)
        for platform in PLATFORMS:
            if paths.grid(platform) in dirty:
                yield grid.head(platform, self.feeds, self._columns)
        yield from self._runs()

    def _columns(self, number: int, platform: str) -> grid.Columns:
        return grid.Columns(self.summary_of(number).on(platform), self.matrix_of(number))

    def site(self) -> Iterator[Document]:
        """The pages of the site after what they load, and the badges."""
        if targets.CODE in self.dirty:
            yield from site.pages(self.options.main)
            yield from discovery.documents(self.options)
            if self.options.docs:
                from exporter.builders import docs_site

                yield from docs_site.documents()
        if paths.BADGES in self.dirty:
            yield from site.badges(self.options.main.branch, self.main_now())

    def main_now(self) -> regressions.MainCounts:
        """Platform → how many active tests fail on the main line now, and how many have a result there."""
        found: dict[str, tuple[int, int]] = {}
        for platform, lineage in self._lineages(main_lineage).items():
            newest = [lineage.tests[test] for test in self.catalog.active_tests if test in lineage.tests]
            found[platform] = sum(not one.passes for one in newest), len(newest)
        return found

    def _recent(self, test: int, platform: str) -> sample_history.NewestResults:
        return sample_history.newest(test, platform, NEWEST, self.feeds, self.matrix_of)

    def _lineages(self, name: Callable[[str], str]) -> Mapping[str, Lineage]:
        """Platform → a lineage after all runs."""
        last = {platform: self.feeds.last(name(platform)) for platform in PLATFORMS}
        return {
            platform: Lineage() if number is None else self.lineages_of(number)[name(platform)]
            for platform, number in last.items()
        }

    def _runs(self) -> Iterator[Document]:
        """The lists of runs: of commits and pull requests, and the heads of the feeds with their indexes."""
        candidates = self.feeds.names() if isinstance(self.dirty, AllTargets) else self.dirty
        names = filter(targets.lists_related_runs, candidates)
        found = sorted((last, name) for name in names if (last := self.feeds.last(name)) is not None)
        for _, name in found:  # lists of the same partitions follow each other, so that each summary is read once
            runs = [run for number in self.feeds.partitions(name) for run in self.summary_of(number).listed(name)]
            meta = commit_lists.meta(runs, self.matrix_of) if targets.lists_commit(name) else None
            yield from numbered(name, runs, lambda run, path: linked([run], path)[0], meta)
        totals = {
            facet: dict.fromkeys(ALWAYS.get(facet, ()), 0) | dict(self.feeds.facet_counts[facet])
            for facet in paths.RUN_FACETS
        }
        heads = [paths.facet_list(paths.RUNS, facet, value) for facet in totals for value in totals[facet]]
        yield from self._heads([name for name in (*heads, paths.RUNS) if name in self.dirty])
        for facet, of_facet in totals.items():
            yield from index(paths.RUNS, facet, of_facet)

    def _heads(self, names: list[str]) -> Iterator[Document]:
        """The heads of run feeds: a partition's summary is read once for several of them."""
        for start in range(0, len(names), _TOGETHER):
            heads = self.feeds.heads(names[start : start + _TOGETHER])
            runs: dict[str, list[Run]] = {name: [] for name in heads}
            for number in sorted({number for head in heads.values() for number in head.partitions}, reverse=True):
                summary = self.summary_of(number)
                for name, head in heads.items():
                    if number in head.partitions:
                        runs[name] += summary.listed(name)
            for name, head in heads.items():
                items = linked(runs[name], paths.document(name))
                yield head_page(name, items, self.feeds.total(name), head.next)
