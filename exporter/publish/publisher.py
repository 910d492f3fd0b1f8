"""Publication, in an order in which no reader meets a broken link and a process may be killed at any moment.

`Publisher.published` reads what is published, the pipeline builds the documents that differ, `Publisher.publish` takes
the lease, which names the new part manifests, writes new documents, then those that link to them, commits the manifest,
deletes what it does without, and ends the lease.
"""

import contextlib
import datetime
import functools
import logging
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import orjson

from exporter import paths
from exporter.documents.encoding import encode
from exporter.errors import ConflictError, StoreError
from exporter.paths import stored
from exporter.publish.deletions import DELETIONS, Deletions
from exporter.publish.lease import PENDING, Lease, check_lease, moment, now, this_process
from exporter.publish.manifest import Manifest, decode_manifest, decode_pending, part_of
from exporter.publish.published_state import PublishedState, read_parts
from exporter.publish.store import ABSENT, Store, expect, looked
from exporter.publish.together import together

log = logging.getLogger(__name__)

_BATCH = 1000
"""Documents deleted between two looks at the lease."""

_MANIFEST = paths.API_ROOT + paths.MANIFEST
_LAYOUT = paths.STATE_ROOT + "layout.json"


@dataclass(frozen=True, slots=True)
class NewState:
    """The incremental state to write into the store.

    Args:
        plan: the bytes of `plan.json`; None if it has not changed.
        version: the version of the plan that it replaces.
        files: path below the state's root → local file, of the files that the plan newly names.
        named: all paths that the plan names.
        stale: the paths that the last plan named and this one does not; None: list the store to find them.
    """

    plan: bytes | None
    version: str
    files: Mapping[str, pathlib.Path]
    named: frozenset[str]
    stale: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Changes:
    """The documents that an export writes and deletes.

    Args:
        gone: paths that the store may hold and the new manifest does without.
        phases: the write phases. Each writes some of the documents and yields the number written now and then, in this
            order: new documents of partitions, new ones of the catalogue, changed ones of partitions, changed ones of
            the catalogue and those that readers find without a link.
        state: the new incremental state; None: the store has none.
        places: the paths in the store of all documents, in groups of neighbours, if they are few and this process
            writes them all; else empty.
    """

    manifest: Manifest
    writes: int
    gone: tuple[str, ...]
    phases: tuple[Iterator[int], ...]
    state: NewState | None = None
    places: tuple[tuple[str, ...], ...] = ()


def begin_snapshots(store: Store, manifest: Manifest) -> None:
    """Write the index of no snapshots, if the manifest links to it; one that is there stays."""
    if paths.SNAPSHOT_INDEX in manifest.links.values():
        from exporter.documents.snapshots import snapshot_index  # which most exports can do without

        with contextlib.suppress(ConflictError):
            store.replace(stored(paths.SNAPSHOT_INDEX), encode(snapshot_index([])), ABSENT)


