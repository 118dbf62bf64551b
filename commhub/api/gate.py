"""What every request passes before its handler: who asks, from which page, may he, is it well-formed; and what every
answer carries. Order: limits, origin, session, token against forgery, permission, schema."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import BaseModel, ValidationError

from commhub import audit
from commhub import log as logs
from commhub.api.problems import Malformed, malformed, problem
from commhub.api.routes import PUBLIC, SIGNED_IN, Call, Route
from commhub.auth import Auth, SignIn
from commhub.errors import Busy, Forbidden, HubError, Invalid, Unauthenticated
from commhub.guard import Network, Origins, Rates, group
from commhub.log import Limiter
from commhub.model import Actor
from commhub.store import Store

log = logs.get(__name__)

COOKIE = "__Host-commhub"
BODY_LIMIT = 1 << 20
PUBLIC_BODY_LIMIT = 16 << 10  # nobody has said who he is
NOBODY = Actor("", "", "", "", 9, "", "")


class Gate:
    """``proxies`` are networks whose ``X-Forwarded-*`` is believed."""

    def __init__(self, store: Store, auth: Auth, proxies: list[Network] | None = None) -> None:
        self._store, self._auth, self._origins = store, auth, Origins(proxies or [])
        self._denied = Limiter()

    # ---- where from

    def address(self, request: web.Request) -> str:
        """The client's address: of the connection, or what a trusted proxy says."""
        return self._origins.address(request)

    def scheme(self, request: web.Request) -> str:
        said = request.headers.get("X-Forwarded-Proto")
        if said in ("http", "https") and self._origins.trusted(request.remote or ""):
            return said
        return request.scheme

    def check_origin(self, request: web.Request, *, required: bool = False) -> None:
        """A page of another origin may not act here, with or without a cookie (RFC 6454; WebSockets have no other guard)."""
        origin = request.headers.get("Origin")
        if origin is None:
            if required:
                raise Forbidden("The request does not say which page it comes from.", "请求未说明来源页面。", code="origin")
            if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
                raise Forbidden("The request comes from another site.", "请求来自其他网站。", code="origin")
            return
        parts = urlsplit(origin)
        if parts.netloc.lower() != request.host.lower() or parts.scheme != self.scheme(request):
            raise Forbidden("The request comes from another site.", "请求来自其他网站。", code="origin")

    async def who(self, request: web.Request) -> SignIn:
        sign_in = await self._auth.who(request.cookies.get(COOKIE, ""), self.address(request))
        if sign_in is None:
            raise Unauthenticated("Sign in first.", "请先登录。")
        return sign_in

    # ---- the way of a request

    def handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            actor: Actor | None = None
            try:
                call = await self._call(route, request)
                actor = call.actor
                arguments = await self._arguments(route, request)
                response = answer(route, await route.handler(call, **arguments))
                if call.finish is not None:
                    call.finish(response)
                return response
            except HubError as error:
                if isinstance(error, Forbidden) and actor is not None and actor.id and request.method != "GET":
                    await self._note(actor, route, request)
                return problem(error, request)

        return guarded(handle)

    async def _call(self, route: Route, request: web.Request) -> Call:
        changes = request.method not in ("GET", "HEAD")
        if changes:
            self.check_origin(request)
        if route.permission == PUBLIC:
            return Call(request, replace(NOBODY, address=self.address(request)))
        sign_in = await self.who(request)
        if changes and request.headers.get("X-CSRF-Token", "") != sign_in.csrf:
            raise Forbidden("The X-CSRF-Token is missing or wrong.", "缺少或错误的 X-CSRF-Token。", code="csrf")
        if route.permission != SIGNED_IN and not sign_in.actor.may(route.permission):
            await self._note(sign_in.actor, route, request)
            raise Forbidden("You do not have the permission for this.", "没有此项权限。")
        return Call(request, sign_in.actor, sign_in.token)

    async def _arguments(self, route: Route, request: web.Request) -> dict[str, BaseModel]:
        arguments: dict[str, BaseModel] = {}
        if route.query is not None:
            arguments["query"] = _model(route.query, _query(request), "query")
        elif request.query:
            raise Malformed([{"where": f"query.{next(iter(request.query))}", "text": "There is no such parameter."}])
        if route.body is not None:
            limit = PUBLIC_BODY_LIMIT if route.permission == PUBLIC else BODY_LIMIT
            arguments["body"] = _model(route.body, await _json(request, limit), "body")
        return arguments

    async def _note(self, actor: Actor, route: Route, request: web.Request) -> None:
        """Refusals are audited too, one a minute for the same thing."""
        target = "/".join(request.match_info.values())
        if self._denied((actor.id, route.permission, target), 60) is None:
            return
        async with self._store.transaction() as transaction:
            await audit.record(transaction, actor, route.permission, target[:200], result="denied")


def guarded(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Callable[[web.Request], Awaitable[Any]]:
    """HubErrors become problems, so do aiohttp's own; anything else is our fault: logged, and said to be so."""

    async def wrapped(request: web.Request) -> web.StreamResponse:
        try:
            return await handle(request)
        except HubError as error:
            return problem(error, request)
        except web.HTTPRequestEntityTooLarge:
            return problem(Invalid("The body is too large.", "内容过大。", code="too_large", status=413), request)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception:
            log.exception("request failed", method=request.method, path=request.path)
            return problem(HubError("Something went wrong in the hub.", "系统内部出错，请稍后再试。"), request)

    return wrapped


def _query(request: web.Request) -> dict[str, str]:
    if len(request.query_string) > 4096:
        raise Invalid("The query is too long.", "查询过长。")
    values: dict[str, str] = {}
    for name, value in request.query.items():
        if name in values:
            raise Malformed([{"where": f"query.{name}", "text": "The parameter is there twice."}])
        values[name] = value
    return values


async def _json(request: web.Request, limit: int) -> Any:
    if request.content_type != "application/json":
        raise Invalid("The body must be application/json.", "请求内容须为 JSON。", code="not_json", status=415)
    if (request.content_length or 0) > limit:
        raise Invalid("The body is too large.", "内容过大。", code="too_large", status=413)
    raw = bytearray()
    async for chunk in request.content.iter_chunked(64 << 10):
        raw += chunk
        if len(raw) > limit:
            raise Invalid("The body is too large.", "内容过大。", code="too_large", status=413)
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise Malformed([{"where": "body", "text": "This is not JSON."}]) from None


def _model(model: type[BaseModel], value: Any, where: str) -> BaseModel:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise malformed(error, where) from None


def answer(route: Route, result: Any) -> web.StreamResponse:
    if isinstance(result, web.StreamResponse):
        return result
    if result is None:
        response = web.Response(status=204)
    else:
        text = result.model_dump_json()
        response = web.Response(text=text, status=route.status, content_type="application/json", charset="utf-8")
    response.headers["Cache-Control"] = "no-store"
    return response


class Buckets:
    """At most ``size`` tries at once per address, one more every ``refill`` seconds."""

    def __init__(self, size: int, refill: float, capacity: int = 10_000) -> None:
        self._rates = Rates(1 / refill, size, capacity)

    def take(self, address: str, now: float) -> None:
        """Busy when there is nothing left. ``now`` is monotonic seconds."""
        seconds = self._rates.take(group(address), now)
        if seconds > 0:
            raise Busy(
                "Too many attempts from this address: wait a minute.",
                "来自该地址的尝试过多，请一分钟后再试。",
                retry_after=math.ceil(seconds),
            )

    def give_back(self, address: str) -> None:
        self._rates.give_back(group(address))
