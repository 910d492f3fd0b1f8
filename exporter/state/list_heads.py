"""The list heads of all posting lists in shards, of which an export reads and writes few.

There is a posting list for every commit and every pull request, so that one file of all heads would grow with the
history, and each new run would read and write it whole. The heads that any run changes are together in one shard; the
others are spread over many by the commit, pull request or branch that they belong to.
"""

import hashlib
import pathlib
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Any

import orjson

from exporter import paths
from exporter.documents.encoding import digest
from exporter.publish.store import Store, expect
from exporter.state.partition_store import StateLostError
from exporter.state.posting_lists import ListHead
from exporter.state.state_file import LIST_HEAD_SHARDS

_MANY = (
    *(f"{paths.RUNS}/by-{name}/" for name in ("commit", "pr", "branch", "repository")),
    paths.DIFFS,
    "commits/",
    "lines/",
)


def list_head_shard(name: str) -> int:
    """The shard that holds the list head of a posting list.

    Shard 0 has the lists of which there are about as many however long the history is, the main lines among them; the
    others have those that come with commits, pull requests, branches and outputs, those of the same one together.
    """
    if not name.startswith(_MANY) or name.endswith("/main"):
        return 0
    return 1 + hashlib.blake2b(name.rpartition("/")[2].encode(), digest_size=1).digest()[0]


class ListHeads(MutableMapping[str, ListHead]):
    """Name of a posting list → its head. A look-up reads the shard of the name, iteration reads all shards.

    Args:
        store: the store that holds the shards; None: none holds any.
        remembered: the digests of the shards, as the store's `plan.json` has them; empty where there is none.

    Raises:
        StateLostError: from any access, if a shard is missing or damaged.
    """

    def __init__(self, store: Store | None, remembered: Sequence[str]) -> None:
        self._store, self._remembered = store, remembered or ("",) * LIST_HEAD_SHARDS
        self._shards: dict[int, dict[str, ListHead]] = {}
        self._changed: set[int] = set()
        self._expected: set[int] = set()

    def __getitem__(self, name: str) -> ListHead:
        return self._shard(list_head_shard(name))[name]

    def __setitem__(self, name: str, head: ListHead) -> None:
        number = list_head_shard(name)
        self._shard(number)[name] = head
        self._changed.add(number)

    def __delitem__(self, name: str) -> None:
        number = list_head_shard(name)
        del self._shard(number)[name]
        self._changed.add(number)

    def __iter__(self) -> Iterator[str]:
        for number in range(LIST_HEAD_SHARDS):
            yield from self._shard(number)

    def __len__(self) -> int:
        return sum(len(self._shard(number)) for number in range(LIST_HEAD_SHARDS))

    def expect(self, names: Iterable[str]) -> None:
        """Ask a distant store for the shards of these lists."""
        expect(self._store, self._ahead(names))

    def _ahead(self, names: Iterable[str]) -> Iterator[str]:
        """The paths of the shards of lists, without those that were asked for."""
        for number in set(map(list_head_shard, names)).difference(self._shards, self._expected):
            self._expected.add(number)
            if self._remembered[number]:
                yield self._path(number)

    def save(self, folder: pathlib.Path) -> tuple[tuple[str, ...], dict[str, pathlib.Path]]:
        """Write the changed shards to files in `folder`, which holds nothing else.

        Returns:
            The digests of all shards; and path below the state's root → file, of each that differs from before.
        """
        digests, files = list(self._remembered), dict[str, pathlib.Path]()
        for number in sorted(self._changed):
            shard = self._shards[number]
            data = orjson.dumps(shard, default=tuple, option=orjson.OPT_SORT_KEYS) if shard else b""
            name = digest(data) if shard else ""
            if name not in ("", digests[number]):
                path = paths.state_list_heads(number, name)
                files[path] = folder / str(number)
                files[path].write_bytes(data)
            digests[number] = name
        return tuple(digests), files

    def _shard(self, number: int) -> dict[str, ListHead]:
        shard = self._shards.get(number)
        if shard is None:
            shard = self._shards[number] = self._read(number)
        return shard

    def _read(self, number: int) -> dict[str, ListHead]:
        name = self._remembered[number]
        if not name:
            return {}
        found = self._store.get(self._path(number)) if self._store else None
        if found is None or digest(found.data) != name:
            raise StateLostError
        value: dict[str, Any] = orjson.loads(found.data)
        return {list_name: ListHead(*head) for list_name, head in value.items()}

    def _path(self, number: int) -> str:
        return paths.STATE_ROOT + paths.state_list_heads(number, self._remembered[number])
