"""The partition store: what is kept of each partition beside its documents, each kind of value in a file of its own.

`state_file.KINDS` lists the kinds, `state_file.PartitionState` what `plan.json` itself says of a partition.

What this export has put there lies in a temporary folder that the pipeline and its workers share; the rest in the
store's `_state/partitions/`, as `plan.json` names it. The most recently used values stay in memory.
"""

import collections
import itertools
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

import orjson

from exporter import paths
from exporter.builders.partition_summary import PartitionSummary
from exporter.documents.encoding import digest
from exporter.publish.store import Store, expect
from exporter.rules import lineage_state, result_matrix
from exporter.rules.lineage_state import Lineages
from exporter.rules.result_matrix import Matrix
from exporter.state.posting_lists import PartitionNode, PartitionStats
from exporter.state.state_file import KINDS, Kind, PartitionState

_IN_MEMORY: dict[Kind, int] = {
    "node": 64,
    "matrix": 8,
    "summary": 8,
    "own_lineages": 1,
    "lineages_before": 1,
    "lineages_after": 2,
}
"""Kind → number of values kept in memory, about a megabyte each but for nodes, which are small.

The newest results of all tests lie in a few partitions; lineages are needed from one partition to the next.
"""

_AHEAD: Mapping[Kind, int] = {"node": 16, "summary": 8, "matrix": 4}
"""Kind → number of older partitions whose values are asked for as well: lists lead from newer to older ones."""


class StateLostError(Exception):
    """Something that the state names is missing or damaged."""


class PartitionStore:
    """What is kept of partitions.

    Args:
        folder: a folder of this export that holds nothing else.
        store: the store whose state names the rest; None: there is no rest.
        remembered: what the store's `plan.json` says of partitions.

    Raises:
        StateLostError: from every method that returns a value, if that value is missing or damaged.
    """

    def __init__(self, folder: pathlib.Path, store: Store | None, remembered: Mapping[int, PartitionState]) -> None:
        self._folder, self._store, self._remembered = folder, store, remembered
        self._expected: set[str] = set()
        self._cache: dict[Kind, collections.OrderedDict[int, Any]] = {
            kind: collections.OrderedDict() for kind in _IN_MEMORY
        }

    def put(self, kind: Kind, number: int, value: Any) -> None:
        """Replace a value of a partition."""
        self._file(kind, number).write_bytes(orjson.dumps(_ENCODE[kind](value), default=tuple))
        self._keep(kind, number, value)

    def invalidate(self, number: int) -> None:
        """Drop a partition's values from memory: another process may have replaced its files."""
        for values in self._cache.values():
            values.pop(number, None)

    def expect(self, kind: Kind, number: int) -> None:
        """Ask a distant store for a remembered value, and for those of partitions before it."""
        expect(self._store, self._ahead(kind, number))

    def _ahead(self, kind: Kind, number: int) -> Iterator[str]:
        """The paths of a remembered value and those before it, without those that were asked for."""
        older = itertools.takewhile(lambda one: one <= number, sorted(self._remembered))
        for one in collections.deque(older, maxlen=1 + _AHEAD.get(kind, 0)):
            path = self._path(kind, one)
            if path not in self._expected and not self._file(kind, one).exists():
                self._expected.add(path)
                yield path

    def get_files(self, values: Iterable[tuple[int, Kind]]) -> dict[str, bytes]:
        """The files of those of these values that this export has put here, by name, for another machine."""
        files = (self._file(kind, number) for number, kind in values)
        return {file.name: file.read_bytes() for file in files if file.exists()}

    def put_files(self, files: Mapping[str, bytes]) -> None:
        """Take files from `get_files` of another machine in the place of those that are here."""
        for name, data in files.items():
            (self._folder / name).write_bytes(data)
            self.invalidate(int(name.partition(".")[0]))

    def drop_files(self, kind: Kind) -> None:
        """Remove all values of a kind that this export has put here."""
        for file in self._folder.glob(f"*.{kind}"):
            file.unlink()
            self._cache[kind].pop(int(file.stem), None)

    def node(self, number: int) -> PartitionNode:
        """The partition on its posting lists."""
        return self._get("node", number)  # type: ignore[no-any-return]

    def matrix(self, number: int) -> Matrix:
        """All its results."""
        return self._get("matrix", number)  # type: ignore[no-any-return]

    def own_lineages(self, number: int) -> Lineages:
        """The history summaries of its own runs, of each lineage that it has runs of."""
        return self._get("own_lineages", number)  # type: ignore[no-any-return]

    def lineages_after(self, number: int) -> Lineages:
        """Those lineages from the first run to its last one."""
        return self._get("lineages_after", number)  # type: ignore[no-any-return]

    def lineages_before(self, number: int) -> Lineages:
        """The lineages that its documents show, from the first run to the last one before the partition."""
        return self._get("lineages_before", number)  # type: ignore[no-any-return]

    def summary(self, number: int) -> PartitionSummary:
        """What the documents over all partitions need of its documents."""
        return self._get("summary", number)  # type: ignore[no-any-return]

    def previous_summary(self, number: int) -> PartitionSummary | None:
        """Its summary before this export; None if nothing is remembered of the partition."""
        return self._previous("summary", number)  # type: ignore[no-any-return]

    def previous_own_lineages(self, number: int) -> Lineages:
        """Its own lineages before this export; empty if nothing is remembered of the partition."""
        return self._previous("own_lineages", number) or {}

    def new_files(self) -> dict[int, dict[Kind, pathlib.Path]]:
        """Partition → kind → file, of each value to be remembered that this export has put here."""
        found: dict[int, dict[Kind, pathlib.Path]] = {}
        for file in self._folder.iterdir():
            number, _, kind = file.name.partition(".")
            if kind in KINDS:
                found.setdefault(int(number), {})[kind] = file
        return found

    def _previous(self, kind: Kind, number: int) -> Any:
        return self._decoded(kind, self._remembered_bytes(kind, number)) if number in self._remembered else None

    def _get(self, kind: Kind, number: int) -> Any:
        if number in self._cache[kind]:
            self._cache[kind].move_to_end(number)
            return self._cache[kind][number]
        try:
            data = self._file(kind, number).read_bytes()
        except FileNotFoundError:
            data = self._remembered_bytes(kind, number)
        value = self._decoded(kind, data)
        self._keep(kind, number, value)
        return value

    def _decoded(self, kind: Kind, data: bytes) -> Any:
        try:
            return _DECODE[kind](orjson.loads(data))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            raise StateLostError from None

    def _remembered_bytes(self, kind: Kind, number: int) -> bytes:
        if self._store is None or number not in self._remembered or kind not in KINDS:
            raise StateLostError
        self.expect(kind, number)
        found = self._store.get(self._path(kind, number))
        if found is None or digest(found.data) != self._name(kind, number):
            raise StateLostError
        return found.data

    def _name(self, kind: Kind, number: int) -> str:
        return self._remembered[number].files[KINDS.index(kind)]

    def _path(self, kind: Kind, number: int) -> str:
        return paths.STATE_ROOT + paths.state_partition_file(number, kind, self._name(kind, number))

    def _keep(self, kind: Kind, number: int, value: Any) -> None:
        values = self._cache[kind]
        values[number] = value
        values.move_to_end(number)
        if len(values) > _IN_MEMORY[kind]:
            values.popitem(last=False)

    def _file(self, kind: Kind, number: int) -> pathlib.Path:
        return self._folder / f"{number}.{kind}"


