"""What is to be deleted when its grace period is over: `_state/deletions.json`."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from exporter import paths
from exporter.documents.encoding import encode
from exporter.errors import StoreError
from exporter.publish.lease import moment
from exporter.publish.store import ABSENT, Store

_PATH = paths.STATE_ROOT + "deletions.json"


@dataclass(slots=True)
class Deletions:
    """The list as it was loaded, and as it is to be saved. `since`: path in the store → since when none names it."""

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
        found = store.get(_PATH)
        try:
            saved = {str(path): str(since) for path, since in orjson.loads(found.data).items()} if found else {}
        except (ValueError, AttributeError):
            raise StoreError(
                f"{store.name}: {_PATH} is damaged: delete it, export again, and run exporter prune"
            ) from None
        return cls(store, dict(saved), saved, found.version if found else ABSENT)

    def add(self, paths: Iterable[str], at: datetime.datetime) -> None:
        """Note what no manifest names from a time on; what is noted already keeps its time."""
        for path in paths:
            self.since.setdefault(path, moment(at))

    def drop(self, paths: Iterable[str]) -> None:
        """Forget what was deleted, or is named again."""
        for path in paths:
            self.since.pop(path, None)

    def due(self, at: datetime.datetime) -> list[str]:
        """What may be deleted at a time."""
        limit = moment(at - datetime.timedelta(seconds=self.store.grace))
        return [path for path, since in self.since.items() if since <= limit]

    def save(self) -> None:
        """Write the list, if it is not as it was loaded or last saved.

        Raises:
            ConflictError: another export has changed it: what that one noted would be forgotten.
        """
        if self.since == self._saved:
            return
        if self.since:
            self._version = self.store.replace(_PATH, encode(dict(sorted(self.since.items()))), self._version)
        else:
            self.store.delete_at(_PATH, self._version)
            self._version = ABSENT
        self._saved = dict(self.since)
