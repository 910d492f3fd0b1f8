"""The stages of an export: read, build, aggregate, and what is then to be published; each takes and returns values.

What all stages share is `Shared`. Only its posting lists and partition store change on the way: reading puts the
partitions that were read into them, building adds what only documents show.
"""

import itertools
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from exporter import paths
from exporter.builders import diffs, targets
from exporter.builders.aggregate import Aggregate
from exporter.builders.partition_summary import changed_lists
from exporter.builders.targets import AllTargets, DirtyTargets
from exporter.documents.encoding import Document
from exporter.export.collect import (
    BuiltPart,
    PartCollector,
    PublishedPart,
    paths_in_store,
    published_part,
    write_documents,
    write_part_manifests,
)
from exporter.export.dependencies import changed
from exporter.export.executor import Workers
from exporter.export.input_warnings import report_problems
from exporter.export.job import Job
from exporter.export.plan import PRIOR_CHANGED, RELINKED, Plan
from exporter.export.prefix_scan import PrefixScan
from exporter.export.work_dir import WritePhase
from exporter.export.worker import BuildTask, Compared, CompareTask, ReadPartition, RowsChanged, Worker, WriteTask
from exporter.paths import stored
from exporter.progress import Progress
from exporter.publish.manifest import CATALOG, SITE, Manifest
from exporter.publish.published_state import PublishedState
from exporter.publish.publisher import Changes
from exporter.publish.store import Distant, looked
from exporter.rules.outcomes import Pair
from exporter.source.row_values import InvalidRow
from exporter.state.incremental import IncrementalState, Shown
from exporter.state.partition_store import StateLostError
from exporter.state.state_file import DependencyFingerprints

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shared:
    """What all stages of an export share; `base` is what is published, `state` what is remembered."""

    job: Job
    base: PublishedState
    state: IncrementalState
    workers: Workers
    progress: Progress


@dataclass(frozen=True, slots=True)
class Read:
    """Partitions that were read.

    Args:
        plan: what must be built, with the partitions that the reading has added, without those found to have no run.
        priors: partition → the fingerprint of its prior history, of those that were not read but scanned.
        dirty_lists: the names of posting lists that have changed, or may have.
        problems: number of invalid rows.
    """

    plan: Plan
    priors: Mapping[int, str]
    dirty_lists: frozenset[str]
    problems: int


@dataclass(frozen=True, slots=True)
class Built:
    """Partitions that were built.

    Args:
        priors: partition → the fingerprint of its prior history.
        dirty: the targets that their documents have changed, as far as that is known.
        problems: number of invalid rows.
        shown: partition → keys of what its documents show beside what its statistics say.
        changed: partitions that were not built, because their rows were lost and are others now.
    """

    parts: Mapping[int, BuiltPart]
    priors: Mapping[int, str]
    dirty: frozenset[str]
    problems: int
    shown: Mapping[int, list[str]]
    changed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Aggregated:
    """The parts over all partitions.

    Args:
        incomplete: the paths of comparisons of which a content was missing.
        problems: number of invalid names of contents.
    """

    catalog: BuiltPart
    site: BuiltPart
    incomplete: frozenset[str]
    problems: int


