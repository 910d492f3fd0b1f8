"""What a worker does: read a partition, build it, write it; compare contents.

A worker is a process of its own, or the pipeline's. It gets the `Job` once, and then small values: a partition's
number, and which partitions come before it on its posting lists. Rows and documents go through the work dir, so that
memory does not grow with the history.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from exporter import paths
from exporter.builders import diffs
from exporter.builders.evaluated_runs import EvaluatedRun, WrittenRuns, dump, evaluate, load, written_runs
from exporter.builders.partition import Partition, Prior
from exporter.builders.partition_summary import PartitionSummary, changed_lists
from exporter.builders.results import Templates
from exporter.builders.runs import listed_repositories
from exporter.documents.encoding import Document, encode
from exporter.export.collect import BuiltPart, PartCollector, published_part, write_documents, write_part_manifests
from exporter.export.dependencies import name_key
from exporter.export.job import Job
from exporter.export.partition_stats import partition_lineages, partition_stats
from exporter.export.work_dir import WritePhase
from exporter.publish.manifest import Part
from exporter.publish.published_state import PartManifests
from exporter.rules.lineage import compared_lineages
from exporter.rules.lineage_state import Lineages, fingerprint, tests_of
from exporter.rules.outcomes import Pair, Results
from exporter.rules.result_matrix import matrix
from exporter.source.database import Database
from exporter.source.partitions import find_result_file, read_partition
from exporter.source.redaction import Redactor
from exporter.source.row_values import InvalidRow
from exporter.source.sample_repository import Content, SampleRepository, log_name
from exporter.state.partition_store import PartitionStore
from exporter.state.posting_lists import PartitionStats


@dataclass(frozen=True, slots=True)
class BuildTask:
    """Asks for one partition's documents.

    Args:
        previous: name of a posting list → the partition before this one, where there is one.
        manifests: the manifests of what the store may hold of it.
        state_valid: whether what is remembered belongs to what is published.
        force_rebuild: whether none of its documents can be reused, because the catalogue that they show has changed.
    """

    partition: int
    previous: Mapping[str, int]
    manifests: PartManifests
    state_valid: bool
    force_rebuild: bool


class ReadPartition(NamedTuple):
    """A partition that was read: its statistics, and the invalid rows."""

    stats: PartitionStats
    problems: list[InvalidRow]


class BuiltPartition(NamedTuple):
    """A partition that was built.

    Args:
        prior: the fingerprint of its prior history.
        shown: keys of what it shows of the catalogue beside those in its statistics.
        dirty: the targets that its documents have changed; empty if its previous summary is not valid.
        problems: what is invalid in the sample repository.
    """

    number: int
    part: BuiltPart
    prior: str
    shown: list[str]
    dirty: set[str]
    problems: list[InvalidRow]


class RowsChanged(NamedTuple):
    """A partition that was not built: its rows were lost with their worker, and others were read in their place."""

    number: int


class Compared(NamedTuple):
    """A comparison of contents: its document, whether a content was missing, and what was invalid."""

    document: Document
    incomplete: bool
    problems: list[InvalidRow]


class CompareTask(NamedTuple):
    """Asks for a comparison of two contents; a result file of the partition has them."""

    pair: Pair
    partition: int


class WriteTask(NamedTuple):
    """Asks for one write phase of a part's documents to be written."""

    part: str
    phase: WritePhase


