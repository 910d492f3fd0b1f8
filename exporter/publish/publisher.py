"""Publication: in an order in which no reader ever meets a broken link, and no death leaves a third state.

`Publisher.begin` reads what is published; the pipeline builds against that (`known`) and hands over the new parts.
`publish` then goes on as idea 5 of `docs/design.md` has it: the lease with the new manifests' names, the documents
that nothing links to yet, those that link to them, the manifest, the deletions, the end of the lease.
"""

import contextlib
import datetime
import logging
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import orjson

from exporter import paths
from exporter.documents.encoding import digest, encode
from exporter.errors import ConflictError, StoreError
from exporter.paths import stored
from exporter.publish.deletions import Deletions
from exporter.publish.lease import PENDING, Lease, check_lease, moment, now, this_process
from exporter.publish.manifest import (
    Documents,
    Manifest,
    PartContents,
    Pending,
    decode_manifest,
    decode_part,
    decode_pending,
    part_of,
)
from exporter.publish.store import ABSENT, Store

log = logging.getLogger(__name__)

_BATCH = 1000
"""Documents deleted between two looks at the lease."""

_MANIFEST = paths.API_ROOT + paths.MANIFEST
_LAYOUT = paths.STATE_ROOT + "layout.json"


def read_parts(store: Store, hrefs: Iterable[str]) -> list[Documents]:
    """The documents that the manifests at these paths name; one that is gone, or not what its name says, names none."""
    found = ((href, store.get(stored(href))) for href in hrefs)
    return [
        decode_part(one.data)
        for href, one in found
        if one is not None and href == paths.manifest_part(part_of(href), digest(one.data))
    ]


class PartManifests(NamedTuple):
    """The manifests of what the store may hold of one part: as published, and as exports that died left pending."""

    published: str | None
    pending: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PublishedState:
    """What an export begins from: the published manifest and what dead exports left, each with its version.

    `listed`: the paths below the API root of all manifests in the store; none unless `Publisher.whole` has asked.
    """

    manifest: Manifest | None
    manifest_version: str
    pending: Pending | None
    pending_version: str
    listed: frozenset[str] = frozenset()

    def names(self) -> set[str]:
        """The names of all parts that the store may hold something of."""
        pending = self.pending.manifests if self.pending else ()
        return {*(self.manifest.parts if self.manifest else ()), *map(part_of, pending)}

    def hrefs(self, name: str) -> PartManifests:
        """The manifests of a part."""
        part = self.manifest.parts.get(name) if self.manifest else None
        published = part.href if part else None
        pending = self.pending.manifests if self.pending else ()
        return PartManifests(published, tuple(href for href in pending if part_of(href) == name and href != published))


def known(store: Store, hrefs: PartManifests) -> PartContents:
    """What the store may hold of a part."""
    published = read_parts(store, [hrefs.published] if hrefs.published else [])
    return PartContents(published[0] if published else {}, tuple(read_parts(store, hrefs.pending)))


