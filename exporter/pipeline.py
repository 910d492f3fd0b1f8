"""The export: plan → build → gather → publish."""

import logging
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from exporter import layout, plan, spool
from exporter import state as states
from exporter.builders import gather, history
from exporter.builders.dependencies import changed, partition_views, subject_views
from exporter.builders.feeds import Digest, Feeds, run_lists
from exporter.documents import HistoryEntry, Run
from exporter.errors import ConflictError
from exporter.executor import Workers, start
from exporter.plan import Plan
from exporter.progress import Progress, quiet
from exporter.publish.manifest import CATALOG, Manifest
from exporter.publish.publisher import Base, Changes, Publisher, known
from exporter.publish.store import Store
from exporter.published import Published
from exporter.source.catalog import read_catalog
from exporter.source.database import Database
from exporter.source.fingerprints import fingerprints
from exporter.source.partitions import partitions
from exporter.source.values import Problem
from exporter.spool import Wave
from exporter.state import PartitionState, State, StateLostError
from exporter.tasks import Build, Built, Job, Worker, Write, collect, write

log = logging.getLogger(__name__)

_RELINKED = "its pages lead to others now"

ATTEMPTS = 5
"""How often an export begins again because another one has published meanwhile."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to export, whereto and how.

    Args:
        database_url: the platform's database.
        store: None builds everything and keeps nothing.
        workers: number of processes; 0: in this one.
        result_documents: which results get a document of their own: `all`, `failures` or `none`.
        runs: look for changed rows only in the partitions of these; None: everywhere.
        dry_run: write nothing.
    """

    database_url: str
    store: Store | None
    workers: int
    result_documents: str = "all"
    runs: tuple[int, ...] | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What an export did, or in a dry run would do.

    Args:
        manifest: what is published then.
        plan: what was built, and why.
        written: number of documents written.
        gone: paths that are no longer published.
        problems: number of rows that make no sense.
    """

    manifest: Manifest
    plan: Plan
    written: int
    gone: tuple[str, ...]
    problems: int


def export(settings: Settings, progress: Progress = quiet) -> Report:
    """Export what has changed in the database.

    Raises:
        ExporterError: something is not as it must be; what was published is intact.
    """
    database = Database(settings.database_url)
    database.check()
    publisher = Publisher(settings.store) if settings.store else None
    remember = True
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _attempt(settings, database, publisher, progress, remember=remember)
        except StateLostError:
            log.warning("what is remembered in _state does not fit what is published; building everything again")
            remember = False
        except ConflictError:
            if attempt == ATTEMPTS:
                raise
            log.info("another export has published meanwhile; beginning again from what it published")
    raise AssertionError("unreachable")


def _attempt(
    settings: Settings, database: Database, publisher: Publisher | None, progress: Progress, *, remember: bool
) -> Report:
    base = publisher.whole(publisher.begin()) if publisher else Base(None, "", None, "")
    memory = _Memory(settings, base, remember=remember)
    catalog, problems = read_catalog(database)
    report_problems(problems)
    chosen = None
    if settings.runs is not None and memory.consistent:
        chosen = {layout.partition_of(run) for run in settings.runs}
    rows = fingerprints(database, chosen) if publisher else dict.fromkeys(partitions(database), "")
    todo = plan.make(base, memory.state, memory.feeds, rows, partition_views(catalog), chosen)
    with spool.folder() as folder:
        job = Job(
            settings.database_url,
            catalog,
            folder,
            settings.store,
            settings.result_documents,
            settings.dry_run,
            publisher.owner if publisher else "",
        )
        # A process takes longer to begin than a partition to build.
        with start(job, min(settings.workers, len(todo.build)) if len(todo.build) > 1 else 0) as workers:
            stages = _Stages(job, base, memory, todo, workers, progress)
            odd = stages.read()
            built, tails = stages.build()
            part = stages.gather(tails)
            changes = stages.changes(built, part, rows)
            written = publisher.publish(base, changes) if publisher and not settings.dry_run else changes.writes
    return Report(changes.manifest, stages.plan, written, changes.gone, len(problems) + odd)


class _Memory:
    """What is remembered, as far as it may be believed.

    It is consistent if it speaks of the very snapshot that is published and no export has died since: then what did
    not change need not even be looked at. Otherwise each partition's record may still be right, and the feeds are
    folded again from the records.
    """

    def __init__(self, settings: Settings, base: Base, *, remember: bool) -> None:
        self.data: bytes | None = None
        self.version = ""
        self.state: State | None = None
        self.feeds = Feeds()
        self.consistent = False
        if settings.store is not None:
            state, self.data, self.version = states.load(settings.store, settings.result_documents)
            if remember and state is not None and base.manifest is not None:
                self.state = state
                self.feeds = states.feeds(settings.store, state)
                self.consistent = base.pending is None and state.snapshot == base.manifest.snapshot


class _Stages:
    """The stages of one export; each takes what the one before gave."""

    def __init__(self, job: Job, base: Base, memory: _Memory, todo: Plan, workers: Workers, progress: Progress) -> None:
        self.job, self.base, self.memory, self.plan = job, base, memory, todo
        self.workers, self.progress = workers, progress
        self.feeds = memory.feeds
        self.subjects: Container[str] = gather.Everything()
        self.views = partition_views(job.catalog), subject_views(job.catalog)
        self._touched: list[Digest] = []

    def read(self) -> int:
        """Read the rows of all partitions that are to be built; give the number of those that make no sense.

        A partition whose page of a feed leads to another page now is added to the plan.
        """
        reasons = dict(self.plan.build)
        if not self.memory.consistent:
            self._fold(reasons)
        relinked = self._replace(dict.fromkeys(self.plan.gone))
        reasons |= dict.fromkeys(sorted(relinked - reasons.keys() - set(self.plan.gone)), _RELINKED)
        odd = 0
        todo = sorted(reasons)
        while todo:
            found: dict[int, Digest | None] = {}
            for digest, problems in self.progress("reading", self.workers.map(Worker.read, todo), len(todo)):
                found[digest.partition] = digest if digest.runs else None  # its runs were deleted meanwhile
                report_problems(problems)
                odd += len(problems)
            relinked |= self._replace(found)
            todo = sorted(relinked - reasons.keys() - set(self.plan.gone))
            reasons |= dict.fromkeys(todo, _RELINKED)
        empty = {number for number in reasons if number not in self.feeds.records}
        left = {number: reasons[number] for number in sorted(reasons.keys() - empty)}
        self.plan = Plan(left, tuple(sorted({*self.plan.gone, *empty})))
        if self.memory.consistent and self.memory.state is not None:
            names = {layout.subject_of_feed(name) for digest in self._touched for name in digest.counts}
            names |= {name for digest in self._touched for run in digest.runs for name in run_lists(run)}
            self.subjects = names | changed(self.memory.state.subjects, self.views[1])
        return odd

    def _fold(self, reasons: Mapping[int, str]) -> None:
        """Fold the feeds anew from the records of the partitions that are not to be built."""
        remembered = self.memory.feeds.records
        self.feeds = Feeds()
        for number in sorted(self.memory.state.partitions if self.memory.state else ()):
            if number not in reasons and number not in self.plan.gone:
                self.feeds.replace(number, None, remembered[number].digest)

    def _replace(self, digests: Mapping[int, Digest | None]) -> set[int]:
        """Fold partitions in; give the others whose page of a feed leads to another page now."""
        relinked: set[int] = set()
        for number, new in sorted(digests.items()):
            old = self.feeds.records[number].digest if number in self.feeds.records else None
            self._touched += [digest for digest in (old, new) if digest is not None]
            relinked |= self.feeds.replace(number, old, new)
        if not self.memory.consistent and self.memory.state is not None:
            remembered = self.memory.feeds.records
            kept = self.memory.state.partitions.keys() & self.feeds.records.keys()
            relinked |= {number for number in kept if self.feeds.records[number].before != remembered[number].before}
        return relinked

    def build(self) -> tuple[dict[int, Built], Mapping[int, history.Entries]]:
        """Build all partitions of the plan; with the history entries that gathering needs."""
        needed = history.needed(self.job.catalog, self.feeds, self.subjects)
        tasks = [
            Build(
                number,
                self.feeds.records[number].before,
                frozenset(needed.get(number, ())),
                self.base.hrefs(str(number)),
            )
            for number in self.plan.build
        ]
        built: dict[int, Built] = {}
        tails: dict[int, history.Entries] = {}
        for one, tail in self.progress("building", self.workers.map(Worker.build, tasks), len(tasks)):
            number = int(one.part.name)
            built[number], tails[number] = one, tail
        if self.job.store is not None and self.base.manifest is not None:
            others = {number: tests for number, tests in needed.items() if number not in built}
            tails |= Published(self.job.store, self.base.manifest).tails(others, self.job.catalog, self.feeds)
        return built, tails

    def gather(self, tails: Mapping[int, history.Entries]) -> Built:
        """Build the part over all partitions."""

        def tail(partition: int, test: int) -> list[HistoryEntry]:
            return tails[partition].get(test, [])

        def keep(path: str) -> bool:
            name = layout.subject_of(path)
            return name is not None and name not in self.subjects

        documents = gather.documents(self.job.catalog, self.feeds, self.subjects, tail, self._run_lists())
        entries = frozenset(layout.entry_documents().values())
        return collect(self.job, CATALOG, documents, self.base.hrefs(CATALOG), entries, keep)

    def _run_lists(self) -> dict[str, list[Run]]:
        """The runs, newest first, of each commit and pull request among the subjects."""
        lists: dict[str, dict[int, Run]] = {}
        if isinstance(self.subjects, gather.Everything):
            fresh = [record.digest for record in self.feeds.records.values()]
        else:
            assert self.job.store is not None and self.base.manifest is not None
            fresh = [self.feeds.records[number].digest for number in self.plan.build]
            edited = {*self.plan.build, *self.plan.gone}
            published = Published(self.job.store, self.base.manifest)
            for name in {name for digest in self._touched for run in digest.runs for name in run_lists(run)}:
                lists[name] = {
                    run["run_id"]: run
                    for run in published.runs(name)
                    if layout.partition_of(run["run_id"]) not in edited
                }
        for digest in fresh:
            for run in digest.runs:
                for name in run_lists(run):
                    lists.setdefault(name, {})[run["run_id"]] = run
        return {name: [runs[id_] for id_ in sorted(runs, reverse=True)] for name, runs in lists.items() if runs}

    def changes(self, built: Mapping[int, Built], part: Built, rows: Mapping[int, str]) -> Changes:
        """What is to be published, and remembered."""
        published = self.base.manifest.parts if self.base.manifest else {}
        partitions: dict[int, PartitionState] = dict(self.memory.state.partitions) if self.memory.state else {}
        for number in self.plan.gone:
            partitions.pop(number, None)
        records = {}
        for number, one in built.items():
            record = self.feeds.records[number]
            path, records[path] = states.encode_record(record)
            partitions[number] = PartitionState(
                manifest=one.part.digest,
                rows=rows.get(number, ""),  # not looked at before they were read: the next full plan does
                record=path,
                runs=len(record.digest.runs),
                results=record.digest.results,
                latest=record.digest.runs[0]["run_id"],
            )
        manifest = Manifest(
            catalog=part.part,
            partitions=tuple(
                built[number].part if number in built else published[str(number)] for number in sorted(partitions)
            ),
            latest_run_id=max((one.latest for one in partitions.values()), default=None),
            counts={
                "runs": sum(one.runs for one in partitions.values()),
                "results": sum(one.results for one in partitions.values()),
                "samples": len(self.job.catalog.samples),
                "regression_tests": len(self.job.catalog.tests),
            },
        )
        state = State(
            states.made_by(self.job.result_documents),
            manifest.snapshot,
            partitions,
            *self.views,
            self.feeds.last,
            self.feeds.totals,
            self.feeds.values,
        ).encode()
        gone = [path for one in (*built.values(), part) for path in one.gone]
        for name in self.base.names().difference(manifest.parts):
            gone += known(self.job.store, self.base.hrefs(name)).gone(()) if self.job.store is not None else ()
        return Changes(
            manifest=manifest,
            writes=sum(one.writes for one in (*built.values(), part)),
            gone=tuple(gone),
            waves=(
                self._partitions(built, "new"),
                self._catalog("new"),
                self._partitions(built, "changed"),
                self._catalog("changed"),
            ),
            records=records,
            named_records=frozenset(one.record for one in partitions.values()),
            state=None if state == self.memory.data else state,
            state_version=self.memory.version,
        )

    def _partitions(self, built: Mapping[int, Built], wave: Wave) -> Iterator[int]:
        tasks = [Write(one.part.name, wave) for one in built.values() if one.writes]
        yield from self.progress(f"writing {wave}", self.workers.map(Worker.write, tasks), len(tasks))

    def _catalog(self, wave: Wave) -> Iterator[int]:
        yield write(self.job, CATALOG, wave)


def report_problems(problems: Iterable[Problem]) -> None:
    """Log each row that makes no sense, by table and id; never its values."""
    for problem in problems:
        log.warning("%s %s: %s", problem.table, problem.row, problem.what)
