"""The local preview of an exported folder: the same bytes and headers that the bucket will send.

A preview may run while an export writes into the folder: every answer is made from the files of that moment.
"""

import contextlib
import gzip
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import cast

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from exporter.builders.discovery import API_CATALOG
from exporter.cache_control import cache_control
from exporter.errors import StoreError, UsageError
from exporter.media_types import HTML, is_compressible, media_type
from exporter.paths import API_ROOT, MANIFEST, STATE_ROOT, is_as_it_is
from exporter.server.listening import run_app
from exporter.templating import SITE_SOURCES, content_policy, style_source, templates

COMPRESSED_SIZES = range(1024, 16 << 20)
"""Bytes of the files that are sent gzip: smaller ones gain nothing, larger ones would be held in memory."""

# Only a header can say who may frame a page; the rest of the policy stands in the published pages too.
_UNFRAMED = "; frame-ancestors 'none'"
PAGE_POLICY = content_policy(SITE_SOURCES) + _UNFRAMED

# It stands where nothing beside it can be loaded: its own policy names its style.
MISSING_PAGE = "404.html"
MISSING_POLICY = content_policy("style-src 'unsafe-inline'") + _UNFRAMED

WELL_KNOWN = ".well-known/api-catalog"
"""Where clients look for the descriptions of a host's APIs (RFC 9727)."""

REFUSED = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

# "gzip" among the codings of an Accept-Encoding header, unless its weight is zero.
_ACCEPTS_GZIP = re.compile(r"(^|,)\s*(x-)?gzip\s*(;\s*q=(?!0(\.0*)?\s*(,|$))[^,]*)?(,|$)", re.IGNORECASE)

_EXPOSED = ("ETag", "Last-Modified", "Content-Length", "Content-Encoding", "Content-Range", "Accept-Ranges")

_unchanged = StaticFiles().is_not_modified


def locate(root: Path, path: str) -> Path | None:
    """Find the published file that a URL's decoded path, without its first `/`, names; None if there is none.

    `root` is absolute and holds no symbolic link. A file is found under one spelling only, without `.`, `..`,
    empty names or links on the way; so whatever is found lies below the root and is not private.
    """
    names = path.split("/")
    if (
        # A file system that ignores case would find the private folder under other spellings too.
        names[0].casefold() == STATE_ROOT.rstrip("/")
        # Only at the root is a name with a dot in front the store's own: below it may be the key of a facet.
        or names[0].startswith(".")
        or any(name in ("", ".", "..") for name in names)
        or "\\" in path
        or "\0" in path
    ):
        return None
    file = root.joinpath(*names)
    try:
        # `Path.resolve` would raise a RuntimeError for a loop of links before Python 3.13.
        found = os.path.realpath(file, strict=True) == str(file) and file.is_file() and os.access(file, os.R_OK)
    except (OSError, ValueError):  # ValueError: text that cannot be a file's name
        return None
    return file if found else None


def _wants_gzip(request: Request, size: int) -> bool:
    # A range is one of the plain bytes: a part of a gzip stream helps nobody.
    accepted = _ACCEPTS_GZIP.search(request.headers.get("accept-encoding", ""))
    return size in COMPRESSED_SIZES and accepted is not None and "range" not in request.headers


def _file(request: Request, file: Path, path: str) -> Response:
    status = file.stat()
    text = is_compressible(path)
    zipped = text and _wants_gzip(request, status.st_size) and not is_as_it_is(path)
    # Writers replace files whole, so inode, time and size change with the bytes. A strong ETag names exact
    # bytes, so each encoding has its own. (GZipMiddleware sends one for both, and a HEAD unlike its GET.)
    etag = f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}{'-gzip' if zipped else ''}"
    headers = {
        "etag": f'"{etag}"',
        "cache-control": cache_control(path),
        "x-content-type-options": "nosniff",
    }
    if text:
        headers["vary"] = "Accept-Encoding"
    if file.suffix == ".html":
        headers["content-security-policy"] = MISSING_POLICY if path == MISSING_PAGE else PAGE_POLICY
    plain = FileResponse(file, headers=headers, media_type=media_type(path), stat_result=status)
    if _unchanged(plain.headers, request.headers):
        return NotModifiedResponse(plain.headers)
    if not zipped:
        return plain
    headers["last-modified"] = plain.headers["last-modified"]
    return _gzip(file.read_bytes(), headers, plain.media_type)


