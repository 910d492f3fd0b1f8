"""A store by its name, as the command line gives it."""

import dataclasses
import pathlib
import re
from dataclasses import dataclass

from exporter.errors import StoreError, UsageError
from exporter.publish.local.folder_store import FILE_MODE, LocalStore
from exporter.publish.store import Store

WRITES_PER_SECOND = 900
"""What a new bucket takes, and a little less: about 1,000."""

_BUCKET = re.compile(r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]{0,221})(?:/(?P<prefix>.*))?", re.DOTALL)


def bucket_of(name: str) -> tuple[str, str]:
    """The bucket and the prefix that `gs://BUCKET[/PREFIX]` names.

    Raises:
        UsageError: it names none.
    """
    found = _BUCKET.fullmatch(name)
    if found is None:
        raise UsageError(f"{name[:100]!r} names no bucket: write gs://BUCKET or gs://BUCKET/PREFIX")
    return found["bucket"], (found["prefix"] or "").strip("/")


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """How to reach a store and write to it.

    Args:
        credentials: a file of Google's; the application default credentials without one. Of no use to a folder.
        max_writes_per_second: to a bucket, by all writers together.
        grace: seconds for which readers may still hold links to what is no longer published; None: as the kind of
            store has it.
        file_mode: permissions of the files in a folder.
    """

    credentials: pathlib.Path | None = None
    max_writes_per_second: int = WRITES_PER_SECOND
    grace: int | None = None
    file_mode: int = FILE_MODE

    def open(self, name: str) -> Store:
        """The store of this name: a folder's path, or `gs://BUCKET[/PREFIX]`. No request is made yet.

        Raises:
            UsageError: there is no such kind of store.
        """
        if not name:
            raise UsageError("the store has an empty name; name a folder or gs://BUCKET")
        kind, separator, _ = name.partition("://")
        if not separator and name.startswith("gs:"):
            raise UsageError(f"{name} is no bucket: write gs://BUCKET, or ./{name} for a folder of that name")
        if not separator:
            return LocalStore(pathlib.Path(name), grace=self.grace or 0, file_mode=self.file_mode)
        if kind != "gs":
            raise UsageError(f"there is no store for {kind}://; name a folder or gs://BUCKET")
        bucket, prefix = bucket_of(name)
        from exporter.publish.gcs.bucket_store import GRACE, GcsStore  # Google's libraries take a second to load

        try:
            return GcsStore(
                bucket,
                prefix,
                credentials=self.credentials,
                max_writes_per_second=self.max_writes_per_second,
                grace=GRACE if self.grace is None else self.grace,
            )
        except StoreError as error:
            raise UsageError(f"gs://{bucket}: the prefix cannot begin the names of objects: {error}") from None


def open_store(name: str, credentials: pathlib.Path | None = None) -> Store:
    """The store of this name, to be read; as `StoreAccess.open`."""
    return StoreAccess(credentials).open(name)


def on_this_machine(store: Store, credentials: pathlib.Path | None) -> Store:
    """A store that another machine has opened, as this one reaches it.

    Args:
        store: the store.
        credentials: this machine's file; None: the one that the other machine named, if it is here as well, else the
            application default credentials.

    Raises:
        UsageError: only the machine that opened the store can reach it.
    """
    if isinstance(store, LocalStore):
        raise UsageError(f"{store.name} is a folder of one machine; to export on a cluster, name a bucket: gs://BUCKET")
    from exporter.publish.gcs.bucket_store import GcsStore

    assert isinstance(store, GcsStore)
    named = store.credentials if store.credentials is not None and store.credentials.is_file() else None
    return dataclasses.replace(store, credentials=credentials or named)
