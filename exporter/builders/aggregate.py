"""Gathering: the documents over all partitions, from what is remembered of each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from exporter import paths
from exporter.builders import grid, regression_tests, regressions, sample_history, samples, search, site, targets
from exporter.builders.facets import index, numbered
from exporter.builders.feeds import Feeds, head_page, linked
from exporter.builders.partition import PartitionSummary
from exporter.builders.targets import AllTargets, DirtyTargets
from exporter.documents.encoding import Document
from exporter.documents.runs import Run
from exporter.rules.lineage import Lineage, Lineages, MainLine, all_results, main_lineage
from exporter.rules.result_matrix import Found, Matrix
from exporter.rules.stability import NEWEST
from exporter.rules.status import PLATFORMS, RUN_STATUSES, ResultStatus
from exporter.source.catalog import Catalog

ALWAYS = {"platform": PLATFORMS, "status": RUN_STATUSES}
"""Facets whose values are few and known have a list for each, even if it is empty."""


_TOGETHER = 50
"""Heads of feeds made at a time, with some hundred runs each."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """The documents that are no partition's: the catalogue's and the site's.

    Args:
        catalog: the catalogue.
        main: which line is the main line.
        feeds: folded from the digests of all partitions.
        touched: the subjects that may have changed; the documents of others stay as they are.
        matrix_of: gives a partition's matrix.
        told_of: gives what a partition's documents tell.
        lines_of: gives the lines after a partition that it has runs of.
    """

    catalog: Catalog
    main: MainLine
    feeds: Feeds
    touched: DirtyTargets
    matrix_of: Callable[[int], Matrix]
    told_of: Callable[[int], PartitionSummary]
    lineages_of: Callable[[int], Lineages]

    def documents(self) -> Iterator[Document]:
        """All lists of the catalogue, and the documents of the subjects that were touched."""
        catalog, touched = self.catalog, self.touched
        if targets.CODE in touched:
            from exporter.builders import api_description

            yield from api_description.documents()
        yield from regression_tests.named_documents(catalog)
        whole = self._lines(all_results)

        def status(test: int, platform: str) -> ResultStatus | None:
            found = whole[platform].tests.get(test)
            return found.status if found else None

        yield from samples.documents(catalog, touched, status)
        yield from regression_tests.documents(catalog, touched, self._recent, whole)
        for sample_id in catalog.samples:
            if targets.sample(sample_id) in touched:
                yield sample_history.head(sample_id, catalog, self.feeds, self.matrix_of)
        for name, standings in regressions.standings(catalog, self._lines(main_lineage)):
            yield from numbered(name, standings, regressions.shown)
        if paths.REGRESSIONS in touched:
            held, _ = self.feeds.head(paths.REGRESSIONS)
            changes = [change for number in held for change in self.told_of(number).changes]
            yield from regressions.heads(changes, self.feeds, self.main)
        yield search.document(catalog)
        for platform in PLATFORMS:
            if paths.grid(platform) in touched:
                yield grid.head(platform, self.feeds, self._columns)
        yield from self._runs()

    def _columns(self, number: int, platform: str) -> grid.Columns:
        return grid.Columns(self.told_of(number).on(platform), self.matrix_of(number))

    def site(self) -> Iterator[Document]:
        """The pages of the site after what they load, and the badges."""
        if targets.CODE in self.touched:
            yield from site.pages(self.main)
        if paths.BADGES in self.touched:
            yield from site.badges(self.main.branch, self._finished())

    def _finished(self) -> dict[str, Run | None]:
        """Platform → the newest run of the main line that ended with results."""
        found: dict[str, Run | None] = {}
        for platform, line in self._lines(main_lineage).items():
            last = line.finished.run_id if line.finished else None
            told = () if last is None else self.told_of(paths.partition_of(last)).runs
            found[platform] = next((run for run in told if run["run_id"] == last), None)
        return found

    def _recent(self, test: int, platform: str) -> list[Found]:
        return sample_history.newest(test, platform, NEWEST, self.feeds, self.matrix_of)

    def _lines(self, name: Callable[[str], str]) -> Mapping[str, Lineage]:
        """Platform → a line as it stands now."""
        last = {platform: self.feeds.last(name(platform)) for platform in PLATFORMS}
        return {
            platform: Lineage() if number is None else self.lineages_of(number)[name(platform)]
            for platform, number in last.items()
        }

    def _runs(self) -> Iterator[Document]:
        """The lists of runs: of commits and pull requests, and the heads of the feeds with their indexes."""
        ends = self.feeds.ends
        names = filter(targets.lists_related_runs, ends if isinstance(self.touched, AllTargets) else self.touched)
        found = sorted((end.last, name) for name in names if (end := ends.get(name)))
        for _, name in found:  # neighbours share what is remembered of partitions
            runs = [run for number in self.feeds.chain(name) for run in self.told_of(number).listed(name)]
            yield from numbered(name, runs, lambda run, path: linked([run], path)[0])
        totals = {
            facet: dict.fromkeys(ALWAYS.get(facet, ()), 0) | self.feeds.values[facet] for facet in paths.RUN_FACETS
        }
        heads = [paths.facet_list(paths.RUNS, facet, value) for facet in totals for value in totals[facet]]
        yield from self._heads([name for name in (*heads, paths.RUNS) if name in self.touched])
        for facet, of_facet in totals.items():
            yield from index(paths.RUNS, facet, of_facet)

    def _heads(self, names: list[str]) -> Iterator[Document]:
        """The heads of run feeds: what is remembered of a partition is read once for several of them."""
        for start in range(0, len(names), _TOGETHER):
            heads = self.feeds.heads(names[start : start + _TOGETHER])
            runs: dict[str, list[Run]] = {name: [] for name in heads}
            for number in sorted({number for head in heads.values() for number in head.partitions}, reverse=True):
                told = self.told_of(number)
                for name, head in heads.items():
                    if number in head.partitions:
                        runs[name] += told.listed(name)
            for name, head in heads.items():
                items = linked(runs[name], paths.document(name))
                yield head_page(name, items, self.feeds.total(name), head.before)