def read(shared: Shared, plan: Plan, again: Collection[int] | None = None) -> Read:
    """Read the rows of all partitions of the plan, and scan the posting lists and lineages.

    A partition that was not planned, but whose archive page of a feed now links to another page, or whose prior history
    has changed, is added to the plan and read in another round. `again`: the partitions to read of a plan that has been
    read before; None: all.
    """
    lists, remembered = shared.state.lists, shared.state.remembered
    scan = PrefixScan(lists, shared.state.partitions)
    reasons, priors, problems = dict(plan.build), dict[int, str](), 0
    to_read, to_remove = (
        sorted(reasons if again is None else again),
        {number for number in plan.gone if number in lists.nodes},
    )
    while to_read or to_remove:
        answers = iter(shared.progress("reading", shared.workers.map(Worker.read, to_read), len(to_read)))
        first = min((*to_read, *to_remove))
        added: dict[int, str] = {}
        for number in sorted(one for one in {*lists.nodes, *to_read} if one >= first):
            relinked: set[int] = set()
            if number in to_remove:
                relinked = scan.remove(number)
            elif number in to_read:
                found = next(answers)
                problems += report_problems(found.problems)
                relinked = _scan_read(shared, scan, number, found)
            elif number in reasons:
                relinked = scan.rescan(number)
            else:
                priors[number] = scan.pass_by(number)
                if number not in remembered or priors[number] != remembered[number].prior:
                    added[number] = PRIOR_CHANGED
            added |= dict.fromkeys(relinked - added.keys(), RELINKED)
        next(answers, None)  # so that the progress display sees the stage end
        to_read, to_remove = sorted(added.keys() - reasons.keys() - set(plan.gone)), set()
        reasons |= {number: added[number] for number in to_read}
    build = {number: reasons[number] for number in sorted(reasons) if number in lists.nodes}
    gone = {*plan.gone, *(reasons.keys() - build.keys())}
    new_plan = Plan(build, tuple(sorted(gone)), plan.force_rebuild)
    return Read(new_plan, priors, frozenset(scan.dirty_lists), problems)


def _scan_read(shared: Shared, scan: PrefixScan, number: int, found: ReadPartition) -> set[int]:
    shared.state.partitions.invalidate(number)
    # Its runs may have been deleted since the plan was made.
    return scan.replace(number, found.stats) if found.stats.runs else scan.remove(number)


def build(shared: Shared, plan: Plan) -> Built:
    """Build all partitions of the plan."""
    state = shared.state
    tasks = (  # one after another: a partition's posting lists are many
        BuildTask(
            number,
            state.lists.nodes[number].previous,
            shared.base.part_manifests(str(number)),
            state.valid,
            number in plan.force_rebuild,
        )
        for number in plan.build
    )
    parts, priors, dirty, problems = dict[int, BuiltPart](), dict[int, str](), set[str](), 0
    shown, changed = dict[int, list[str]](), set[int]()
    for one in shared.progress("building", shared.workers.map(Worker.build, tasks), len(plan.build)):
        if isinstance(one, RowsChanged):
            changed.add(one.number)
            continue
        parts[one.number], priors[one.number] = one.part, one.prior
        state.partitions.invalidate(one.number)
        shown[one.number] = one.shown
        dirty |= one.dirty
        problems += report_problems(one.problems)
    return Built(parts, priors, frozenset(dirty), problems, shown, frozenset(changed))


def dirty_targets(shared: Shared, found: Read, built: Built, fingerprints: DependencyFingerprints) -> DirtyTargets:
    """The targets over all partitions that may have changed; `fingerprints` are those of targets."""
    state = shared.state.state
    if state is None or not shared.state.valid:
        return AllTargets()
    dirty = {targets.of_feed(name) for name in found.dirty_lists if not targets.lists_runs(name)}
    for number in found.plan.gone:
        dirty |= changed_lists(shared.state.partitions.previous_summary(number), None)
    return dirty | built.dirty | changed(state.targets, fingerprints)


def main_now_fingerprints(shared: Shared) -> DependencyFingerprints:
    """Dependency fingerprints of what shows where the main line stands now: the badges and the head of the changes."""
    return dict.fromkeys((paths.BADGES, paths.REGRESSIONS), repr(sorted(_builder(shared, set()).main_now().items())))


def _builder(shared: Shared, dirty: DirtyTargets) -> Aggregate:
    job, state = shared.job, shared.state
    return Aggregate(
        job.catalog,
        job.options,
        state.lists,
        dirty,
        state.partitions.matrix,
        state.partitions.summary,
        state.partitions.lineages_after,
    )


