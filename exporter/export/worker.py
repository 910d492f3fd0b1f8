"""What a worker does for one partition: read it, build it, write it.

A worker is a process of its own, or the pipeline's. It gets the `Job` once, and then small values: a partition's
number and what the partitions before it mean for its documents. Rows and documents go through the spool, so that
memory does not grow with the history, and a partition's documents are built from the rows that its digest was made
from, whatever the database has done in between.
"""

import functools
import itertools
import pathlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from exporter import paths
from exporter.builders import diffs
from exporter.builders.feeds import PartitionStats
from exporter.builders.partition import Earlier, Partition, PartitionSummary, Rules, changed_lists
from exporter.documents.encoding import Document, digest, encode
from exporter.export.work_dir import Spool, WritePhase, take
from exporter.paths import stored
from exporter.publish.lease import check_lease
from exporter.publish.manifest import Documents, Part, PartContents, encode_part
from exporter.publish.publisher import PartManifests, known
from exporter.publish.store import Store
from exporter.rules.lineage import Lineages, compared_lineages, fingerprint
from exporter.rules.outcomes import Pair, Results
from exporter.source.catalog import Catalog
from exporter.source.database import Database
from exporter.source.partitions import RunRows, dump, load, read_partition
from exporter.source.row_values import InvalidRow
from exporter.source.sample_repository import SampleRepository, log_name
from exporter.state.partition_store import PartitionStore
from exporter.state.state_file import PartitionState


@dataclass(frozen=True, slots=True)
class Job:
    """What all tasks of one export share. Without a store documents are built, and nothing is kept of them.

    `remembered` is what the store's plan names; `owner` is the export's name in the lease, without which its workers
    write no documents.
    """

    database_url: str
    catalog: Catalog
    rules: Rules
    spool: pathlib.Path
    store: Store | None
    remembered: Mapping[int, PartitionState]
    sample_repository: pathlib.Path | None = None
    dry_run: bool = False
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Build:
    """Asks for one partition's documents.

    Args:
        partition: its number.
        before: feed name → the partition of its page before this one's.
        hrefs: the manifests of what the store may hold of it.
        consistent: whether what is published is what is remembered.
        afresh: whether it shows something of the catalogue that has changed, so that none of its documents stays.
    """

    partition: int
    before: Mapping[str, int]
    hrefs: PartManifests
    consistent: bool
    force_rebuild: bool


class Compared(NamedTuple):
    """A comparison of contents: its document, whether a content was not there, and what made no sense."""

    document: Document
    incomplete: bool
    problems: list[InvalidRow]


@dataclass(frozen=True, slots=True)
class Built:
    """A part that was built: how it stands in the manifest, how many documents are to write, which are gone."""

    part: Part
    writes: Mapping[WritePhase, int]
    gone: tuple[str, ...]


class BuiltPartition(NamedTuple):
    """A partition that was built.

    Args:
        built: its part.
        past: the fingerprint of what it tells of the runs before it.
        named: keys of what it shows of the catalogue beside what its digest says.
        lists: if it is known what it told before, the lists in which that differs.
        problems: what made no sense in the sample repository.
    """

    built: Built
    past: str
    named: list[str]
    lists: set[str]
    problems: list[InvalidRow]


class Write(NamedTuple):
    """Asks for one wave of a part's documents to be written."""

    name: str
    wave: WritePhase


