"""Documents of a published tree, wherever it is served: fetched whole, again if need be, and only once if unchanged.

What answers is not trusted: no redirect is followed, no path leaves the root, and a body may only be so large.
"""

import collections
import contextlib
import email.utils
import os
import pathlib
import random
import re
import time
import urllib.parse
import urllib.request
from types import TracebackType
from typing import Self

import httpx

from exporter import __version__, paths
from exporter.errors import FetchError, UsageError
from exporter.publish.open_store import bucket_of

TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may succeed."""

ATTEMPTS = 5
PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the second attempt at most, and before any; a `Retry-After` of no more than that is kept."""

LARGEST = 256 << 20
"""Bytes that a body may have, decoded: several times the largest document of a platform of ten years."""

REMEMBERED = 64 << 20
"""Bytes of documents that are kept to be revalidated."""

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)

_PATH = re.compile(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*", re.ASCII)


class NotFoundError(FetchError):
    """There is no such document."""


def checked(path: str) -> str:
    """A path below the root, as it came.

    Raises:
        FetchError: it is none of this API.
    """
    if not _is_path(path):
        raise FetchError(f"{path[:100]!r} is no path of this API")
    return path


def _is_path(path: str) -> bool:
    return _PATH.fullmatch(path) is not None and not {".", ".."}.intersection(path.split("/"))


def resolved(source: str, link: str) -> str:
    """The path that a link in the document at `source` leads to.

    Raises:
        FetchError: it leads out of the API.
    """
    parts = source.split("/")[:-1]
    while link.startswith("../"):
        if not parts:
            raise FetchError(f"{source}: the link {link[:100]!r} leads out of the API")
        parts.pop()
        link = link[3:]
    path = "/".join([*parts, link])
    if not _is_path(path):
        raise FetchError(f"{source}: the link {link[:100]!r} leads out of the API")
    return path


def root_url(base: str) -> httpx.URL:
    """The URL of the API root, with a final `/`, of a base as people give it.

    Args:
        base: `https://`, `http://` or `file://` and what the store's root, or its `v1/`, is served as; a bucket as
            `gs://BUCKET[/PREFIX]`; or the path of a folder. For a bucket `STORAGE_EMULATOR_HOST` may name another
            service than Google's.

    Raises:
        UsageError: it is nothing of the kind.
    """
    kind, separator, _ = base.partition("://")
    if not separator:
        if not base:
            raise UsageError("the base is empty; name a URL, a folder or gs://BUCKET")
        base = pathlib.Path(base).absolute().as_uri()
    elif kind == "gs":
        bucket, prefix = bucket_of(base)
        service = os.environ.get("STORAGE_EMULATOR_HOST") or "https://storage.googleapis.com"
        base = f"{service.rstrip('/')}/{bucket}/{urllib.parse.quote(prefix)}"
    try:
        url = httpx.URL(base.rstrip("/"))
    except (httpx.InvalidURL, ValueError):
        raise UsageError(f"{base[:100]!r} is no URL") from None
    if url.scheme == "file" and not url.host:
        url = url.copy_with(host="localhost")  # the same by RFC 8089; httpx joins no path to a URL without a host
    remote = url.scheme in ("http", "https") and url.host
    if (not remote and (url.scheme, url.host) != ("file", "localhost")) or url.query:
        raise UsageError(f"{base[:100]!r} is no base; name https://…, http://…, file://…, gs://BUCKET or a folder")
    name = paths.API_ROOT.rstrip("/")
    path = url.raw_path.decode().rstrip("/")
    return url.copy_with(raw_path=f"{path.removesuffix(f'/{name}')}/{name}/".encode(), fragment=None)


class Fetcher:
    """Fetches documents below one API root; to be used as a context, or closed. One thread at a time.

    Args:
        base: as `root_url` takes it.

    Raises:
        UsageError: the base is none.
    """

    def __init__(self, base: str) -> None:
        self._root = root_url(base)
        self.name = str(self._root.copy_with(userinfo=b""))
        """The root's URL, without a password."""
        self._client = httpx.Client(
            headers={"User-Agent": f"sample-platform-exporter/{__version__}"},
            timeout=_TIMEOUT,
            transport=FileTransport() if self._root.scheme == "file" else None,
        )
        self._known: collections.OrderedDict[str, tuple[str, bytes]] = collections.OrderedDict()
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def fetch(self, path: str) -> bytes:
        """The bytes of a document.

        Raises:
            NotFoundError: there is none at this path.
            FetchError: it cannot be read.
        """
        url = self._root.join(checked(path))
        known = self._known.get(path)
        headers = {"If-None-Match": known[0]} if known else {}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._client.stream("GET", url, headers=headers) as response:
                    if response.status_code == httpx.codes.NOT_MODIFIED and known:
                        self._known.move_to_end(path)
                        return known[1]
                    if response.status_code == httpx.codes.OK:
                        return self._body(path, response)
                    if response.status_code not in TRANSIENT or attempt == ATTEMPTS:
                        raise self._refused(path, response)
                    wait = _asked(response)
            except httpx.TransportError as error:
                if attempt == ATTEMPTS or isinstance(error, httpx.UnsupportedProtocol | httpx.ProxyError):
                    said = str(error) or type(error).__name__
                    raise FetchError(f"{self.name}{path} cannot be read: {said}") from None
                wait = None
            except httpx.DecodingError:
                raise FetchError(f"{self.name}{path}: the body is not encoded as it says") from None
            time.sleep(random.uniform(0, min(LONGEST_PAUSE, PAUSE * 2.0**attempt)) if wait is None else wait)  # noqa: S311
        raise AssertionError("the last attempt gives or raises")

    def _body(self, path: str, response: httpx.Response) -> bytes:
        chunks, size = [], 0
        for chunk in response.iter_bytes(1 << 16):
            size += len(chunk)
            if size > LARGEST:
                raise FetchError(f"{self.name}{path} is larger than any document: over {LARGEST >> 20} MiB")
            chunks.append(chunk)
        data = b"".join(chunks)
        self._remember(path, response.headers.get("etag"), data)
        return data

    def _remember(self, path: str, etag: str | None, data: bytes) -> None:
        old = self._known.pop(path, None)
        self._size -= len(old[1]) if old else 0
        if etag and len(data) <= REMEMBERED:
            self._known[path] = etag, data
            self._size += len(data)
        while self._size > REMEMBERED:
            _, (_, gone) = self._known.popitem(last=False)
            self._size -= len(gone)

    def _refused(self, path: str, response: httpx.Response) -> FetchError:
        place, code = f"{self.name}{path}", response.status_code
        if code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
            return NotFoundError(f"{place} does not exist")
        if response.has_redirect_location:
            target = httpx.URL(response.headers["location"][:500]) if _is_url(response) else "nowhere"
            return FetchError(f"{place} leads to {target}: no redirect is followed; give that as the base if it is")
        return FetchError(f"{place} cannot be read: HTTP status {code} {httpx.codes.get_reason_phrase(code)}".rstrip())


def _is_url(response: httpx.Response) -> bool:
    with contextlib.suppress(httpx.InvalidURL):
        return bool(httpx.URL(response.headers["location"][:500]))
    return False


def _asked(response: httpx.Response) -> float | None:
    """The seconds that `Retry-After` asks for, if it is not too long."""
    asked = response.headers.get("retry-after", "")
    seconds: float | None = None
    if re.fullmatch(r"[0-9]{1,9}", asked):
        seconds = float(asked)
    elif (moment := email.utils.parsedate_tz(asked)) is not None:
        seconds = max(0.0, email.utils.mktime_tz(moment) - time.time())
    return None if seconds is None else min(seconds, LONGEST_PAUSE)


class FileTransport(httpx.BaseTransport):
    """Answers requests for `file://` URLs with the files of this machine."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The file; 304, 404, or 403 for one that cannot be read."""
        try:
            with pathlib.Path(urllib.request.url2pathname(request.url.raw_path.decode())).open("rb") as file:
                status = os.fstat(file.fileno())
                etag = f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"'
                if request.headers.get("if-none-match") == etag:
                    return httpx.Response(httpx.codes.NOT_MODIFIED)
                return httpx.Response(httpx.codes.OK, headers={"ETag": etag}, content=file.read(LARGEST + 1))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return httpx.Response(httpx.codes.NOT_FOUND)
        except OSError:
            return httpx.Response(httpx.codes.FORBIDDEN)