class PartitionNodes(MutableMapping[int, PartitionNode]):
    """The nodes in a partition store as a mapping, which `posting_lists.PostingLists` takes."""

    def __init__(self, partitions: PartitionStore, numbers: Iterable[int]) -> None:
        self._partitions, self._numbers = partitions, set(numbers)

    def __contains__(self, number: object) -> bool:
        return number in self._numbers

    def __getitem__(self, number: int) -> PartitionNode:
        if number not in self._numbers:
            raise KeyError(number)
        return self._partitions.node(number)

    def __setitem__(self, number: int, node: PartitionNode) -> None:
        self._numbers.add(number)
        self._partitions.put("node", number, node)

    def __delitem__(self, number: int) -> None:
        self._numbers.remove(number)

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._numbers))

    def __len__(self) -> int:
        return len(self._numbers)


def _encode_node(node: PartitionNode) -> dict[str, Any]:
    return {"stats": node.stats, "previous": dict(sorted(node.previous.items()))}


def _decode_node(value: Mapping[str, Any]) -> PartitionNode:
    diffs = {path: tuple(pair) for path, pair in value["stats"].pop("diffs").items()}
    return PartitionNode(PartitionStats(**value["stats"], diffs=diffs), value["previous"])


_ENCODE: Mapping[Kind, Callable[[Any], Any]] = {
    "node": _encode_node,
    "matrix": Matrix.encoded,
    "own_lineages": lineage_state.encode,
    "lineages_after": lineage_state.encode,
    "lineages_before": lineage_state.encode,
    "summary": PartitionSummary.encoded,
}
_DECODE: Mapping[Kind, Callable[[Any], Any]] = {
    "node": _decode_node,
    "matrix": result_matrix.decode,
    "own_lineages": lineage_state.decode,
    "lineages_after": lineage_state.decode,
    "lineages_before": lineage_state.decode,
    "summary": lambda value: PartitionSummary(**value),
}
