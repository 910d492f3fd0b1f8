"""The platform's read API, `GET /api/v1/…`, answered from a published tree: read-only, stateless, without a database.

    uvicorn --factory exporter.server.live_api:create_app      # EXPORTER_BASE names the tree

Existing clients of the platform change their base URL and nothing else. What a tree does not hold is passed on to the
platform if an upstream is named, else refused with 501.
"""

import os
from collections.abc import Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter.client.http import NotFoundError
from exporter.errors import FetchError, UsageError
from exporter.server.cached_tree import CachedTree
from exporter.server.platform_endpoints import ENDPOINTS, AnswerError, Endpoint, Query
from exporter.server.upstream import Upstream

ROOT = "/api/v1"


def create_app(base: str | None = None, upstream: str | None = None) -> Starlette:
    """The ASGI app.

    Args:
        base: where the tree is published, as `exporter.client.Api` takes it; None: `EXPORTER_BASE` names it.
        upstream: the platform's own base URL, to which requests for what no tree holds are passed on; None:
            `EXPORTER_UPSTREAM`, if it is set.

    Raises:
        UsageError: no base is named, or one is no URL.
    """
    base = base or os.environ.get("EXPORTER_BASE")
    if not base:
        raise UsageError("no published tree is named: give its base, or set EXPORTER_BASE")
    tree = CachedTree(base)
    onward = Upstream(upstream or os.environ.get("EXPORTER_UPSTREAM"))

    def answering(endpoint: Endpoint) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            with tree.lock:
                return _response(endpoint, tree, request)

        return answer

    routes = [Route(ROOT + path, answering(endpoint), methods=["GET"]) for path, endpoint in ENDPOINTS.items()]
    routes.append(Route("/{path:path}", onward.answer, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]))
    app = Starlette(routes=routes)
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "HEAD"], expose_headers=["ETag"])
    return app


def _response(endpoint: Endpoint, tree: CachedTree, request: Request) -> Response:
    try:
        tree.refresh()
        body = endpoint(tree, request.path_params, Query(request.query_params))
    except AnswerError as error:
        return _json(error.status, error.body)
    except NotFoundError:
        return _json(404, AnswerError(404, "not_found", "Not found.").body)
    except FetchError:
        return _json(502, AnswerError(502, "upstream_error", "The published tree cannot be read now.").body)
    return _json(200, body)


def _json(status: int, body: Any) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
