"""What the store may hold when an export begins: the published documents, and those of exports that died."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from exporter import paths
from exporter.documents.encoding import digest
from exporter.paths import stored
from exporter.publish.manifest import Documents, Manifest, Pending, decode_part, part_of
from exporter.publish.store import Store


class PartManifests(NamedTuple):
    """What names the documents of one part.

    Args:
        published: the path of the published manifest.
        pending: the paths of the manifests whose documents exports that seem dead were writing; the published one is
            among them if one of these exports was taking another's place.
        noted: the paths of documents that no manifest names and that are noted for deletion.
    """

    published: str | None
    pending: tuple[str, ...]
    noted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PublishedState:
    """What an export begins from: the published manifest and what dead exports left pending, each with its version.

    Args:
        listed: the paths, below the API root, of all manifests in the store; empty unless they were asked for.
        noted: name of a part → the paths of documents that are noted for deletion; likewise.
    """

    manifest: Manifest | None
    manifest_version: str
    pending: Pending | None
    pending_version: str
    listed: frozenset[str] = frozenset()
    noted: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def names(self) -> set[str]:
        """The names of all parts of which the store may hold documents."""
        pending = self.pending.manifests if self.pending else ()
        return {*(self.manifest.parts if self.manifest else ()), *map(part_of, pending)}

    def part_manifests(self, name: str) -> PartManifests:
        """The manifests of a part."""
        part = self.manifest.parts.get(name) if self.manifest else None
        published = part.href if part else None
        pending = tuple(href for href in (self.pending.manifests if self.pending else ()) if part_of(href) == name)
        others = any(href != published for href in pending)
        return PartManifests(published, pending if others else (), self.noted.get(name, frozenset()))


@dataclass(frozen=True, slots=True)
class PartContents:
    """The documents that the store may hold of one part: as published, and as dead exports may have left them.

    `noted`: as in `PartManifests`.
    """

    published: Documents
    pending: tuple[Documents, ...]
    noted: frozenset[str] = frozenset()

    def holds(self, path: str, entry: list[Any]) -> bool:
        """Whether the store is sure to hold a document with this entry (SHA-256 and size).

        Where a dead export was about to write another one at the path, nobody knows whether it has.
        """
        if self.published.get(path) != entry:
            return False
        return not self.pending or all(one.get(path, entry) == entry for one in self.pending)

    def contested(self, path: str, entry: list[Any]) -> bool:
        """Whether an export that seems dead may still put another document than this entry's at the path, or delete it.

        If it is asleep, it may do so when it wakes, on condition that what it saw there is still there.
        """
        return path in self.noted or any(one.get(path, entry) != entry for one in self.pending)

    def gone(self, documents: Iterable[str]) -> list[str]:
        """The paths that the store may hold and the new documents do without, in order."""
        return sorted({path for one in (self.published, *self.pending) for path in one}.difference(documents))


def read_parts(store: Store, hrefs: Iterable[str]) -> list[Documents]:
    """The documents of each manifest at these paths, without manifests that are absent or differ from their digest."""
    found = ((href, store.get(stored(href))) for href in hrefs)
    return [
        decode_part(one.data)
        for href, one in found
        if one is not None and href == paths.manifest_part(part_of(href), digest(one.data))
    ]


def read_contents(store: Store, manifests: PartManifests) -> PartContents:
    """Read the manifests of a part."""
    published = read_parts(store, [manifests.published] if manifests.published else [])
    pending = tuple(read_parts(store, manifests.pending))
    return PartContents(published[0] if published else {}, pending, manifests.noted)
