"""Does a store hold what its manifest says, whole and without a broken link?"""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

from exporter import layout
from exporter.documents import digest, links
from exporter.errors import StoreError
from exporter.progress import Progress, quiet
from exporter.publish.manifest import Documents, Manifest, Part, decode_part
from exporter.publish.publisher import Publisher, read_parts, stored
from exporter.publish.store import Store


@dataclass(slots=True)
class Report:
    """What was checked, and a line for each thing that is not right."""

    documents: int = 0
    bytes: int = 0
    links: int = 0
    problems: list[str] = field(default_factory=list)


def verify(store: Store, progress: Progress = quiet) -> Report:
    """Check every document, every link, and that there is nothing else.

    While an export is under way, or after one died, a document may also be as `pending.json` has it.

    Raises:
        StoreError: the store can't be read, or nothing is published in it.
    """
    publisher = Publisher(store)
    base = publisher.begin()
    if base.manifest is None:
        raise StoreError(f"{store.name}: nothing is published here (there is no v1/{layout.MANIFEST})")
    pending = read_parts(store, base.pending.manifests) if base.pending else []
    return _Check(store, base.manifest, pending).run(progress, publisher.remembered())


class _Check:
    """One check of one store.

    Paths are remembered by their hash: there are millions, and a set of the texts would not fit a small machine.
    """

    def __init__(self, store: Store, manifest: Manifest, pending: list[Documents]) -> None:
        self.store, self.manifest, self.pending = store, manifest, pending
        self.report = Report()
        self.known = {hash(path) for documents in pending for path in documents}

    def run(self, progress: Progress, remembered: Iterable[str]) -> Report:
        parts = list(self.manifest.parts.values())
        for part in parts:
            self.known.update(map(hash, self._documents(part, report=True)))
        control = {layout.MANIFEST, layout.PENDING, *(part.href for part in parts)}
        self.known.update(map(hash, control))
        self._links(layout.MANIFEST)
        for part in progress("checking", parts, len(parts)):
            for path, (sha, size) in self._documents(part, report=False).items():
                self._document(path, sha, size)
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

    def _document(self, path: str, sha: str, size: int) -> None:
        found = self.store.get(stored(path))
        self.report.documents += 1
        if found is None:
            self._problem(path, "missing")
            return
        self.report.bytes += len(found.data)
        got = [digest(found.data), len(found.data)]
        if got != [sha, size] and not any(documents.get(path) == got for documents in self.pending):
            self._problem(path, "not as the manifest says")
            return
        self._links(path, found.data)

    def _links(self, path: str, data: bytes | None = None) -> None:
        if data is None:
            found = self.store.get(stored(path))
            data = found.data if found else b"null"
        folder = posixpath.dirname(path)
        for link in links(orjson.loads(data)):
            self.report.links += 1
            if hash(posixpath.normpath(posixpath.join(folder, link))) not in self.known:
                self._problem(path, f"its link {link!r} leads to nothing")

    def _strays(self, known: set[str]) -> None:
        for entry in self.store.list(""):
            path = entry.path
            if path in known or path.startswith(layout.STATE_ROOT):
                continue
            if not path.startswith(layout.API_ROOT) or hash(path[len(layout.API_ROOT) :]) not in self.known:
                self._problem(path, "no manifest names it")