class Worker:
    """Does the tasks of one job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._database = Database(job.database_url, job.database_timeout)
        self._evaluator = Results(job.catalog, diffs=job.options.files)
        self._templates = Templates(job.catalog)
        self.partitions = PartitionStore(job.work_dir.state.partition_store, job.store, job.remembered)

    def close(self) -> None:
        """Close the connections to the database."""
        self._database.close()

    def read(self, number: int) -> ReadPartition:
        """Read a partition: its rows go to the work dir, its matrix and own lineages to the partition store."""
        redactor = Redactor(self._job.options.redaction)
        rows, problems = read_partition(self._database, number, self._job.catalog.forks, redactor)
        redactor.report(f"rows of partition {number}")
        runs = evaluate(rows, self._job.catalog, self._evaluator, problems)
        self._job.work_dir.rows(number).write_bytes(dump(runs))
        results = matrix((run.facts, run.results) for run in runs)
        self.partitions.put("matrix", number, results)
        self.partitions.put("own_lineages", number, partition_lineages(runs, results, self._job.options.main))
        return ReadPartition(partition_stats(number, runs, self._job.catalog, self._job.options), problems)

    def build(self, task: BuildTask) -> BuiltPartition | RowsChanged:
        """Build a partition from its rows in the work dir, which are there as `read` put them."""
        number, problems = task.partition, list[InvalidRow]()
        self.partitions.invalidate(number)
        written = self._take_runs(number)
        lineages, results = self.partitions.lineages_before(number), self.partitions.matrix(number)
        repository, redactor = self._repository(problems), Redactor(self._job.options.redaction)
        fingerprints = _run_fingerprints(results.runs, written.fingerprints, repository)
        published = published_part(self._job, str(number), task.manifests)
        previous = self.partitions.previous_summary(number) if task.state_valid else None
        reused = PartitionSummary()
        if previous is not None and published.contents.published and not task.force_rebuild:
            reused = self._reusable(number, previous, list(fingerprints.values()), lineages)
        partition = Partition(
            number,
            results,
            Prior(task.previous, lineages, self.partitions.matrix),
            self._job.catalog,
            self._job.options,
            self._templates,
            repository.log if repository else None,
            redactor,
        )
        evaluated = load(written.keys, written.lines[len(reused.runs) :], self._evaluator)
        with PartCollector(self._job, published) as collector:
            summary = _add_documents(collector, partition, reused, evaluated)
            kept = frozenset(str(run["run_id"]) for run in reused.runs)
            part = collector.finish(lambda path: paths.is_of_run(path, kept))
        redactor.report(f"logs of partition {number}")
        unread = {problem.row for problem in problems}
        summary = replace(
            summary,
            fingerprints=["" if log_name(run) in unread else found for run, found in fingerprints.items()],
            statuses=[results.statuses_digest(run) for run in fingerprints],
        )
        self.partitions.put("summary", number, summary)
        shown = [name_key(test) for tests in summary.compared_tests.values() for test in tests]
        dirty = changed_lists(previous, summary) if task.state_valid else set[str]()
        return BuiltPartition(number, part, fingerprint(lineages), shown, dirty, problems)

    def _reusable(
        self, number: int, previous: PartitionSummary, fingerprints: list[str], lineages: Lineages
    ) -> PartitionSummary:
        """The summary of a partition's oldest runs whose documents would be the same as those that are published.

        A run's documents depend on its rows and its log, on what they show of the catalogue, and on the runs before it.
        So they are reused up to the first run for which any of this has changed.
        """
        if not self._prior_unchanged(number, lineages):
            return PartitionSummary()
        pairs = zip(previous.fingerprints, fingerprints, strict=False)
        return previous.oldest(sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))

    def _prior_unchanged(self, number: int, lineages: Lineages) -> bool:
        """Whether what the previous documents of a partition show of the prior history is as it was."""
        own = self.partitions.previous_own_lineages(number)
        tests = tests_of(own)
        same = {name: lineages[name].shown_for(tests) for name in compared_lineages(own) if name in lineages}
        return fingerprint(same) == self._job.remembered[number].prior

    def compare(self, task: CompareTask) -> Compared:
        """Compare two contents of the sample repository."""
        pair, problems, contents = task.pair, list[InvalidRow](), list[Content | None]()
        for name, content in (("expected", pair.expected), ("got", pair.got)):
            if content is None:
                contents.append(diffs.NOTHING)
                continue
            found: list[InvalidRow] = []
            repository = self._repository(found)
            contents.append(repository.output(content, pair.extension, diffs.MAX_SIZE) if repository else None)
            problems += [InvalidRow("test_result_file", "", f"{name}: {problem.what}") for problem in found]
        if problems:
            key = find_result_file(self._database, task.partition, *pair[:2])
            problems = [one._replace(row=key or f"of partition {task.partition}") for one in problems]
        return Compared((paths.diff(*pair), encode(diffs.document(*contents))), None in contents, problems)

    def write_manifest(self, part: Part) -> int:
        """Write a part's manifest to the store; return the number written."""
        return write_part_manifests(self._job, [part])

    def write(self, task: WriteTask) -> int:
        """Write one phase of a part's documents to the store; return the number written."""
        return write_documents(self._job, [task.part], task.phase)

    def _repository(self, problems: list[InvalidRow]) -> SampleRepository | None:
        root = self._job.sample_repository
        return None if root is None else SampleRepository(root, problems)

    def _take_runs(self, number: int) -> WrittenRuns:
        """The runs of a partition that was read; the file is removed."""
        file = self._job.work_dir.rows(number)
        found = written_runs(file.read_bytes())
        file.unlink()
        return found


def _add_documents(
    collector: PartCollector, partition: Partition, reused: PartitionSummary, evaluated: Iterable[EvaluatedRun]
) -> PartitionSummary:
    """Add a partition's documents, those of reused runs apart; return its summary, without fingerprints."""
    runs, changes, compared = list(reused.runs), list(reused.changes), dict(reused.compared_tests)
    for one in partition.run_documents(reused, evaluated):
        collector.add(one.documents)
        runs.insert(0, one.run)
        changes[:0] = one.changes
        if one.compared_tests:
            compared[str(one.run["run_id"])] = one.compared_tests
    listed = listed_repositories(partition.catalog)
    repositories = {run["repository"]: listed[run["repository"]] for run in runs if run["repository"] in listed}
    summary = PartitionSummary(runs, changes, compared, repositories=repositories)
    collector.add(partition.archive_pages(summary))
    return summary


def _run_fingerprints(runs: Iterable[int], rows: Iterable[str], repository: SampleRepository | None) -> dict[int, str]:
    """Run id → the fingerprint of its rows and its log, by ascending id; `rows` are the fingerprints of rows."""
    ids = sorted(runs)
    logs = repository.log_fingerprints(ids) if repository else {}
    return {run: f"{of_rows}{logs.get(run, '')}" for run, of_rows in zip(ids, rows, strict=True)}
