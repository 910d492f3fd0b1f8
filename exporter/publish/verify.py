"""Verification: that a store holds what its manifest says, whole and without a broken link."""

import contextlib
import posixpath
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from exporter import paths
from exporter.documents.encoding import digest
from exporter.documents.links import links_of
from exporter.errors import StoreError
from exporter.paths import stored
from exporter.progress import Progress, quiet
from exporter.publish.manifest import Documents, Manifest, Part, decode_part
from exporter.publish.published_state import read_parts
from exporter.publish.publisher import Publisher
from exporter.publish.store import Entry, Store, Stored


@dataclass(slots=True)
class Report:
    """Numbers of what was checked, and a line for each problem. `links` is None if links were not checked."""

    documents: int = 0
    bytes: int = 0
    links: int | None = 0
    problems: list[str] = field(default_factory=list)

    @property
    def advice(self) -> list[str]:
        """How to repair the problems, a line for each way."""
        strays = sum(problem.endswith(_STRAY) for problem in self.problems)
        lines = []
        if strays < len(self.problems):
            lines.append("to repair it: delete v1/manifest.json and export again; what is whole is not rewritten")
        if strays:
            lines.append(
                "for files that no manifest names: exporter prune; those that it does not list are not the exporter's"
            )
        return lines


_STRAY = "no manifest names it"


def verify(store: Store, progress: Progress = quiet, *, content: bool = False) -> Report:
    """Check every document, every link, and that there is nothing else.

    Where the store lists digests, only these are compared and links are not checked, unless `content` is true.
    While an export is under way, or after one died, a document may also be as `pending.json` has it. The contents of
    snapshots are not checked: their own index says what they are.

    Raises:
        StoreError: the store can't be read, or nothing is published in it.
    """
    publisher = Publisher(store)
    base = publisher.published()
    if base.manifest is None:
        raise StoreError(f"{store.name}: nothing is published here (there is no v1/{paths.MANIFEST})")
    pending = read_parts(store, base.pending.manifests) if base.pending else []
    check = _Check(store, base.manifest, pending)
    lists_digests = any(entry.digest for entry in store.list(stored(paths.MANIFEST)))
    if content or not lists_digests:
        report = check.run(progress, publisher.remembered(), _READERS if lists_digests else 0)
    else:
        report = check.run_by_listing(progress, publisher.remembered())
    if paths.SNAPSHOT_INDEX in base.manifest.links.values() and store.get(stored(paths.SNAPSHOT_INDEX)) is None:
        report.problems.append(f"{paths.SNAPSHOT_INDEX}: missing")
    return report


_READERS = 32
"""Threads that read a remote store."""


class _Check:
    """One check of one store.

    Paths are kept as hashes: a set of millions of texts would not fit a small machine.
    """

    def __init__(self, store: Store, manifest: Manifest, pending: list[Documents]) -> None:
        self.store, self.manifest, self.pending = store, manifest, pending
        self.report = Report()
        self.known = {hash(path) for documents in pending for path in documents}

    def run_by_listing(self, progress: Progress, remembered: Iterable[str]) -> Report:
        """Compare the store's listing with the manifests."""
        self.report.links = None
        parts = list(self.manifest.parts.values())
        left = {
            hash(path): hash((sha, size))
            for part in parts
            for path, (sha, size) in self._documents(part, report=True).items()
        }
        control = (paths.MANIFEST, paths.PENDING, *(part.href for part in parts))
        known = {*remembered, *map(stored, control)}
        total = sum(part.documents for part in parts)
        for entry in progress("checking", self.store.list(""), total):
            if entry.path not in known and not entry.path.startswith(paths.STATE_ROOT):
                self._listed(entry, left)
        for part in parts if left else ():
            for path in self._documents(part, report=False):
                if hash(path) in left:
                    self.report.documents += 1
                    self._problem(path, "missing")
        return self.report

    def _listed(self, entry: Entry, left: dict[int, int]) -> None:
        """Check one object, and remove it from those that are still to be found."""
        path = paths.published(entry.path)
        if paths.is_of_snapshots(path):
            return
        if hash(path) not in left and hash(path) not in self.known:
            self._problem(entry.path, _STRAY)
            return
        wanted = left.pop(hash(path), None)
        if wanted is None:  # only pending
            return
        got = [entry.digest, entry.size]
        if not entry.digest and (found := self.store.get(entry.path)) is not None:
            got = [digest(found.data), len(found.data)]
        self.report.documents += 1
        self.report.bytes += entry.size
        if hash(tuple(got)) != wanted and not any(documents.get(path) == got for documents in self.pending):
            self._problem(path, "not as the manifest says")

    def run(self, progress: Progress, remembered: Iterable[str], readers: int) -> Report:
        """Read every document, with this number of threads; 0: in this one, for a store on this machine."""
        parts = list(self.manifest.parts.values())
        for part in parts:
            self.known.update(map(hash, self._documents(part, report=True)))
        control = {paths.MANIFEST, paths.PENDING, paths.SNAPSHOT_INDEX, *(part.href for part in parts)}
        self.known.update(map(hash, control))
        self._links(paths.MANIFEST)
        with ThreadPoolExecutor(readers) if readers else contextlib.nullcontext() as threads:
            for part in progress("checking", parts, len(parts)):
                documents = self._documents(part, report=False)
                read = (threads.map if threads else map)(self.store.get, map(stored, documents))
                for (path, entry), found in zip(documents.items(), read, strict=True):
                    self._document(path, entry, found)
        self._strays({*remembered, *map(stored, control)})
        return self.report

    def _problem(self, path: str, what: str) -> None:
        self.report.problems.append(f"{path}: {what}")

    def _documents(self, part: Part, *, report: bool) -> Documents:
        found = self.store.get(stored(part.href))
        if found is not None and digest(found.data) == part.digest:
            return decode_part(found.data)
        if report:
            self._problem(part.href, "missing" if found is None else "not as the manifest says")
        return {}

    def _document(self, path: str, entry: list[Any], found: Stored | None) -> None:
        self.report.documents += 1
        if found is None:
            self._problem(path, "missing")
            return
        self.report.bytes += len(found.data)
        got = [digest(found.data), len(found.data)]
        if got != entry and not any(documents.get(path) == got for documents in self.pending):
            self._problem(path, "not as the manifest says")
            return
        self._links(path, found.data)

    def _links(self, path: str, data: bytes | None = None) -> None:
        if data is None:
            found = self.store.get(stored(path))
            data = found.data if found else b"null"
        folder = posixpath.dirname(path)
        links = links_of(path, data)
        for link in links:
            if hash(posixpath.normpath(posixpath.join(folder, link))) not in self.known:
                self._problem(path, f"its link {link!r} names no published document")
        self.report.links = (self.report.links or 0) + len(links)

    def _strays(self, known: set[str]) -> None:
        for entry in self.store.list(""):
            path = entry.path
            if path in known or path.startswith(paths.STATE_ROOT):
                continue
            below = paths.published(path)
            if not paths.is_of_snapshots(below) and hash(below) not in self.known:
                self._problem(path, _STRAY)
