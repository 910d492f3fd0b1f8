"""Requests that no published tree can answer, passed on to the platform."""

from collections.abc import AsyncIterator

import httpx
import orjson
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
        "upgrade", "host",
    }
)  # fmt: skip
"""Headers of one connection (RFC 9110, 7.6.1), and the one that each side sets for itself."""


class Upstream:
    """The platform behind the tree; None: there is none, and requests get 501.

    Headers, an `Authorization` among them, pass through and are neither kept nor logged.
    """

    def __init__(self, base: str | None) -> None:
        self._client = httpx.AsyncClient(base_url=base, timeout=_TIMEOUT) if base else None

    async def answer(self, request: Request) -> Response:
        """Pass a request on, body and answer streamed."""
        if self._client is None:
            return _refusal(501, "not_implemented", "Published documents do not hold this; ask the platform itself.")
        sent = self._client.build_request(
            request.method,
            httpx.URL(path=request.url.path, query=request.url.query.encode()),
            headers=[(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP],
            content=_body(request) if "content-length" in request.headers else None,
        )
        try:
            answer = await self._client.send(sent, stream=True)
        except httpx.HTTPError:
            return _refusal(502, "upstream_error", "The platform does not answer.")
        headers = {name: value for name, value in answer.headers.items() if name not in _HOP_BY_HOP}
        return StreamingResponse(
            answer.aiter_raw(), answer.status_code, headers, background=BackgroundTask(answer.aclose)
        )


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        yield chunk


def _refusal(status: int, code: str, message: str) -> Response:
    body = orjson.dumps({"code": code, "message": message, "details": {}})
    return Response(body, status, media_type="application/json")
