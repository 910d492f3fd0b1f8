"""The index of a store's snapshots, and the files that it names.

Files are written under a snapshot's own id before the index names them, and deleted after it no longer does. So every
file that the index names is complete, at every moment, wherever a process dies; a file that it does not name is being
written, or left over by a process that died.
"""

import contextlib
import datetime
import pathlib
import re
from collections.abc import Iterator

import orjson

from exporter import paths
from exporter.documents.encoding import digest, encode
from exporter.documents.snapshots import Snapshot, SnapshotIndex, snapshot_index
from exporter.errors import ConflictError, StoreError
from exporter.paths import stored
from exporter.publish.lease import moment, now
from exporter.publish.manifest import Pending, decode_pending
from exporter.publish.publisher import Publisher
from exporter.publish.store import ABSENT, Store

_LEASE = datetime.timedelta(hours=6)
"""How long writing a snapshot may take before another process deletes its files; on this machine, which knows whether
the process still runs, there is no limit."""
_TRIES = 100
"""How often other processes may replace the index at the same time."""


def snapshots(store: Store) -> list[Snapshot]:
    """The snapshots that the index names, newest first.

    Raises:
        StoreError: the index is damaged.
    """
    found = store.get(stored(paths.SNAPSHOT_INDEX))
    return decode_index(store.name, found.data)["snapshots"] if found else []


def decode_index(name: str, data: bytes) -> SnapshotIndex:
    """Decode a `snapshots.json`; `name` is the store's name in messages.

    Raises:
        StoreError: it is damaged, or names files outside their snapshot.
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
        raise StoreError(f"{name}: {paths.SNAPSHOT_INDEX} is damaged, or names files outside its snapshots")
    return index


def publish(store: Store, snapshot: Snapshot, keep: int) -> None:
    """Add a snapshot to the index, drop the oldest beyond `keep`, and publish the newest as the latest.

    Raises:
        ConflictError: other processes replaced the index each time.
    """
    for _ in range(_TRIES):
        found = store.get(stored(paths.SNAPSHOT_INDEX))
        known = decode_index(store.name, found.data)["snapshots"] if found else []
        others = [one for one in known if one["id"] != snapshot["id"]]
        listed = sorted([snapshot, *others], key=lambda one: one["created_at"], reverse=True)[:keep]
        data = encode(snapshot_index(listed))
        with contextlib.suppress(ConflictError):
            store.replace(stored(paths.SNAPSHOT_INDEX), data, found.version if found else ABSENT)
            break
    else:
        raise ConflictError(f"{store.name}: other processes keep replacing {paths.SNAPSHOT_INDEX}; try again later")
    _publish_latest(store)


def _publish_latest(store: Store) -> None:
    """Publish the newest snapshot that the index names. The version is read first, so that no older one replaces it."""
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
    raise ConflictError(f"{store.name}: other processes keep replacing {paths.LATEST_SNAPSHOT}; try again later")


@contextlib.contextmanager
def announced(store: Store, snapshot: str) -> Iterator[None]:
    """Hold a lease on a snapshot that the index does not name yet, so that no other process deletes its files."""
    path = f"{paths.STATE_SNAPSHOTS}{snapshot}.json"
    lease = Pending(Publisher(store).owner, moment(now() + _LEASE), ())
    found = store.get(path)
    version = store.replace(path, lease.encode(), found.version if found else ABSENT)
    try:
        yield
    finally:
        store.delete_at(path, version)


def clean(store: Store) -> None:
    """Delete the files of snapshots that the index does not name and no process is writing.

    The index is read last: a process names its snapshot before it releases the lease.
    """
    found = [
        (entry.path, paths.snapshot_of(paths.published(entry.path))) for entry in store.list(stored(paths.SNAPSHOTS))
    ]
    leases = {entry.path for entry in store.list(paths.STATE_SNAPSHOTS)}
    alive = {path for path in leases if _alive(store, path)}
    named = {snapshot["id"] for snapshot in snapshots(store)}
    named |= {pathlib.PurePosixPath(path).stem for path in alive}
    store.delete(file for file, snapshot in found if snapshot is not None and snapshot not in named)
    store.delete(leases - alive)


def _alive(store: Store, lease: str) -> bool:
    found = store.get(lease)
    if found is None:
        return False
    publisher, pending = Publisher(store), decode_pending(found.data)
    # Of this process: another snapshot than ours, which is named by now.
    ours = pending.owner == publisher.owner and pending.expires_at > moment(now())
    return (ours or publisher.lease.alive(pending)) and publisher.lease.plausible(pending, _LEASE)


def check(store: Store) -> Iterator[str]:
    """A line for each file of a snapshot that is missing or has another digest than in the index."""
    for snapshot in snapshots(store):
        for file in snapshot["files"]:
            found = store.get(stored(file["href"]))
            if found is None:
                yield f"{file['href']}: missing"
            elif digest(found.data) != file["sha256"]:
                yield f"{file['href']}: another digest than in {paths.SNAPSHOT_INDEX}"
