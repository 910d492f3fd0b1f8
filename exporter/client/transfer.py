"""A published API as it is copied, many documents at once and files of any size: HTTP, folder or bucket."""

import asyncio
import contextlib
import os
import pathlib
import random
import ssl
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, TypeVar

import aiohttp
import certifi
from yarl import URL

from exporter import paths
from exporter.client.http import TRANSIENT, root_url
from exporter.errors import FetchError, TooLargeError, UsageError
from exporter.paths import stored
from exporter.publish.open_store import open_store
from exporter.publish.store import Store

T = TypeVar("T")

_TRIES = 4
_REDIRECTS = 5
_CONNECTIONS = 32
_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=20, sock_read=60)
_CHUNK = 1 << 18


class Source(Protocol):
    """A published API to fetch from; paths are relative to its root."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def get(self, paths: Sequence[str], limit: int) -> list[bytes | None]:
        """The documents at these paths, None where there is none.

        Raises:
            FetchError: one cannot be had, or is larger than `limit` bytes.
        """
        ...

    def save(self, path: str, file: pathlib.Path, size: int, progress: Callable[[int], None]) -> None:
        """Write what stands at a path to a file, going on where that ends, if it still is a part of the same.

        Args:
            path: what to fetch.
            file: where to; beside it, under `.etag`, is kept of what it is a part.
            size: how many bytes it should have; no more are fetched.
            progress: hears of the bytes that there are.

        Raises:
            FetchError: it cannot be had. What came is kept.
        """
        ...


@contextlib.contextmanager
def source(base: str, credentials: pathlib.Path | None = None) -> Iterator[Source]:
    """Open the API below a base: a URL (http, https, file, gs) or a folder, of `v1/` or of what it lies in.

    Raises:
        UsageError: there is no such kind, or it holds a password.
    """
    if base.startswith("gs://"):
        folder = base.rstrip("/").removesuffix(f"/{paths.API_ROOT.rstrip('/')}")
        yield StoreSource(open_store(folder, credentials=credentials))
        return
    url = root_url(base)
    if url.scheme == "file":
        root = urllib.request.url2pathname(url.raw_path.decode())
        yield StoreSource(open_store(str(pathlib.Path(root).parent)))
        return
    if url.userinfo:
        raise UsageError("a base URL with a user or password would stand in messages: name it without")
    with HttpSource(str(url)) as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class StoreSource:
    """The API in a store that can be opened."""

    store: Store

    @property
    def name(self) -> str:
        """The store's name."""
        return self.store.name

    def get(self, paths: Sequence[str], limit: int) -> list[bytes | None]:
        """The documents at these paths."""
        found = [self.store.get(stored(path)) for path in paths]
        for path, one in zip(paths, found, strict=True):
            if one is not None and len(one.data) > limit:
                raise TooLargeError(f"{self.name}: {path} is larger than it should be")
        return [one.data if one else None for one in found]

    def save(self, path: str, file: pathlib.Path, size: int, progress: Callable[[int], None]) -> None:
        """Write what stands at a path to a file."""
        (data,) = self.get([path], size)
        if data is None:
            raise FetchError(f"{self.name}: there is no {path}")
        file.write_bytes(data)
        progress(len(data))


class _Again(Exception):  # noqa: N818
    """Something that another try may mend; its text says what."""


