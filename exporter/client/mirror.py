"""Mirroring: a copy of a published API, by its manifests alone, published as an export is.

The mirror is a store of its own, and the copy goes through the same lease, order and deletions as an export's
documents. So its readers meet no broken link, and the next mirroring completes one that was interrupted.
"""

import functools
import itertools
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import orjson

from exporter import paths
from exporter.client.transfer import AbsentError, DifferentError, Source, Wanted
from exporter.documents.encoding import digest, encode
from exporter.errors import ConflictError, FetchError, StoreError, UsageError
from exporter.paths import stored
from exporter.publish.lease import check_lease
from exporter.publish.manifest import CATALOG, Documents, Manifest, Part, decode_manifest, decode_part
from exporter.publish.published_state import PartContents, PublishedState, read_contents, read_parts
from exporter.publish.publisher import Changes, Publisher, begin_snapshots
from exporter.publish.store import Store, is_path

T = TypeVar("T")

log = logging.getLogger(__name__)

_MOST = 64 << 20
"""Bytes of a manifest."""
_BATCH = 256
"""Documents written at a time."""
_TRIES = 20
"""How often the source may publish meanwhile."""


class Transfer(NamedTuple):
    """How far a mirroring is: documents and bytes fetched, of how many."""

    documents: int
    bytes: int
    of_documents: int
    of_bytes: int


Show = Callable[[Transfer], None]
"""Is called when the number of documents to fetch is known, and after each batch."""


class _MovedError(Exception):
    """The source has published meanwhile, or is about to: begin again from its new manifest."""