@dataclass(slots=True)
class Publisher:
    """Publishes to one store. `clock` returns the time in UTC, `sleep` waits: for tests."""

    store: Store
    clock: Callable[[], datetime.datetime] = field(default_factory=lambda: now)
    sleep: Callable[[float], None] = time.sleep
    owner: str = field(default_factory=this_process)
    lease: Lease = field(init=False)
    _deletions: Deletions | None = field(init=False, default=None)
    """The list of deletions as it was read with what is published."""

    def __post_init__(self) -> None:
        self.lease = Lease(self.store, self.owner, self.clock)

    def published(self) -> PublishedState:
        """Read what is published.

        Raises:
            StoreError: the store can't be read, is damaged, or a newer exporter's.
        """
        expect(self.store, (_LAYOUT, _MANIFEST, PENDING))
        return self._published()

    def _published(self) -> PublishedState:
        state = self.store.get(_LAYOUT)
        if state is not None:
            try:
                version = int(orjson.loads(state.data)["layout"])
            except (ValueError, KeyError, TypeError):
                raise StoreError(
                    f"{self.store.name}: _state/layout.json is damaged: delete _state and export again"
                ) from None
            if version > paths.LAYOUT_VERSION:
                raise StoreError(
                    f"{self.store.name} was written by a newer exporter (layout {version}): upgrade this one"
                )
        manifest, pending = self.store.get(_MANIFEST), self.store.get(PENDING)
        return PublishedState(
            manifest=decode_manifest(manifest.data) if manifest else None,
            manifest_version=manifest.version if manifest else ABSENT,
            pending=decode_pending(pending.data) if pending else None,
            pending_version=pending.version if pending else ABSENT,
        )

    def published_to_write(self) -> PublishedState:
        """As `published_with_parts`, having checked that the store can be written to."""
        return together(self.store, self.store.check_writable, self.published_with_parts)

    def published_with_parts(self) -> PublishedState:
        """What is published, with all part manifests listed; without the manifest if a part that it names is lost.

        Then everything is built again: an export that went on from the other parts would publish a manifest that lacks
        the documents of the lost one.

        Raises:
            StoreError: as `published`.
        """
        # The list of deletions is replaced only at the version that is read here.
        expect(self.store, (_LAYOUT, _MANIFEST, PENDING, DELETIONS))
        listed = self._manifests()
        base = self._published()
        self._deletions = Deletions.load(self.store)
        base = replace(base, listed=listed, noted=self._deletions.by_part())
        if base.manifest is not None and not listed.issuperset(base.manifest.hrefs):
            base = replace(base, listed=self._manifests())  # another export may have published after the listing
        if base.manifest is None or base.listed.issuperset(base.manifest.hrefs):
            return base
        log.warning("%s: a published manifest is lost; building everything again", self.store.name)
        return replace(base, manifest=None)

    def remembered(self, *, due: bool = True) -> set[str]:
        """Paths that no manifest names and that are kept for the grace period, for readers that hold links to them.

        With those whose grace period is over, if `due`.
        """
        deletions = Deletions.load(self.store)
        return set(deletions.since).difference(() if due else deletions.due(self.clock()))

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep exports from publishing while the block lasts. The manifests of a dead export stay pending.

        Raises:
            StoreError: an export is publishing.
        """
        base = self.published()
        busy = base.pending is not None and self.lease.alive(base.pending)
        if busy and base.pending is not None and not self.lease.plausible(base.pending):
            busy = not self._outlives(base.pending_version)
        if busy:
            raise StoreError(f"{self.store.name}: an export is publishing; try again when it has ended")
        self.lease.take(base.pending.manifests if base.pending else (), base.pending_version)
        try:
            yield
        finally:
            if base.pending is None:
                self.lease.end()
            else:
                self.lease.abandon()

    def publish(self, base: PublishedState, changes: Changes) -> int:
        """Write documents, commit the manifest, delete; return the number written. Writes nothing if nothing differs.

        Raises:
            ConflictError: another export has published, or is publishing, since `base` was read: begin again.
            StoreError: writing failed; what was published is intact, the next export goes on from here.
        """
        self.store.sweep()
        unchanged = base.manifest is not None and changes.manifest.snapshot == base.manifest.snapshot
        deletions, self._deletions = self._deletions or Deletions.load(self.store), None
        returned = [path for path in map(stored, changes.manifest.hrefs) if path in deletions.since]
        deletions.add(map(stored, (*changes.gone, *(base.listed - changes.manifest.hrefs))), self.clock())
        state = changes.state
        state_unchanged = state is None or state.plan is None
        if unchanged and state_unchanged and not (changes.writes or base.pending or deletions.due(self.clock())):
            return 0
        self._take_lease(base, changes)
        state_files = tuple(paths.STATE_ROOT + path for path in state.files) if state and changes.places else ()
        with looked(self.store, *changes.places, state_files):
            self._check_base(base, changes)
            if base.pending is not None:
                deletions.check()  # the other one may have noted what it deletes after the list was read
                base = self._fence(base)
            self._renew(returned)
            if self.store.get(_LAYOUT) is None:
                self.store.replace(_LAYOUT, encode({"layout": paths.LAYOUT_VERSION}), ABSENT)
            if paths.SNAPSHOT_INDEX not in (base.manifest.links.values() if base.manifest else ()):
                begin_snapshots(self.store, changes.manifest)
            written = self._write(changes, deletions)
        self.lease.keep()
        if not unchanged:
            data = changes.manifest.encode(moment(self.clock()))
            self.store.replace(_MANIFEST, data, base.manifest_version)
        # Who dies between the two leaves a plan of the last state, or a lease that names no manifest: both are known.
        together(self.store, lambda: self._replace_plan(state), lambda: self._keep_for_deletions(deletions))
        self._delete(deletions, changes)
        self.lease.end()
        return written

    def _write(self, changes: Changes, deletions: Deletions) -> int:
        """Write documents, then the state's new files and the list of deletions; return the number of documents.

        What this process writes alone it writes at once, at the rate that all its writes share: nothing refers to the
        state's files before `plan.json` does, and what is to be deleted is deleted when the manifest has been replaced.
        """

        def documents() -> int:
            written = 0
            for phase in changes.phases:
                for count in phase:
                    written += count
                    self.lease.keep()
            return written

        if changes.places:
            return together(self.store, lambda: self._remember(changes.state, deletions), documents)
        written = documents()
        self._remember(changes.state, deletions)
        return written

    def _remember(self, state: NewState | None, deletions: Deletions) -> None:
        """Write the new files of the state, and what is to be deleted."""
        if state is not None:
            files = ((paths.STATE_ROOT + path, file.read_bytes()) for path, file in state.files.items())
            self.store.write(files, functools.partial(check_lease, self.store, self.owner))
        deletions.save()

    def _replace_plan(self, state: NewState | None) -> None:
        if state is not None and state.plan is not None:
            self.store.replace(paths.STATE_PLAN, state.plan, state.version)

    def _keep_for_deletions(self, deletions: Deletions) -> None:
        """See that the lease is still held, and let it name no manifests: the pending ones are published, if any."""
        if deletions.since:
            self.lease.name(())  # those of dead exports are deleted now
        else:
            check_lease(self.store, self.owner)

    def _take_lease(self, base: PublishedState, changes: Changes) -> None:
        """Take the lease, which names the new part manifests.

        After the death of an export it also names those of the dead export and the published ones that are replaced:
        a path that both of them name and the new manifests do without may hold the bytes of either until it is deleted.
        It also names the published ones of parts that the dead export was writing, as it may write their documents.

        Raises:
            ConflictError: another export has published since `base` was read.
        """
        if base.pending is not None and self.lease.alive(base.pending):
            log.info("another export is publishing to %s; waiting for it", self.store.name)
            if not self._outlives(base.pending_version):
                raise ConflictError("another export has published meanwhile")
        published, new = base.manifest.hrefs if base.manifest else set(), changes.manifest.hrefs
        dead = set[str]()
        if base.pending:
            doubtful = set(map(part_of, base.pending.manifests))
            dead = {*base.pending.manifests, *(one for one in published if one not in new or part_of(one) in doubtful)}
        self.lease.take(sorted(dead | (new - published)), base.pending_version)

    def _outlives(self, version: str) -> bool:
        """Wait while another export holds the lease; whether it was never renewed, so that the export is dead."""
        while (found := self.store.get(PENDING)) is not None and self.lease.alive(decode_pending(found.data)):
            self.sleep(1)
        return found is not None and found.version == version

    def _check_base(self, base: PublishedState, changes: Changes) -> None:
        """Check that no other export has published or cleaned up while this one was building.

        A lease that another export took and ended meanwhile leaves no trace in `pending.json`. Without this check an
        export would write its documents over newer ones, and notice only when it replaces the manifest.

        Raises:
            ConflictError: another export has; the lease is ended unless it was a dead export's.
        """
        expect(self.store, (_MANIFEST, _LAYOUT))
        lost = changes.manifest.hrefs - self._manifests()
        found = self.store.get(_MANIFEST)
        if (found.version if found else ABSENT) != base.manifest_version or lost:
            if base.pending is None:
                self.lease.end()
            raise ConflictError("another export has published meanwhile")

    def _fence(self, base: PublishedState) -> PublishedState:
        """Write the manifest anew when taking the place of another export; return the base with its new version.

        If the other export is not dead but asleep, it can no longer replace the manifest or a document when it wakes.
        """
        self.store.fence()
        if base.manifest is None:
            return base
        data = base.manifest.encode(moment(self.clock()))
        return replace(base, manifest_version=self.store.replace(_MANIFEST, data, base.manifest_version))

    def _renew(self, manifests: Iterable[str]) -> None:
        """Write part manifests anew that were noted for deletion and are to be published again.

        An export that fell asleep deleting them deletes what it saw; that is another version than the one written here.

        Raises:
            ConflictError: another export has deleted one.
        """
        for path in manifests:
            found = self.store.get(path)
            if found is None:
                raise ConflictError(f"{self.store.name}: another export has deleted {path}")
            self.store.replace(path, found.data, found.version)

    def _manifests(self) -> frozenset[str]:
        """The paths, below the API root, of all part manifests in the store."""
        found = self.store.list(stored(paths.MANIFESTS))
        return frozenset(entry.path.removeprefix(paths.API_ROOT) for entry in found)

    def _delete(self, deletions: Deletions, changes: Changes) -> None:
        """Delete stale state, and what no manifest names and whose grace period is over."""
        deletions.drop(self._named(deletions, changes.manifest))
        due = deletions.due(self.clock())
        gone = [*self._stale(changes.state), *due]
        for start in range(0, len(gone), _BATCH):
            self.lease.keep()
            self.store.delete(gone[start : start + _BATCH], functools.partial(check_lease, self.store, self.owner))
        deletions.drop(due)
        deletions.save()

    def _stale(self, state: NewState | None) -> list[str]:
        """The files of the state that the plan does not name any more, and those that dead exports left."""
        if state is None:
            return []
        if state.stale is not None:
            return [paths.STATE_ROOT + path for path in state.stale]
        named = {paths.STATE_ROOT + path for path in state.named}
        found = (entry.path for folder in paths.STATE_FOLDERS for entry in self.store.list(folder))
        return [path for path in found if path not in named]

    def _named(self, deletions: Deletions, manifest: Manifest) -> set[str]:
        """Those of the list's paths that the manifest names: documents that came back within the grace period."""
        named = set(map(stored, manifest.hrefs))
        for name, of_part in deletions.by_part().items():
            if name in manifest.parts:
                for documents in read_parts(self.store, [manifest.parts[name].href]):
                    named.update(map(stored, of_part.intersection(documents)))
        return named
