"""What an export reads again of what is published: of lists that go on where untouched partitions left them."""

import posixpath
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from exporter import layout
from exporter.builders.feeds import Feeds
from exporter.documents import HistoryEntry, Run, digest
from exporter.publish.manifest import Documents, Manifest
from exporter.publish.publisher import read_parts, stored
from exporter.publish.store import Store
from exporter.source.catalog import Catalog
from exporter.state import StateLostError

_THREADS = 16
"""Documents read at a time: a bucket answers after tens of milliseconds."""


class Published:
    """The documents of one store, as its manifest has them; what is not so raises `StateLostError`."""

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self._store, self._manifest = store, manifest
        self._parts: dict[str, Documents] = {}

    def _part(self, path: str) -> Documents:
        """The documents of the part that a document belongs to."""
        name = layout.part_of_document(path)
        if name not in self._parts:
            part = self._manifest.parts.get(name)
            found = read_parts(self._store, [part.href] if part is not None else [])
            if not found:
                raise StateLostError
            self._parts[name] = found[0]
        return self._parts[name]

    def _document(self, path: str) -> Any:
        found = self._store.get(stored(path))
        if found is None or self._part(path).get(path) != [digest(found.data), len(found.data)]:
            raise StateLostError
        return orjson.loads(found.data)

    def tails(
        self, needed: Mapping[int, set[int]], catalog: Catalog, feeds: Feeds
    ) -> dict[int, dict[int, list[HistoryEntry]]]:
        """Partition → test → its history entries, newest first, from the histories' archive pages."""
        found: dict[int, dict[int, list[HistoryEntry]]] = {number: {} for number in needed}
        pages = set()
        for number, tests in needed.items():
            record = feeds.records[number].digest
            for test in tests:
                sample = catalog.tests[test].sample_id
                if sample is None:
                    found[number][test] = record.orphans.get(test, [])
                elif layout.sample_history(sample) in record.counts:
                    pages.add((number, layout.archive(layout.sample_history(sample), number)))
        for number in needed:
            self._part(layout.archive(layout.RUNS, number))  # once, and not by every thread
        with ThreadPoolExecutor(_THREADS) as threads:
            documents = threads.map(self._document, [path for _, path in sorted(pages)])
            for (number, _), document in zip(sorted(pages), documents, strict=True):
                for entry in document["data"]:
                    found[number].setdefault(entry["regression_test_id"], []).append(entry)
        return found

    def runs(self, name: str) -> Iterator[Run]:
        """The runs of a numbered list, in its order; none if there is no such list."""
        path: str | None = layout.document(name)
        if path not in self._part(layout.document(name)):
            return
        while path is not None:
            document = self._document(path)
            for run in document["data"]:
                del run["href"]
                yield run
            link = document["pagination"]["next"]
            path = None if link is None else posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
