"""The index of a store's snapshots, and what may stand beside it.

Files are written under a name of their own before the index names them, and deleted after it has ceased to. So what it
names is whole, at every moment, however a snapshot ends; what it does not name is somebody's who writes it just now, or
left over.
"""

import contextlib
import datetime
import pathlib
import re
from collections.abc import Iterable, Iterator

import orjson

from exporter import paths
from exporter.documents.encoding import digest, encode
from exporter.documents.snapshots import Snapshot, SnapshotIndex
from exporter.errors import ConflictError, StoreError
from exporter.paths import stored
from exporter.publish.lease import moment, now
from exporter.publish.manifest import Pending, decode_pending
from exporter.publish.publisher import Publisher
from exporter.publish.store import ABSENT, Store

_LEASE = datetime.timedelta(hours=6)
"""How long writing a snapshot may take before another takes it for left over; not if it ran on this machine."""
_TRIES = 100
"""How often others may replace the index at the same time."""


def snapshots(store: Store) -> list[Snapshot]:
    """The snapshots that the index names, newest first.

    Raises:
        StoreError: the index is damaged.
    """
    found = store.get(stored(paths.SNAPSHOT_INDEX))
    return decode_index(store.name, found.data)["snapshots"] if found else []


def decode_index(name: str, data: bytes) -> SnapshotIndex:
    """Read a `snapshots.json`; `name` is what messages call where it is from.

    Raises:
        StoreError: it is damaged, or names what lies elsewhere.
    """
    try:
        index: SnapshotIndex = orjson.loads(data)
        ids = [snapshot["id"] for snapshot in index["snapshots"]]
        whole = (
            all(
                paths.snapshot_of(file["href"]) == snapshot["id"]
                and file["href"] == paths.snapshot_file(snapshot["id"], file["name"])
                and isinstance(file["bytes"], int)
                and file["bytes"] >= 0
                and re.fullmatch("[0-9a-f]{64}", file["sha256"])
                for snapshot in index["snapshots"]
                for file in snapshot["files"]
            )
            and index["latest"] == next(iter(ids), None)
            and len(ids) == len(set(ids))
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise StoreError(f"{name}: {paths.SNAPSHOT_INDEX} is damaged, or names files that are not its snapshots'")
    return index


def publish(store: Store, snapshot: Snapshot, keep: int) -> None:
    """Name a snapshot in the index, the oldest ones no longer, and the newest as the latest."""
    for _ in range(_TRIES):
        found = store.get(stored(paths.SNAPSHOT_INDEX))
        before = decode_index(store.name, found.data)["snapshots"] if found else []
        others = [one for one in before if one["id"] != snapshot["id"]]
        listed = sorted([snapshot, *others], key=lambda one: one["created_at"], reverse=True)[:keep]
        index: SnapshotIndex = {
            "api_version": paths.API_VERSION,
            "latest": listed[0]["id"],
            "snapshots": listed,
        }
        with contextlib.suppress(ConflictError):
            store.replace(stored(paths.SNAPSHOT_INDEX), encode(index), found.version if found else ABSENT)
            break
    else:
        raise ConflictError(f"{store.name}: others replace {paths.SNAPSHOT_INDEX} again and again; try again later")
    _publish_latest(store)


def _publish_latest(store: Store) -> None:
    """Tell of the newest snapshot that the index names. Its version is read first, lest an older one win."""
    for _ in range(_TRIES):
        found = store.get(stored(paths.LATEST_SNAPSHOT))
        latest = snapshots(store)[0]
        for one in latest["files"]:
            one["href"] = paths.relative(paths.LATEST_SNAPSHOT, one["href"])
        data = encode(latest)
        if found is not None and found.data == data:
            return
        with contextlib.suppress(ConflictError):
            store.replace(stored(paths.LATEST_SNAPSHOT), data, found.version if found else ABSENT)
            return
    raise ConflictError(f"{store.name}: others replace {paths.LATEST_SNAPSHOT} again and again; try again later")


@contextlib.contextmanager
def announced(store: Store, snapshot: str) -> Iterator[None]:
    """Say who writes a snapshot that nothing names yet, so that nobody takes it for left over."""
    path = f"{paths.STATE_SNAPSHOTS}{snapshot}.json"
    lease = Pending(Publisher(store).owner, moment(now() + _LEASE), ())
    found = store.get(path)
    version = store.replace(path, lease.encode(), found.version if found else ABSENT)
    try:
        yield
    finally:
        store.delete_at(path, version)


def clean(store: Store) -> None:
    """Delete the files of snapshots that the index does not name and nobody is writing.

    In this order: who is done writing has been named before, so the index is read last.
    """
    files = [entry.path for entry in store.list(stored(paths.SNAPSHOTS))]
    leases = {entry.path for entry in store.list(paths.STATE_SNAPSHOTS)}
    alive = {path for path in leases if _alive(store, path)}
    named = {snapshot["id"] for snapshot in snapshots(store)}
    named |= {pathlib.PurePosixPath(path).stem for path in alive}
    store.delete(_unnamed(files, named))
    store.delete(leases - alive)


def _alive(store: Store, lease: str) -> bool:
    found = store.get(lease)
    if found is None:
        return False
    publisher, pending = Publisher(store), decode_pending(found.data)
    # Of this process: another snapshot than ours, which is named by now.
    ours = pending.owner == publisher.owner and pending.expires_at > moment(now())
    return ours or publisher.lease.alive(pending)


def _unnamed(files: Iterable[str], named: set[str]) -> list[str]:
    found = ((file, paths.snapshot_of(file.removeprefix(paths.API_ROOT))) for file in files)
    return [file for file, snapshot in found if snapshot is not None and snapshot not in named]


def check(store: Store) -> Iterator[str]:
    """A line for each file of a snapshot that is not as the index says."""
    for snapshot in snapshots(store):
        for file in snapshot["files"]:
            found = store.get(stored(file["href"]))
            if found is None:
                yield f"{file['href']}: missing"
            elif digest(found.data) != file["sha256"]:
                yield f"{file['href']}: not as {paths.SNAPSHOT_INDEX} says"
