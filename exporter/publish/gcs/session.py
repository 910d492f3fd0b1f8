"""What the bucket store, its bulk path and the bucket's settings share: endpoint, credentials, failures in one line.

Nobody else knows what Google's libraries raise. Their messages name accounts and permissions, which an operator
needs, but no secrets.
"""

import http.client
import os
import pathlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import google.auth
import orjson
import requests
import urllib3.exceptions
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.api_core.retry import Retry, exponential_sleep_generator
from google.auth import exceptions as auth_errors
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage.exceptions import DataCorruption
from requests.adapters import HTTPAdapter

from exporter.errors import ConflictError, StoreError
from exporter.retry import TRANSIENT_STATUSES

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
)
"""What a request that did not get a whole reply raises: whether it had its effect is unknown."""

FAILURES = (GoogleAPICallError, RetryError, auth_errors.GoogleAuthError, requests.RequestException, *_BROKEN)
"""All that Google's client raises for reasons outside this program."""

_QUOTA = ("quotaExceeded", "rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded")


PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the first repetition at most, and before any; by chance between nothing and that."""


def pauses() -> Iterator[float]:
    """How long to wait before each repetition."""
    return exponential_sleep_generator(PAUSE, LONGEST_PAUSE)


def patience(deadline: float, failed: Callable[[Exception], None] | None = None) -> Retry:
    """Repeats a call while its failures are transient, for `deadline` seconds; `failed` hears of each of them."""
    return Retry(
        predicate=transient, initial=PAUSE, maximum=LONGEST_PAUSE, multiplier=2.0, timeout=deadline, on_error=failed
    )


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


def session(trusted: Credentials, connections: int) -> AuthorizedSession:
    """An HTTP session that up to `connections` threads may use at once."""
    made = AuthorizedSession(trusted)
    for scheme in ("https://", "http://"):
        made.mount(scheme, HTTPAdapter(pool_maxsize=connections))
    return made


def transient(error: BaseException) -> bool:
    """Whether to try the same request again. It may have had its effect all the same."""
    if isinstance(error, GoogleAPICallError):
        return error.code in TRANSIENT_STATUSES
    if isinstance(error, auth_errors.RefreshError):
        return bool(error.retryable)
    return isinstance(error, _BROKEN)


def explain(name: str, error: BaseException) -> StoreError:
    """One of `FAILURES` as one line about the store called `name`."""
    if isinstance(error, RetryError) and error.cause is not None:
        error = error.cause
    if isinstance(error, GoogleAPICallError):
        body = error.response.content if getattr(error.response, "content", None) else error.message.encode()
        return explain_reply(name, int(error.code or 0), body)
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
    elif status == 404:
        text = f"there is no such bucket ({message}); create it as docs/bucket.md says"
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
