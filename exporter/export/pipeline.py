"""The export: plan → build → gather → publish."""

import contextlib
import itertools
import logging
import pathlib
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from exporter import paths
from exporter.builders import targets
from exporter.builders.aggregate import Aggregate
from exporter.builders.dependencies import DependencyFingerprints, changed, partition_fingerprints, target_fingerprints
from exporter.builders.partition import Rules, changed_lists
from exporter.builders.targets import AllTargets, DirtyTargets
from exporter.documents.encoding import Document, digest
from exporter.errors import ConflictError
from exporter.export import plan, work_dir
from exporter.export.executor import Workers, start
from exporter.export.plan import Plan
from exporter.export.prefix_scan import PrefixScan
from exporter.export.work_dir import WritePhase
from exporter.export.worker import Build, Built, Job, Worker, Write, collect, held, write
from exporter.progress import Progress, quiet
from exporter.publish.manifest import CATALOG, SITE, Manifest, PartContents
from exporter.publish.publisher import Changes, PartManifests, PublishedState, Publisher
from exporter.publish.store import Store
from exporter.rules.lineage import MainLine
from exporter.rules.outcomes import Pair
from exporter.source.catalog import read_catalog
from exporter.source.database import Database
from exporter.source.fingerprints import fingerprints
from exporter.source.partitions import partitions
from exporter.source.row_values import InvalidRow
from exporter.source.sample_repository import SampleRepository
from exporter.state import state_file as states
from exporter.state.incremental import IncrementalState
from exporter.state.partition_store import StateLostError

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
    main: MainLine = MainLine()  # noqa: RUF009 - immutable
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
    writes: Mapping[str, Mapping[WritePhase, int]]
    gone: tuple[str, ...]
    problems: int


def export(settings: Settings, progress: Progress = quiet) -> Report:
    """Export what has changed in the database.

    Raises:
        ExporterError: something is not as it must be; what was published is intact.
    """
    with contextlib.closing(Database(settings.database_url)) as database:
        database.check()
        return _export(settings, database, progress)


def _export(settings: Settings, database: Database, progress: Progress) -> Report:
    publisher = Publisher(settings.store) if settings.store else None
    believe = True
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _attempt(settings, database, publisher, progress, believe=believe)
        except StateLostError:
            log.warning("what is remembered in _state does not fit what is published; building everything again")
            believe = False
        except ConflictError:
            if attempt == ATTEMPTS:
                raise
            log.info("another export has published meanwhile; beginning again from what it published")
    raise AssertionError("unreachable")


def _attempt(
    settings: Settings, database: Database, publisher: Publisher | None, progress: Progress, *, believe: bool
) -> Report:
    base = publisher.whole(publisher.begin()) if publisher else PublishedState(None, "", None, "")
    catalog, problems = read_catalog(database)
    report_problems(problems)
    with work_dir.folder() as folder, contextlib.ExitStack() as checks:
        memory = IncrementalState(settings.store, settings.rules, base, folder, believe=believe)
        checks.enter_context(_not_overtaken(settings.store, memory.version))
        chosen = None
        if settings.runs is not None and memory.consistent:
            chosen = {paths.partition_of(run) for run in settings.runs}
        rows = dict.fromkeys(partitions(database), "") if publisher is None else fingerprints(database, chosen)
        if publisher is not None and settings.sample_repository is not None:
            files = SampleRepository(settings.sample_repository)
            if base.manifest is not None:
                files.check()
            rows = _with_logs(rows, files, chosen)
        views = partition_fingerprints(catalog), target_fingerprints(catalog)
        todo = plan.make(base, memory.state, memory.feeds, rows, views[0], chosen)
        job = Job(
            settings.database_url,
            catalog,
            settings.rules,
            folder,
            settings.store,
            memory.partitions,
            settings.sample_repository,
            settings.dry_run,
            publisher.owner if publisher else "",
        )
        # A process takes longer to begin than a partition to build.
        with start(job, min(settings.workers, len(todo.build)) if len(todo.build) > 1 else 0) as workers:
            stages = _Stages(job, base, memory, todo, views, workers, progress)
            stages.read()
            built = stages.build()
            parts = stages.gather(built)
            changes = stages.changes(built, parts, rows, quick=chosen is not None)
            written = publisher.publish(base, changes) if publisher and not settings.dry_run else changes.writes
    writes = {one.part.name: one.writes for one in (*built.values(), *parts)}
    return Report(changes.manifest, stages.plan, written, writes, changes.gone, len(problems) + stages.odd)


