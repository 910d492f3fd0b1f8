"""The export: plan → build → gather → publish."""

import contextlib
import dataclasses
import itertools
import logging
import pathlib
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from exporter import layout, plan, spool
from exporter import state as states
from exporter.builders import site
from exporter.builders.dependencies import changed, partition_views, subject_views
from exporter.builders.feeds import Feeds
from exporter.builders.gather import Everything, Gather
from exporter.builders.lines import Main
from exporter.builders.partition import Rules
from exporter.builders.results import Pair
from exporter.documents import Document, digest
from exporter.errors import ConflictError
from exporter.executor import Workers, start
from exporter.fold import Fold
from exporter.plan import Plan
from exporter.progress import Progress, quiet
from exporter.publish.manifest import CATALOG, SITE, Known, Manifest
from exporter.publish.publisher import Base, Changes, Publisher
from exporter.publish.store import Store
from exporter.shelf import Records, Shelf, StateLostError
from exporter.source.catalog import read_catalog
from exporter.source.database import Database
from exporter.source.files import SampleRepository
from exporter.source.fingerprints import fingerprints
from exporter.source.partitions import partitions
from exporter.source.values import Problem
from exporter.spool import Wave
from exporter.state import KINDS, PartitionState, State
from exporter.tasks import Build, Built, Job, Worker, Write, collect, held, write

log = logging.getLogger(__name__)

_RELINKED = "its pages lead to others now"
_PAST = "what came before its runs has changed"

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
        main: which line is the main line.
        sample_repository: the folder that holds `TestResults/` and `LogFiles/`.
        runs: look for changed rows only in the partitions of these; None: everywhere.
        dry_run: write nothing.
    """

    database_url: str
    store: Store | None
    workers: int
    result_documents: str = "all"
    main: Main = Main()  # noqa: RUF009 - immutable
    sample_repository: pathlib.Path | None = None
    runs: tuple[int, ...] | None = None
    dry_run: bool = False

    @property
    def rules(self) -> Rules:
        """What documents depend on beside rows."""
        return Rules(self.result_documents, self.main, self.sample_repository is not None)


@dataclass(frozen=True, slots=True)
class Report:
    """What an export did, or in a dry run would do.

    Args:
        manifest: what is published then.
        plan: what was built, and why.
        written: number of documents written.
        writes: part of the manifest → how many of those were new, and how many changed.
        gone: paths that are no longer published.
        problems: number of rows that make no sense.
    """

    manifest: Manifest
    plan: Plan
    written: int
    writes: Mapping[str, Mapping[Wave, int]]
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
    catalog, problems = read_catalog(database)
    report_problems(problems)
    with spool.folder() as folder, contextlib.ExitStack() as checks:
        memory = _Memory(settings, base, folder, remember=remember)
        checks.enter_context(_not_overtaken(settings.store, memory.version))
        chosen = None
        if settings.runs is not None and memory.consistent:
            chosen = {layout.partition_of(run) for run in settings.runs}
        rows = dict.fromkeys(partitions(database), "") if publisher is None else fingerprints(database, chosen)
        if publisher is not None and settings.sample_repository is not None:
            rows = _with_logs(rows, SampleRepository(settings.sample_repository), chosen)
        todo = plan.make(base, memory.state, memory.feeds, rows, partition_views(catalog), chosen)
        job = Job(
            settings.database_url,
            catalog,
            settings.rules,
            folder,
            settings.store,
            memory.state.partitions if memory.state else {},
            settings.sample_repository,
            settings.dry_run,
            publisher.owner if publisher else "",
        )
        # A process takes longer to begin than a partition to build.
        with start(job, min(settings.workers, len(todo.build)) if len(todo.build) > 1 else 0) as workers:
            stages = _Stages(job, base, memory, todo, workers, progress)
            stages.read()
            built = stages.build()
            parts = stages.gather()
            changes = stages.changes(built, parts, rows)
            written = publisher.publish(base, changes) if publisher and not settings.dry_run else changes.writes
    writes = {one.part.name: one.writes for one in (*built.values(), *parts)}
    return Report(changes.manifest, stages.plan, written, writes, changes.gone, len(problems) + stages.odd)


@contextlib.contextmanager
def _not_overtaken(store: Store | None, version: str) -> Iterator[None]:
    """Tell a state that is lost from one that another export has replaced meanwhile; `version` is the state's."""
    try:
        yield
    except StateLostError:
        if store is not None and version != states.version(store):
            raise ConflictError("another export has published meanwhile") from None
        raise


