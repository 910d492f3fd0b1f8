"""Where all feeds and chains end, as `_state/` keeps it: in pieces, of which an export reads and writes few.

There are chains for every commit and every pull request, so that one file of all their ends would grow with the
history, and each new run would read and write it whole. The ends that any run moves stand together in one piece; the
others are spread over many by the commit, pull request or branch that they are of.
"""

import pathlib
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

import orjson

from exporter import paths
from exporter.builders.feeds import ListHead
from exporter.documents.encoding import digest
from exporter.publish.store import Store
from exporter.state.partition_store import StateLostError


class ListHeads(MutableMapping[str, ListHead]):
    """Name → end. Whoever asks for a name gets its piece read; whoever goes over all, all of them.

    Args:
        store: where the pieces are; None: nowhere.
        remembered: their digests, as the store's plan has them; empty where there is none.

    Raises:
        StateLostError: from any access, if a piece is not there, or not as it should be.
    """

    def __init__(self, store: Store | None, remembered: Sequence[str]) -> None:
        self._store, self._remembered = store, remembered or ("",) * paths.LIST_HEAD_SHARDS
        self._pieces: dict[int, dict[str, ListHead]] = {}
        self._changed: set[int] = set()

    def __getitem__(self, name: str) -> ListHead:
        return self._piece(paths.list_head_shard(name))[name]

    def __setitem__(self, name: str, end: ListHead) -> None:
        number = paths.list_head_shard(name)
        self._piece(number)[name] = end
        self._changed.add(number)

    def __delitem__(self, name: str) -> None:
        number = paths.list_head_shard(name)
        del self._piece(number)[name]
        self._changed.add(number)

    def __iter__(self) -> Iterator[str]:
        for number in range(paths.LIST_HEAD_SHARDS):
            yield from self._piece(number)

    def __len__(self) -> int:
        return sum(len(self._piece(number)) for number in range(paths.LIST_HEAD_SHARDS))

    def put(self, folder: pathlib.Path) -> tuple[tuple[str, ...], dict[str, pathlib.Path]]:
        """The digests of all pieces as they are now; and path below the state's root → file, of those that changed.

        The files are made in `folder`.
        """
        digests, files = list(self._remembered), dict[str, pathlib.Path]()
        for number in sorted(self._changed):
            piece = self._pieces[number]
            data = orjson.dumps(piece, default=tuple, option=orjson.OPT_SORT_KEYS) if piece else b""
            name = digest(data) if piece else ""
            if name not in ("", digests[number]):
                path = paths.state_list_heads(number, name)
                files[path] = folder / f"{number}.ends"
                files[path].write_bytes(data)
            digests[number] = name
        return tuple(digests), files

    def _piece(self, number: int) -> dict[str, ListHead]:
        piece = self._pieces.get(number)
        if piece is None:
            piece = self._pieces[number] = self._read(number)
        return piece

    def _read(self, number: int) -> dict[str, ListHead]:
        name = self._remembered[number]
        if not name:
            return {}
        found = self._store.get(paths.STATE_ROOT + paths.state_list_heads(number, name)) if self._store else None
        if found is None or digest(found.data) != name:
            raise StateLostError
        value: dict[str, Any] = orjson.loads(found.data)
        return {chain: ListHead(*end) for chain, end in value.items()}