def aggregate(shared: Shared, built: Iterable[int], dirty: DirtyTargets) -> Aggregated:
    """Build the parts over all partitions: the catalogue's and the site's; `built` are partitions."""
    job, state = shared.job, shared.state
    builder = _builder(shared, dirty)

    def reuse(path: str) -> bool:
        if path.startswith(paths.DIFFS):
            return path not in state.lists.emptied if state.valid else path in state.lists.list_heads
        name = targets.of_document(path)
        return name is not None and name not in dirty

    published = _published(shared, CATALOG)
    incomplete, problems = set[str](), list[InvalidRow]()
    with PartCollector(job, published, frozenset(paths.entry_documents().values())) as collector:
        for one in _compare(shared, published, built):
            problems += one.problems
            if one.incomplete:
                incomplete.add(one.document[0])
            collector.add([one.document])
        collector.add(builder.documents())
        catalog = collector.finish(reuse)
    pages = list[Document](builder.site())
    known_pages = frozenset(path for path, _ in pages if not paths.is_asset(path))
    with PartCollector(job, _published(shared, SITE), known_pages) as collector:
        collector.add(pages)
        site = collector.finish(reuse)
    return Aggregated(catalog, site, frozenset(incomplete), report_problems(problems))


def _published(shared: Shared, name: str) -> PublishedPart:
    """A part over all partitions as the store may hold it."""
    published = published_part(shared.job, name, shared.base.part_manifests(name))
    if shared.state.state is not None and not published.contents.published:
        raise StateLostError
    return published


def _compare(shared: Shared, published: PublishedPart, built: Iterable[int]) -> Iterator[Compared]:
    """Compare the contents of which no comparison is published, or only one that lacked a content.

    All contents are compared again, once, if published comparisons were made by other rules.
    """
    state = shared.state
    heads, nodes = state.lists.list_heads, state.lists.nodes
    again = set(state.state.incomplete) if state.state else set()
    if state.state is not None and state.state.targets.get(targets.DIFF_RULES) != str(diffs.RULES):
        found = dict.fromkeys(path for path in heads if path.startswith(paths.DIFFS))
        again |= found.keys()
    elif state.valid:
        found = dict.fromkeys(path for number in built for path in nodes[number].stats.diffs)
        found |= dict.fromkeys(path for path in sorted(again) if path in heads)
    else:
        found = dict.fromkeys(path for path in heads if path.startswith(paths.DIFFS))
        # An export that died after its manifest was published has not said which of its comparisons are incomplete.
        again |= {path for number in built for path in nodes[number].stats.diffs}
    known = published.contents.published
    wanted = [path for path in found if state.state is None or path in again or path not in known]
    partitions = ((path, heads[path].last) for path in wanted)
    tasks = (CompareTask(Pair(*nodes[number].stats.diffs[path]), number) for path, number in partitions)
    yield from shared.progress("comparing", shared.workers.map(Worker.compare, tasks), len(wanted))


@dataclass(frozen=True, slots=True)
class Finished:
    """What all stages before the publication have made; `rows` as in `plan.Examined`."""

    plan: Plan
    rows: Mapping[int, str]
    priors: Mapping[int, str]
    partitions: Mapping[int, BuiltPart]
    aggregated: Aggregated

    @property
    def parts(self) -> tuple[BuiltPart, ...]:
        """All parts that were built."""
        return (*self.partitions.values(), self.aggregated.catalog, self.aggregated.site)


