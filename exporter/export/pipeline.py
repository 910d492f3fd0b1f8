"""The export: plan → read → build → aggregate → publish."""

import contextlib
import logging
import pathlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from exporter import paths
from exporter.builders.document_options import DocumentOptions
from exporter.documents.encoding import digest
from exporter.errors import ConflictError
from exporter.export import stages
from exporter.export.changed_rows import build_all
from exporter.export.dask_cluster import DaskCluster
from exporter.export.dependencies import partition_fingerprints, target_fingerprints
from exporter.export.executor import start
from exporter.export.input_warnings import report_problems, warn_of_empty_main_line
from exporter.export.job import Job
from exporter.export.plan import Examined, Plan, make_plan
from exporter.export.room import check_room, estimate
from exporter.export.shrink_guard import refuse_shrinking, refuse_shrinking_plan
from exporter.export.work_dir import WorkDir, WritePhase, work_dir
from exporter.paths import stored
from exporter.progress import Progress, quiet
from exporter.publish.manifest import CATALOG, SITE, Manifest
from exporter.publish.published_state import PublishedState
from exporter.publish.publisher import Publisher
from exporter.publish.store import Store, expect
from exporter.source import DATABASE_TIMEOUT
from exporter.source.catalog import Catalog, read_catalog
from exporter.source.database import Database
from exporter.source.fingerprints import fingerprints
from exporter.source.partitions import partitions
from exporter.source.redaction import Redactor
from exporter.source.sample_repository import SampleRepository
from exporter.state import state_file
from exporter.state.incremental import IncrementalState
from exporter.state.partition_store import StateLostError

log = logging.getLogger(__name__)

ATTEMPTS = 5
"""How often an export begins again because another one has published meanwhile."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to export, whereto and how.

    Args:
        store: None builds everything and keeps nothing.
        workers: number of processes; 0: in this one.
        documents: the options that documents depend on; `sample_repository` decides about `files`.
        runs: look for changed rows only in the partitions of these; None: everywhere.
        dry_run: write nothing.
        allow_shrink: publish even if most of what is published is deleted.
        database_timeout: seconds that the database may be silent for.
        cluster: where several partitions are built, in the place of `workers`; None: on this machine.
    """

    database_url: str
    store: Store | None
    workers: int
    documents: DocumentOptions = DocumentOptions()  # noqa: RUF009 - immutable
    sample_repository: pathlib.Path | None = None
    runs: tuple[int, ...] | None = None
    dry_run: bool = False
    allow_shrink: bool = False
    database_timeout: int = DATABASE_TIMEOUT
    cluster: DaskCluster | None = None

    @property
    def document_options(self) -> DocumentOptions:
        """The options that documents depend on."""
        return replace(self.documents, files=self.sample_repository is not None)


@dataclass(frozen=True, slots=True)
class Report:
    """What an export did, or in a dry run would do.

    Args:
        writes: part of the manifest → how many of those were new, and how many changed.
        gone: paths that are no longer published.
        problems: number of invalid rows.
        first: whether nothing was published before.
    """

    manifest: Manifest
    plan: Plan
    written: int
    writes: Mapping[str, Mapping[WritePhase, int]]
    gone: tuple[str, ...]
    problems: int
    first: bool


def export(settings: Settings, progress: Progress = quiet) -> Report:
    """Export what has changed in the database.

    Raises:
        ShrinkError: it would delete most of what is published; nothing was published.
        ExporterError: the export failed; what was published is intact.
    """
    with contextlib.closing(Database(settings.database_url, settings.database_timeout)) as database:
        database.check()
        if settings.sample_repository is not None:
            SampleRepository(settings.sample_repository).check()
        return _export(settings, database, progress)


def _export(settings: Settings, database: Database, progress: Progress) -> Report:
    publisher = Publisher(settings.store) if settings.store else None
    use_state = True
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _attempt(settings, database, publisher, progress, use_state=use_state)
        except StateLostError:
            log.warning("what is remembered in _state does not fit what is published; building everything again")
            use_state = False
        except ConflictError:
            if attempt == ATTEMPTS:
                raise
            log.info("another export has published meanwhile; beginning again from what it published")
    raise AssertionError("unreachable")


