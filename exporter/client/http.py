"""The one HTTP stack of all readers: timeouts, retries, redirects, passwords, compression.

A server is not trusted: a redirect is followed within the same origin only, a body may only be so large, and no
answer may take for ever.
"""

import base64
import collections
import contextlib
import os
import time
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import certifi
import urllib3
from urllib3 import exceptions

from exporter import __version__
from exporter.client.bases import checked, root_url
from exporter.errors import FetchError, TooLargeError, UsageError
from exporter.retry import TRANSIENT_STATUSES, Backoff, RetryPolicy, retry_after

T = TypeVar("T")

POLICY = RetryPolicy(deadline=300.0, attempts=5, first_pause=0.5, longest_pause=30.0)

LARGEST = 256 << 20
"""Bytes that a document may have, decoded: several times the largest document of a platform of ten years."""

REMEMBERED = 64 << 20
"""Bytes of documents that are kept to be revalidated."""

_CONNECT = 10.0
_LONG = 1e6
_REDIRECTS = 5
_CHUNK = 1 << 18
_MOVED = frozenset({301, 302, 303, 307, 308})
_MISSING = frozenset({404, 410})


class NotFoundError(FetchError):
    """There is no such document."""


class TryAgainError(Exception):
    """An answer that another attempt may better; its text says why."""


class _UndecodableError(Exception):
    """A body is not encoded as its headers say."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a reader waits, in seconds.

    Args:
        request: how long a server may send nothing, at the beginning of an answer or in its middle.
        total: how long all requests of a reader may take together; None: as long as they do.
    """

    request: float = 30.0
    total: float | None = None


