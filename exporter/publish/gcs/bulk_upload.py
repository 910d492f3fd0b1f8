"""The bulk path: many small objects over the JSON API, one request each, at a fraction of the client library's CPU.

`docs/bucket.md` has the measurements. An upload names the generation that it replaces. So a repeated request whose
first reply was lost, or one that arrives when another exporter has long taken over, cannot put old bytes over new.
"""

import asyncio
import contextlib
import functools
import logging
import os
import secrets
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import certifi
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from yarl import URL

from exporter.publish.gcs.objects import Upload, multipart, upload_url
from exporter.publish.gcs.reply_checks import UnexpectedReplyError, written_generation
from exporter.publish.gcs.session import ONCE_TRANSIENT, endpoint, explain, explain_reply, retry_policy, wait_after
from exporter.retry import TRANSIENT_STATUSES, Backoff, retry_after

log = logging.getLogger(__name__)

MOST = 256
"""Requests in flight at most; 900 a second need 45 at 50 ms and 225 at 250 ms."""
_FIRST, _LEAST = 64, 4
_SLOWEST = 50_000
"""Bytes a second of the slowest line worth waiting for."""


class Rate:
    """Spreads writes over time: `per_second` of them, after at most a quarter of a second's worth at once."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._step = 1 / per_second
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def change(self, per_second: float) -> None:
        """Go on at another rate."""
        with self._lock:
            self._step = 1 / per_second

    def take(self) -> float:
        """Take the next place; return the seconds to wait for it."""
        with self._lock:
            now = self._clock()
            place = max(self._next, now - 0.25)
            self._next = place + self._step
            return max(0.0, place - now)


class Bulk:
    """Sends uploads over up to `MOST` connections, fewer while the service refuses some for now.

    A context manager; an instance lives in one thread, outside any event loop.

    Args:
        name: what messages call the store.
        credentials: refreshed when they expire.
        rate: shared with everything in this process that writes to the bucket.
        timeout: seconds that one attempt may take, and longer for large bodies.
        deadline: seconds after which an upload that failed again and again is given up.
    """

    def __init__(
        self, name: str, bucket: str, credentials: Credentials, rate: Rate, *, timeout: float, deadline: float
    ) -> None:
        self._name = name
        self._credentials = credentials
        self._rate = rate
        self._timeout = timeout
        self._deadline = deadline
        self._bucket = bucket
        self._boundary = secrets.token_hex(16).encode()
        self._limit = float(_FIRST)
        self._cut = 0.0
        self._repeated = 0

    def __enter__(self) -> "Bulk":
        self._runner = asyncio.Runner(loop_factory=_loop_factory())
        self._session = self._runner.run(self._open())
        return self

    def __exit__(self, *error: object) -> None:
        with self._runner:
            self._runner.run(self._session.close())
        if self._repeated:
            log.info("%s: %d requests were repeated", self._name, self._repeated)

    def __call__(self, uploads: Sequence[Upload]) -> list[Upload]:
        """Send all; return those that were refused because the object is at another generation than they name.

        Raises:
            StoreError: one failed for good; any subset of the others has been written.
        """
        try:
            return self._runner.run(self._send_all(uploads))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _open(self) -> aiohttp.ClientSession:
        self._busy = 0
        self._free = asyncio.Event()
        self._refreshing = asyncio.Lock()
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=_trust()),
            headers={"Content-Type": f"multipart/related; boundary={self._boundary.decode()}"},
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=_proxy(endpoint()),
        )

    async def _send_all(self, uploads: Sequence[Upload]) -> list[Upload]:
        refused: list[Upload] = []
        async with asyncio.TaskGroup() as group:
            for upload in uploads:
                while self._busy >= self._limit:
                    self._free.clear()
                    await self._free.wait()
                self._busy += 1
                group.create_task(self._send(upload, refused))
        return refused

    async def _send(self, upload: Upload, refused: list[Upload]) -> None:
        try:
            if not await self._attempts(upload):
                refused.append(upload)
        finally:
            self._busy -= 1
            self._free.set()

    async def _attempts(self, upload: Upload) -> bool:
        """Send one until it is decided; whether it was written rather than refused."""
        backoff = Backoff(retry_policy(self._deadline))
        stale: str | None = ""
        collided = False
        while True:
            if wait := self._rate.take():
                await asyncio.sleep(wait)
            try:
                token = await self._token(stale)
                status, reply, asked = await self._post(upload)
                if status == 200:
                    written_generation(upload, reply)
            except (aiohttp.ClientError, OSError, GoogleAuthError, UnexpectedReplyError) as error:
                failure = explain(self._name, error)
                at_least = wait_after(error) if isinstance(error, GoogleAuthError) else 0.0
            else:
                if status in (200, 412):
                    self._limit = min(MOST, self._limit + 1 / self._limit)
                    return status == 200
                failure = explain_reply(self._name, status, reply)
                again = status in TRANSIENT_STATUSES or _damaged(status, reply) or (status == 401 and token != stale)
                if status in ONCE_TRANSIENT:
                    again, collided = not collided, True
                at_least = retry_after(asked) if again else None
                stale = token if status == 401 else ""
                if status in (429, 503):
                    self._back_off()
            pause = None if at_least is None else backoff.pause(at_least)
            if pause is None:
                raise failure
            self._repeated += 1
            await asyncio.sleep(pause)

    async def _token(self, stale: str | None) -> str | None:
        """A token that is not `stale`; got once, however many requests ask for it at the same time."""
        if not self._credentials.valid or (stale and self._credentials.token == stale):
            before = self._credentials.token
            async with self._refreshing:
                if self._credentials.token == before:
                    await asyncio.to_thread(self._credentials.refresh, Request())
        token: str | None = self._credentials.token
        return token

    async def _post(self, upload: Upload) -> tuple[int, bytes, str | None]:
        """Send an upload once: the reply's status, body and `Retry-After`."""
        headers: dict[str, str] = {}
        self._credentials.apply(headers)
        body = multipart(upload, self._boundary)
        url = URL(endpoint() + upload_url(self._bucket, upload.generation), encoded=True)
        timeout = aiohttp.ClientTimeout(total=self._timeout + len(body) / _SLOWEST)
        options: Any = {"data": body, "headers": headers, "timeout": timeout, "allow_redirects": False}
        async with self._session.post(url, **options) as response:
            return response.status, await response.read(), response.headers.get("Retry-After")

    def _back_off(self) -> None:
        """Halve the number in flight; once a second at most, since what is in flight is refused together."""
        now = time.monotonic()
        if now - self._cut > 1:
            self._cut = now
            self._limit = max(_LEAST, self._limit / 2)


def _damaged(status: int, reply: bytes) -> bool:
    """Whether the server received other bytes than were sent."""
    return status == 400 and b"crc32c" in reply.lower()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The faster loop where it is installed."""
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return None


@functools.cache
def _trust() -> ssl.SSLContext:
    """The authorities that the control client trusts."""
    return ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where())


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL, found once rather than for each request."""
    target = URL(url)
    if urllib.request.proxy_bypass(target.host or ""):
        return None
    return urllib.request.getproxies().get(target.scheme)
