"""The shelf: what is remembered of each partition beside its documents, each kind in a file of its own.

What this export has put there lies in its spool, for this process and its workers; the rest in the store's `_state/`,
as `plan.json` names it. Only the latest in use are kept in memory.
"""

import collections
import pathlib
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

import orjson

from exporter import paths
from exporter.builders.feeds import PartitionNode, PartitionStats
from exporter.builders.partition import PartitionSummary
from exporter.documents.encoding import digest
from exporter.publish.store import Store
from exporter.rules import lineage, result_matrix
from exporter.rules.lineage import Lineages
from exporter.rules.result_matrix import Matrix
from exporter.state.state_file import KINDS, Kind, PartitionState

_IN_MEMORY = 24
"""Files kept in memory, about a megabyte each: the newest results of all tests lie in a few partitions."""


class StateLostError(Exception):
    """Something that the state names is not there, or not as it should be."""


class PartitionStore:
    """What is remembered of partitions.

    Args:
        folder: the export's spool.
        store: where the rest is; None: nowhere.
        remembered: what the store's plan names.
    """

    def __init__(self, folder: pathlib.Path, store: Store | None, remembered: Mapping[int, PartitionState]) -> None:
        self._folder, self._store, self._remembered = folder, store, remembered
        self._latest: collections.OrderedDict[tuple[Kind, int], Any] = collections.OrderedDict()

    def put(self, kind: Kind, number: int, value: Any) -> None:
        """Remember something of a partition from now on."""
        self._file(kind, number).write_bytes(orjson.dumps(_ENCODE[kind](value), default=tuple))
        self._keep(kind, number, value)

    def forget(self, number: int) -> None:
        """Drop from memory what another process may have put in the place of."""
        for kind in (*KINDS, "past"):
            self._latest.pop((kind, number), None)

    def record(self, number: int) -> PartitionNode:
        """A partition's digest and links."""
        found: PartitionNode = self._get("record", number)
        return found

    def matrix(self, number: int) -> Matrix:
        """All its results."""
        found: Matrix = self._get("matrix", number)
        return found

    def stretch(self, number: int) -> Lineages:
        """Its stretch of each line that it has runs of."""
        found: Lineages = self._get("stretch", number)
        return found

    def lines(self, number: int) -> Lineages:
        """Those lines after it."""
        found: Lineages = self._get("lines", number)
        return found

    def past(self, number: int) -> Lineages:
        """The lines before it."""
        found: Lineages = self._get("past", number)
        return found

    def told(self, number: int) -> PartitionSummary:
        """What its documents tell."""
        found: PartitionSummary = self._get("told", number)
        return found

    def previous_summary(self, number: int) -> PartitionSummary | None:
        """What its documents told before this export; None if nothing is remembered of it."""
        found: PartitionSummary | None = self._before("told", number)
        return found

    def previous_stretch(self, number: int) -> Lineages:
        """Its stretches before this export; none if nothing is remembered of it."""
        found: Lineages | None = self._before("stretch", number)
        return found or {}

    def fresh(self) -> dict[int, dict[Kind, pathlib.Path]]:
        """Partition → kind → file of what this export has put there to be remembered."""
        found: dict[int, dict[Kind, pathlib.Path]] = {}
        for file in self._folder.iterdir():
            number, _, kind = file.name.partition(".")
            if kind in KINDS:
                found.setdefault(int(number), {})[kind] = file
        return found

    def _before(self, kind: Kind, number: int) -> Any:
        return _DECODE[kind](orjson.loads(self._stored(kind, number))) if number in self._remembered else None

    def _get(self, kind: Kind, number: int) -> Any:
        if (kind, number) in self._latest:
            self._latest.move_to_end((kind, number))
            return self._latest[kind, number]
        try:
            value = _DECODE[kind](orjson.loads(self._bytes(kind, number)))
        except (ValueError, TypeError, KeyError, IndexError):
            raise StateLostError from None
        self._keep(kind, number, value)
        return value

    def _bytes(self, kind: Kind, number: int) -> bytes:
        try:
            return self._file(kind, number).read_bytes()
        except FileNotFoundError:
            return self._stored(kind, number)

    def _stored(self, kind: Kind, number: int) -> bytes:
        if self._store is None or number not in self._remembered:
            raise StateLostError
        name = self._remembered[number].shelf[KINDS.index(kind)]
        found = self._store.get(paths.STATE_ROOT + paths.state_record(number, kind, name))
        if found is None or digest(found.data) != name:
            raise StateLostError
        return found.data

    def _keep(self, kind: Kind, number: int, value: Any) -> None:
        self._latest[kind, number] = value
        self._latest.move_to_end((kind, number))
        while len(self._latest) > _IN_MEMORY:
            self._latest.popitem(last=False)

    def _file(self, kind: Kind, number: int) -> pathlib.Path:
        return self._folder / f"{number}.{kind}"


class PartitionNodes(MutableMapping[int, PartitionNode]):
    """The shelf's records as `feeds.Feeds` wants them."""

    def __init__(self, shelf: PartitionStore, numbers: Iterator[int]) -> None:
        self._shelf, self._numbers = shelf, set(numbers)

    def __contains__(self, number: object) -> bool:
        return number in self._numbers

    def __getitem__(self, number: int) -> PartitionNode:
        if number not in self._numbers:
            raise KeyError(number)
        return self._shelf.record(number)

    def __setitem__(self, number: int, record: PartitionNode) -> None:
        self._numbers.add(number)
        self._shelf.put("record", number, record)

    def __delitem__(self, number: int) -> None:
        self._numbers.remove(number)

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._numbers))

    def __len__(self) -> int:
        return len(self._numbers)


def encode_lineages(value: Lineages) -> dict[str, Any]:
    """Lines as JSON."""
    return {name: line.encoded() for name, line in value.items()}


def decode_lineages(value: Mapping[str, Any]) -> Lineages:
    """The inverse."""
    return {name: lineage.decode(line) for name, line in value.items()}


def _record(value: Mapping[str, Any]) -> PartitionNode:
    diffs = {path: tuple(pair) for path, pair in value["digest"].pop("diffs").items()}
    return PartitionNode(PartitionStats(**value["digest"], diffs=diffs), value["before"])


_ENCODE: Mapping[Kind, Callable[[Any], Any]] = {
    "record": lambda record: {"digest": record.digest, "before": dict(sorted(record.before.items()))},
    "matrix": Matrix.encoded,
    "stretch": encode_lineages,
    "lines": encode_lineages,
    "past": encode_lineages,
    "told": PartitionSummary.encoded,
}
_DECODE: Mapping[Kind, Callable[[Any], Any]] = {
    "record": _record,
    "matrix": result_matrix.decode,
    "stretch": decode_lineages,
    "lines": decode_lineages,
    "past": decode_lineages,
    "told": lambda value: PartitionSummary(**value),
}
