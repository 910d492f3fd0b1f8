"""One partition: its digest, and all documents that depend on its rows alone."""

from collections import Counter
from collections.abc import Iterator, Mapping

from exporter import layout
from exporter.builders import errors, history, results, runs
from exporter.builders.dependencies import shown
from exporter.builders.feeds import Digest, archive_page, linked, run_feeds
from exporter.builders.results import Result, Results
from exporter.documents import Document, Run
from exporter.source.catalog import Catalog
from exporter.source.partitions import RunRows
from exporter.source.values import Problem


class Partition:
    """The evaluated rows of one partition.

    Args:
        number: the partition's.
        rows: its runs by ascending id.
        catalog: the catalogue.
        evaluate: evaluates the results of a run against that catalogue.
        problems: gets what makes no sense.
    """

    def __init__(
        self,
        number: int,
        rows: list[RunRows],
        catalog: Catalog,
        evaluate: Results,
        problems: list[Problem] | None = None,
    ) -> None:
        self._number = number
        self._catalog = catalog
        self._runs: list[tuple[RunRows, Run, list[Result]]] = []
        for run in rows:
            found = evaluate.of(run, problems)
            self._runs.append((run, runs.item(run, found, catalog), found))

    def digest(self) -> Digest:
        """What the rest needs to know."""
        counts: Counter[str] = Counter()
        results: dict[str | None, Counter[int]] = {}
        for _, run, found in self._runs:
            counts.update(run_feeds(run))
            results.setdefault(run["platform"], Counter()).update([outcome.test_id for outcome, _ in found])
        orphans = {test.id for test in self._catalog.tests.values() if test.sample_id is None}
        for platform, tests in results.items():
            for test_id, count in tests.items():
                test = self._catalog.tests.get(test_id)
                if test is not None and test.sample_id is not None:
                    counts[layout.sample_history(test.sample_id)] += count
                if test is not None and platform is not None:
                    counts[layout.recent_chain(test_id, platform)] += count
        return Digest(
            partition=self._number,
            runs=[run for _, run, _ in reversed(self._runs)],
            results=sum(len(found) for _, _, found in self._runs),
            counts=dict(sorted(counts.items())),
            shows=sorted(set(shown([rows for rows, _, _ in self._runs], self._catalog))),
            orphans=history.entries(
                (run, [result for result in found if result[0].test_id in orphans])
                for _, run, found in reversed(self._runs)
            ),
        )

    def entries(self) -> history.Entries:
        """The history entries of all its results."""
        return history.entries((run, found) for _, run, found in reversed(self._runs))

    def documents(
        self, entries: history.Entries, before: Mapping[str, int], result_documents: str
    ) -> Iterator[Document]:
        """Every document of the partition, each after those it links to within it.

        Args:
            entries: what `entries` gave.
            before: feed name → the partition of its page before this one's, where there is one.
            result_documents: which results get a document of their own: `all`, `failures` or `none`.
        """
        for rows, run, found in self._runs:
            yield from results.documents(run, found, result_documents)
            yield from errors.documents(run["run_id"], errors.items(run["run_id"], found, runs.latest(rows)))
            yield runs.document(rows, run, self._catalog)
        feeds: dict[str, list[Run]] = {}
        for _, run, _ in reversed(self._runs):
            for name in run_feeds(run):
                feeds.setdefault(name, []).append(run)
        for name, listed in feeds.items():
            items = linked(listed, layout.archive(name, self._number))
            yield archive_page(name, self._number, items, before.get(name))
        yield from history.archive(self._number, self._catalog, entries, before)
