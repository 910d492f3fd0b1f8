"""The one encoding of every document, and how parts that many share are encoded once.

A part that many documents share stands in them as an `orjson.Fragment`; its type is then `Encoded`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

Encoded = orjson.Fragment
"""JSON of the shape that the field's docstring or neighbour names, encoded already."""
Document = tuple[str, bytes]
"""A document to publish: its path below the API root, and its bytes."""


def encode(value: Any) -> bytes:
    """The one encoding of every document: UTF-8, keys in the order of their shape, no white space."""
    return orjson.dumps(value)


def number(value: int | None) -> bytes:
    """Encode an integer or null, in less time than `encode`."""
    return b"null" if value is None else b"%d" % value


def fragment(value: Any) -> Encoded:
    """Encode a part that many documents share."""
    return orjson.Fragment(orjson.dumps(value))


PLACEHOLDER = orjson.Fragment(b"\0")
"""A value of a `Template` that is filled in later. No encoded JSON holds a NUL byte."""


class Template:
    """A document's shape, encoded once, with `PLACEHOLDER` for each value that changes."""

    __slots__ = ("_pieces",)

    def __init__(self, shape: Mapping[str, Any]) -> None:
        self._pieces = encode(shape).replace(b"%", b"%%").replace(b"\0", b"%b")

    def fill(self, *values: bytes) -> bytes:
        """The document with its placeholders replaced by encoded values."""
        return self._pieces % values


def joined(items: Iterable[bytes]) -> Encoded:
    """A list of encoded items."""
    return orjson.Fragment(b"[" + b",".join(items) + b"]")


def digest(data: bytes) -> str:
    """The SHA-256, in hex, by which manifests know a document."""
    return hashlib.sha256(data, usedforsecurity=False).hexdigest()
