"""What every HTTP request has to keep to, whatever its handler does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import hdrs, web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def bounded(body_seconds: float) -> Any:
    """A middleware: the body comes in that time or the connection ends; it is not packed (nothing to unpack: no bomb); and who
    was refused a WebSocket does not keep the connection."""

    @web.middleware
    async def pass_on(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.can_read_body:
            return _finished(request, await handler(request))
        if request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower() not in ("", "identity"):
            text = "A packed body is not accepted. 不接受压缩的请求内容。"
            return _closing(web.Response(status=415, text=text, headers={"Accept-Encoding": "identity"}))
        timer = asyncio.get_running_loop().call_later(body_seconds, _cut, request)
        try:
            response = await handler(request)
        finally:
            timer.cancel()
        return _finished(request, response if request.content.is_eof() else _closing(response))

    return pass_on


def _finished(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if hdrs.UPGRADE in request.headers and not isinstance(response, web.WebSocketResponse):
        return _closing(response)  # what comes behind such a request is anything
    return response


def _cut(request: web.Request) -> None:
    if request.content.is_eof() or request.transport is None:
        return
    request.transport.abort()


def _closing(response: web.StreamResponse) -> web.StreamResponse:
    response.force_close()
    return response
