"""Downloading a snapshot: whole, verified, and none of it in place before all of it is there."""

import contextlib
import hashlib
import os
import pathlib
from collections.abc import Callable

from exporter import paths
from exporter.client.transfer import Source
from exporter.documents.snapshots import Snapshot, SnapshotFile
from exporter.errors import FetchError
from exporter.snapshots.snapshot_index import decode_index

_MOST = 64 << 20
"""Bytes of an index."""

Show = Callable[[int], None]
"""Hears how many percent there are."""


def download(source: Source, folder: pathlib.Path, snapshot: str | None = None, show: Show = lambda _: None) -> str:
    """Fetch a snapshot into a folder; give its id.

    Files come under other names first, and go to their places when all are there and as the index says: `SHA256SUMS`
    last. What is there already is not fetched, and what was broken off goes on.

    Args:
        source: where from.
        folder: where to.
        snapshot: its id; None for the newest.
        show: hears how far it is.

    Raises:
        FetchError: there is no such snapshot, or a file cannot be had, or is not as the index says.
    """
    chosen = _choose(source, snapshot)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        came: list[tuple[pathlib.Path | None, SnapshotFile]] = []
        total, before = max(1, chosen["bytes"]), 0
        for file in chosen["files"]:

            def show_file(have: int, before: int = before) -> None:
                show(100 * (before + have) // total)

            came.append((_fetch(source, folder, file, show_file), file))
            before += file["bytes"]
        for part, file in sorted(came, key=lambda one: one[1]["name"] == "SHA256SUMS"):
            if part is not None:
                part.replace(folder / file["name"])
        for rest in folder.glob(".*.part*"):
            rest.unlink()
    except OSError as error:
        raise FetchError(
            f"{folder}: {error.strerror or error}: mend that and download again; what came is kept"
        ) from error
    return chosen["id"]


def _choose(source: Source, snapshot: str | None) -> Snapshot:
    (data,) = source.get([paths.SNAPSHOT_INDEX], _MOST)
    if data is None:
        raise FetchError(f"{source.name}: there are no snapshots")
    found = decode_index(source.name, data)["snapshots"]
    for one in found:
        if snapshot in (None, one["id"]):
            return one
    ids = ", ".join(one["id"] for one in found)
    raise FetchError(f"{source.name}: there is no snapshot {snapshot or ''}; there are: {ids or 'none'}")


def _fetch(source: Source, folder: pathlib.Path, file: SnapshotFile, show: Show) -> pathlib.Path | None:
    """Fetch a file under another name; None if it stands in its place already.

    Raises:
        FetchError: it cannot be had, or comes with another digest.
    """
    if _is(folder / file["name"], file):
        show(file["bytes"])
        return None
    part = folder / f".{file['name']}.{file['sha256'][:12]}.part"
    for _ in range(2):  # what went on from a damaged part is fetched once more
        if not _is(part, file):
            began = part.exists()
            source.save(file["href"], part, file["bytes"], show)
            if not _is(part, file):
                part.unlink()
                if began:
                    continue
                break
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        return part
    raise FetchError(f"{source.name}: {file['href']} is not what the index says (another SHA-256): try again later")


def _is(place: pathlib.Path, file: SnapshotFile) -> bool:
    """Whether a file is as the index says."""
    with contextlib.suppress(FileNotFoundError):
        if place.stat().st_size == file["bytes"]:
            with place.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == file["sha256"]
    return False
