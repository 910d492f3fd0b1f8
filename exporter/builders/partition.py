"""One partition: its digest, and all documents that depend on its rows, and on what came before them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from exporter import layout
from exporter.builders import comparison, errors, grid, history, regressions, results, runs
from exporter.builders.analysis import Judged, Past, is_finished
from exporter.builders.comparison import Reference
from exporter.builders.dependencies import shown
from exporter.builders.feeds import Digest, archive_page, facet_values, linked, run_feeds, run_lists
from exporter.builders.lines import (
    Line,
    Lines,
    Main,
    Mark,
    Segment,
    Stretch,
    all_results,
    is_commit_line,
    lines_of,
    segment,
)
from exporter.builders.matrix import Matrix, matrix
from exporter.builders.results import Context, Result, Results, documented
from exporter.documents import Change, Document, Run, RunFacts, encode
from exporter.source.catalog import Catalog
from exporter.source.partitions import RunRows
from exporter.source.values import Problem
from exporter.status import PLATFORMS, runtime_bucket


@dataclass(frozen=True, slots=True)
class Rules:
    """What an export's documents depend on beside rows.

    Args:
        result_documents: which results get a document of their own: `all`, `failures` or `none`.
        main: which line is the main line.
        files: whether there is a sample repository.
    """

    result_documents: str = "all"
    main: Main = Main()  # noqa: RUF009 - immutable
    files: bool = False


@dataclass(slots=True)
class Told:
    """What a partition's documents tell that gathering needs.

    Args:
        runs: its runs as the lists show them, newest first.
        changes: of the main line, newest first.
        named: keys of what its comparisons show of the catalogue, of tests that have no result in it.
    """

    runs: list[Run]
    changes: list[Change]
    named: list[str]
    _lists: dict[str, list[Run]] = field(default_factory=dict)

    def list(self, name: str) -> Sequence[Run]:
        """The runs that a feed, or the list of a commit or pull request, holds, newest first."""
        if not self._lists:
            for run in self.runs:
                for listed in (*run_feeds(run), *run_lists(run)):
                    self._lists.setdefault(listed, []).append(run)
        return self._lists.get(name, ())

    def on(self, platform: str) -> Sequence[Run]:
        """The runs on a platform, newest first."""
        return [run for run in self.runs if run["platform"] == platform]

    def encoded(self) -> dict[str, Any]:
        """As JSON."""
        return {"runs": self.runs, "changes": self.changes, "named": self.named}


class Partition:
    """The evaluated rows of one partition.

    Args:
        number: the partition's.
        rows: its runs by ascending id.
        catalog: the catalogue.
        rules: what else decides.
        evaluate: evaluates the results of a run against that catalogue.
        problems: gets what makes no sense.
    """

    def __init__(
        self,
        number: int,
        rows: list[RunRows],
        catalog: Catalog,
        rules: Rules,
        evaluate: Results,
        problems: list[Problem] | None = None,
    ) -> None:
        self._number = number
        self._catalog = catalog
        self._rules = rules
        self._results = evaluate
        self._runs: list[tuple[RunRows, RunFacts, list[Result]]] = []
        for run in rows:
            found = evaluate.of(run, problems)
            self._runs.append((run, runs.item(run, found, catalog), found))

    def matrix(self) -> Matrix:
        """All its results."""
        return matrix((run, found) for _, run, found in self._runs)

    def digest(self) -> Digest:
        """What the rest needs to know at any time."""
        counts: Counter[str] = Counter()
        values: dict[str, Counter[str]] = {facet: Counter() for facet in layout.RUN_FACETS}
        tests: dict[str | None, Counter[int]] = {}
        diffs = {}
        for _, run, found in self._runs:
            counts.update(run_feeds(run))
            counts.update(run_lists(run))
            if run["platform"] is not None:
                counts[layout.grid(run["platform"])] += 1
            counts.update(lines_of(run, self._rules.main))
            for facet, value in facet_values(run):
                values[facet][value] += 1
            tests.setdefault(run["platform"], Counter()).update([outcome.test_id for outcome, _ in found])
            for outcome, _ in found:
                if outcome.diffs and documented(outcome.status, self._rules.result_documents):
                    diffs.update({layout.diff(*pair): pair for pair in outcome.diffs})
        for platform, of_test in tests.items():
            for test_id, count in of_test.items():
                test = self._catalog.tests.get(test_id)
                if test is not None and test.sample_id is not None:
                    counts[layout.sample_history(test.sample_id)] += count
                if test is not None and platform is not None:
                    counts[layout.recent_chain(test_id, platform)] += count
        counts.update(dict.fromkeys(diffs, 1))
        counts.update(dict.fromkeys(shown([rows for rows, _, _ in self._runs], self._catalog), 1))
        return Digest(
            partition=self._number,
            runs=len(self._runs),
            results=sum(len(found) for _, _, found in self._runs),
            latest=max((run["run_id"] for _, run, _ in self._runs), default=0),
            counts=dict(sorted(counts.items())),
            values={facet: dict(sorted(of_facet.items())) for facet, of_facet in values.items()},
            diffs=dict(sorted(diffs.items())),
        )

    def lines(self, found: Matrix) -> Lines:
        """Its stretch of every line that it has runs of; `found` is its matrix."""
        lines: Lines = {}
        sequences: dict[str, dict[int, Stretch]] = {}
        for _, run, listed in self._runs:
            mark = Mark(run["run_id"], found.digest(run["run_id"])) if is_finished(run) else None
            for name in lines_of(run, self._rules.main):
                line = lines.setdefault(name, Line())
                line.finished = mark or line.finished
                if not is_commit_line(name):
                    _add(sequences.setdefault(name, {}), run["run_id"], listed)
            if run["platform"] is not None:
                _count(lines[all_results(run["platform"])], listed)
        known: dict[tuple[tuple[int, ...], str, str | None], Segment] = {}
        for name, tests in sequences.items():
            for test, one in tests.items():
                key = (tuple(one.runs), "".join(one.letters), one.how)
                if key not in known:
                    known[key] = segment(*key)
                lines[name].tests[test] = known[key]
        return lines

    def documents(
        self,
        found: Matrix,
        before: Mapping[str, int],
        past: Lines,
        matrix_of: Callable[[int], Matrix],
        told: Told,
    ) -> Iterator[Document]:
        """Every document of the partition, each after those it links to within it.

        Args:
            found: its matrix.
            before: feed name → the partition of its page before this one's, where there is one.
            past: the lines before it.
            matrix_of: gives the matrix of an earlier partition.
            told: gets what gathering needs.
        """
        judge = Past(past, self._rules.main, self._rules.result_documents)
        for rows, facts, listed in self._runs:
            judged = judge.judge(facts, listed)
            run: Run = {**facts, "failures": judged.failures}
            context = Context({test: encode(one) for test, one in judged.verdicts.items()}, judged.previous, {})
            yield from results.documents(run, listed, context, self._rules.result_documents)
            yield from errors.documents(run["run_id"], errors.items(run["run_id"], listed, runs.latest(rows)))
            yield self._comparison(run, listed, judged, found, matrix_of, told)
            yield runs.document(rows, run, self._catalog)
            told.runs.insert(0, run)
            told.changes[:0] = judged.changes
        for name in dict.fromkeys(name for run in told.runs for name in run_feeds(run)):
            items = linked(told.list(name), layout.archive(name, self._number))
            yield archive_page(name, self._number, items, before.get(name))
        if told.changes:
            yield regressions.archive(self._number, told.changes, before.get(layout.REGRESSIONS))
        for platform in PLATFORMS:
            if columns := told.on(platform):
                before_it = before.get(layout.grid(platform))
                yield grid.archive(platform, self._number, grid.Columns(columns, found), before_it)
        yield from history.archive(self._number, self._catalog, found, before)

    def _comparison(
        self,
        run: Run,
        listed: list[Result],
        judged: Judged,
        found: Matrix,
        matrix_of: Callable[[int], Matrix],
        told: Told,
    ) -> Document:
        """A run's comparison."""
        references: dict[str, Reference | None] = {}
        for name, run_id in judged.references.items():
            references[name] = None
            if run_id is not None:
                number = layout.partition_of(run_id)
                references[name] = Reference(run_id, found if number == self._number else matrix_of(number))
        told.named.extend(comparison.named(listed, references))
        return comparison.document(run, listed, judged, references, self._results, self._rules.result_documents)


def _add(tests: dict[int, Stretch], run_id: int, results: Sequence[Result]) -> None:
    """Let a run's results follow those before."""
    for outcome, _ in results:
        one = tests.get(outcome.test_id)
        if one is None:
            one = tests[outcome.test_id] = Stretch()
        one.add(run_id, outcome.status, outcome.how)


def _count(line: Line, results: Sequence[Result]) -> None:
    """Count a run's runtimes."""
    for outcome, runtime in results:
        if runtime is not None:
            counts = line.runtimes.setdefault(outcome.test_id, {})
            bucket = runtime_bucket(runtime)
            counts[bucket] = counts.get(bucket, 0) + 1