@contextlib.contextmanager
def _not_overtaken(store: Store | None, version: str) -> Iterator[None]:
    """Tell a state that is lost from one that another export has replaced meanwhile; `version` is the state's."""
    try:
        yield
    except StateLostError:
        if store is not None and version != states.load(store).version:
            raise ConflictError("another export has published meanwhile") from None
        raise


def _with_logs(rows: Mapping[int, str], files: SampleRepository, chosen: Container[int] | None) -> dict[int, str]:
    """Fingerprints of partitions with those of their runs' logs."""
    marks: dict[int, list[str]] = {number: [] for number in rows}
    runs = None
    if chosen is not None:
        runs = [number * paths.PARTITION_SIZE + place for number in rows for place in range(paths.PARTITION_SIZE)]
    for run, mark in sorted(files.log_marks(runs).items()):
        if (number := paths.partition_of(run)) in marks:
            marks[number].append(f"{run}:{mark}")
    return {number: f"{rows[number]}/{digest(' '.join(found).encode())[:12]}" for number, found in marks.items()}


class _Stages:
    """The stages of one export; each takes what the one before gave."""

    def __init__(
        self,
        job: Job,
        base: PublishedState,
        memory: IncrementalState,
        todo: Plan,
        views: tuple[DependencyFingerprints, DependencyFingerprints],
        workers: Workers,
        progress: Progress,
    ) -> None:
        self.job, self.base, self.memory, self.plan, self.views = job, base, memory, todo, views
        self.workers, self.progress = workers, progress
        self.feeds, self.shelf = memory.feeds, memory.shelf
        self.folded: set[str] = set()
        self.relisted: set[str] = set()
        self.pasts: dict[int, str] = {}
        self.incomplete: set[str] = set()
        self.odd = 0

    def read(self) -> None:
        """Read the rows of all partitions that are to be built.

        A partition whose page of a feed leads to another page now, or whose runs are held against others now, is
        added to the plan.
        """
        fold, remembered = PrefixScan(self.feeds, self.shelf), self.memory.partitions
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
                    if number not in remembered or self.pasts[number] != remembered[number].past:
                        later[number] = _PAST
                later |= dict.fromkeys(relinked - later.keys(), _RELINKED)
            next(answers, None)  # so that the stage is seen to end
            fresh = sorted(later.keys() - reasons.keys() - set(self.plan.gone))
            reasons |= {number: later[number] for number in fresh}
            gone = set()
        left = {number: reasons[number] for number in sorted(reasons) if number in self.feeds.records}
        gone = {*self.plan.gone, *(reasons.keys() - left.keys())}
        self.plan = Plan(left, tuple(sorted(gone)), self.plan.force_rebuild)
        self.folded = fold.touched

    def build(self) -> dict[int, Built]:
        """Build all partitions of the plan."""
        tasks = (
            Build(
                number,
                self.feeds.records[number].before,
                self.base.hrefs(str(number)),
                self.memory.consistent,
                number in self.plan.force_rebuild,
            )
            for number in self.plan.build
        )
        built = {}
        answers = self.workers.map(Worker.build, tasks)
        for one in self.progress("building", answers, len(self.plan.build)):
            number = int(one.built.part.name)
            built[number], self.pasts[number] = one.built, one.past
            self.shelf.forget(number)
            self.feeds.extend(number, one.named)
            self.relisted |= one.lists
            self._report(one.problems)
        return built

    def _report(self, problems: list[InvalidRow]) -> None:
        report_problems(problems)
        self.odd += len(problems)

    def _touched(self) -> DirtyTargets:
        """What may have changed of what goes over all partitions."""
        state = self.memory.state
        if state is None or not self.memory.consistent:
            return AllTargets()
        touched = {targets.of_feed(name) for name in self.folded if not targets.lists_runs(name)}
        for number in self.plan.gone:
            touched |= changed_lists(self.shelf.previous_summary(number), None, self.job.rules.main)
        return touched | self.relisted | changed(state.subjects, self.views[1])

    def gather(self, built: Iterable[int]) -> tuple[Built, Built]:
        """Build the parts over all partitions: the catalogue's and the site."""
        touched = self._touched()
        hrefs, before = self._held(CATALOG)
        compared = self._compare(before, built)

        def keep(path: str) -> bool:
            if path.startswith(paths.DIFFS):
                return path not in self.feeds.ended if self.memory.consistent else path in self.feeds.ends
            name = targets.of_document(path)
            return name is not None and name not in touched

        shelf = self.shelf
        gather = Aggregate(
            self.job.catalog,
            self.job.rules.main,
            self.feeds,
            touched,
            shelf.matrix,
            shelf.told,
            shelf.lines,
        )
        entries = frozenset(paths.entry_documents().values())
        documents = itertools.chain(compared, gather.documents())
        catalog = collect(self.job, CATALOG, documents, hrefs, before, entries, keep)
        hrefs, before = self._held(SITE)
        pages = dict(gather.site())
        known_pages = frozenset(path for path in pages if not paths.is_asset(path))
        return catalog, collect(self.job, SITE, pages.items(), hrefs, before, known_pages, keep)

    def _held(self, name: str) -> tuple[PartManifests, PartContents]:
        """The manifests of what the store may hold of a part, and what they name."""
        hrefs = self.base.hrefs(name)
        before = held(self.job, hrefs)
        if self.memory.state is not None and not before.published:
            raise StateLostError
        return hrefs, before

    def _compare(self, before: PartContents, built: Iterable[int]) -> Iterator[Document]:
        """Compare the contents of which no comparison is published, or only one that lacked a content."""
        ends, records = self.feeds.ends, self.feeds.records
        again = set(self.memory.state.incomplete) if self.memory.state else set()
        if self.memory.consistent:
            found = dict.fromkeys(path for number in built for path in records[number].digest.diffs)
            found |= dict.fromkeys(path for path in sorted(again) if path in ends)
        else:
            found = dict.fromkeys(path for path in ends if path.startswith(paths.DIFFS))
            # An export that died after its manifest was published has not said which of its comparisons may get more.
            again |= {path for number in built for path in records[number].digest.diffs}
        wanted = [path for path in found if self.memory.state is None or path in again or path not in before.published]
        pairs = (Pair(*records[ends[path].last].digest.diffs[path]) for path in wanted)
        answers = self.workers.map(Worker.compare, pairs)
        for one in self.progress("comparing", answers, len(wanted)):
            self._report(one.problems)
            if one.incomplete:
                self.incomplete.add(one.document[0])
            yield one.document

    def changes(
        self, built: Mapping[int, Built], parts: tuple[Built, Built], rows: Mapping[int, str], *, quick: bool
    ) -> Changes:
        """What is to be published, and remembered."""
        catalog, pages = parts
        published = self.base.manifest.parts if self.base.manifest else {}
        digests = {number: one.part.digest for number, one in built.items()}
        partitions, files = self.memory.update(digests, self.plan.gone, rows, self.pasts)
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
            state=self.memory.plan(manifest.snapshot, partitions, files, self.views, self.incomplete, quick=quick),
        )

    def _partitions(self, built: Mapping[int, Built], wave: WritePhase) -> Iterator[int]:
        tasks = [Write(one.part.name, wave) for one in built.values() if one.writes[wave]]
        yield from self.progress(f"writing {wave}", self.workers.map(Worker.write, tasks), len(tasks))

    def _gathered(self, wave: WritePhase) -> Iterator[int]:
        yield write(self.job, CATALOG, wave)
        yield write(self.job, SITE, wave)


def report_problems(problems: Iterable[InvalidRow]) -> None:
    """Log each row that makes no sense, by table and id; never its values."""
    for problem in problems:
        log.warning("%s %s: %s", problem.table, problem.row, problem.what)
