"""What an object of the bucket looks like: bytes, headers and metadata of the document at a path."""

import base64
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import google_crc32c
import orjson
from isal import igzip

from exporter.cache_control import cache_control
from exporter.media_types import is_compressible, media_type
from exporter.paths import is_as_it_is

_GZIP_FROM = 1024
"""Bytes from which compression pays."""
_GZIP_LEVEL = 1
"""Of ISA-L; docs/bucket.md has sizes and times."""
_WINDOW, _WINDOW_BYTES = 2_000, 16_000_000
"""What is held in memory at once to be written."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One object to write: its resource as the JSON API names it, its bytes as stored, the generation it replaces."""

    resource: dict[str, Any]
    body: bytes
    generation: int


def multipart(upload: Upload, boundary: bytes) -> bytes:
    """The body of the JSON API's one-request upload: https://cloud.google.com/storage/docs/uploading-objects."""
    part = b"--%s\r\nContent-Type: " % boundary
    return b"%sapplication/json\r\n\r\n%s\r\n%s%s\r\n\r\n%s\r\n--%s--" % (
        part,
        orjson.dumps(upload.resource),
        part,
        upload.resource["contentType"].encode(),
        upload.body,
        boundary,
    )


def upload_url(bucket: str, generation: int) -> str:
    """Where to post an upload that replaces a generation, below the service's endpoint."""
    return (
        f"/upload/storage/v1/b/{bucket}/o?uploadType=multipart&fields=name,generation,size,crc32c"
        f"&ifGenerationMatch={generation}"
    )


def upload_of(name: str, path: str, data: bytes, generation: int, digest: str) -> Upload:
    """What to send so that the object `name`, at a path of the store, holds `data`, whose SHA-256 is `digest`.

    The same document makes the same body on every machine.
    """
    compressed = len(data) >= _GZIP_FROM and is_compressible(path) and not is_as_it_is(path)
    body = igzip.compress(data, _GZIP_LEVEL, mtime=0) if compressed else data
    resource: dict[str, Any] = {
        "name": name,
        "contentType": media_type(path),
        "cacheControl": cache_control(path),
        "crc32c": base64.b64encode(google_crc32c.value(body).to_bytes(4, "big")).decode(),
        "metadata": {
            "sha256": digest,
            "size": str(len(data)),
            "write": secrets.token_hex(8),
        },
    }
    if compressed:
        resource["contentEncoding"] = "gzip"
    return Upload(resource, body, generation)


def windows(documents: Iterable[tuple[str, bytes]]) -> Iterator[dict[str, bytes]]:
    """The documents in portions that fit into memory."""
    window: dict[str, bytes] = {}
    size = 0
    for path, data in documents:
        window[path] = data
        size += len(data)
        if len(window) >= _WINDOW or size >= _WINDOW_BYTES:
            yield window
            window, size = {}, 0
    if window:
        yield window
