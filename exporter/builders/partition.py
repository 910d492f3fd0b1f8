"""One partition: all documents that depend on its rows, and on the runs before them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter import paths
from exporter.builders import build_log, comparison, error_items, grid, junit, regressions, runs, sample_history
from exporter.builders.build_log import LogLines
from exporter.builders.comparison import ComparisonBuilder
from exporter.builders.document_options import DocumentOptions
from exporter.builders.evaluated_runs import EvaluatedRun
from exporter.builders.feeds import archive_page, linked, run_feeds
from exporter.builders.partition_summary import PartitionSummary
from exporter.builders.results import Context, ResultBuilder, Templates
from exporter.documents.analysis import Change
from exporter.documents.encoding import Document, encode
from exporter.documents.runs import Run
from exporter.paths import PLATFORMS
from exporter.rules.comparison import ComparedTests
from exporter.rules.lineage_state import Lineages
from exporter.rules.outcomes import Result, sample_of
from exporter.rules.prior_history import Assessment, PriorHistory
from exporter.rules.result_matrix import Matrix
from exporter.source.catalog import Catalog
from exporter.source.redaction import Redactor
from exporter.source.sample_repository import Log


class Prior(NamedTuple):
    """What a partition's documents show of earlier partitions.

    Args:
        pages: name of a feed → the partition of its next older archive page, where there is one.
        lineages: the lineages before the partition.
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
        prior: what its documents show of earlier partitions.
        log_of: returns a run's log; None: there are no logs.
    """

    number: int
    matrix: Matrix
    prior: Prior
    catalog: Catalog
    options: DocumentOptions
    templates: Templates
    log_of: Callable[[int], Log | None] | None = None
    redactor: Redactor = field(default_factory=Redactor)

    def run_documents(self, reused: PartitionSummary, evaluated: Iterable[EvaluatedRun]) -> Iterator[RunDocuments]:
        """The documents of `evaluated`, oldest first; those of the partition's older runs, `reused`, are reused."""
        history = PriorHistory(self.prior.lineages, self.options.main)
        active = frozenset(self.catalog.active_tests)
        for run in reversed(reused.runs):
            history.add(self.matrix.runs[run["run_id"]].run, self.matrix.outcomes_of(run["run_id"]))
        for one in evaluated:
            comparisons = history.compare(one.facts, one.results, active, self._matrix_of)
            assessment = history.assess(one.facts, one.results)
            run = runs.assessed(one.item, one.results, assessment.verdicts)
            result_documents = self.options.result_documents
            changes = [regressions.change(run, turn, self.catalog, result_documents) for turn in assessment.turns]
            yield RunDocuments(
                run,
                changes,
                comparison.tests_without_result(comparisons),
                self._documents(one, run, assessment, comparisons),
            )

    def _documents(
        self, one: EvaluatedRun, run: Run, assessment: Assessment, comparisons: Mapping[str, ComparedTests]
    ) -> Iterator[Document]:
        run_id, listed = run["run_id"], one.results
        log = self.log_of(run_id) if self.log_of else None
        lines = build_log.parse(log, self.redactor) if log else None
        excerpts = self._excerpts(lines, listed) if lines else {}
        context = Context(assessment.verdicts, assessment.previous, excerpts)
        result_documents = self.options.result_documents
        yield from ResultBuilder(run, self.templates, result_documents).documents(listed, context)
        errors = error_items.items(run_id, listed, runs.latest(one.rows), self.catalog)
        yield from error_items.documents(run_id, errors)
        yield from ComparisonBuilder(run, listed, assessment.verdicts, self.catalog, result_documents).documents(
            comparisons
        )
        if lines:
            yield from build_log.documents(run_id, lines)
        if xml := self.options.junit != "none" and one.facts.is_counted:
            yield junit.document(run, listed, assessment.verdicts, self.templates, self.options)
        yield runs.document(one.rows, run, self.catalog, log=lines is not None, junit=xml)

    def archive_pages(self, summary: PartitionSummary) -> Iterator[Document]:
        """The archive pages of all feeds that the partition has items of; `summary` is the partition's."""
        pages = self.prior.pages
        for name in dict.fromkeys(name for run in summary.runs for name in run_feeds(run, summary.repositories)):
            items = linked(summary.listed(name), paths.archive(name, self.number))
            yield archive_page(name, self.number, items, pages.get(name))
        if summary.changes:
            yield from regressions.archive(self.number, summary.changes, pages.get(paths.REGRESSIONS))
        for platform in PLATFORMS:
            if columns := summary.on(platform):
                next_partition = pages.get(paths.grid(platform))
                yield grid.archive(platform, self.number, grid.Columns(columns, self.matrix), next_partition)
        yield from sample_history.archive(self.number, self.catalog, self.matrix, pages, self.options.main)

    def _excerpts(self, lines: LogLines, listed: list[Result]) -> dict[int, bytes]:
        """Regression test id → what the log says of its sample."""
        samples = {
            outcome.test_id: sample
            for outcome, _ in listed
            if (sample := sample_of(self.catalog, outcome.test_id)) is not None
        }
        names = {sample.id: build_log.sample_names(sample) for sample in samples.values()}
        encoded = {sample: encode(excerpt) for sample, excerpt in build_log.excerpts(lines, names).items()}
        return {test: encoded[sample.id] for test, sample in samples.items() if sample.id in encoded}

    def _matrix_of(self, number: int) -> Matrix:
        return self.matrix if number == self.number else self.prior.matrix_of(number)