def _with_logs(rows: Mapping[int, str], files: SampleRepository, chosen: Container[int] | None) -> dict[int, str]:
    """Fingerprints of partitions with those of their runs' logs."""
    marks: dict[int, list[str]] = {number: [] for number in rows}
    runs = None
    if chosen is not None:
        runs = [number * layout.PARTITION_SIZE + place for number in rows for place in range(layout.PARTITION_SIZE)]
    for run, mark in sorted(files.log_marks(runs).items()):
        if (number := layout.partition_of(run)) in marks:
            marks[number].append(f"{run}:{mark}")
    return {number: f"{rows[number]}/{digest(' '.join(found).encode())[:12]}" for number, found in marks.items()}


class _Memory:
    """What is remembered, as far as it may be believed.

    It is consistent if it speaks of the very snapshot that is published and no export has died since: then what did
    not change need not even be looked at. Otherwise what it says of partitions may still be right.
    """

    def __init__(self, settings: Settings, base: Base, folder: pathlib.Path, *, remember: bool) -> None:
        self.data: bytes | None = None
        self.version = ""
        self.state: State | None = None
        self.consistent = False
        if settings.store is not None:
            state, self.data, self.version = states.load(settings.store, settings.rules)
            if remember and state is not None and base.manifest is not None:
                self.state = state
                self.consistent = base.pending is None and state.snapshot == base.manifest.snapshot
        remembered = self.state.partitions if self.state else {}
        self.shelf = Shelf(folder, settings.store, remembered)
        self.feeds = Feeds(Records(self.shelf, iter(remembered)))
        if self.state is not None:
            self.feeds.last.update(self.state.last)
            self.feeds.totals.update(self.state.totals)
            self.feeds.values |= {facet: dict(counts) for facet, counts in self.state.values.items()}


