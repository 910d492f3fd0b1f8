"""Mirroring: a copy of a published API, by its manifests alone, published as an export is.

The mirror is a store of its own, and the copy goes through the same lease, order and deletions as an export's
documents. So its readers meet no broken link, and what was broken off is completed by the next.
"""

import functools
import itertools
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import orjson

from exporter import paths
from exporter.client.transfer import Source
from exporter.documents.encoding import digest
from exporter.errors import ConflictError, FetchError, StoreError, TooLargeError, UsageError
from exporter.paths import stored
from exporter.progress import Progress, quiet
from exporter.publish.lease import check_lease
from exporter.publish.manifest import CATALOG, Documents, Manifest, Part, PartContents, decode_manifest, decode_part
from exporter.publish.publisher import Changes, PublishedState, Publisher, known, read_parts
from exporter.publish.store import Store, is_path

T = TypeVar("T")

log = logging.getLogger(__name__)

_MOST = 64 << 20
"""Bytes of a manifest."""
_BATCH = 256
"""Documents fetched at a time."""
_TRIES = 20
"""How often the source may publish meanwhile."""


class _MovedError(Exception):
    """The source has published meanwhile, or is about to: begin again from its new manifest."""


@dataclass(frozen=True)
class Copied(Manifest):
    """A manifest that is published as it came."""

    data: bytes

    def encode(self, generated_at: str) -> bytes:
        """The bytes that came: the mirror tells when the source has changed."""
        return self.data


@dataclass(frozen=True, slots=True)
class Report:
    """What a mirroring did: the documents that it wrote and deleted, and those that there are."""

    written: int
    deleted: int
    documents: int


