"""A success counts only if the reply says what Google Cloud Storage would say.

A captive portal, a login page or a broken proxy answers any request with status 200 and HTML. An export that takes this
for "written" commits a manifest over documents that do not exist.
"""

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from google.auth.transport.requests import AuthorizedSession
from requests import Response

from exporter.publish.gcs.objects import Upload

_OBJECT = re.compile(r"/storage/v1/b/[^/]+/o/(?P<name>[^/]+)")
_LISTING = re.compile(r"/storage/v1/b/[^/]+/o")


class UnexpectedReplyError(Exception):
    """A success status with a reply that Google Cloud Storage does not give: the request may have had no effect."""


class CheckedSession(AuthorizedSession):
    """An authorized session that raises `UnexpectedReplyError` instead of returning such a reply."""

    def request(self, method: str, url: str, *arguments: Any, **options: Any) -> Response:  # type: ignore[override]
        """Send a request, and check the reply if its status is a success."""
        reply: Response = super().request(method, url, *arguments, **options)
        if 200 <= reply.status_code < 300:
            _check(method, url, reply)
        return reply


def _check(method: str, url: str, reply: Response) -> None:
    target = urlsplit(url)
    if "alt=media" in target.query:
        if not reply.headers.get("x-goog-generation") or "crc32c=" not in reply.headers.get("x-goog-hash", ""):
            raise UnexpectedReplyError(f"a download without generation and checksum ({_kind(reply)})")
    elif method == "DELETE":
        if reply.content.strip() not in (b"", b"{}", b"null"):
            raise UnexpectedReplyError(f"a deletion is answered with a body ({_kind(reply)})")
    elif reply.status_code != 204:
        value = json_object(reply.content)
        if _LISTING.fullmatch(target.path) and value.get("kind") != "storage#objects":
            raise UnexpectedReplyError("a listing that is not one of objects")
        if (named := _OBJECT.fullmatch(target.path)) and value.get("name") != unquote(named["name"]):
            raise UnexpectedReplyError("the properties of another object than was asked for")


def _kind(reply: Response) -> str:
    return reply.headers.get("content-type", "no content type")[:100]


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a reply.

    Raises:
        UnexpectedReplyError: the body is anything else.
    """
    try:
        value = orjson.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        shown = body[:60].decode("utf-8", "replace")
        raise UnexpectedReplyError(f"a reply that is no JSON object: {shown!r}")
    return value


def written_generation(upload: Upload, body: bytes) -> str:
    """The generation that an upload made, as the reply to it says.

    Raises:
        UnexpectedReplyError: the reply does not name the object and its generation, or what was stored has another size
            or CRC32C than what was sent.
    """
    value = json_object(body)
    said = value.get("name"), value.get("size"), value.get("crc32c")
    if said != (upload.resource["name"], str(len(upload.body)), upload.resource["crc32c"]):
        raise UnexpectedReplyError("the reply to an upload differs from what was sent in name, size or CRC32C")
    generation = str(value.get("generation"))
    if not re.fullmatch(r"[0-9]{1,19}", generation):
        raise UnexpectedReplyError("the reply to an upload names no generation")
    return generation
