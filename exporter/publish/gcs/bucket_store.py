"""A Google Cloud Storage bucket as a store: the client library for control objects, `bulk_upload.py` for documents.

Each object carries its SHA-256, its size before compression and who wrote it as custom metadata. So the
store knows an object's bytes without reading it, and the writer of a control object its own write after a lost reply.
"""

import contextlib
import functools
import gzip
import hashlib
import itertools
import os
import pathlib
import secrets
import threading
import time
import zlib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, TypeVar

from google.api_core.exceptions import NotFound, PreconditionFailed, from_http_response
from google.cloud import storage

from exporter import paths
from exporter.errors import ConflictError, StoreError
from exporter.publish.gcs.ahead import PAGE, THREADS, Ahead, Looked, Seen, look
from exporter.publish.gcs.bulk_upload import Bulk, Rate
from exporter.publish.gcs.link import Link, connect
from exporter.publish.gcs.objects import Upload, multipart, upload_of, upload_url, windows
from exporter.publish.gcs.reply_checks import written_generation
from exporter.publish.gcs.session import (
    FAILURES,
    NEEDED,
    endpoint,
    explain,
    repeating,
)
from exporter.publish.store import ABSENT, Entry, Stored, check_path, nothing

T = TypeVar("T")

GRACE = 86_400
"""Seconds: what a mirror or a cache may hold on to, over night and over a failure of its own."""
_FIRST_CONTACT = 60.0
"""Seconds after which a service that never answered yet is given up."""

_FIELDS = "kind,items(name,size,generation,contentEncoding,metadata),nextPageToken"

_STATE = paths.STATE_ROOT
_LINKING = threading.Lock()


