"""Documents of a published tree for a server: decoded once, kept within bounds, dropped when the state changes."""

import collections
import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson

from exporter import paths
from exporter.client.http import Fetcher, NotFoundError, resolved

FRESH = 15.0
"""Seconds for which a manifest is taken for the newest: its `Cache-Control`."""

LARGEST_CACHE = 64 << 20
"""Bytes of JSON whose decoded documents are kept; decoded they take some six times as much memory."""


class CachedTree:
    """A published tree. Callers hold `lock` from `refresh` to the last read of a request.

    Args:
        base: as `exporter.client.Api` takes it.
    """

    def __init__(self, base: str) -> None:
        self.lock = threading.Lock()
        self._fetcher = Fetcher(base)
        self._documents: collections.OrderedDict[str, tuple[Any, int]] = collections.OrderedDict()
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
        found = self._documents.get(path)
        if found is None:
            data = self._fetcher.fetch(path)
            found = orjson.loads(data), len(data)
            self._documents[path] = found
            self._size += len(data)
            while self._size > LARGEST_CACHE and len(self._documents) > 1:
                _, (_, size) = self._documents.popitem(last=False)
                self._size -= size
        else:
            self._documents.move_to_end(path)
        return found[0]

    def linked(self, source: str, link: str) -> Any:
        """The document to which a link in the document at `source` leads."""
        return self.document(resolved(source, link))

    def items(self, name: str) -> Iterator[Any]:
        """The items of a list, along `next`; none where the list does not exist."""
        here: str | None = paths.document(name)
        first = True
        while here is not None:
            try:
                page = self.document(here)
            except NotFoundError:
                if first:
                    return
                raise
            first = False
            yield from page["data"]
            following = page["pagination"]["next"]
            here = None if following is None else resolved(here, following)
