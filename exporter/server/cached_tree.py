"""Documents of a published tree for a server: decoded once, kept within bounds, dropped when the state changes."""

import collections
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from exporter import paths
from exporter.client.bases import resolved
from exporter.client.http import Fetcher, NotFoundError
from exporter.server.platform_answers import folded

FRESH = 15.0
"""Seconds for which a manifest is taken for the newest: its `Cache-Control`."""

LARGEST_CACHE = 64 << 20
"""Bytes of JSON whose decoded documents are kept; decoded they take some six times as much memory."""


class _Kept:
    """A document in memory: decoded, its size as JSON, and where in its list the values of a field stand."""

    __slots__ = ("groups", "size", "value")

    def __init__(self, data: bytes) -> None:
        self.value: Any = orjson.loads(data)
        self.size = len(data)
        self.groups: dict[str, dict[str, list[int]]] = {}

    def equal(self, wanted: Mapping[str, str]) -> list[Any]:
        """The items of a page of a list that have these values, as `platform_answers.folded` compares texts."""
        items: list[Any] = self.value["data"]
        if not wanted:
            return items
        first, *others = (self._group(field).get(folded(value), []) for field, value in wanted.items())
        places = sorted(set(first).intersection(*others)) if others else first
        return [items[place] for place in places]

    def _group(self, field: str) -> dict[str, list[int]]:
        found = self.groups.get(field)
        if found is None:
            found = self.groups[field] = {}
            keys: dict[object, str] = {}
            for place, item in enumerate(self.value["data"]):
                value = item[field]
                if value is not None:
                    key = keys.get(value)
                    if key is None:
                        key = keys[value] = folded(str(value))
                    found.setdefault(key, []).append(place)
        return found


class CachedTree:
    """A published tree, at a base as `exporter.client.Api` takes it.

    Callers hold `lock` from `refresh` to the last read of a request.
    """

    def __init__(self, base: str) -> None:
        self.lock = threading.Lock()
        self._fetcher = Fetcher(base)
        self._documents: collections.OrderedDict[str, _Kept] = collections.OrderedDict()
        self._size = 0
        self._state, self._checked = "", float("-inf")

    def refresh(self) -> None:
        """See whether another state is published, at most every `FRESH` seconds.

        Raises:
            FetchError: the manifest cannot be read.
        """
        if time.monotonic() - self._checked < FRESH:
            return
        state = orjson.loads(self._fetcher.fetch(paths.MANIFEST))["snapshot"]
        self._checked = time.monotonic()
        if state != self._state:
            self._documents.clear()
            self._state, self._size = state, 0

    def document(self, path: str) -> Any:
        """A document, decoded; callers do not change it.

        Raises:
            NotFoundError: there is none.
            FetchError: it cannot be read.
        """
        return self._kept(path).value

    def _kept(self, path: str) -> _Kept:
        found = self._documents.get(path)
        if found is None:
            found = self._documents[path] = _Kept(self._fetcher.fetch(path))
            self._size += found.size
            while self._size > LARGEST_CACHE and len(self._documents) > 1:
                self._size -= self._documents.popitem(last=False)[1].size
        else:
            self._documents.move_to_end(path)
        return found

    def linked(self, source: str, link: str) -> Any:
        """The document to which a link in the document at `source` leads."""
        return self.document(resolved(source, link))

    def items(self, name: str, wanted: Mapping[str, str] | None = None) -> Iterator[Any]:
        """The items of a list, along `next`; none where the list does not exist.

        Args:
            name: the list's.
            wanted: field → the text that it equals, as the database compares texts. Each page remembers where its
                values stand, so that what has others costs nothing.
        """
        here: str | None = paths.document(name)
        first = True
        while here is not None:
            try:
                page = self._kept(here)
            except NotFoundError:
                if first:
                    return
                raise
            first = False
            yield from page.equal(wanted or {})
            following = page.value["pagination"]["next"]
            here = None if following is None else resolved(here, following)
