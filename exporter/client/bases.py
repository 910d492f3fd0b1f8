"""The base of a published API as people give it, and the paths below it; links that lead elsewhere are refused."""

import os
import pathlib
import re
import urllib.parse

from exporter import paths
from exporter.errors import FetchError, UsageError
from exporter.publish.open_store import bucket_of

_PATH = re.compile(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9.-]+:[0-9]+(/.*)?")
_KEPT = "%/!$&'()*+,;=:@~"
"""Characters that stand for themselves in the path of a URL (RFC 3986), and `%`, which begins an encoded one."""


def checked(path: str) -> str:
    """A document's path below the root, as it came.

    Raises:
        FetchError: the text is no such path.
    """
    if not _is_path(path):
        raise FetchError(f"{path[:100]!r} is not a document path (expected e.g. runs/12.json)")
    return path


def _is_path(path: str) -> bool:
    return _PATH.fullmatch(path) is not None and not {".", ".."}.intersection(path.split("/"))


def resolved(source: str, link: str) -> str:
    """The path to which a link in the document at `source` leads.

    Raises:
        FetchError: the link leads out of the API.
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


def root_url(base: str) -> str:
    """The URL of the API root, with a final `/`, of a base as people give it.

    Args:
        base: `https://`, `http://` or `file://` and what the store's root, or its `v1/`, is served as; a bucket as
            `gs://BUCKET[/PREFIX]`; or the path of a folder. For a bucket `STORAGE_EMULATOR_HOST` may name another
            service than Google's.

    Raises:
        UsageError: the base is none of these.
    """
    kind, separator, _ = base.partition("://")
    if not separator:
        if not base:
            raise UsageError("the base is empty; name a URL, a folder or gs://BUCKET")
        if _HOST.fullmatch(base) and not pathlib.Path(base).exists():
            raise UsageError(f"{_shown(base)} is no folder; did you mean http://{base[:100]}?")
        base = pathlib.Path(base).absolute().as_uri()
    elif kind == "gs":
        bucket, prefix = bucket_of(base)
        service = os.environ.get("STORAGE_EMULATOR_HOST") or "https://storage.googleapis.com"
        base = f"{service.rstrip('/')}/{bucket}/{urllib.parse.quote(prefix)}"
    try:
        url = urllib.parse.urlsplit(base)
        _ = url.port  # raises if it is none
        host = (url.hostname or "").encode("idna").decode()
    except (ValueError, UnicodeError):
        raise UsageError(f"{_shown(base)} is not a URL") from None
    remote = url.scheme in ("http", "https") and host
    local = url.scheme == "file" and host in ("", "localhost")
    if not (remote or local) or url.query:
        raise UsageError(f"{_shown(base)} is not a base; name https://…, http://…, file://…, gs://BUCKET or a folder")
    name = paths.API_ROOT.rstrip("/")
    path = urllib.parse.quote(url.path.rstrip("/"), safe=_KEPT).removesuffix(f"/{name}")
    return f"{url.scheme}://{url.netloc or 'localhost'}{path}/{name}/"


def _shown(base: str) -> str:
    """A base in a message, without a password."""
    return repr(re.sub(r"//[^/@]*@", "//", base)[:100])
