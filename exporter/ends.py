"""Where all feeds and chains end, as `_state/` keeps it: in pieces, of which an export reads and writes few.

There are chains for every commit and every pull request, so that one file of all their ends would grow with the
history, and each new run would read and write it whole. The ends that any run moves stand together in one piece; the
others are spread over many by the commit, pull request or branch that they are of.
"""

import pathlib
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

import orjson

from exporter import layout
from exporter.builders.feeds import End
from exporter.encoding import digest
from exporter.publish.store import Store
from exporter.shelf import StateLostError


class Ends(MutableMapping[str, End]):
    """Name → end. Whoever asks for a name gets its piece read; whoever goes over all, all of them.

    Args:
        store: where the pieces are; None: nowhere.
        remembered: their digests, as the store's plan has them; empty where there is none.

    Raises:
        StateLostError: from any access, if a piece is not there, or not as it should be.
    """

    def __init__(self, store: Store | None, remembered: Sequence[str]) -> None:
        self._store, self._remembered = store, remembered or ("",) * layout.END_PIECES
        self._pieces: dict[int, dict[str, End]] = {}
        self._changed: set[int] = set()

    def __getitem__(self, name: str) -> End:
        return self._piece(layout.end_piece(name))[name]

    def __setitem__(self, name: str, end: End) -> None:
        number = layout.end_piece(name)
        self._piece(number)[name] = end
        self._changed.add(number)

    def __delitem__(self, name: str) -> None:
        number = layout.end_piece(name)
        del self._piece(number)[name]
        self._changed.add(number)

    def __iter__(self) -> Iterator[str]:
        for number in range(layout.END_PIECES):
            yield from self._piece(number)

    def __len__(self) -> int:
        return sum(len(self._piece(number)) for number in range(layout.END_PIECES))

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
                path = layout.state_ends(number, name)
                files[path] = folder / f"{number}.ends"
                files[path].write_bytes(data)
            digests[number] = name
        return tuple(digests), files

    def _piece(self, number: int) -> dict[str, End]:
        piece = self._pieces.get(number)
        if piece is None:
            piece = self._pieces[number] = self._read(number)
        return piece

    def _read(self, number: int) -> dict[str, End]:
        name = self._remembered[number]
        if not name:
            return {}
        found = self._store.get(layout.STATE_ROOT + layout.state_ends(number, name)) if self._store else None
        if found is None or digest(found.data) != name:
            raise StateLostError
        value: dict[str, Any] = orjson.loads(found.data)
        return {chain: End(*end) for chain, end in value.items()}