@dataclass(frozen=True, slots=True)
class NewState:
    """What is to be remembered in the store.

    Args:
        plan: the bytes of the plan; None if it is as it was.
        version: the version of the plan that it replaces.
        files: path below the state's root → file, of what it newly names.
        named: all such paths that it names.
        stale: those that the last plan named, and this one does not; None: look for what it does not name.
    """

    plan: bytes | None
    version: str
    files: Mapping[str, pathlib.Path]
    named: frozenset[str]
    stale: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What an export is to write and delete.

    Args:
        manifest: the new one.
        writes: number of documents to write.
        gone: paths that the store may hold and the new manifest does without.
        waves: each writes some of the documents, yielding the number written now and then, in this order: new
            documents of partitions, new ones of the catalogue, changed ones of partitions, changed ones of the
            catalogue and those that readers know without a link.
        state: what is to be remembered; None: nothing ever is.
    """

    manifest: Manifest
    writes: int
    gone: tuple[str, ...]
    waves: tuple[Iterator[int], ...]
    state: NewState | None = None


@dataclass(slots=True)
class Publisher:
    """Publishes to one store. `clock` tells the time, `sleep` waits: for tests."""

    store: Store
    clock: Callable[[], datetime.datetime] = field(default_factory=lambda: now)
    sleep: Callable[[float], None] = time.sleep
    owner: str = field(default_factory=this_process)
    lease: Lease = field(init=False)

    def __post_init__(self) -> None:
        self.lease = Lease(self.store, self.owner, self.clock)

    def begin(self) -> PublishedState:
        """Read what is published.

        Raises:
            StoreError: the store can't be read, is damaged, or a newer exporter's.
        """
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

    def whole(self, base: PublishedState) -> PublishedState:
        """The same with all manifests listed, as if nothing were published if one is lost: then all is built again.

        An export that went on from what is left would publish a manifest that lacks the rest.
        """
        base = replace(base, listed=self._manifests())
        if base.manifest is None or base.listed.issuperset(base.manifest.hrefs):
            return base
        log.warning("%s: a published manifest is lost; building everything again", self.store.name)
        return replace(base, manifest=None)

    def remembered(self, *, due: bool = True) -> set[str]:
        """Paths in the store that no manifest names, and that are kept for a while for readers who still do.

        With those for which that while is over, if `due`.
        """
        deletions = Deletions.load(self.store)
        return set(deletions.since).difference(() if due else deletions.due(self.clock()))

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep exports from publishing while the block lasts. What one that died has left pending stays so.

        Raises:
            StoreError: one is publishing.
        """
        base = self.begin()
        if base.pending is not None and self.lease.alive(base.pending):
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
        """Write, flip, delete; give the number of documents written. Writes nothing if nothing differs.

        Raises:
            ConflictError: another export has published, or is publishing, since `base` was read: begin again.
            StoreError: writing failed; what was published is intact, the next export goes on from here.
        """
        self.store.sweep()
        same = base.manifest is not None and changes.manifest.snapshot == base.manifest.snapshot
        deletions = Deletions.load(self.store)
        deletions.add(map(stored, (*changes.gone, *(base.listed - changes.manifest.hrefs))), self.clock())
        state = changes.state
        remembered = state is None or state.plan is None
        if same and remembered and not (changes.writes or base.pending or deletions.due(self.clock())):
            return 0
        self._take_lease(base, changes)
        self._check_base(base, changes)
        base = self._fence(base)
        if self.store.get(_LAYOUT) is None:
            self.store.replace(_LAYOUT, encode({"layout": paths.LAYOUT_VERSION}), ABSENT)
        written = 0
        for wave in changes.waves:
            for count in wave:
                written += count
                self.lease.keep()
        if state is not None:
            self.store.write((paths.STATE_ROOT + path, file.read_bytes()) for path, file in state.files.items())
        deletions.save()
        self.lease.keep()
        if not same:
            data = changes.manifest.encode(moment(self.clock()))
            self.store.replace(_MANIFEST, data, base.manifest_version)
        if state is not None and state.plan is not None:
            self.store.replace(paths.STATE_PLAN, state.plan, state.version)
        self._delete(deletions, changes)
        self.lease.end()
        return written

    def _take_lease(self, base: PublishedState, changes: Changes) -> None:
        """Name the new manifests in `pending.json`.

        After a death also those of the dead export, and those that are published and replaced: what both knew and the
        new manifests do without may have the bytes of either until it is deleted.
        """
        if base.pending is not None and self.lease.alive(base.pending):
            log.info("another export is publishing to %s; waiting for it", self.store.name)
            while (found := self.store.get(PENDING)) is not None and self.lease.alive(decode_pending(found.data)):
                self.sleep(1)
            raise ConflictError("another export has published meanwhile")
        published, new = base.manifest.hrefs if base.manifest else set(), changes.manifest.hrefs
        dead = {*base.pending.manifests, *(published - new)} if base.pending else set()
        self.lease.take(sorted(dead | (new - published)), base.pending_version)

    def _check_base(self, base: PublishedState, changes: Changes) -> None:
        """See that nobody has published, or cleaned up, while this export was building.

        A lease that has come and gone since leaves no trace in `pending.json`. Without this an export would write its
        documents over newer ones, and find out only when it replaces the manifest.

        Raises:
            ConflictError: somebody has; the lease is as it was, unless it was a dead export's.
        """
        found = self.store.get(_MANIFEST)
        lost = changes.manifest.hrefs - self._manifests()
        if (found.version if found else ABSENT) != base.manifest_version or lost:
            if base.pending is None:
                self.lease.end()
            raise ConflictError("another export has published meanwhile")

    def _fence(self, base: PublishedState) -> PublishedState:
        """Write the manifest anew when taking another export's place; give the base with its new version.

        Should that export not be dead but asleep, it can then no longer replace the manifest when it wakes.
        """
        if base.pending is None or base.manifest is None:
            return base
        data = base.manifest.encode(moment(self.clock()))
        return replace(base, manifest_version=self.store.replace(_MANIFEST, data, base.manifest_version))

    def _manifests(self) -> frozenset[str]:
        """The paths, below the API root, of all manifests in the store, whether or not anything names them."""
        found = self.store.list(stored(paths.MANIFESTS))
        return frozenset(entry.path.removeprefix(paths.API_ROOT) for entry in found)

    def _delete(self, deletions: Deletions, changes: Changes) -> None:
        """Delete what is due and what the manifest, now published, indeed does without; and what is forgotten."""
        if deletions.since:
            self.lease.name(())  # what was pending is published, and the manifests of dead exports are about to go
        else:
            check_lease(self.store, self.owner)
        if changes.state is not None:
            self.store.delete(self._stale(changes.state))
        deletions.drop(self._named(deletions.since, changes.manifest))
        due = deletions.due(self.clock())
        for start in range(0, len(due), _BATCH):
            self.lease.keep()
            self.store.delete(due[start : start + _BATCH])
        deletions.drop(due)
        deletions.save()

    def _stale(self, state: NewState) -> list[str]:
        """What the plan named once, or exports that died have left of theirs."""
        if state.stale is not None:
            return [paths.STATE_ROOT + path for path in state.stale]
        named = {paths.STATE_ROOT + path for path in state.named}
        found = (entry.path for folder in paths.STATE_FOLDERS for entry in self.store.list(folder))
        return [path for path in found if path not in named]

    def _named(self, candidates: Iterable[str], manifest: Manifest) -> set[str]:
        """Those of these paths that the manifest names after all: they came back."""
        parts = manifest.parts
        by_part: dict[str, set[str]] = {}
        for path in candidates:
            if not path.startswith(stored(paths.MANIFESTS)):  # of those the manifest itself tells
                by_part.setdefault(paths.part_of_document(paths.published(path)), set()).add(path)
        named = set(map(stored, manifest.hrefs))
        for name, of_part in by_part.items():
            if name in parts:
                for documents in read_parts(self.store, [parts[name].href]):
                    named |= of_part & set(map(stored, documents))
        return named
