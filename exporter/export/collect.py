"""Collecting a part of the manifest: its documents are listed in it, and those the store may lack are kept to write."""

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from exporter.documents.encoding import Document, digest
from exporter.export.job import Job
from exporter.export.work_dir import DocumentFiles, WritePhase, read_documents, take_documents
from exporter.paths import stored
from exporter.publish.lease import check_lease
from exporter.publish.manifest import Documents, Part, encode_part
from exporter.publish.published_state import PartContents, PartManifests, read_contents


class PublishedPart(NamedTuple):
    """A part as the store may hold it: its name, its manifests, and the documents that they name."""

    name: str
    manifests: PartManifests
    contents: PartContents


@dataclass(frozen=True, slots=True)
class BuiltPart:
    """A part that was built.

    Args:
        writes: write phase → number of documents to write.
        gone: the paths that the store may hold and the part does without.
    """

    part: Part
    writes: Mapping[WritePhase, int]
    gone: tuple[str, ...]


def published_part(job: Job, name: str, manifests: PartManifests) -> PublishedPart:
    """A part as the job's store may hold it; empty without a store."""
    contents = read_contents(job.store, manifests) if job.store is not None else PartContents({}, ())
    return PublishedPart(name, manifests, contents)


class PartCollector:
    """Collects the documents of one part; each path is added once.

    Args:
        published: the part as the store may hold it.
        entries: paths that readers know without a link; none of these is written as a new document.
    """

    def __init__(self, job: Job, published: PublishedPart, entries: frozenset[str] = frozenset()) -> None:
        self._job, self._published, self._entries = job, published, entries
        self._documents: Documents = {}
        self._files = DocumentFiles(job.work_dir, published.name)
        self._anew: list[str] = []

    def __enter__(self) -> "PartCollector":
        return self

    def __exit__(self, *error: object) -> None:
        self._files.close()

    def add(self, documents: Iterable[Document]) -> None:
        """List documents, and keep those that the store may lack."""
        contents, store = self._published.contents, self._job.store
        for document in documents:
            path, data = document
            entry = self._documents[path] = [digest(data), len(data)]
            if store is not None and not contents.holds(path, entry):
                linked = path in contents.published or path in self._entries or self._was_written(path)
                self._files.add("changed" if linked else "new", document)
                if contents.contested(path, entry):
                    self._anew.append(stored(path))

    def _was_written(self, path: str) -> bool:
        """Whether an export that died has written a new document: then it may also have written links to it."""
        store, contents = self._job.store, self._published.contents
        pending = any(path in documents for documents in contents.pending)
        return pending and store is not None and store.get(stored(path)) is not None

    def finish(self, reuse: Callable[[str], bool]) -> BuiltPart:
        """Make the part; its manifest is kept to write if the store lacks it.

        A published document that was not added is reused as it is if `reuse` says so.
        """
        contents = self._published.contents
        for path, entry in contents.published.items():
            if path not in self._documents and reuse(path):
                self._documents[path] = entry
        part, data = encode_part(self._published.name, self._documents)
        if self._job.store is None:
            return BuiltPart(part, {}, ())
        if part.href != self._published.manifests.published or not contents.published:
            self._job.work_dir.manifest(part.name).write_bytes(data)
        self._files.flush()
        if self._anew:
            self._job.work_dir.anew(part.name).write_bytes(orjson.dumps(self._anew))
        return BuiltPart(part, self._files.counts, tuple(contents.gone(self._documents)))


def write_part_manifests(job: Job, parts: Iterable[Part]) -> int:
    """Write parts' manifests from the work dir to the store, but those that it has; return the number written."""
    assert job.store is not None
    files = ((stored(part.href), job.work_dir.manifest(part.name)) for part in parts)
    return job.store.write((path, file.read_bytes()) for path, file in files if file.exists())


def paths_in_store(job: Job, parts: Iterable[str], phase: WritePhase) -> tuple[str, ...]:
    """Where parts' documents of one phase in the work dir will stand in the store."""
    files = (job.work_dir.documents(part, phase) for part in parts)
    return tuple(stored(path) for file in files for path, _ in read_documents(file))


def write_documents(job: Job, parts: Collection[str], phase: WritePhase) -> int:
    """Write parts' documents of one phase from the work dir to the store; return the number written."""
    assert job.store is not None
    documents = (one for part in parts for one in take_documents(job.work_dir.documents(part, phase)))
    stored_documents = ((stored(path), data) for path, data in documents)
    files = (job.work_dir.anew(part) for part in parts)
    anew = frozenset(path for file in files if file.exists() for path in orjson.loads(file.read_bytes()))
    return job.store.write(stored_documents, functools.partial(check_lease, job.store, job.owner), anew)
