"""What the bucket store, the bulk upload and the bucket's settings share: endpoint, credentials, errors, retries.

Only this module knows what Google's libraries raise. Their messages name accounts and permissions, which an operator
needs, but no secrets.
"""

import http.client
import os
import pathlib
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import google.auth
import orjson
import requests
import urllib3.exceptions
from google.api_core.exceptions import GoogleAPICallError
from google.auth import exceptions as auth_errors
from google.auth.credentials import AnonymousCredentials, Credentials
from google.cloud.storage.exceptions import DataCorruption
from requests.adapters import HTTPAdapter

from exporter.errors import ConflictError, StoreError
from exporter.publish.gcs.reply_checks import CheckedSession, UnexpectedReplyError
from exporter.retry import TRANSIENT_STATUSES, RetryPolicy, retry_after, retrying

T = TypeVar("T")


class Repeating(Protocol):
    """Makes a function that repeats another one."""

    def __call__(self, function: Callable[[], T], /) -> Callable[[], T]:
        """The repeating function."""
        ...


READ_WRITE = "https://www.googleapis.com/auth/devstorage.read_write"
FULL_CONTROL = "https://www.googleapis.com/auth/devstorage.full_control"

NEEDED = ("storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list")
"""The permissions that an export needs."""

_BROKEN = (
    ConnectionError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    auth_errors.TransportError,
    DataCorruption,
    UnexpectedReplyError,
)
"""What a request that did not get a whole reply raises: whether it had its effect is unknown."""

FAILURES = (GoogleAPICallError, auth_errors.GoogleAuthError, requests.RequestException, *_BROKEN)
"""All that Google's client raises for reasons outside this program."""

_QUOTA = ("quotaExceeded", "rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded")


POLICY = RetryPolicy()
ONCE_TRANSIENT = frozenset({409, 410})
"""HTTP statuses of an object request that collided with another one: repeated once."""


def retry_policy(deadline: float) -> RetryPolicy:
    """The policy of requests that may be repeated for `deadline` seconds."""
    return replace(POLICY, deadline=deadline)


def repeating(deadline: float, failed: Callable[[Exception], None] | None = None) -> Repeating:
    """A decorator that repeats a call while its failures are transient; `failed` is called with each of them."""
    collisions = 0

    def verdict(error: Exception) -> float | None:
        nonlocal collisions
        wait = wait_after(error)
        if isinstance(error, GoogleAPICallError) and error.code in ONCE_TRANSIENT:
            collisions += 1
            wait = 0.0 if collisions == 1 else None
        if wait is not None and failed is not None:
            failed(error)
        return wait

    return retrying(retry_policy(deadline), verdict)


def endpoint() -> str:
    """The base URL of the service: Google's, or what the client library's own environment variables name instead."""
    named = os.environ.get("STORAGE_EMULATOR_HOST") or os.environ.get("API_ENDPOINT_OVERRIDE")
    return (named or "https://storage.googleapis.com").rstrip("/")


def credentials(file: pathlib.Path | None, scope: str) -> Credentials:
    """The credentials of a file, else the application default ones; none at all for an emulator.

    Raises:
        StoreError: there are none.
    """
    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return AnonymousCredentials()
    try:
        if file is None:
            return google.auth.default(scopes=[scope])[0]
        with warnings.catch_warnings():
            # The library warns of files from strangers; this one the operator has named.
            warnings.simplefilter("ignore", DeprecationWarning)
            found: Credentials = google.auth.load_credentials_from_file(os.fspath(file), scopes=[scope])[0]
            return found
    except (auth_errors.GoogleAuthError, OSError, ValueError) as error:
        what = f"the Google credentials in {file} cannot be used" if file else "there are no Google credentials"
        raise StoreError(
            f"{what}: {_line(error)}; run `gcloud auth application-default login` or give --credentials FILE"
        ) from error


def session(trusted: Credentials, connections: int) -> CheckedSession:
    """An HTTP session that up to `connections` threads may use at once."""
    made = CheckedSession(trusted)
    for scheme in ("https://", "http://"):
        made.mount(scheme, HTTPAdapter(pool_maxsize=connections))
    return made


def wait_after(error: BaseException) -> float | None:
    """Seconds to wait at least before the same request is sent again, which may have had its effect; None: final."""
    if isinstance(error, GoogleAPICallError):
        headers = getattr(error.response, "headers", {})
        return retry_after(headers.get("Retry-After")) if error.code in TRANSIENT_STATUSES else None
    again = bool(error.retryable) if isinstance(error, auth_errors.RefreshError) else isinstance(error, _BROKEN)
    return 0.0 if again else None


def explain(name: str, error: BaseException) -> StoreError:
    """One of `FAILURES` as one line about the store called `name`."""
    if isinstance(error, GoogleAPICallError):
        body = error.response.content if getattr(error.response, "content", None) else error.message.encode()
        return explain_reply(name, int(error.code or 0), body)
    if isinstance(error, UnexpectedReplyError):
        return StoreError(
            f"{name}: another server answers in the place of Google Cloud Storage: {_line(error)}; check whether a "
            "proxy or a login page stands between"
        )
    if isinstance(error, auth_errors.TransportError) or not isinstance(error, auth_errors.GoogleAuthError):
        return StoreError(f"{name}: Google Cloud Storage cannot be reached: {_line(error)}; check the network")
    return StoreError(
        f"{name}: Google refuses the credentials: {_line(error)}; renew them, for example with "
        "`gcloud auth application-default login`"
    )


def explain_reply(name: str, status: int, body: bytes) -> StoreError:
    """A reply with an error status as one line about the store called `name`."""
    reason, message = _reason(body)
    if status == 401:
        text = f"the credentials have expired or are not valid ({message}); renew them"
    elif status == 403 and reason in _QUOTA:
        text = f"a quota is used up ({message}); wait, or have it raised"
    elif status == 403:
        text = f"permission denied ({message}); docs/bucket.md says which role the exporter needs"
    elif status == 404 and "bucket" in message.lower():
        text = f"there is no such bucket ({message}); create it as docs/bucket.md says"
    elif status == 404:
        text = f"Google Cloud Storage does not find what was asked for ({message}); check the name of the bucket"
    elif status == 412:
        return ConflictError(f"{name}: another writer was there first")
    elif status == 429:
        text = f"too many requests ({message}); try later or with fewer --max-writes-per-second"
    elif status in TRANSIENT_STATUSES:
        text = f"Google Cloud Storage keeps failing with {status} ({message}); try later"
    else:
        text = f"Google Cloud Storage refused a request with {status} ({message})"
    return StoreError(f"{name}: {text}")


def _reason(body: bytes) -> tuple[str, str]:
    """Reason code and message of an error reply, the latter as one line."""
    try:
        error: dict[str, Any] = orjson.loads(body)["error"]
        return str(error.get("errors", [{}])[0].get("reason", "")), _line(error["message"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return "", _line(body.decode("utf-8", "replace"))


def _line(text: object) -> str:
    """The first 300 characters of a message, in one line."""
    if isinstance(text, TimeoutError):
        return "no answer in time"
    return " ".join(str(text).split())[:300] or type(text).__name__
