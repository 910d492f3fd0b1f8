"""One partition: its digest, and all documents that depend on its rows, and on what came before them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from exporter import paths
from exporter.builders import build_log, comparison, error_items, grid, regressions, results, runs, sample_history
from exporter.builders.build_log import LogLines
from exporter.builders.comparison import Reference
from exporter.builders.dependencies import sample_names, shown
from exporter.builders.feeds import PartitionStats, archive_page, facet_values, linked, run_feeds, run_lists
from exporter.builders.results import Context, documented
from exporter.documents.analysis import Change
from exporter.documents.encoding import Document, encode
from exporter.documents.runs import Run, RunFacts
from exporter.rules.lineage import (
    Lineage,
    Lineages,
    MainLine,
    ReferenceRun,
    Row,
    all_results,
    is_commit_lineage,
    lineages_of,
    summaries,
)
from exporter.rules.outcomes import Pair, Result, Results
from exporter.rules.result_matrix import Matrix, matrix
from exporter.rules.status import PLATFORMS, runtime_bucket
from exporter.rules.verdicts import Assessment, PriorHistory, is_finished
from exporter.source.catalog import Catalog
from exporter.source.partitions import RunRows
from exporter.source.row_values import InvalidRow
from exporter.source.sample_repository import Log


@dataclass(frozen=True, slots=True)
class Rules:
    """What an export's documents depend on beside rows.

    Args:
        result_documents: which results get a document of their own: `all`, `failures` or `none`.
        main: which line is the main line.
        files: whether there is a sample repository.
    """

    result_documents: str = "all"
    main: MainLine = MainLine()  # noqa: RUF009 - immutable
    files: bool = False


@dataclass(slots=True)
class PartitionSummary:
    """What a partition's documents tell that gathering needs.

    Args:
        runs: its runs as the lists show them, newest first.
        changes: of the main line, newest first.
        named: run id → keys of what its comparison shows of the catalogue, of tests that have no result in it.
        marks: the marks of its runs' rows and logs, oldest run first.
    """

    runs: list[Run] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    named: dict[str, list[str]] = field(default_factory=dict)
    marks: list[str] = field(default_factory=list)
    _lists: dict[str, list[Run]] = field(default_factory=dict)

    def listed(self, name: str) -> Sequence[Run]:
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
        return {"runs": self.runs, "changes": self.changes, "named": self.named, "marks": self.marks}

    def until(self, count: int, marks: list[str]) -> "PartitionSummary":
        """What its oldest runs tell, so many of them, with the marks of all."""
        runs = self.runs[len(self.runs) - count :]
        ids = {run["run_id"] for run in runs}
        named = {run: keys for run, keys in self.named.items() if int(run) in ids}
        return PartitionSummary(runs, [change for change in self.changes if change["run_id"] in ids], named, marks)


def changed_lists(old: PartitionSummary | None, new: PartitionSummary | None, main: MainLine) -> set[str]:
    """What is made of what partitions tell, and differs in what one told and tells.

    The names of feeds and lists of runs and of changes, as `subjects.of_document` has them; and of the badges.
    """
    was, is_ = ({run["run_id"]: run for run in told.runs} if told else {} for told in (old, new))
    differ = [run for run in was.keys() | is_.keys() if was.get(run) != is_.get(run)]
    names: set[str] = set()
    for run in (of[number] for number in differ for of in (was, is_) if number in of):
        names.update(run_feeds(run), run_lists(run))
        if main.holds(run):
            names.add(paths.BADGES)
    if (old.changes if old else []) != (new.changes if new else []):
        names.add(paths.REGRESSIONS)
    return names


class Earlier(NamedTuple):
    """What a partition's documents tell of earlier ones.

    Args:
        pages: feed name → the partition of its page before this one's, where there is one.
        lines: the lines before it.
        matrix_of: gives the matrix of an earlier partition.
    """

    pages: Mapping[str, int]
    lines: Lineages
    matrix_of: Callable[[int], Matrix]


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
        problems: list[InvalidRow] | None = None,
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

    def digest(self) -> PartitionStats:
        """What the rest needs to know at any time."""
        counts: Counter[str] = Counter()
        values: dict[str, Counter[str]] = {facet: Counter() for facet in paths.RUN_FACETS}
        tests: dict[str | None, Counter[int]] = {}
        diffs: dict[str, Pair] = {}
        for _, run, found in self._runs:
            counts.update(run_feeds(run))
            counts.update(run_lists(run))
            if run["platform"] is not None:
                counts[paths.grid(run["platform"])] += 1
            counts.update(lineages_of(run, self._rules.main))
            for facet, value in facet_values(run):
                values[facet][value] += 1
            tests.setdefault(run["platform"], Counter()).update([outcome.test_id for outcome, _ in found])
            for outcome, _ in found:
                if outcome.diffs and documented(outcome.status, self._rules.result_documents):
                    diffs.update(outcome.diffs)
        for platform, of_test in tests.items():
            for test_id, count in of_test.items():
                test = self._catalog.tests.get(test_id)
                if test is not None and test.sample_id is not None:
                    counts[paths.sample_history(test.sample_id)] += count
                if test is not None and platform is not None:
                    counts[paths.recent_chain(test_id, platform)] += count
        counts.update(dict.fromkeys(diffs, 1))
        counts.update(dict.fromkeys(shown([rows for rows, _, _ in self._runs], self._catalog), 1))
        return PartitionStats(
            partition=self._number,
            runs=len(self._runs),
            results=sum(len(found) for _, _, found in self._runs),
            latest=max((run["run_id"] for _, run, _ in self._runs), default=0),
            counts=dict(sorted(counts.items())),
            values={facet: dict(sorted(of_facet.items())) for facet, of_facet in values.items()},
            diffs=dict(sorted(diffs.items())),
        )

    def lines(self, found: Matrix) -> Lineages:
        """Its stretch of every line that it has runs of; `found` is its matrix."""
        lines: Lineages = {}
        rows: dict[str, list[Row]] = {}
        times: dict[str, Counter[tuple[int, int]]] = {}
        for _, run, listed in self._runs:
            run_id, row = run["run_id"], {outcome.test_id: outcome for outcome, _ in listed}
            mark = ReferenceRun(run_id, found.digest(run_id)) if is_finished(run) else None
            for name in lineages_of(run, self._rules.main):
                line = lines.setdefault(name, Lineage())
                line.finished = mark or line.finished
                if not is_commit_lineage(name):
                    rows.setdefault(name, []).append((run_id, row))
            if run["platform"] is not None:
                times.setdefault(all_results(run["platform"]), Counter()).update(
                    (outcome.test_id, runtime_bucket(runtime)) for outcome, runtime in listed if runtime is not None
                )
        for name, of_line in rows.items():
            lines[name].tests = summaries(of_line)
        for name, counted in times.items():
            for (test, bucket), count in counted.items():
                lines[name].runtimes.setdefault(test, {})[bucket] = count
        return lines

    def documents(
        self, found: Matrix, earlier: Earlier, log_of: Callable[[int], Log | None] | None, told: PartitionSummary
    ) -> Iterator[Document]:
        """Every document of the partition, each after those it links to within it.

        Args:
            found: the partition's matrix.
            earlier: what came before.
            log_of: gives a run's log; None: there are none.
            told: what its oldest runs tell if these rows are only those of the others, because the documents of the
                former stay; gets what gathering needs.
        """
        judge = PriorHistory(earlier.lines, self._rules.main, self._rules.result_documents)
        for run in reversed(told.runs):
            judge.add(run, found.outcomes_of(run["run_id"]))
        for rows, facts, listed in self._runs:
            judged = judge.judge(facts, listed)
            run = {**facts, "failures": judged.failures}
            log = log_of(run["run_id"]) if log_of else None
            lines = build_log.parse(log) if log else None
            verdicts = {test: encode(one) for test, one in judged.verdicts.items()}
            context = Context(verdicts, judged.previous, self._excerpts(lines, listed) if lines else {})
            yield from results.documents(run, listed, context, self._rules.result_documents)
            yield from error_items.documents(run["run_id"], error_items.items(run["run_id"], listed, runs.latest(rows)))
            yield self._comparison(run, listed, judged, found, earlier, told)
            if lines:
                yield from build_log.documents(run["run_id"], lines)
            yield runs.document(rows, run, self._catalog, log=lines is not None)
            told.runs.insert(0, run)
            told.changes[:0] = judged.changes
        for name in dict.fromkeys(name for run in told.runs for name in run_feeds(run)):
            items = linked(told.listed(name), paths.archive(name, self._number))
            yield archive_page(name, self._number, items, earlier.pages.get(name))
        if told.changes:
            yield regressions.archive(self._number, told.changes, earlier.pages.get(paths.REGRESSIONS))
        for platform in PLATFORMS:
            if columns := told.on(platform):
                before = earlier.pages.get(paths.grid(platform))
                yield grid.archive(platform, self._number, grid.Columns(columns, found), before)
        yield from sample_history.archive(self._number, self._catalog, found, earlier.pages)

    def _excerpts(self, lines: LogLines, listed: list[Result]) -> dict[int, bytes]:
        """Regression test id → what the log says of its sample."""
        samples = {outcome.sample_id for outcome, _ in listed if outcome.sample_id is not None}
        found = build_log.excerpts(lines, {id_: sample_names(self._catalog.samples[id_]) for id_ in samples})
        encoded = {sample: encode(excerpt) for sample, excerpt in found.items()}
        return {
            outcome.test_id: encoded[outcome.sample_id]
            for outcome, _ in listed
            if outcome.sample_id in encoded and outcome.sample_id is not None
        }

    def _comparison(
        self,
        run: Run,
        listed: list[Result],
        judged: Assessment,
        found: Matrix,
        earlier: Earlier,
        told: PartitionSummary,
    ) -> Document:
        """A run's comparison."""
        references: dict[str, Reference | None] = {}
        for name, run_id in judged.references.items():
            references[name] = None
            if run_id is not None:
                number = paths.partition_of(run_id)
                references[name] = Reference(run_id, found if number == self._number else earlier.matrix_of(number))
        if keys := list(comparison.named(listed, references)):
            told.named[str(run["run_id"])] = keys
        return comparison.document(run, listed, judged, references, self._results, self._rules.result_documents)