class HttpSource:
    """The API at a root URL, over connections that are kept. A context for one thread, outside any event loop."""

    def __init__(self, root: str) -> None:
        self._base = root
        self._runner = asyncio.Runner()

    @property
    def name(self) -> str:
        """The API root's URL."""
        return self._base

    def __enter__(self) -> "HttpSource":
        self._session = self._runner.run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._runner:
            self._runner.run(self._session.close())

    def get(self, paths: Sequence[str], limit: int) -> list[bytes | None]:
        """The documents at these paths, many at once."""
        try:
            return self._runner.run(self._get_all(paths, limit))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    def save(self, path: str, file: pathlib.Path, size: int, progress: Callable[[int], None]) -> None:
        """Write what stands at a path to a file, going on where that ends."""
        self._runner.run(self._patiently(path, lambda: self._save(path, file, size, progress)))

    async def _open(self) -> aiohttp.ClientSession:
        trust = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where())
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=trust),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_TIMEOUT,
            trust_env=True,
        )

    async def _get_all(self, paths: Sequence[str], limit: int) -> list[bytes | None]:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._patiently(path, lambda path=path: self._get(path, limit)))  # type: ignore[misc]
                for path in paths
            ]
        return [task.result() for task in tasks]

    async def _patiently(self, path: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until it succeeds, or has failed often enough.

        Raises:
            FetchError: it has.
        """
        what = ""
        for number in range(_TRIES):
            if number:
                await asyncio.sleep(0.25 * 2**number * random.uniform(0.5, 1.5))  # noqa: S311
            try:
                return await attempt()
            except _Again as error:
                what = str(error)
            except (aiohttp.ClientError, TimeoutError) as error:
                what = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
            except OSError as error:
                raise FetchError(f"cannot write {path}: {error.strerror or error}") from error
        raise FetchError(f"{self._base}{path}: {what}; gave up after {_TRIES} tries: try again later")

    async def _get(self, path: str, limit: int) -> bytes | None:
        async with await self._request(path, {"Cache-Control": "no-cache"}) as response:
            if response.status == 404:
                return None
            data = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                data += chunk
                if len(data) > limit:
                    raise TooLargeError(f"{self._base}{path} is larger than it should be")
            return bytes(data)

    async def _request(self, path: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """A response that is 200, 206, 404 or 416. A redirect is followed within the same host only."""
        root = self._base.removesuffix(paths.API_ROOT)
        url = URL(root + urllib.parse.quote(stored(path)), encoded=True)
        for _ in range(_REDIRECTS):
            response = await self._session.get(url, headers=headers, allow_redirects=False)
            if response.status not in (301, 302, 303, 307, 308):
                break
            response.release()
            target = url.join(URL(response.headers.get("Location", ""), encoded=True))
            if target.origin() != url.origin():
                raise FetchError(f"{url} leads to another host, {target.host}: give that one's URL if you trust it")
            url = target
        else:
            raise FetchError(f"{self._base}{path}: too many redirects")
        if response.status in (200, 206, 404, 416):
            return response
        response.release()
        if response.status in TRANSIENT:
            raise _Again(f"the server answers {response.status}")
        raise FetchError(f"{url}: the server answers {response.status} {response.reason}")

    async def _save(self, path: str, file: pathlib.Path, size: int, progress: Callable[[int], None]) -> None:
        tag = file.with_name(f"{file.name}.etag")
        # As they are: a range of a compressed reply would be one of other bytes.
        headers = {"Accept-Encoding": "identity"}
        have = file.stat().st_size if file.exists() else 0
        if have and have < size and tag.exists():
            headers |= {"Range": f"bytes={have}-", "If-Range": tag.read_text()}
        async with await self._request(path, headers) as response:
            if response.status == 404:
                raise FetchError(f"{self._base}{path}: there is none")
            if response.status == 416:
                file.unlink(missing_ok=True)
                raise _Again("the server refuses to go on where the last try ended")
            going_on = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            if response.status == 206 and not going_on:
                raise _Again("the server sends another part than was asked for")
            etag = response.headers.get("ETag", "")
            if etag and not etag.startswith("W/"):
                tag.write_text(etag)
            else:
                tag.unlink(missing_ok=True)
            have = have if going_on else 0
            with file.open("ab" if going_on else "wb") as target:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    have += len(chunk)
                    if have > size:
                        raise FetchError(f"{self._base}{path} is larger than it should be")
                    target.write(chunk)
                    progress(have)
        if have < size:
            raise _Again(f"the reply ended after {have} of {size} bytes")