def _gzip(body: bytes, headers: dict[str, str], type_: str | None) -> Response:
    headers["content-encoding"] = "gzip"
    return Response(gzip.compress(body, 6, mtime=0), headers=headers, media_type=type_)


def _landing(request: Request, root: Path) -> Response:
    # Nobody published a page of their own: show what the manifest says.
    manifest = orjson.loads((root / API_ROOT / MANIFEST).read_bytes())
    template = templates().get_template("index.html")
    body = template.render(
        manifest=manifest,
        age=_age((datetime.now(UTC) - datetime.fromisoformat(manifest["generated_at"])).total_seconds()),
        base=str(request.base_url),
        api=API_ROOT,
    ).encode()
    # The one style that the page may have is the one inside it, known by its digest.
    headers = {
        "cache-control": cache_control(API_ROOT + MANIFEST),
        "content-security-policy": content_policy(style_source(template)) + _UNFRAMED,
        "vary": "Accept-Encoding",
        "x-content-type-options": "nosniff",
    }
    if _wants_gzip(request, len(body)):
        return _gzip(body, headers, HTML)
    return Response(body, headers=headers, media_type=HTML)


def _age(seconds: float) -> str:
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            number = int(seconds // length)
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"code": code, "message": message}, status, {**REFUSED, **(headers or {})})


def _failed(request: Request, exception: Exception) -> Response:
    # This answer alone is made outside of the CORS middleware; uvicorn logs the traceback.
    headers = {"access-control-allow-origin": "*"}
    return _error(500, "internal_error", "the preview failed; its log says why", headers)


def application(root: Path) -> Starlette:
    """Build the ASGI application that serves the store in the folder `root`, read-only.

    The answer to a path that is not published is a 404 with `{"code", "message"}`, or the published
    `404.html` for a client that accepts HTML. `/` is the published `index.html`, else a page about the store.
    Raises UsageError if `root` is no folder, StoreError if nothing was exported into it yet.
    """
    root = Path(os.path.realpath(root))
    if not root.is_dir():
        raise UsageError(f"{root} is no folder: give the one that `exporter export` writes to")
    if not os.access(root, os.R_OK | os.X_OK):
        raise StoreError(f"{root} cannot be read: give this user access to the folder")
    if locate(root, API_ROOT + MANIFEST) is None:
        raise StoreError(f"{root} holds no {API_ROOT}{MANIFEST}: run `exporter export` into it first")

    # Plain functions: Starlette runs them in a thread, where they may read and compress.
    def respond(request: Request) -> Response:
        # Not the route's parameter, which lacks a final newline.
        path = request.scope["path"].removeprefix("/")
        if path == WELL_KNOWN:
            return RedirectResponse(f"/{API_CATALOG}", 302)
        published = path if path and not path.endswith("/") else path + "index.html"
        if file := locate(root, published):
            with contextlib.suppress(FileNotFoundError):  # an export has just deleted it
                return _file(request, file, published)
        if not path:
            return _landing(request, root)
        raise HTTPException(404, f"nothing is published here; start at /{API_ROOT}{MANIFEST}")

    def refuse(request: Request, exception: Exception) -> Response:
        refusal = cast(HTTPException, exception)
        page = locate(root, MISSING_PAGE)
        if refusal.status_code == 404 and page and "text/html" in request.headers.get("accept", ""):
            headers = REFUSED | {"content-security-policy": MISSING_POLICY}
            return FileResponse(page, 404, headers, HTML)
        code = HTTPStatus(refusal.status_code).phrase.lower().replace(" ", "_")
        return _error(refusal.status_code, code, refusal.detail, refusal.headers)

    app = Starlette(
        routes=[Route("/{path:path}", respond, methods=["GET"])],  # Starlette adds HEAD
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "HEAD"],
                allow_headers=["*"],
                expose_headers=_EXPOSED,
            )
        ],
        exception_handlers={HTTPException: refuse, Exception: _failed},
    )
    # The route misses paths with a line break, which are nowhere else either.
    app.router.redirect_slashes = False
    return app


def serve(root: Path, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve the store in the folder `root` as `run_app` runs it; raises what that and `application` raise."""
    run_app(application(root), str(root), host, port)