@dataclass
class GcsStore:
    """The bucket `gs://BUCKET/PREFIX` as a store.

    Args:
        prefix: of all object names; slashes at its ends don't matter.
        credentials: a file of any kind that Google issues; the application default credentials without one.
        grace: seconds for which readers may still hold links to what is no longer published.
        max_writes_per_second: by this process. Several that write to one bucket share what it can take.
        timeout: seconds that one request may take; a stalled one is then repeated.
        deadline: seconds after which what failed again and again is given up.
        plain: write documents with the client library's threads too.
    """

    bucket: str
    prefix: str = ""
    _: KW_ONLY
    credentials: pathlib.Path | None = None
    grace: int = GRACE
    max_writes_per_second: int = 900
    timeout: float = 20.0
    deadline: float = 300.0
    plain: bool = False
    _linked: Link | None = field(default=None, init=False, repr=False, compare=False)
    _share: float = field(default=1.0, init=False, repr=False, compare=False)
    _reads: Ahead[Stored | None] = field(default_factory=Ahead, init=False, repr=False, compare=False)
    _looked: Looked | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._root = f"{self.prefix.strip('/')}/".removeprefix("/")
        check_path(f"{self._root}x")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_linked": None, "_reads": Ahead(), "_looked": None}

    @property
    def name(self) -> str:
        """The bucket's URL."""
        return f"gs://{self.bucket}/{self._root}".rstrip("/")

    def check_writable(self, size: int = 0) -> None:
        """Check that these credentials have the permissions that an export needs; a bucket has room for any `size`.

        A role that is limited to a prefix does not show among the bucket's permissions: then an object is written.

        Raises:
            StoreError: they lack some, or the bucket can't be reached.
        """
        link = self._link()
        if link.writable or os.environ.get("STORAGE_EMULATOR_HOST"):  # emulators know no permissions
            return
        held = self._patiently(lambda: link.bucket.test_iam_permissions(list(NEEDED), timeout=self.timeout))
        if set(NEEDED).difference(held):
            probe = f"{paths.STATE_ROOT}{secrets.token_hex(8)}"
            self.delete_at(probe, self.replace(probe, b"", ABSENT))
        link.writable = True

    def get(self, path: str) -> Stored | None:
        """Read one object; None where there is none."""
        read = self._reads.take(path)
        self._link()  # before a 404 is believed
        if read is None:
            return self._read(path)
        found = read.result()
        if found is None and path.startswith(paths.NAMED_BY_CONTENT):  # another export may have written it since
            return self._read(path)
        return found

    def expect(self, paths: Iterable[str]) -> None:
        """Begin to read these objects; the next `get` of each returns what is read now, or raises its error."""
        self._reads.ask(self._read, paths)

    @contextlib.contextmanager
    def looked(self, *groups: Iterable[str], absent: Iterable[str] = ()) -> Iterator[None]:
        """Look at these paths now, together; while the block lasts, `write` goes by what is seen, or was not."""
        folders = (itertools.groupby(sorted(group), lambda path: path.split("/")[:2]) for group in groups)
        names = ([self._name(path) for path in paths] for folder in folders for _, paths in folder)
        self._looked = Looked(self._look, names, map(self._name, absent))
        try:
            yield
        finally:
            self._looked = None

    def _read(self, path: str) -> Stored | None:
        name = self._name(path)

        def attempt() -> Stored | None:
            blob = self._connection().bucket.blob(name)
            try:
                data = blob.download_as_bytes(raw_download=True, checksum="crc32c", timeout=self.timeout, retry=None)
            except NotFound:
                return None
            if blob.content_encoding == "gzip":
                try:
                    data = gzip.decompress(data)
                except (OSError, EOFError, zlib.error) as error:
                    raise StoreError(f"{self.name}: {path} is not the gzip that it claims to be: {error}") from error
            return Stored(data, str(blob.generation))

        return self._patiently(attempt)

    def replace(self, path: str, data: bytes, version: str) -> str:
        """Write one object if it is still at `version`, a generation or `ABSENT`; return its new generation.

        Raises:
            ConflictError: it is at another generation.
        """
        self._reads.take(path)
        upload = upload_of(self._name(path), path, data, int(version or 0), hashlib.sha256(data).hexdigest())
        doubt = False

        def attempt() -> str:
            try:
                return self._put(upload)
            except PreconditionFailed:
                if doubt and (own := self._generation_of(upload)):
                    return own
                raise

        def failed(_: Exception) -> None:
            nonlocal doubt
            doubt = True

        return self._patiently(attempt, failed)

    def write(
        self, documents: Iterable[tuple[str, bytes]], check: Callable[[], None] = nothing, anew: Container[str] = ()
    ) -> int:
        """Write each (path, bytes) whose bytes are not already there, or whose path is in `anew`; return the number.

        Whether they are there is found by listing where many stand together, else object by object. Each write names
        the generation that was seen then; `check` is called in between.

        Raises:
            ConflictError: another writer changed one of them at the same time.
        """
        written = 0
        with contextlib.ExitStack() as stack:
            send: Callable[[Sequence[Upload]], Sequence[Upload]] | None = None
            for window in windows(documents):
                uploads, looked = self._lacking(window, anew)
                if uploads:
                    looked.check(check) if looked else check()
                if uploads and send is None:
                    send = stack.enter_context(self._sender())
                if uploads and send is not None:
                    self._settle(send(uploads))
                    written += len(uploads)
        return written

    def delete(self, paths: Iterable[str], check: Callable[[], None] = nothing) -> int:
        """Delete what exists of these; return the number deleted, counting what is gone after a lost reply.

        With a `check`, all but the state's files are looked at; then it is called; then each is deleted if it is still
        at the generation that was seen.
        """
        names = [self._name(path) for path in paths]
        looked = [] if check is nothing else sorted(n for n in names if not n.startswith(self._root + _STATE))
        found = self._look(looked)
        if looked:
            check()
        absent = set(looked).difference(found)
        with ThreadPoolExecutor(THREADS) as threads:
            there = [(name, found[name][0] if name in found else None) for name in names if name not in absent]
            return sum(threads.map(self._delete, there))

    def delete_at(self, path: str, version: str) -> None:
        """Delete one object if it is still at `version`, a generation."""
        name = self._name(path)

        def attempt() -> None:
            blob = self._link().bucket.blob(name)
            with contextlib.suppress(NotFound, PreconditionFailed):
                blob.delete(if_generation_match=int(version), timeout=self.timeout, retry=None)

        self._patiently(attempt)

    def list(self, prefix: str) -> Iterator[Entry]:
        """Every object whose path starts with `prefix`, by name."""
        for blob in self._list(prefix=self._root + prefix):
            metadata = blob.metadata or {}
            size = metadata.get("size", "-1" if blob.content_encoding else str(blob.size))
            yield Entry(blob.name.removeprefix(self._root), int(size), metadata.get("sha256", ""))

    def sweep(self) -> None:
        """Do nothing: an upload that was not finished leaves nothing behind."""

    def limit(self, share: float) -> None:
        """Take this share of `max_writes_per_second` from now on, above 0 and up to 1: others take the rest."""
        self._share = share
        if self._linked is not None:
            self._linked.rate.change(self._rate)

    @property
    def _rate(self) -> float:
        return max(1.0, self.max_writes_per_second * self._share)

    def fence(self) -> None:
        """Do nothing: each write names the generation that it replaces, seen before its check."""

    def _name(self, path: str) -> str:
        """The name of the object at a path.

        Raises:
            StoreError: it could not be in every store, or is too long behind the prefix.
        """
        check_path(path)
        name = self._root + path
        if len(name.encode()) > 1024:
            raise StoreError(f"{self.name}: the name of {path[:100]!r} is longer than 1,024 bytes")
        return name

    def _connection(self) -> Link:
        """This process's connection, whose first question may not have been answered yet."""
        with _LINKING:
            if self._linked is None or self._linked.process != os.getpid():
                patience = self.timeout, min(_FIRST_CONTACT, self.deadline)
                self._linked = connect(self.name, self.bucket, self.credentials, Rate(self._rate), patience)
            return self._linked

    def _link(self) -> Link:
        """This process's connection, when the bucket has answered."""
        link = self._connection()
        try:
            link.reached.result()
        except Exception:
            self._linked = None  # whoever asks again connects anew
            raise
        return link

    def _patiently(self, call: Callable[[], T], failed: Callable[[Exception], None] | None = None) -> T:
        """Call until it succeeds or fails for good; `failed` is called with each failure before another."""
        try:
            result: T = repeating(self.deadline, failed)(call)()
        except FAILURES as error:
            raise explain(self.name, error) from error
        return result

    def _put(self, upload: Upload) -> str:
        """Send one upload once; return the new generation."""
        if wait := self._link().rate.take():
            time.sleep(wait)
        boundary = secrets.token_hex(16).encode()
        reply = self._link().http.request(
            "POST",
            endpoint() + upload_url(self.bucket, upload.generation),
            data=multipart(upload, boundary),
            headers={"Content-Type": f"multipart/related; boundary={boundary.decode()}"},
            timeout=self.timeout,
        )
        if reply.status_code != 200:
            raise from_http_response(reply)
        return written_generation(upload, reply.content)

    def _generation_of(self, upload: Upload) -> str | None:
        """The generation that an upload made, if it is what stands there."""
        blob = self._link().bucket.get_blob(upload.resource["name"], timeout=self.timeout, retry=None)
        mine = blob is not None and (blob.metadata or {}).get("write") == upload.resource["metadata"]["write"]
        return str(blob.generation) if blob is not None and mine else None

    @contextlib.contextmanager
    def _sender(self) -> Iterator[Callable[[Sequence[Upload]], Sequence[Upload]]]:
        """A function that sends uploads and returns those that were refused."""
        if self.plain:
            send = functools.partial(self._send_plain, failed=threading.Event())  # set when one fails for good
            with ThreadPoolExecutor(THREADS) as threads:
                yield lambda uploads: [one for one in threads.map(send, uploads) if one]
        else:
            link = self._link()
            with Bulk(
                self.name, self.bucket, link.trusted, link.rate, timeout=self.timeout, deadline=self.deadline
            ) as bulk:
                yield bulk

    def _send_plain(self, upload: Upload, failed: threading.Event) -> Upload | None:
        """Send an upload, unless another has `failed`; return it if it was refused."""
        try:
            if not failed.is_set():
                self._patiently(lambda: self._put(upload))
        except ConflictError:
            return upload
        except StoreError:
            failed.set()
            raise
        return None

    def _settle(self, refused: Sequence[Upload]) -> None:
        """Make sure that what was refused is there all the same: written by a request whose reply was lost."""
        found = self._look(sorted(upload.resource["name"] for upload in refused))
        for upload in refused:
            name = upload.resource["name"]
            if found.get(name, (0, None))[1] != upload.resource["metadata"]["sha256"]:
                raise ConflictError(f"{self.name}: another writer changed {name} at the same time")

    def _lacking(self, window: dict[str, bytes], anew: Container[str]) -> tuple[Sequence[Upload], Looked | None]:
        """The uploads that `write` makes, and the looks that say what is there if these were earlier."""
        names = {self._name(path): path for path in window}
        looked = self._looked
        found = looked.at(names) if looked else None
        if found is None:
            looked, found = None, self._look(sorted(names))
        uploads = []
        for name, path in names.items():
            digest = hashlib.sha256(window[path]).hexdigest()
            generation, there = found.get(name, (0, None))
            if there != digest or path in anew:
                uploads.append(upload_of(name, path, window[path], generation, digest))
        return uploads, looked

    def _look(self, names: Sequence[str]) -> dict[str, Seen]:
        """What stands at names, which are sorted."""
        return look(names, lambda start, end: self._list(start_offset=start, end_offset=end), self._blob)

    def _blob(self, name: str) -> storage.Blob | None:
        return self._patiently(lambda: self._link().bucket.get_blob(name, timeout=self.timeout, retry=None))

    def _list(self, **which: str) -> Iterator[storage.Blob]:
        link = self._connection()  # a listing that works is an answer, too
        retry = repeating(self.deadline if link.reached.done() else min(_FIRST_CONTACT, self.deadline))
        try:
            yield from link.bucket.list_blobs(
                **which, page_size=PAGE, fields=_FIELDS, timeout=self.timeout, retry=retry
            )
        except FAILURES as error:
            raise explain(self.name, error) from error

    def _delete(self, seen: tuple[str, int | None]) -> bool:
        """Delete one object, only at the generation that is named beside it, if one is; whether it was there."""
        name, generation = seen
        doubt = False

        def attempt() -> bool:
            try:
                blob = self._link().bucket.blob(name)
                blob.delete(if_generation_match=generation, timeout=self.timeout, retry=None)
            except (NotFound, PreconditionFailed):
                return doubt
            return True

        def failed(_: Exception) -> None:
            nonlocal doubt
            doubt = True

        if wait := self._link().rate.take():
            time.sleep(wait)
        return self._patiently(attempt, failed)