def mirror(
    source: Source,
    store: Store,
    progress: Progress = quiet,
    *,
    wait: float = 300.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Report:
    """Make a store the same as a published API; only what differs is fetched.

    Args:
        source: the API.
        store: the mirror. Nothing else may publish there.
        progress: shows how far it is.
        wait: seconds to wait in all for a source that is being published.
        sleep: waits.

    Raises:
        FetchError: the source cannot be fetched, or is not as its manifests say. The mirror is as whole as before.
        UsageError: the store is an exporter's.
    """
    if store.get(paths.STATE_PLAN) is not None:
        raise UsageError(f"{store.name}: an exporter publishes here; name another folder for the mirror")
    publisher = Publisher(store)
    waited = 0.0
    for attempt in range(_TRIES):
        try:
            return _Copy(source, store, publisher, progress).run()
        except (_MovedError, ConflictError) as error:
            pause = min(30.0, 0.5 * 2**attempt, wait - waited)
            if pause <= 0:
                raise FetchError(
                    f"{source.name}: {error}, and stays so: wait until its export has ended, or have it exported again"
                ) from None
            log.info("%s: %s; beginning again from its manifest", source.name, error)
            sleep(pause)
            waited += pause
    raise FetchError(f"{source.name}: it changes faster than it can be mirrored; try again later")


class _Copy:
    """One attempt."""

    def __init__(self, source: Source, store: Store, publisher: Publisher, progress: Progress) -> None:
        self.source, self.store, self.publisher, self.progress = source, store, publisher, progress
        self.entries: set[str] = set()

    def run(self) -> Report:
        base = self.publisher.whole(self.publisher.begin())
        manifest = self._manifest()
        self._parts(manifest, base)
        parts = [part for part in manifest.parts.values() if self._differs(part, base)]
        todo = {part.name: self._count(part, base) for part in parts}
        gone = [path for _, paths in todo.values() for path in paths]
        for name in base.names().difference(manifest.parts):
            gone += known(self.store, base.hrefs(name)).gone(())
        catalog = [part for part in parts if part.name == CATALOG]
        others = [part for part in parts if part.name != CATALOG]
        changes = Changes(
            manifest=manifest,
            writes=sum(count for count, _ in todo.values()),
            gone=tuple(gone),
            waves=tuple(
                self._wave(some, base, reached=reached)
                for reached, some in itertools.product((False, True), (others, catalog))
            ),
        )
        written = self.publisher.publish(base, changes)
        return Report(written, len(gone), sum(part.documents for part in manifest.parts.values()))

    def _manifest(self) -> Copied:
        (data,) = self.source.get([paths.MANIFEST], _MOST)
        if data is None:
            raise FetchError(f"{self.source.name}: nothing is published there (there is no {paths.MANIFEST})")
        try:
            found = decode_manifest(data)
            links = orjson.loads(data).get("links", {}).values()
        except StoreError as error:
            raise FetchError(f"{self.source.name}: {error}") from None
        self.entries = {*paths.entry_documents().values(), *filter(lambda link: isinstance(link, str), links)}
        return Copied(found.catalog, found.site, found.partitions, found.latest_run_id, found.counts, data)

    def _parts(self, manifest: Manifest, base: PublishedState) -> None:
        """Fetch the manifests of the parts that are not there."""
        published = base.manifest.parts if base.manifest else {}
        hrefs = [part.href for name, part in manifest.parts.items() if published.get(name) != part]
        there = {one.path for one in self.store.list(stored(paths.MANIFESTS))}
        lacking = [part for part in manifest.parts.values() if part.href in hrefs and stored(part.href) not in there]
        for batch in _batched(lacking):
            for part, data in zip(batch, self.source.get([part.href for part in batch], _MOST), strict=True):
                if data is None or digest(data) != part.digest:
                    raise _MovedError(f"{part.href} is not as its manifest says")
                if paths.manifest_part(part.name, part.digest) != part.href:
                    raise FetchError(f"{self.source.name}: {part.href} is not the name of such a manifest")
                self._check(part, decode_part(data))
                self.store.write([(stored(part.href), data)])

    def _check(self, part: Part, documents: Documents) -> None:
        """See that a part names nothing but documents of its own."""
        for path, entry in documents.items():
            ours = is_path(stored(path)) and paths.part_of_document(path) == part.name
            private = path in (paths.MANIFEST, paths.PENDING) or path.startswith(paths.MANIFESTS)
            sound = (
                isinstance(entry, list)
                and len(entry) == 2
                and re.fullmatch("[0-9a-f]{64}", str(entry[0])) is not None
                and isinstance(entry[1], int)
            )
            if not ours or private or paths.is_of_snapshots(path) or not sound:
                raise FetchError(f"{self.source.name}: {part.href} names {path[:100]!r}, which is no document of it")

    def _differs(self, part: Part, base: PublishedState) -> bool:
        hrefs = base.hrefs(part.name)
        return hrefs.published != part.href or bool(hrefs.pending)

    def _documents(self, part: Part, base: PublishedState, *, reached: bool | None) -> Iterator[tuple[str, str, int]]:
        """Path, digest and size of the documents of a part that are not there.

        Args:
            part: the part.
            base: what is there.
            reached: only those that readers can know of, or only the others; None for all.
        """
        before = known(self.store, base.hrefs(part.name))
        for documents in read_parts(self.store, [part.href]):
            for path, entry in documents.items():
                if before.holds(path, entry):
                    continue
                there = self._there(path, before)
                if there is not None and digest(there) == entry[0]:
                    continue
                if reached is None or reached == (
                    path in before.published or self._is_entry(path) or there is not None
                ):
                    yield path, entry[0], entry[1]

    def _is_entry(self, path: str) -> bool:
        """Whether readers know a document without a link: those that the manifest leads to, and the site's pages."""
        return path in self.entries or (path.startswith(paths.ROOTED) and not paths.is_asset(path))

    def _there(self, path: str, before: PartContents) -> bytes | None:
        """What a mirroring that was broken off has written."""
        if not any(path in documents for documents in before.pending):
            return None
        found = self.store.get(stored(path))
        return found.data if found else None

    def _count(self, part: Part, base: PublishedState) -> tuple[int, list[str]]:
        """The number of documents of a part to write, and the paths that it does without now."""
        writes = sum(1 for _ in self._documents(part, base, reached=None))
        found = read_parts(self.store, [part.href])
        return writes, known(self.store, base.hrefs(part.name)).gone(found[0] if found else ())

    def _wave(self, parts: list[Part], base: PublishedState, *, reached: bool) -> Iterator[int]:
        check = functools.partial(check_lease, self.store, self.publisher.owner)
        stage = "fetching changed" if reached else "fetching new"
        for part in self.progress(stage, parts, len(parts)):
            for batch in _batched(self._documents(part, base, reached=reached)):
                paths = [path for path, _, _ in batch]
                try:
                    came = self.source.get(paths, max(size for _, _, size in batch))
                except TooLargeError as error:
                    raise _MovedError("a document is not as its manifest says") from error
                documents = []
                for (path, sha, _), data in zip(batch, came, strict=True):
                    if data is None or digest(data) != sha:
                        raise _MovedError(f"{path} is not as its manifest says")
                    documents.append((stored(path), data))
                yield self.store.write(documents, check)


def _batched(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while batch := list(itertools.islice(left, _BATCH)):
        yield batch
