"""The paths to be deleted when their grace period is over: `_state/deletions.json`."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from exporter import paths
from exporter.documents.encoding import encode
from exporter.errors import ConflictError, StoreError
from exporter.publish.lease import moment
from exporter.publish.store import ABSENT, Store

DELETIONS = paths.STATE_ROOT + "deletions.json"


@dataclass(slots=True)
class Deletions:
    """The list as loaded, changed in memory until `save`. `since`: path → since when no manifest names it."""

    store: Store
    since: dict[str, str]
    _saved: dict[str, str]
    _version: str

    @classmethod
    def load(cls, store: Store) -> "Deletions":
        """Read the list of a store.

        Raises:
            StoreError: it can't be read, or is damaged.
        """
        found = store.get(DELETIONS)
        try:
            saved = {str(path): str(since) for path, since in orjson.loads(found.data).items()} if found else {}
        except (ValueError, AttributeError):
            raise StoreError(
                f"{store.name}: {DELETIONS} is damaged: delete it, export again, and run exporter prune"
            ) from None
        return cls(store, dict(saved), saved, found.version if found else ABSENT)

    def add(self, paths: Iterable[str], at: datetime.datetime) -> None:
        """Add paths that no manifest names from a time on; a path that is listed already keeps its time."""
        for path in paths:
            self.since.setdefault(path, moment(at))

    def drop(self, paths: Iterable[str]) -> None:
        """Remove paths that were deleted, or are named again."""
        for path in paths:
            self.since.pop(path, None)

    def due(self, at: datetime.datetime) -> list[str]:
        """The paths whose grace period is over at a time."""
        limit = moment(at - datetime.timedelta(seconds=self.store.grace))
        return [path for path, since in self.since.items() if since <= limit]

    def by_part(self) -> dict[str, frozenset[str]]:
        """Name of a part → the paths, as published, of its documents in the list; part manifests are not among them."""
        found: dict[str, set[str]] = {}
        for path in map(paths.published, self.since):
            if not path.startswith(paths.MANIFESTS):
                found.setdefault(paths.part_of_document(path), set()).add(path)
        return {name: frozenset(documents) for name, documents in found.items()}

    def check(self) -> None:
        """Check that the list is as it was read.

        Raises:
            ConflictError: another process has changed it.
        """
        found = self.store.get(DELETIONS)
        if (found.version if found else ABSENT) != self._version:
            raise ConflictError(f"{self.store.name}: another process has changed {DELETIONS}")

    def save(self) -> None:
        """Write the list, unless it is as it was loaded or last saved.

        Raises:
            ConflictError: another export has changed it, whose entries would be lost.
        """
        if self.since == self._saved:
            return
        if self.since:
            self._version = self.store.replace(DELETIONS, encode(dict(sorted(self.since.items()))), self._version)
        else:
            self.store.delete_at(DELETIONS, self._version)
            self._version = ABSENT
        self._saved = dict(self.since)