class Http:
    """Requests below one root URL; any number of threads may share it. To be closed.

    Args:
        root: as `root_url` returns it, `http` or `https`.
        limits: how long to wait.
        connections: how many are kept open.

    Raises:
        UsageError: the environment names a proxy that cannot be used.
    """

    def __init__(self, root: str, limits: Limits = Limits(), connections: int = 1) -> None:
        url = urllib.parse.urlsplit(root)
        host = url.netloc.rpartition("@")[2]
        self._origin = f"{url.scheme}://{host}"
        self._root = self._origin + url.path
        self._address = host if url.port else f"{host}:{443 if url.scheme == 'https' else 80}"
        self._limits, self._began, self._answered = limits, time.monotonic(), False
        headers = {"User-Agent": f"sample-platform-exporter/{__version__}", "Accept-Encoding": "gzip"}
        if url.username is not None:
            headers["Authorization"] = f"Basic {base64.b64encode(_user(url).encode()).decode()}"
        self._headers, self._manager = headers, _manager(url, connections)
        # The pool of the one host spares a third of urllib3's work; a proxy of plain HTTP gets whole URLs.
        proxied = isinstance(self._manager, urllib3.ProxyManager) and url.scheme == "http"
        self._pool = None if proxied else self._manager.connection_from_url(self._origin)

    @property
    def name(self) -> str:
        """The root's URL, without a password."""
        return self._root

    def close(self) -> None:
        """Close the connections."""
        self._manager.clear()

    def request(
        self, path: str, take: Callable[[urllib3.BaseHTTPResponse], T], headers: Callable[[], Mapping[str, str]] = dict
    ) -> T:
        """Request a path until `take` has returned; returns its result.

        A connection that fails, an answer that breaks off and a status that may pass are retried; a body that cannot
        be decoded is requested once more without compression.

        Args:
            path: relative to the root; `../` leads to the folder in which the root lies.
            take: is called with the answer, whatever its status; may read it with `chunks` or `body`, and raise
                `TryAgainError`.
            headers: returns more of them, for one attempt.

        Raises:
            FetchError: no attempt succeeded, or an answer is a redirect to another origin.
        """
        plain: dict[str, str] = {}
        url = urllib.parse.urljoin(self._root, path) if path.startswith("../") else self._root + path
        backoff = Backoff(POLICY)
        while True:
            wait = 0.0
            try:
                with self._answer(url, {**self._headers, **headers(), **plain}) as response:
                    if response.status not in TRANSIENT_STATUSES:
                        return take(response)
                    failure, wait = _status(response), retry_after(response.headers.get("Retry-After"))
            except _UndecodableError:
                if plain:
                    raise FetchError(f"{url} cannot be read: the body is not encoded as it says") from None
                plain = {"Accept-Encoding": "identity"}
                continue
            except TryAgainError as error:
                failure = str(error)
            except exceptions.HTTPError as error:
                failure = self._explained(error)
                # Whoever has never answered is not there; whoever has may be restarting.
                if isinstance(error, exceptions.NewConnectionError | exceptions.SSLError) and not self._answered:
                    raise FetchError(f"{url} cannot be read: {failure}") from None
            pause = backoff.pause(wait)
            if pause is None or pause > self._left():
                times = "attempt" if backoff.failures == 1 else "attempts"
                raise FetchError(
                    f"{url} cannot be read: {failure}; gave up after {backoff.failures} {times}: try again later"
                )
            time.sleep(pause)

    def body(self, response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
        """The decoded body of an answer.

        Raises:
            TooLargeError: it has more bytes than the limit.
        """
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise _UndecodableError
        unzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if "gzip" in encoding else None
        data = bytearray()
        for chunk in self.chunks(response):
            try:
                data += unzip.decompress(chunk, limit + 1 - len(data)) if unzip else chunk
            except zlib.error:
                raise _UndecodableError from None
            if len(data) > limit:
                raise TooLargeError(f"{response.url}: the answer is larger than {limit} bytes")
        if unzip and not unzip.eof:  # cut off, or damaged so that it seems to be
            raise _UndecodableError
        return bytes(data)

    def chunks(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        """The pieces of an answer's body as they come, not decoded.

        Raises:
            FetchError: the time limit is reached.
        """
        for chunk in response.stream(_CHUNK, decode_content=False):
            self._left()
            yield chunk

    def refusal(self, response: urllib3.BaseHTTPResponse) -> FetchError:
        """The error of an answer whose status is not the wanted one."""
        url = urllib.parse.urljoin(self._root, response.url or "")
        if response.status in _MISSING:
            return NotFoundError(f"{url} does not exist")
        return FetchError(f"{url} cannot be read: {_status(response)}")

    @contextlib.contextmanager
    def _answer(self, url: str, headers: Mapping[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        """The answer to one request, after redirects."""
        for _ in range(_REDIRECTS):
            send = self._pool.urlopen if self._pool else self._manager.urlopen
            response = send(
                "GET",
                url.removeprefix(self._origin) if self._pool else url,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=self._timeout(),
            )
            self._answered = True
            try:
                if response.status not in _MOVED:
                    yield response
                    return
                target = response.headers.get("Location", "")
                with contextlib.suppress(ValueError):
                    target = urllib.parse.urljoin(url, target)
            finally:
                if response.closed or (response.length_remaining or _CHUNK) < _CHUNK:
                    response.drain_conn()
                else:  # nobody wants the rest
                    response.close()
            if not target.startswith(f"{self._origin}/"):
                shown = repr(target[:200])
                raise FetchError(f"{url} redirects to another origin, {shown}: give that as the base if you trust it")
            url = target
        raise FetchError(f"{url} cannot be read: too many redirects")

    def _timeout(self) -> urllib3.Timeout:
        left = self._left()
        return urllib3.Timeout(connect=min(_CONNECT, self._limits.request, left), read=min(self._limits.request, left))

    def _left(self) -> float:
        """The seconds that are left of the time limit.

        Raises:
            FetchError: none are.
        """
        if self._limits.total is None:
            return _LONG
        left = self._limits.total - (time.monotonic() - self._began)
        if left <= 0:
            raise FetchError(f"{self._root}: not finished within the time limit of {self._limits.total:g} s")
        return left

    def _explained(self, error: exceptions.HTTPError) -> str:
        match error:
            case exceptions.ProxyError():
                return f"the proxy for {self._address} does not answer"
            case exceptions.NameResolutionError():
                return f"there is no host {self._address.rpartition(':')[0]}"
            case exceptions.NewConnectionError():
                cause = error.__cause__
                reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else "no connection"
                return f"cannot connect to {self._address}: {reason}"
            case exceptions.ConnectTimeoutError():
                return f"{self._address} accepts no connection"
            case exceptions.TimeoutError():
                return f"{self._address} sends nothing for {self._limits.request:g} s"
            case exceptions.SSLError():
                cause = error.args[0] if error.args else None
                return f"no safe connection to {self._address}: {getattr(cause, 'verify_message', None) or 'TLS fails'}"
        return f"{self._address} broke the connection off"


def _manager(url: urllib.parse.SplitResult, connections: int) -> urllib3.PoolManager:
    """A pool of connections, through the proxy that the environment names."""
    settings: dict[str, Any] = {
        "maxsize": connections,
        "ca_certs": os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or certifi.where(),
    }
    proxies = urllib.request.getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if proxy is None or urllib.request.proxy_bypass(url.hostname or ""):
        return urllib3.PoolManager(**settings)
    try:
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        sent = urllib3.make_headers(proxy_basic_auth=_user(parts)) if parts.username else None
        return urllib3.ProxyManager(
            f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", proxy_headers=sent, **settings
        )
    except (exceptions.HTTPError, ValueError):
        raise UsageError(f"the proxy that the environment names for {url.scheme} cannot be used") from None


def _user(url: urllib.parse.SplitResult) -> str:
    """The user and the password of a URL, as `Basic` authentication sends them."""
    return f"{urllib.parse.unquote(url.username or '')}:{urllib.parse.unquote(url.password or '')}"


def _status(response: urllib3.BaseHTTPResponse) -> str:
    return f"HTTP status {response.status} {response.reason or ''}".rstrip()


class Fetcher:
    """Fetches documents below one API root. To be closed; one thread at a time.

    A document that has not changed since it was last fetched is not sent again. `base` as `root_url` takes it.

    Raises:
        UsageError: the base is none.
    """

    def __init__(self, base: str, limits: Limits = Limits()) -> None:
        root = root_url(base)
        local = root.startswith("file:")
        self._folder = urllib.request.url2pathname(urllib.parse.urlsplit(root).path) if local else None
        self._http = None if local else Http(root, limits)
        self.name = self._http.name if self._http else root
        """The root's URL, without a password."""
        self._known: collections.OrderedDict[str, tuple[str, bytes]] = collections.OrderedDict()
        self._size = 0

    def close(self) -> None:
        """Close the connections."""
        if self._http:
            self._http.close()

    def fetch(self, path: str) -> bytes:
        """The bytes of a document.

        Raises:
            NotFoundError: there is none at this path.
            FetchError: it cannot be read.
        """
        http = self._http
        if http is None:
            return self._read(checked(path))
        known = self._known.get(path)

        def take(response: urllib3.BaseHTTPResponse) -> bytes:
            if response.status == 304 and known:
                self._known.move_to_end(path)
                return known[1]
            if response.status != 200:
                raise http.refusal(response)
            data = http.body(response, LARGEST)
            self._remember(path, response.headers.get("ETag"), data)
            return data

        try:
            return http.request(checked(path), take, lambda: {"If-None-Match": known[0]} if known else {})
        except TooLargeError:
            raise FetchError(f"{self.name}{path} is larger than any document: over {LARGEST >> 20} MiB") from None

    def _read(self, path: str) -> bytes:
        """The bytes of a document in a folder."""
        try:
            with open(f"{self._folder}{path}", "rb") as file:  # noqa: PTH123 - a quarter of the time of pathlib's
                data = file.read(LARGEST + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotFoundError(f"{self._folder}{path} does not exist") from None
        except OSError as error:
            raise FetchError(f"{self._folder}{path} cannot be read: {error.strerror}") from None
        if len(data) > LARGEST:
            raise FetchError(f"{self._folder}{path} is larger than any document: over {LARGEST >> 20} MiB")
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