@dataclass(frozen=True, kw_only=True)
class Copied(Manifest):
    """A manifest that is published as it came."""

    data: bytes

    def encode(self, generated_at: str) -> bytes:
        """The bytes that came, so that the mirror shows when the source has changed."""
        return self.data

    def without_site(self) -> "Copied":
        """The manifest of the same without the site's files."""
        less = replace(self, site=None)
        value = orjson.loads(self.data)
        for name in ("documents", "bytes"):
            value["counts"][name] = sum(getattr(part, name) for part in less.parts.values())
        return replace(less, data=encode(value | {"site": None, "snapshot": less.snapshot}))


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a mirroring: numbers of documents, and of the bytes written.

    `site`: whether the source has the site's files, if its manifest names them.
    """

    written: int
    bytes: int
    deleted: int
    documents: int
    site: bool


def mirror(
    source: Source,
    store: Store,
    show: Show = lambda _: None,
    *,
    wait: float = 300.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Report:
    """Make a store the same as a published API; only documents that differ are fetched.

    Args:
        source: the API.
        store: the mirror. Nothing else may publish there.
        show: called with the progress.
        wait: seconds to wait in all for a source that is being published.
        sleep: waits.

    Raises:
        FetchError: the source cannot be fetched, or is not as its manifests say. The mirror is as whole as it was.
        UsageError: the store is an exporter's.
    """
    if store.get(paths.STATE_PLAN) is not None:
        raise UsageError(f"{store.name}: an exporter publishes here; name another folder for the mirror")
    publisher = Publisher(store)
    waited = 0.0
    for attempt in range(_TRIES):
        try:
            return _Copy(source, store, publisher, show).run()
        except (_MovedError, ConflictError) as error:
            pause = min(30.0, 0.5 * 2**attempt, wait - waited)
            if pause <= 0:
                raise FetchError(
                    f"{error}, and stays so: have it exported again, or wait until its export has ended"
                ) from None
            log.info("%s; beginning again from its manifest", error)
            sleep(pause)
            waited += pause
    raise FetchError(f"{source.name}: it changes faster than it can be mirrored; try again later")


class _Copy:
    """One attempt."""

    def __init__(self, source: Source, store: Store, publisher: Publisher, show: Show) -> None:
        self.source, self.store, self.publisher, self.show = source, store, publisher, show
        self.entries: set[str] = set()
        self.site: bytes | None = None
        """The manifest of the site's part, which is looked at before the others are fetched."""
        self.fetched = Transfer(0, 0, 0, 0)

    def run(self) -> Report:
        base = self.publisher.published_with_parts()
        manifest = named = self._manifest()
        if self.store.get(stored(paths.SNAPSHOT_INDEX)) is None:  # an earlier version mirrored the link without it
            begin_snapshots(self.store, manifest)
        if manifest.site is not None and manifest.site != (base.manifest and base.manifest.site):
            manifest = self._served(manifest, manifest.site)
        self._parts(manifest, base)
        parts = [part for part in manifest.parts.values() if base.part_manifests(part.name)[:2] != (part.href, ())]
        gone: list[str] = []
        for part in parts:
            gone += self._count(part, base)
        for name in base.names().difference(manifest.parts):
            gone += read_contents(self.store, base.part_manifests(name)).gone(())
        catalog = [part for part in parts if part.name == CATALOG]
        others = [part for part in parts if part.name != CATALOG]
        if self.fetched.of_documents:
            self.show(self.fetched)
        changes = Changes(
            manifest=manifest,
            writes=self.fetched.of_documents,
            gone=tuple(gone),
            phases=tuple(
                self._write_phase(some, base, reached=reached)
                for reached, some in itertools.product((False, True), (others, catalog))
            ),
        )
        written = self.publisher.publish(base, changes)
        return Report(
            written=written,
            bytes=self.fetched.bytes,
            deleted=len(gone),
            documents=sum(part.documents for part in manifest.parts.values()),
            site=manifest.site == named.site,
        )

    def _manifest(self) -> Copied:
        data = self.source.read(paths.MANIFEST, _MOST)
        if data is None:
            raise FetchError(
                f"{self.source.name}: nothing is published there (there is no {paths.MANIFEST}): check the base URL"
            )
        try:
            found = decode_manifest(data)
        except StoreError as error:
            raise FetchError(f"{self.source.name}: {error}") from None
        self.entries = {*paths.entry_documents().values(), *found.links.values()}
        parts = found.catalog, found.site, found.partitions
        return Copied(*parts, found.latest_run_id, found.counts, found.links, data=data)

    def _parts(self, manifest: Manifest, base: PublishedState) -> None:
        """Fetch the manifests of the parts that are not there."""
        published = base.manifest.parts if base.manifest else {}
        hrefs = [part.href for name, part in manifest.parts.items() if published.get(name) != part]
        # A power cut may have emptied what was written before anything was published.
        there = {one.path for one in self.store.list(stored(paths.MANIFESTS))} if base.manifest else set()
        lacking = [part for part in manifest.parts.values() if part.href in hrefs and stored(part.href) not in there]
        for part in lacking:
            data = self.site if self.site is not None and digest(self.site) == part.digest else self._part(part)
            self.store.write([(stored(part.href), data)])

    def _part(self, part: Part) -> bytes:
        """The manifest of a part, as the source has it."""
        if paths.manifest_part(part.name, part.digest) != part.href:
            raise FetchError(f"{self.source.name}: {part.href} is not the name of such a manifest")
        data = self.source.read(part.href, _MOST)
        if data is None or digest(data) != part.digest:
            what = "does not exist" if data is None else "is not as its manifest says"
            raise _MovedError(f"{self.source.name}: {part.href} {what}")
        self._check(part, decode_part(data))
        return data

    def _served(self, manifest: Copied, site: Part) -> Copied:
        """The manifest, without the site if the source's host serves `v1/` alone.

        An asset is named by its own content, so that it exists as long as a manifest names it.
        """
        self.site = self._part(site)
        documents = decode_part(self.site)
        asset = next((Wanted(path, *entry) for path, entry in documents.items() if paths.is_asset(path)), None)
        try:
            if asset:
                list(self.source.documents([asset]))
        except (AbsentError, DifferentError):
            if self.source.read(paths.MANIFEST, _MOST) != manifest.data:
                raise _MovedError(f"{self.source.name}: it has published meanwhile") from None
            log.warning("%s: the site is not there, v1/ alone is; mirroring v1/ without the site", self.source.name)
            return manifest.without_site()
        return manifest

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

    def _documents(self, part: Part, base: PublishedState, *, reached: bool | None) -> Iterator[Wanted]:
        """The documents of a part that the mirror lacks.

        `reached`: only those that readers can know of, or only the others; None: all.
        """
        there_is = read_contents(self.store, base.part_manifests(part.name))
        for documents in read_parts(self.store, [part.href]):
            for path, entry in documents.items():
                if there_is.holds(path, entry):
                    continue
                there = self._there(path, there_is)
                if there is not None and digest(there) == entry[0]:
                    continue
                if reached is None or reached == (
                    path in there_is.published or self._is_entry(path) or there is not None
                ):
                    yield Wanted(path, entry[0], entry[1])

    def _is_entry(self, path: str) -> bool:
        """Whether readers know a document without a link: those that the manifest leads to, and the site's pages."""
        return path in self.entries or (path.startswith(paths.ROOTED) and not paths.is_asset(path))

    def _there(self, path: str, contents: PartContents) -> bytes | None:
        """The bytes that an interrupted mirroring has written."""
        if not any(path in documents for documents in contents.pending):
            return None
        found = self.store.get(stored(path))
        return found.data if found else None

    def _count(self, part: Part, base: PublishedState) -> list[str]:
        """Count the documents of a part to fetch; returns the paths that it no longer has."""
        for one in self._documents(part, base, reached=None):
            so_far = self.fetched
            self.fetched = so_far._replace(of_documents=so_far.of_documents + 1, of_bytes=so_far.of_bytes + one.size)
        found = read_parts(self.store, [part.href])
        return read_contents(self.store, base.part_manifests(part.name)).gone(found[0] if found else ())

    def _write_phase(self, parts: list[Part], base: PublishedState, *, reached: bool) -> Iterator[int]:
        check = functools.partial(check_lease, self.store, self.publisher.owner)
        wanted, again = itertools.tee(one for part in parts for one in self._documents(part, base, reached=reached))
        try:
            for batch in _batched(zip(again, self.source.documents(wanted), strict=True)):
                yield self.store.write([(stored(one.path), data) for one, data in batch], check)
                documents, size = len(batch), sum(one.size for one, _ in batch)
                so_far = self.fetched
                self.fetched = so_far._replace(documents=so_far.documents + documents, bytes=so_far.bytes + size)
                self.show(self.fetched)
        except (AbsentError, DifferentError) as error:
            raise _MovedError(str(error)) from error


def _batched(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while batch := list(itertools.islice(left, _BATCH)):
        yield batch