class _Stages:
    """The stages of one export; each takes what the one before gave."""

    def __init__(self, job: Job, base: Base, memory: _Memory, todo: Plan, workers: Workers, progress: Progress) -> None:
        self.job, self.base, self.memory, self.plan = job, base, memory, todo
        self.workers, self.progress = workers, progress
        self.feeds, self.shelf = memory.feeds, memory.shelf
        self.subjects: Container[str] = Everything()
        self.views = partition_views(job.catalog), subject_views(job.catalog)
        self.pasts: dict[int, str] = {}
        self.incomplete: set[str] = set()
        self.odd = 0

    def read(self) -> None:
        """Read the rows of all partitions that are to be built.

        A partition whose page of a feed leads to another page now, or whose runs are held against others now, is
        added to the plan.
        """
        fold = Fold(self.feeds, self.shelf)
        reasons = dict(self.plan.build)
        gone = {number for number in self.plan.gone if number in self.feeds.records}
        fresh = sorted(reasons)
        while fresh or gone:
            answers = iter(self.progress("reading", self.workers.map(Worker.read, fresh), len(fresh)))
            first = min((*fresh, *gone))
            later: dict[int, str] = {}
            for number in sorted(one for one in {*self.feeds.records, *fresh} if one >= first):
                relinked: set[int] = set()
                if number in gone:
                    relinked = fold.remove(number)
                elif number in fresh:
                    found, problems = next(answers)
                    self._report(problems)
                    self.shelf.forget(number)
                    # Its runs may have been deleted meanwhile.
                    relinked = fold.replace(number, found) if found.runs else fold.remove(number)
                elif number in reasons:
                    relinked = fold.again(number)
                else:
                    self.pasts[number] = fold.keep(number)
                    if self.memory.state is None or self.pasts[number] != self.memory.state.partitions[number].past:
                        later[number] = _PAST
                later |= dict.fromkeys(relinked - later.keys(), _RELINKED)
            next(answers, None)  # so that the stage is seen to end
            fresh = sorted(later.keys() - reasons.keys() - set(self.plan.gone))
            reasons |= {number: later[number] for number in fresh}
            gone = set()
        left = {number: reasons[number] for number in sorted(reasons) if number in self.feeds.records}
        self.plan = Plan(left, tuple(sorted({*self.plan.gone, *(reasons.keys() - left.keys())})))
        if self.memory.consistent and self.memory.state is not None:
            names = set(map(layout.subject_of_feed, fold.touched))
            self.subjects = names | changed(self.memory.state.subjects, self.views[1])

    def build(self) -> dict[int, Built]:
        """Build all partitions of the plan."""
        tasks = (
            Build(number, self.feeds.records[number].before, self.base.hrefs(str(number))) for number in self.plan.build
        )
        built = {}
        answers = self.workers.map(Worker.build, tasks)
        for one in self.progress("building", answers, len(self.plan.build)):
            number = int(one.built.part.name)
            built[number], self.pasts[number] = one.built, one.past
            self.shelf.forget(number)
            self.feeds.extend(number, one.named)
            self._report(one.problems)
        return built

    def _report(self, problems: list[Problem]) -> None:
        report_problems(problems)
        self.odd += len(problems)

    def gather(self) -> tuple[Built, Built]:
        """Build the parts over all partitions: the catalogue's and the site."""
        hrefs = self.base.hrefs(CATALOG)
        before = held(self.job, hrefs)
        if self.memory.state is not None and not before.published:
            raise StateLostError
        compared = self._compare(before)

        def keep(path: str) -> bool:
            if path.startswith(layout.DIFFS):
                return path in self.feeds.totals
            name = layout.subject_of(path)
            return name is not None and name not in self.subjects

        shelf = self.shelf
        gather = Gather(
            self.job.catalog,
            self.job.rules.main,
            self.feeds,
            self.subjects,
            shelf.matrix,
            shelf.told,
            shelf.lines,
        )
        entries = frozenset(layout.entry_documents().values())
        documents = itertools.chain(compared, gather.documents())
        catalog = collect(self.job, CATALOG, documents, hrefs, before, entries, keep)
        pages = dict(site.documents(self.job.rules.main, gather.finished()))
        known_pages = frozenset(path for path in pages if not layout.is_asset(path))
        hrefs = self.base.hrefs(SITE)
        return catalog, collect(self.job, SITE, pages.items(), hrefs, held(self.job, hrefs), known_pages)

    def _compare(self, before: Known) -> Iterator[Document]:
        """Compare the contents of which no comparison is published, or only one that lacked a content."""
        state = self.memory.state
        again = set(state.incomplete) if state else set()
        wanted = [
            path
            for path in self.feeds.totals
            if path.startswith(layout.DIFFS) and (state is None or path in again or path not in before.published)
        ]
        pairs = (Pair(*self.feeds.records[self.feeds.last[path]].digest.diffs[path]) for path in wanted)
        answers = self.workers.map(Worker.compare, pairs)
        for one in self.progress("comparing", answers, len(wanted)):
            self._report(one.problems)
            if one.incomplete:
                self.incomplete.add(one.document[0])
            yield one.document

    def changes(self, built: Mapping[int, Built], parts: tuple[Built, Built], rows: Mapping[int, str]) -> Changes:
        """What is to be published, and remembered."""
        catalog, pages = parts
        published = self.base.manifest.parts if self.base.manifest else {}
        remembered = self.memory.state.partitions if self.memory.state else {}
        partitions: dict[int, PartitionState] = {}
        files: dict[str, pathlib.Path] = {}
        fresh = self.shelf.fresh()
        for number in sorted({*remembered, *built} - set(self.plan.gone)):
            old = remembered.get(number)
            shelf = list(old.shelf if old else [""] * len(KINDS))
            for kind, file in fresh.get(number, {}).items():
                name = digest(file.read_bytes())
                if shelf[KINDS.index(kind)] != name:
                    shelf[KINDS.index(kind)] = name
                    files[layout.state_record(number, kind, name)] = file
            past = self.pasts.get(number, old.past if old else "")
            if number in built:
                about = self.feeds.records[number].digest
                # What was not looked at before it was read, the next full plan looks at.
                found, counts = rows.get(number, ""), (about.runs, about.results, about.latest)
                partitions[number] = PartitionState(built[number].part.digest, found, past, tuple(shelf), *counts)
            elif old is not None:
                partitions[number] = dataclasses.replace(old, past=past, shelf=tuple(shelf))
        manifest = Manifest(
            catalog=catalog.part,
            site=pages.part,
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
            states.made_by(self.job.rules),
            manifest.snapshot,
            partitions,
            *self.views,
            self.feeds.last,
            self.feeds.totals,
            self.feeds.values,
            tuple(sorted(self.incomplete)),
        )
        data = state.encode()
        gone = [path for one in (*built.values(), *parts) for path in one.gone]
        for name in self.base.names().difference(manifest.parts):
            gone += held(self.job, self.base.hrefs(name)).gone(())
        return Changes(
            manifest=manifest,
            writes=sum(sum(one.writes.values()) for one in (*built.values(), *parts)),
            gone=tuple(gone),
            waves=(
                self._partitions(built, "new"),
                self._gathered("new"),
                self._partitions(built, "changed"),
                self._gathered("changed"),
            ),
            records=files,
            named_records=frozenset(state.files()),
            # What could not be believed is written again, with all that it names, though it be the same.
            state=None if self.memory.state is not None and data == self.memory.data else data,
            state_version=self.memory.version,
        )

    def _partitions(self, built: Mapping[int, Built], wave: Wave) -> Iterator[int]:
        tasks = [Write(one.part.name, wave) for one in built.values() if one.writes[wave]]
        yield from self.progress(f"writing {wave}", self.workers.map(Worker.write, tasks), len(tasks))

    def _gathered(self, wave: Wave) -> Iterator[int]:
        yield write(self.job, CATALOG, wave)
        yield write(self.job, SITE, wave)


def report_problems(problems: Iterable[Problem]) -> None:
    """Log each row that makes no sense, by table and id; never its values."""
    for problem in problems:
        log.warning("%s %s: %s", problem.table, problem.row, problem.what)