def changes(
    shared: Shared,
    finished: Finished,
    shown: DependencyFingerprints,
    target_fingerprints: DependencyFingerprints,
    *,
    trusts_state: bool,
) -> Changes:
    """What is to be published, deleted and remembered.

    `shown` are the dependency fingerprints of partitions. `trusts_state`: whether to trust that the store's state holds
    no file but those that it names.
    """
    job, state, base = shared.job, shared.state, shared.base
    manifests = {number: one.part.digest for number, one in finished.partitions.items()}
    new = state.new_partitions(manifests, finished.plan.gone, finished.rows, finished.priors)
    published = base.manifest.parts if base.manifest else {}
    manifest = Manifest(
        catalog=finished.aggregated.catalog.part,
        site=finished.aggregated.site.part,
        partitions=tuple(
            finished.partitions[number].part if number in finished.partitions else published[str(number)]
            for number in sorted(new.partitions)
        ),
        latest_run_id=max((one.latest for one in new.partitions.values()), default=None),
        counts={
            "runs": sum(one.runs for one in new.partitions.values()),
            "results": sum(one.results for one in new.partitions.values()),
            "samples": len(job.catalog.samples),
            "regression_tests": len(job.catalog.tests),
        },
    )
    gone = [path for one in finished.parts for path in one.gone]
    for name in base.names().difference(manifest.parts):
        gone += published_part(job, name, base.part_manifests(name)).contents.gone(())
    remembered = Shown(shown, target_fingerprints, finished.aggregated.incomplete)
    writes = sum(sum(one.writes.values()) for one in finished.parts)
    return Changes(
        manifest=manifest,
        writes=writes,
        gone=tuple(gone),
        phases=_phases(shared, finished.partitions),
        state=state.new_state(manifest.snapshot, new, remembered, trusts_state=trusts_state),
        places=_places(shared, finished.partitions, writes),
    )


def write_manifests(shared: Shared, finished: Finished) -> None:
    """Write the manifests of all parts that were built: nothing published names them yet."""
    *partitions, catalog, site = (one.part for one in finished.parts)
    if shared.workers.here:
        parts = [*partitions, catalog, site]
        with looked(shared.job.store, absent=[stored(one.href) for one in parts if one.href not in shared.base.listed]):
            write_part_manifests(shared.job, parts)
        return
    for _ in shared.workers.map(Worker.write_manifest, partitions):
        pass
    write_part_manifests(shared.job, [catalog, site])


_PHASES: tuple[WritePhase, ...] = ("new", "changed")


_FEW = 2000
"""Documents so few that they are written after one look at what stands in their places: a bucket's window."""


def _alone(shared: Shared, built: Mapping[int, BuiltPart]) -> list[str]:
    """The parts whose documents of one phase this process writes together; none, if each has its own worker or turn."""
    if not shared.workers.here or len(built) > 1:
        return []
    return [*(one.part.name for one in built.values()), CATALOG, SITE]


def _phases(shared: Shared, built: Mapping[int, BuiltPart]) -> tuple[Iterator[int], ...]:
    """The write phases, as `Changes` has them.

    Nothing published links to new documents, so that all may be written together. Documents that change link to new
    ones, all of which are there by then, and to others that change.
    """
    if parts := _alone(shared, built):
        return tuple(_write_here(shared.job, parts, phase) for phase in _PHASES)
    return tuple(
        itertools.chain.from_iterable(
            (_write_partitions(shared, built, phase), _write_here(shared.job, [CATALOG, SITE], phase))
            for phase in _PHASES
        )
    )


def _places(shared: Shared, built: Mapping[int, BuiltPart], writes: int) -> tuple[tuple[str, ...], ...]:
    """The places of documents to be written, as `Changes` has them; no others than a distant store looks at places."""
    parts = _alone(shared, built) if isinstance(shared.job.store, Distant) else []
    return tuple(paths_in_store(shared.job, parts, phase) for phase in _PHASES) if parts and writes <= _FEW else ()


def _write_partitions(shared: Shared, built: Mapping[int, BuiltPart], phase: WritePhase) -> Iterator[int]:
    tasks = [WriteTask(one.part.name, phase) for one in built.values() if one.writes[phase]]
    yield from shared.progress(f"writing {phase}", shared.workers.map(Worker.write, tasks), len(tasks))


def _write_here(job: Job, parts: Collection[str], phase: WritePhase) -> Iterator[int]:
    yield write_documents(job, parts, phase)