class Worker:
    """Does the tasks of one job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._database = Database(job.database_url)
        self._results = Results(job.catalog, diffs=job.rules.files)
        self._shelf = PartitionStore(job.spool, job.store, job.remembered)

    def close(self) -> None:
        """Close the connections to the database."""
        self._database.close()

    def read(self, number: int) -> tuple[PartitionStats, list[InvalidRow]]:
        """Read a partition, keep its rows in the spool, give its digest and the rows that make no sense."""
        rows, problems = read_partition(self._database, number, self._job.catalog.forks)
        self._rows(number).write_bytes(dump(rows))
        partition = self._partition(number, rows, problems)
        matrix = partition.matrix()
        self._shelf.put("matrix", number, matrix)
        self._shelf.put("stretch", number, partition.lines(matrix))
        return partition.digest(), problems

    def build(self, task: Build) -> BuiltPartition:
        """Build a partition from the spool."""
        number, problems = task.partition, list[InvalidRow]()
        file = self._rows(number)
        rows = file.read_bytes().splitlines()
        file.unlink()
        self._shelf.forget(number)
        past, matrix = self._shelf.past(number), self._shelf.matrix(number)
        files = self._files(problems)
        before, marks = held(self._job, task.hrefs), _marks(matrix.runs, rows, files)
        previous_summary = self._shelf.previous_summary(number) if task.consistent else None
        told = PartitionSummary(marks=list(marks.values()))
        if (
            previous_summary is not None
            and before.published
            and not task.force_rebuild
            and self._past_stays(number, past)
        ):
            pairs = zip(previous_summary.marks, told.marks, strict=False)
            same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
            told = previous_summary.until(same, told.marks)
        stay = frozenset(str(run["run_id"]) for run in told.runs)
        partition = self._partition(number, load(rows[len(stay) :]))
        earlier = Earlier(task.before, past, self._shelf.matrix)
        documents = partition.documents(matrix, earlier, files.log if files else None, told)
        built = collect(
            self._job, str(number), documents, task.hrefs, before, keep=lambda path: paths.is_of_run(path, stay)
        )
        unread = {problem.row for problem in problems}
        told.marks = ["" if log_name(run) in unread else mark for run, mark in marks.items()]
        self._shelf.put("told", number, told)
        named = [key for keys in told.named.values() for key in keys]
        lists = changed_lists(previous_summary, told, self._job.rules.main) if task.consistent else set[str]()
        return BuiltPartition(built, fingerprint(past), named, lists, problems)

    def _past_stays(self, number: int, past: Lineages) -> bool:
        """Whether what a partition told of the runs before it is as it was.

        A run's documents come from its rows and its log, from what they show of the catalogue, and from the runs before
        it. So they stay up to the first run of which any of this is not as it was.
        """
        stretches = self._shelf.previous_stretch(number)
        tests = {test for stretch in stretches.values() for test in stretch.tests}
        same = {name: past[name].of(tests) for name in compared_lineages(stretches) if name in past}
        return fingerprint(same) == self._job.remembered[number].past

    def compare(self, pair: Pair) -> Compared:
        """Compare two contents of the sample repository."""
        problems: list[InvalidRow] = []
        files = self._files(problems)
        contents = [
            files.output(content, pair.extension, diffs.MAX_SIZE) if files else None
            for content in (pair.expected, pair.got)
        ]
        found = diffs.document(*contents)
        return Compared((paths.diff(*pair), encode(found)), None in contents, problems)

    def write(self, task: Write) -> int:
        """Write one wave of a part's documents to the store; give the number written."""
        return write(self._job, *task)

    def _files(self, problems: list[InvalidRow]) -> SampleRepository | None:
        root = self._job.sample_repository
        return None if root is None else SampleRepository(root, problems)

    def _partition(self, number: int, rows: list[RunRows], problems: list[InvalidRow] | None = None) -> Partition:
        return Partition(number, rows, self._job.catalog, self._job.rules, self._results, problems)

    def _rows(self, number: int) -> pathlib.Path:
        return self._job.spool / f"{number}.rows"


def _marks(runs: Iterable[int], rows: Iterable[bytes], files: SampleRepository | None) -> dict[int, str]:
    """Run id → what changes with its rows and its log, by ascending id."""
    ids = sorted(runs)
    logs = files.log_marks(ids) if files else {}
    return {run: f"{digest(line)[:16]}{logs.get(run, '')}" for run, line in zip(ids, rows, strict=True)}


def held(job: Job, hrefs: PartManifests) -> PartContents:
    """What the job's store may hold of a part; nothing without a store."""
    return known(job.store, hrefs) if job.store is not None else PartContents({}, ())


def collect(
    job: Job,
    name: str,
    documents: Iterable[Document],
    hrefs: PartManifests,
    before: PartContents,
    entries: frozenset[str] = frozenset(),
    keep: Callable[[str], bool] = lambda _: False,
) -> Built:
    """List a part's documents in its manifest, and keep in the spool those that the store may not hold.

    Args:
        job: says where the spool and the store are. The manifest is written at once: nothing names it yet.
        name: the part's.
        documents: all of them, each path once.
        hrefs: the manifests of what the store may hold of it.
        before: what they name.
        entries: paths that readers know without a link; these are never written among the new ones.
        keep: whether a published document that is not among these stays as it is.
    """
    listed: Documents = {}
    store = job.store
    if store is None:
        for path, data in documents:
            listed[path] = [digest(data), len(data)]
        return Built(encode_part(name, listed)[0], {}, ())
    with Spool(job.spool, name) as spool:
        for document in documents:
            path, data = document
            entry = listed[path] = [digest(data), len(data)]
            if not before.holds(path, entry):
                reached = path in before.published or path in entries or _was_written(store, before, path)
                spool.add("changed" if reached else "new", document)
    for path, kept in before.published.items():
        if path not in listed and keep(path):
            listed[path] = kept
    part, data = encode_part(name, listed)
    if (part.href != hrefs.published or not before.published) and not job.dry_run:
        store.write([(stored(part.href), data)])
    return Built(part, spool.counts, tuple(before.gone(listed)))


def _was_written(store: Store, before: PartContents, path: str) -> bool:
    """Whether an export that died has written a new document: then it may also have written links to it."""
    return any(path in documents for documents in before.pending) and store.get(stored(path)) is not None


def write(job: Job, name: str, wave: WritePhase) -> int:
    """Write one wave of a part's documents from the spool to the store; give the number written."""
    assert job.store is not None
    documents = ((stored(path), data) for path, data in take(job.spool, name, wave))
    return job.store.write(documents, functools.partial(check_lease, job.store, job.owner))
