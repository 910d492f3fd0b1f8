"""The platform's read API, `GET /api/v1/…`, answered from a published tree: read-only, stateless, without a database.

    uvicorn --factory exporter.server.live_api:create_app      # EXPORTER_BASE names the tree

Existing clients of the platform change their base URL and nothing else. What a tree does not hold is passed on to the
platform if an upstream is named, else refused with 501.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter import paths
from exporter.client.http import Fetcher, Limits, NotFoundError
from exporter.errors import FetchError, UsageError
from exporter.server.cached_tree import CachedTree
from exporter.server.platform_api import ENDPOINTS, ROOT, Endpoint, openapi
from exporter.server.platform_parameters import AnswerError, Query
from exporter.server.upstream import Upstream

log = logging.getLogger(__name__)

DESCRIPTION = "/openapi.json"
"""Where the app describes itself."""

FIRST_LOOK = 5.0
"""Seconds that a server or bucket has to answer when the app starts."""


class _Id(Convertor[int]):
    """A number in a path; all that are too long for an id are the same one, which nothing has."""

    regex = "[0-9]+"

    def convert(self, value: str) -> int:
        return int(value) if len(value) <= 12 else 10**12

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("id", _Id())


def create_app(base: str | None = None, upstream: str | None = None) -> Starlette:
    """The ASGI app.

    Args:
        base: where the tree is published, as `exporter.client.Api` takes it; None: `EXPORTER_BASE` names it.
        upstream: the platform's own base URL, to which requests for what no tree holds are passed on; None:
            `EXPORTER_UPSTREAM`, if it is set.

    Raises:
        UsageError: no base is named, or one is no URL.
        FetchError: nothing is published at the base, or it is a folder that cannot be read.
    """
    base = base or os.environ.get("EXPORTER_BASE")
    if not base:
        raise UsageError("no published tree is named: give its base, or set EXPORTER_BASE")
    _look(base)
    tree = CachedTree(base)
    onward = Upstream(upstream or os.environ.get("EXPORTER_UPSTREAM"))

    def answering(endpoint: Endpoint) -> Callable[[Request], Response]:
        parameters = {one.name: one for one in endpoint.parameters}

        def answer(request: Request) -> Response:
            with tree.lock:
                return _response(endpoint, tree, request.path_params, Query(request.query_params, parameters))

        return answer

    described = _json(200, openapi())
    routes = [
        Route(ROOT + path.replace("}", ":id}"), answering(endpoint), methods=["GET"])
        for path, endpoint in ENDPOINTS.items()
    ]
    routes.append(Route(DESCRIPTION, lambda _request: described, methods=["GET"]))
    routes.append(Route("/{path:path}", onward.answer, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]))
    app = Starlette(routes=routes)
    # Clients of the platform send a token, and browsers ask first whether they may.
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "HEAD"], allow_headers=["*"])
    return app


def _look(base: str) -> None:
    """See whether something is published; a server or bucket that does not answer yet may do so later.

    Raises:
        FetchError: nothing is, or the base is a folder that cannot be read.
    """
    with contextlib.closing(Fetcher(base, Limits(FIRST_LOOK, FIRST_LOOK))) as fetcher:
        try:
            fetcher.fetch(paths.MANIFEST)
        except FetchError as error:
            if isinstance(error, NotFoundError) or fetcher.name.startswith("file:"):
                raise
            log.warning("%s; until it can, requests are answered with 502", error)


def _response(endpoint: Endpoint, tree: CachedTree, ids: Mapping[str, int], query: Query) -> Response:
    try:
        tree.refresh()
        body = endpoint.answer(tree, ids, query)
    except AnswerError as error:
        return _json(error.status, error.body)
    except NotFoundError:
        return _json(404, AnswerError(404, "not_found", "Not found.").body)
    except FetchError:
        return _json(502, AnswerError(502, "upstream_error", "The published tree cannot be read now.").body)
    return _json(200, body)


def _json(status: int, body: Any) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
