"""The media type of every published file, by its last suffix: the preview, buckets and documents send the same.

The machine's own table is not used, so that the same document has the same type from every machine.
"""

import pathlib
from typing import Final

JSON: Final = "application/json"
XML: Final = "application/xml"
HTML: Final = "text/html; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
UNKNOWN: Final = "application/octet-stream"

_COMPRESSIBLE: Final = {
    ".json": JSON,
    ".xml": XML,
    ".html": HTML,
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".ndjson": "application/x-ndjson",
    ".svg": "image/svg+xml",
    ".txt": TEXT,
    "": TEXT,
}
_AS_IT_IS: Final = {
    ".gz": "application/gzip",
    ".linkset": 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"',
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
}
MEDIA_TYPES: Final = _COMPRESSIBLE | _AS_IT_IS
"""Suffix → media type; the empty suffix is that of names without one, such as `SHA256SUMS`."""


def media_type(path: str) -> str:
    """The media type of a file, by its path."""
    return MEDIA_TYPES.get(pathlib.PurePosixPath(path).suffix, UNKNOWN)


def is_compressible(path: str) -> bool:
    """Whether gzip makes a file of this path's type smaller."""
    return pathlib.PurePosixPath(path).suffix in _COMPRESSIBLE
