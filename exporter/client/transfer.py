"""Where copies come from: a published API over HTTP, in a folder or in a bucket; many documents at once, large files.

What comes is verified: a document that is not as it should be is fetched again, alone and without compression.
"""

import collections
import contextlib
import hashlib
import pathlib
import queue
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import NamedTuple, Protocol, TypeVar

import urllib3

from exporter import paths
from exporter.client.bases import root_url
from exporter.client.http import Http, Limits, NotFoundError, TryAgainError
from exporter.errors import FetchError, TooLargeError
from exporter.paths import stored
from exporter.publish.open_store import open_store
from exporter.publish.store import Store

T = TypeVar("T")
R = TypeVar("R")

CONNECTIONS = 8
"""Requests at the same time. More gain nothing on a loopback: Python's own work is the limit."""

BUCKET_READERS = 32
"""Documents of a bucket that are read at the same time: each takes tens of milliseconds, most of them on the way."""

_WINDOW = 256
"""Documents that may have come before the first of them is taken."""

_TIMES = 3
"""How often a document is fetched before it counts as different."""


class Wanted(NamedTuple):
    """A document as its manifest describes it: path, digest (SHA-256 in hex) and size in bytes."""

    path: str
    sha256: str
    size: int


class AbsentError(FetchError):
    """A document that a manifest names does not exist."""


class DifferentError(FetchError):
    """A document is not as its manifest describes it."""


Show = Callable[[int], None]
"""Is called with the number of bytes that a file has."""


class Source(Protocol):
    """A published API to fetch from; paths are relative to its root."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def read(self, path: str, limit: int) -> bytes | None:
        """A document whose digest is not known; None where there is none.

        Raises:
            FetchError: it cannot be read, or is larger than `limit` bytes.
        """
        ...

    def documents(self, wanted: Iterable[Wanted]) -> Iterator[bytes]:
        """These documents in this order, verified; many are fetched at the same time.

        Raises:
            AbsentError: one does not exist.
            DifferentError: one stays different from its description.
            FetchError: one cannot be read.
        """
        ...

    def save(self, path: str, file: pathlib.Path, size: int, show: Show) -> None:
        """Write what stands at a path to a file, resuming where the file ends if it is a part of the same.

        Args:
            path: what to fetch.
            file: where to; the file beside it, `.etag`, says of what it is a part.
            size: how many bytes it should have; no more are fetched.
            show: called with the number of bytes that there are.

        Raises:
            FetchError: it cannot be fetched. What came is kept.
        """
        ...


@contextlib.contextmanager
def source(
    base: str,
    credentials: pathlib.Path | None = None,
    limits: Limits = Limits(),  # noqa: B008 - immutable
) -> Iterator[Source]:
    """Open the API below a base: a URL (http, https, file, gs) or a folder, of `v1/` or of the folder that holds it.

    Raises:
        UsageError: the base is none of these.
    """
    opened: StoreSource | HttpSource
    if base.startswith("gs://"):
        folder = base.rstrip("/").removesuffix(f"/{paths.API_ROOT.rstrip('/')}")
        opened = StoreSource(open_store(folder, credentials=credentials), BUCKET_READERS)
    elif (root := root_url(base)).startswith("file:"):
        folder = urllib.request.url2pathname(urllib.parse.urlsplit(root).path)
        opened = StoreSource(open_store(str(pathlib.Path(folder).parent)))
    else:
        opened = HttpSource(root, limits)
    with contextlib.closing(opened):
        yield opened


def _verified(wanted: Wanted, read: Callable[[int], bytes | None], name: str) -> bytes:
    """A document that is as its manifest describes it; `read` is given the number of the attempt.

    Raises:
        AbsentError: it does not exist.
        DifferentError: it stays different.
    """
    for attempt in range(_TIMES):
        try:
            data = read(attempt)
        except TooLargeError:
            continue
        if data is None:
            raise AbsentError(f"{name}: {wanted.path} does not exist, though the manifest names it")
        if len(data) == wanted.size and hashlib.sha256(data).hexdigest() == wanted.sha256:
            return data
    raise DifferentError(f"{name}: {wanted.path} is not as its manifest says")


class StoreSource:
    """The API in a store that can be opened; `readers` documents are read at the same time. To be closed."""

    def __init__(self, store: Store, readers: int = 1) -> None:
        self.store = store
        self._threads = _Threads(readers)

    @property
    def name(self) -> str:
        """The store's name."""
        return self.store.name

    def close(self) -> None:
        """End the threads."""
        self._threads.end()

    def read(self, path: str, limit: int) -> bytes | None:
        """A document; None where there is none."""
        found = self.store.get(stored(path))
        if found is not None and len(found.data) > limit:
            raise TooLargeError(f"{self.name}: {path} is larger than {limit} bytes")
        return found.data if found else None

    def documents(self, wanted: Iterable[Wanted]) -> Iterator[bytes]:
        """These documents in this order, `readers` at the same time."""
        return self._threads.results(self._document, wanted)

    def _document(self, one: Wanted) -> bytes:
        return _verified(one, lambda _: self.read(one.path, one.size), self.name)

    def save(self, path: str, file: pathlib.Path, size: int, show: Show) -> None:
        """Write what stands at a path to a file."""
        data = self.read(path, size)
        if data is None:
            raise AbsentError(f"{self.name}: {path} does not exist")
        file.write_bytes(data)
        show(len(data))


