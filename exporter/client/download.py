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

Show = Callable[[int, int, int], None]
"""Is called with the number of files that are complete, and of bytes that there are, of how many."""


def download(source: Source, folder: pathlib.Path, chosen: Snapshot, show: Show = lambda *_: None) -> None:
    """Fetch a snapshot into a folder.

    Files arrive under other names, and go to their places when all have arrived and are as the index describes them:
    `SHA256SUMS` last. A file that is there already is not fetched, and an interrupted one resumes.

    Raises:
        FetchError: a file cannot be fetched, or is not as the index describes it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        came: list[tuple[pathlib.Path | None, SnapshotFile]] = []
        complete = 0
        for file in chosen["files"]:

            def show_file(have: int, complete: int = complete) -> None:
                show(len(came), complete + have, chosen["bytes"])

            came.append((_fetch(source, folder, file, show_file), file))
            complete += file["bytes"]
        for part, file in sorted(came, key=lambda one: one[1]["name"] == "SHA256SUMS"):
            if part is not None:
                part.replace(folder / file["name"])
        for rest in folder.glob(".*.part*"):
            rest.unlink()
    except OSError as error:
        raise FetchError(
            f"{folder}: {error.strerror or error}: correct that and download again; what came is kept"
        ) from error


def choose(source: Source, snapshot: str | None = None) -> Snapshot:
    """A published snapshot by its id; None: the newest.

    Raises:
        FetchError: there is none.
    """
    data = source.read(paths.SNAPSHOT_INDEX, _MOST)
    if data is None:
        raise FetchError(
            f"{source.name}: there is no {paths.SNAPSHOT_INDEX}: no snapshot is published there, or this is no API root"
        )
    found = decode_index(source.name, data)["snapshots"]
    if not found:
        raise FetchError(f"{source.name}: no snapshot is published there")
    for one in found:
        if snapshot in (None, one["id"]):
            return one
    ids = ", ".join(one["id"] for one in found)
    raise FetchError(f"{source.name}: there is no snapshot {snapshot}; there are: {ids}")


def _fetch(
    source: Source, folder: pathlib.Path, file: SnapshotFile, show: Callable[[int], None]
) -> pathlib.Path | None:
    """Fetch a file under another name; returns None if it is in its place already.

    Raises:
        FetchError: it cannot be fetched, or arrives with another digest.
    """
    if _is(folder / file["name"], file):
        show(file["bytes"])
        return None
    part = folder / f".{file['name']}.{file['sha256'][:12]}.part"
    for _ in range(2):  # a file that was resumed from a damaged part is fetched once more
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
    raise FetchError(
        f"{source.name}: {file['href']} is not as the index describes it (another SHA-256): try again later"
    )


def _is(place: pathlib.Path, file: SnapshotFile) -> bool:
    """Whether a file is as the index says."""
    with contextlib.suppress(FileNotFoundError):
        if place.stat().st_size == file["bytes"]:
            with place.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == file["sha256"]
    return False
