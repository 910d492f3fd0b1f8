"""The export: plan → build → gather → publish."""

import dataclasses
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
from exporter.documents import digest
from exporter.errors import ConflictError
from exporter.executor import Workers, start
from exporter.fold import Fold
from exporter.plan import Plan
from exporter.progress import Progress, quiet
from exporter.publish.manifest import CATALOG, SITE, Manifest
from exporter.publish.publisher import Base, Changes, Publisher, known
from exporter.publish.store import Store
from exporter.shelf import Records, Shelf, StateLostError
from exporter.source.catalog import read_catalog
from exporter.source.database import Database
from exporter.source.fingerprints import fingerprints
from exporter.source.partitions import partitions
from exporter.source.values import Problem
from exporter.spool import Wave
from exporter.state import KINDS, PartitionState, State
from exporter.tasks import Build, Built, Job, Worker, Write, collect, write

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
    catalog, problems = read_catalog(database)
    report_problems(problems)
    with spool.folder() as folder:
        memory = _Memory(settings, base, folder, remember=remember)
        chosen = None
        if settings.runs is not None and memory.consistent:
            chosen = {layout.partition_of(run) for run in settings.runs}
        rows = fingerprints(database, chosen) if publisher else dict.fromkeys(partitions(database), "")
        todo = plan.make(base, memory.state, memory.feeds, rows, partition_views(catalog), chosen)
        job = Job(
            settings.database_url,
            catalog,
            settings.rules,
            folder,
            settings.store,
            memory.state.partitions if memory.state else {},
            settings.dry_run,
            publisher.owner if publisher else "",
        )
        # A process takes longer to begin than a partition to build.
        with start(job, min(settings.workers, len(todo.build)) if len(todo.build) > 1 else 0) as workers:
            stages = _Stages(job, base, memory, todo, workers, progress)
            odd = stages.read()
            built = stages.build()
            parts = stages.gather()
            changes = stages.changes(built, parts, rows)
            written = publisher.publish(base, changes) if publisher and not settings.dry_run else changes.writes
    return Report(changes.manifest, stages.plan, written, changes.gone, len(problems) + odd)


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

    def read(self) -> int:
        """Read the rows of all partitions that are to be built; give the number of those that make no sense.

        A partition whose page of a feed leads to another page now, or whose runs are held against others now, is
        added to the plan.
        """
        fold = Fold(self.feeds, self.shelf)
        reasons = dict(self.plan.build)
        gone = {number for number in self.plan.gone if number in self.feeds.records}
        fresh, odd = sorted(reasons), 0
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
                    report_problems(problems)
                    odd += len(problems)
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
            fresh = sorted(later.keys() - reasons.keys() - set(self.plan.gone))
            reasons |= {number: later[number] for number in fresh}
            gone = set()
        left = {number: reasons[number] for number in sorted(reasons) if number in self.feeds.records}
        self.plan = Plan(left, tuple(sorted({*self.plan.gone, *(reasons.keys() - left.keys())})))
        if self.memory.consistent and self.memory.state is not None:
            names = set(map(layout.subject_of_feed, fold.touched))
            self.subjects = names | changed(self.memory.state.subjects, self.views[1])
        return odd

    def build(self) -> dict[int, Built]:
        """Build all partitions of the plan."""
        tasks = (
            Build(number, self.feeds.records[number].before, self.base.hrefs(str(number))) for number in self.plan.build
        )
        built = {}
        answers = self.workers.map(Worker.build, tasks)
        for one, past, named in self.progress("building", answers, len(self.plan.build)):
            number = int(one.part.name)
            built[number], self.pasts[number] = one, past
            self.shelf.forget(number)
            self.feeds.extend(number, named)
        return built

    def gather(self) -> tuple[Built, Built]:
        """Build the parts over all partitions: the catalogue's and the site."""

        def keep(path: str) -> bool:
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
        catalog = collect(self.job, CATALOG, gather.documents(), self.base.hrefs(CATALOG), entries, keep)
        pages = dict(site.documents(self.job.rules.main, gather.finished()))
        known_pages = frozenset(path for path in pages if not layout.is_asset(path))
        return catalog, collect(self.job, SITE, pages.items(), self.base.hrefs(SITE), known_pages)

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
        )
        data = state.encode()
        gone = [path for one in (*built.values(), *parts) for path in one.gone]
        for name in self.base.names().difference(manifest.parts):
            gone += known(self.job.store, self.base.hrefs(name)).gone(()) if self.job.store is not None else ()
        return Changes(
            manifest=manifest,
            writes=sum(one.writes for one in (*built.values(), *parts)),
            gone=tuple(gone),
            waves=(
                self._partitions(built, "new"),
                self._gathered("new"),
                self._partitions(built, "changed"),
                self._gathered("changed"),
            ),
            records=files,
            named_records=frozenset(state.files()),
            state=None if data == self.memory.data else data,
            state_version=self.memory.version,
        )

    def _partitions(self, built: Mapping[int, Built], wave: Wave) -> Iterator[int]:
        tasks = [Write(one.part.name, wave) for one in built.values() if one.writes]
        yield from self.progress(f"writing {wave}", self.workers.map(Worker.write, tasks), len(tasks))

    def _gathered(self, wave: Wave) -> Iterator[int]:
        yield write(self.job, CATALOG, wave)
        yield write(self.job, SITE, wave)


def report_problems(problems: Iterable[Problem]) -> None:
    """Log each row that makes no sense, by table and id; never its values."""
    for problem in problems:
        log.warning("%s %s: %s", problem.table, problem.row, problem.what)