class HttpSource:
    """The API at a root as `root_url` returns it, over connections that are kept. To be closed."""

    def __init__(self, root: str, limits: Limits = Limits()) -> None:  # noqa: B008 - immutable
        self._http = Http(root, limits, CONNECTIONS)
        self._threads = _Threads(CONNECTIONS)

    @property
    def name(self) -> str:
        """The API root's URL."""
        return self._http.name

    def close(self) -> None:
        """Close the connections."""
        self._threads.end()
        self._http.close()

    def documents(self, wanted: Iterable[Wanted]) -> Iterator[bytes]:
        """These documents in this order, many at the same time."""
        return self._threads.results(self._document, wanted)

    def _document(self, one: Wanted) -> bytes:
        return _verified(one, lambda attempt: self.read(one.path, one.size, attempt), self.name)

    def read(self, path: str, limit: int, attempt: int = 0) -> bytes | None:
        """A document; None where there is none. A later attempt asks for it as it is stored, past caches."""

        def take(response: urllib3.BaseHTTPResponse) -> bytes | None:
            if response.status == 200:
                return self._http.body(response, limit)
            error = self._http.refusal(response)
            if isinstance(error, NotFoundError):
                return None
            raise error

        headers = {"Cache-Control": "no-cache"} | ({"Accept-Encoding": "identity"} if attempt else {})
        return self._http.request(_relative(path), take, lambda: headers)

    def save(self, path: str, file: pathlib.Path, size: int, show: Show) -> None:
        """Write what stands at a path to a file, resuming where the file ends."""

        def take(response: urllib3.BaseHTTPResponse) -> None:
            if response.status == 416:
                file.unlink(missing_ok=True)
                raise TryAgainError("the server refuses to resume where the last attempt ended")
            if response.status not in (200, 206):
                error = self._http.refusal(response)
                raise AbsentError(str(error)) if isinstance(error, NotFoundError) else error
            self._append(response, file, size, show)

        self._http.request(_relative(path), take, lambda: _resuming(file, size))

    def _append(self, response: urllib3.BaseHTTPResponse, file: pathlib.Path, size: int, show: Show) -> None:
        """Write an answer's body to the end of a file, or anew if the answer is the whole file."""
        have = file.stat().st_size if file.exists() else 0
        resumed = response.status == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise TryAgainError("the server sends another part than it was asked for")
        tag, etag = _tag(file), response.headers.get("ETag", "")
        if etag and not etag.startswith("W/"):
            tag.write_text(etag)
        else:
            tag.unlink(missing_ok=True)
        have = have if resumed else 0
        with file.open("ab" if resumed else "wb") as target:
            for chunk in self._http.chunks(response):
                have += len(chunk)
                if have > size:
                    raise FetchError(f"{self.name}: {file.name} is larger than it should be")
                target.write(chunk)
                show(have)
        if have < size:
            raise TryAgainError(f"the answer ended after {have} of {size} bytes")


def _tag(file: pathlib.Path) -> pathlib.Path:
    """The file that holds the ETag of what a file is a part of."""
    return file.with_name(f"{file.name}.etag")


def _resuming(file: pathlib.Path, size: int) -> dict[str, str]:
    """The headers that ask for the rest of a file, if it is a part of a known one, else for all of it."""
    # As they are: a range of a compressed answer would be one of other bytes.
    headers = {"Accept-Encoding": "identity"}
    have = file.stat().st_size if file.exists() else 0
    if have and have < size and _tag(file).exists():
        headers |= {"Range": f"bytes={have}-", "If-Range": _tag(file).read_text()}
    return headers


def _relative(path: str) -> str:
    """The URL of a document of the API or of the site, relative to the API's root."""
    if path.startswith(paths.ROOTED):
        return "../" + urllib.parse.quote(path.removeprefix(paths.ROOTED))
    return urllib.parse.quote(path)


class _Threads:
    """Threads that carry out tasks, and that nobody waits for at the end of the program."""

    def __init__(self, number: int) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(number)]
        self._began = False

    def results(self, function: Callable[[T], R], arguments: Iterable[T]) -> Iterator[R]:
        """A function's results for these arguments in their order; at most `_WINDOW` of them wait to be taken."""
        began: collections.deque[Future[R]] = collections.deque()
        try:
            for one in arguments:
                began.append(self.begin(function, one))
                if len(began) >= _WINDOW:
                    yield began.popleft().result()
            while began:
                yield began.popleft().result()
        finally:
            for future in began:
                future.cancel()

    def begin(self, function: Callable[[T], R], argument: T) -> Future[R]:
        """Have a function called by a thread; returns its future."""
        if not self._began:
            self._began = True
            for thread in self._threads:
                thread.start()
        future: Future[R] = Future()

        def task() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function(argument))
            except BaseException as error:
                future.set_exception(error)

        self._tasks.put(task)
        return future

    def end(self) -> None:
        """End the threads when they have done what they are at."""
        for _ in self._threads:
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