def _attempt(
    settings: Settings, database: Database, publisher: Publisher | None, progress: Progress, *, use_state: bool
) -> Report:
    expect(settings.store, [paths.STATE_PLAN])
    base = PublishedState(None, "", None, "")
    if publisher is not None:
        base = publisher.published_with_parts() if settings.dry_run else publisher.published_to_write()
    with work_dir() as folder, contextlib.ExitStack() as checks:
        redactor = Redactor(settings.documents.redaction)
        catalog, invalid = read_catalog(database, redactor)
        redactor.report("catalogue")
        problems = report_problems(invalid)
        state = IncrementalState(settings.store, settings.document_options, base, folder.state, use_state=use_state)
        checks.enter_context(_conflict_if_overtaken(settings.store, state.version))
        examined = _examine(settings, database, catalog, state)
        plan = make_plan(base, state.state, state.lists, examined)
        several = len(plan.build) > 1  # a process takes longer to start than a partition to build
        if plan.build and not several:
            _expect(settings.store, base, state, *plan.build)
        if settings.store is not None and not settings.dry_run:
            needed = estimate(plan, base, database, settings.documents.result_documents)
            if settings.cluster is not None:  # whose workers have the documents
                needed = needed._replace(work_dir=0)
            check_room(needed, settings.store, folder)
        job = _job(settings, catalog, folder, state, publisher)
        with start(
            job, min(settings.workers, len(plan.build)) if several else 0, settings.cluster if several else None
        ) as workers:
            shared = stages.Shared(job, base, state, workers, progress)
            if not settings.allow_shrink:
                refuse_shrinking_plan(shared, plan)
            read = stages.read(shared, plan)
            warn_of_empty_main_line(shared.state.lists, shared.job.options.main)
            read, built = build_all(shared, read)
            targets_now = {**target_fingerprints(catalog), **stages.main_now_fingerprints(shared)}
            dirty = stages.dirty_targets(shared, read, built, targets_now)
            aggregated = stages.aggregate(shared, built.parts, dirty)
            priors = {**read.priors, **built.priors}
            finished = stages.Finished(read.plan, examined.rows, priors, built.parts, aggregated)
            limited = examined.chosen is not None
            changes = stages.changes(shared, finished, examined.shown, targets_now, trusts_state=limited)
            if not settings.allow_shrink:
                refuse_shrinking(shared, changes.gone)
            written = changes.writes
            if publisher and not settings.dry_run:
                stages.write_manifests(shared, finished)
                written = publisher.publish(base, changes)
    return Report(
        changes.manifest,
        read.plan,
        written,
        {one.part.name: one.writes for one in finished.parts},
        changes.gone,
        problems + read.problems + built.problems + aggregated.problems,
        base.manifest is None,
    )


def _expect(store: Store | None, base: PublishedState, state: IncrementalState, number: int) -> None:
    """Ask a distant store for what building one partition takes."""
    manifests = (base.part_manifests(name).published for name in (str(number), CATALOG, SITE))
    expect(store, [stored(href) for href in manifests if href is not None])
    state.expect(number)


def _job(
    settings: Settings, catalog: Catalog, folder: WorkDir, state: IncrementalState, publisher: Publisher | None
) -> Job:
    return Job(
        settings.database_url,
        catalog,
        settings.document_options,
        folder,
        settings.store,
        state.remembered,
        settings.sample_repository,
        publisher.owner if publisher else "",
        settings.database_timeout,
    )


@contextlib.contextmanager
def _conflict_if_overtaken(store: Store | None, version: str) -> Iterator[None]:
    """Tell a lost state from one that another export has replaced meanwhile; `version` is the state's."""
    try:
        yield
    except StateLostError:
        if store is not None and version != state_file.load(store).version:
            raise ConflictError("another export has published meanwhile") from None
        raise


def _examine(settings: Settings, database: Database, catalog: Catalog, state: IncrementalState) -> Examined:
    """What the plan is made of: of all partitions, or of those of the chosen runs as far as the state is valid."""
    chosen = None
    if settings.runs is not None and state.valid:
        chosen = {paths.partition_of(run) for run in settings.runs}
    rows = _fingerprints(settings, database, chosen)
    return Examined(rows, partition_fingerprints(catalog), chosen, state.differences)


def _fingerprints(settings: Settings, database: Database, chosen: Collection[int] | None) -> Mapping[int, str]:
    """Partition → the fingerprint of its rows and its runs' logs; without a store, whose state would hold it, empty."""
    if settings.store is None:
        return dict.fromkeys(partitions(database), "")
    rows = fingerprints(database, chosen)
    if settings.sample_repository is None:
        return rows
    return _with_logs(rows, SampleRepository(settings.sample_repository), chosen)


def _with_logs(rows: Mapping[int, str], repository: SampleRepository, chosen: Collection[int] | None) -> dict[int, str]:
    """Fingerprints of partitions' rows with those of their runs' logs."""
    logs: dict[int, list[str]] = {number: [] for number in rows}
    runs = None
    if chosen is not None:
        runs = [number * paths.PARTITION_SIZE + offset for number in rows for offset in range(paths.PARTITION_SIZE)]
    for run, fingerprint in sorted(repository.log_fingerprints(runs).items()):
        if (number := paths.partition_of(run)) in logs:
            logs[number].append(f"{run}:{fingerprint}")
    return {number: f"{rows[number]}/{digest(' '.join(found).encode())[:12]}" for number, found in logs.items()}
