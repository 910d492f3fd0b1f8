"""One partition: all documents that depend on its rows, and on the runs before them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter import paths
from exporter.builders import build_log, comparison, error_items, grid, regressions, results, runs, sample_history
from exporter.builders.build_log import LogLines
from exporter.builders.comparison import Reference
from exporter.builders.document_options import DocumentOptions
from exporter.builders.feeds import archive_page, linked, run_feeds
from exporter.builders.partition_summary import PartitionSummary
from exporter.builders.results import Context
from exporter.documents.analysis import Change
from exporter.documents.encoding import Document, encode
from exporter.documents.runs import Run, RunFacts
from exporter.rules.lineage import Lineages
from exporter.rules.outcomes import Result, Results
from exporter.rules.result_matrix import Matrix
from exporter.rules.status import PLATFORMS
from exporter.rules.verdicts import Assessment, PriorHistory
from exporter.source.catalog import Catalog
from exporter.source.partitions import RunRows
from exporter.source.redaction import Redactor
from exporter.source.row_values import InvalidRow
from exporter.source.sample_repository import Log


class EvaluatedRun(NamedTuple):
    """A run's rows, what they say of the run, and its results by ascending regression test id."""

    rows: RunRows
    facts: RunFacts
    results: list[Result]


def evaluate(
    rows: Iterable[RunRows], catalog: Catalog, evaluator: Results, problems: list[InvalidRow] | None = None
) -> list[EvaluatedRun]:
    """Evaluate the rows of runs; invalid rows are added to `problems`."""
    found = []
    for run in rows:
        of_run = evaluator.of(run, problems)
        found.append(EvaluatedRun(run, runs.item(run, of_run, catalog), of_run))
    return found


class Prior(NamedTuple):
    """What a partition's documents show of earlier partitions.

    Args:
        pages: name of a feed → the partition of its next older archive page, where there is one.
        lineages: the lineages before the partition.
        matrix_of: returns the matrix of an earlier partition.
    """

    pages: Mapping[str, int]
    lineages: Lineages
    matrix_of: Callable[[int], Matrix]


class RunDocuments(NamedTuple):
    """A run's documents, each after those it links to among them, and what a `PartitionSummary` holds of the run.

    The documents are encoded one by one as they are iterated over: a run's log can have a hundred megabytes.
    """

    run: Run
    changes: Sequence[Change]
    compared_tests: Sequence[int]
    documents: Iterator[Document]


@dataclass(frozen=True, slots=True)
class Partition:
    """Makes the documents of one partition.

    Args:
        number: the partition's.
        matrix: all its results.
        prior: what its documents show of earlier partitions.
        catalog: the catalogue.
        options: the options that documents depend on.
        evaluator: the one that evaluated its rows.
        log_of: returns a run's log; None: there are no logs.
        redactor: redacts logs.
    """

    number: int
    matrix: Matrix
    prior: Prior
    catalog: Catalog
    options: DocumentOptions
    evaluator: Results
    log_of: Callable[[int], Log | None] | None = None
    redactor: Redactor = field(default_factory=Redactor)

    def run_documents(self, reused: PartitionSummary, evaluated: Iterable[EvaluatedRun]) -> Iterator[RunDocuments]:
        """The documents of runs.

        Args:
            reused: of the partition's oldest runs, whose documents are reused.
            evaluated: its other runs, oldest first.
        """
        history = PriorHistory(self.prior.lineages, self.options.main, self.options.result_documents)
        for run in reversed(reused.runs):
            history.add(run, self.matrix.outcomes_of(run["run_id"]))
        for one in evaluated:
            assessment = history.judge(one.facts, one.results)
            run = {**one.facts, "failures": assessment.failures}
            references = dict(self._references(assessment))
            yield RunDocuments(
                run,
                assessment.changes,
                list(comparison.tests_without_result(one.results, references)),
                self._documents(one, run, assessment, references),
            )

    def _documents(
        self, one: EvaluatedRun, run: Run, assessment: Assessment, references: Mapping[str, Reference | None]
    ) -> Iterator[Document]:
        run_id, listed = run["run_id"], one.results
        log = self.log_of(run_id) if self.log_of else None
        lines = build_log.parse(log, self.redactor) if log else None
        verdicts = {test: encode(verdict) for test, verdict in assessment.verdicts.items()}
        context = Context(verdicts, assessment.previous, self._excerpts(lines, listed) if lines else {})
        result_documents = self.options.result_documents
        yield from results.documents(run, listed, context, result_documents)
        yield from error_items.documents(run_id, error_items.items(run_id, listed, runs.latest(one.rows)))
        yield comparison.document(run, listed, assessment, references, self.evaluator, result_documents)
        if lines:
            yield from build_log.documents(run_id, lines)
        yield runs.document(one.rows, run, self.catalog, log=lines is not None)

    def archive_pages(self, summary: PartitionSummary) -> Iterator[Document]:
        """The archive pages of all feeds that the partition has items of; `summary` is the partition's."""
        pages = self.prior.pages
        for name in dict.fromkeys(name for run in summary.runs for name in run_feeds(run)):
            items = linked(summary.listed(name), paths.archive(name, self.number))
            yield archive_page(name, self.number, items, pages.get(name))
        if summary.changes:
            yield regressions.archive(self.number, summary.changes, pages.get(paths.REGRESSIONS))
        for platform in PLATFORMS:
            if columns := summary.on(platform):
                next_partition = pages.get(paths.grid(platform))
                yield grid.archive(platform, self.number, grid.Columns(columns, self.matrix), next_partition)
        yield from sample_history.archive(self.number, self.catalog, self.matrix, pages)

    def _excerpts(self, lines: LogLines, listed: list[Result]) -> dict[int, bytes]:
        """Regression test id → what the log says of its sample."""
        samples = {outcome.sample_id for outcome, _ in listed if outcome.sample_id is not None}
        names = {sample_id: build_log.sample_names(self.catalog.samples[sample_id]) for sample_id in samples}
        encoded = {sample: encode(excerpt) for sample, excerpt in build_log.excerpts(lines, names).items()}
        return {
            outcome.test_id: encoded[outcome.sample_id]
            for outcome, _ in listed
            if outcome.sample_id in encoded and outcome.sample_id is not None
        }

    def _references(self, assessment: Assessment) -> Iterator[tuple[str, Reference | None]]:
        """Name as in `RunComparison` → the run to compare with, if there is one."""
        for name, run_id in assessment.references.items():
            if run_id is None:
                yield name, None
            else:
                number = paths.partition_of(run_id)
                yield name, Reference(run_id, self.matrix if number == self.number else self.prior.matrix_of(number))
