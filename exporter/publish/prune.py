"""Strays: objects in a store that neither a manifest nor the state names, and their deletion."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator

from exporter import paths
from exporter.documents.encoding import digest
from exporter.errors import StoreError
from exporter.paths import stored
from exporter.publish.deletions import Deletions
from exporter.publish.lease import check_lease
from exporter.publish.published_state import read_parts
from exporter.publish.publisher import Publisher
from exporter.publish.store import Entry, Store

StateFiles = Callable[[Store], Iterable[str]]
"""The paths, below `_state/`, of the files that the incremental state of a store names."""

_BATCH = 5_000
"""Objects deleted between two renewals of the lease: some seconds of work."""


def strays(store: Store, state_files: StateFiles) -> Iterator[Entry]:
    """The objects below `v1/`, in the site's folders and among the state that nothing names.

    An object is named by the published manifest, a pending one, the list of deletions, or the state. The part manifests
    of an export that is still building are strays, too: nothing names them yet. Snapshots are not, because
    `exporter snapshot` deletes old ones.

    Raises:
        StoreError: the store can't be read, or a manifest is not whole, so that strays can't be determined.
    """
    publisher = Publisher(store)
    base = publisher.published()
    if base.manifest is None:
        raise StoreError(f"{store.name}: nothing is published here, so there is nothing that could be left over")
    pending = base.pending.manifests if base.pending else ()
    # By hash, as in verify: there are millions.
    known = {hash(stored(path)) for path in (paths.MANIFEST, paths.PENDING, *pending)}
    known.update(map(hash, publisher.remembered(due=False)))
    for part in base.manifest.parts.values():
        found = store.get(stored(part.href))
        if found is None or digest(found.data) != part.digest:
            raise StoreError(
                f"{store.name}: {part.href} is missing or damaged: delete v1/manifest.json and export again"
            )
        known.add(hash(stored(part.href)))
    for documents in read_parts(store, [*(part.href for part in base.manifest.parts.values()), *pending]):
        known.update(hash(stored(path)) for path in documents)
    known.update(hash(paths.STATE_ROOT + path) for path in state_files(store))
    for prefix in (paths.API_ROOT, *paths.SITE_FOLDERS, *paths.STATE_FOLDERS):
        for entry in store.list(prefix):
            if hash(entry.path) not in known and not paths.is_of_snapshots(paths.published(entry.path)):
                yield entry


def prune(store: Store, state_files: StateFiles) -> int:
    """Delete the strays; return their number. No export publishes meanwhile; one that is building begins again.

    What is to be deleted is noted first, as exports do it: if this process falls asleep past its lease, an export that
    publishes such a path knows that it may be deleted.

    Raises:
        StoreError: as `strays`; or an export is publishing.
    """
    publisher = Publisher(store)
    deleted = 0
    with publisher.alone():
        found = (entry.path for entry in strays(store, state_files))
        deletions = Deletions.load(store)
        while batch := list(itertools.islice(found, _BATCH)):
            documents = [path for path in batch if not path.startswith(paths.STATE_ROOT)]
            deletions.add(documents, publisher.clock())
            deletions.save()
            deleted += store.delete(batch, functools.partial(check_lease, store, publisher.owner))
            deletions.drop(documents)
            publisher.lease.keep()
        deletions.save()
    return deleted
