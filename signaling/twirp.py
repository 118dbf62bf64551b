"""Twirp, for every service of LiveKit's server API: ``POST /twirp/livekit.<Service>/<Method>``, protobuf or JSON.

A service is its protobuf descriptor and a function for each method that is offered::

    Service(room.DESCRIPTOR.services_by_name["RoomService"], {"ListRooms": self._list_rooms})

The function gets the verified :class:`~commhub.conference.Ticket` and the parsed request, and returns the response. What it
raises (:class:`~commhub.errors.HubError`) becomes Twirp's ``{code, msg, meta}``; ``meta`` carries the stable code of the hub
and the sentence in Chinese, and whatever a :class:`Failure` adds. A method of the descriptor without a function is
``unimplemented``. The token is verified before the body is read, and the size is checked before it is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web
from google.protobuf import json_format
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from commhub import log as logs
from commhub.conference import Ticket
from commhub.errors import HubError, Invalid
from signaling.failure import Failure
from signaling.server import CORS, bearer

log = logs.get(__name__)

MAX_BODY = 1024 * 1024
LARGE = 32 * 1024
PREFIX = "/twirp"

#: Twirp's code for a hub error's status.
CODES = {
    400: "invalid_argument",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    408: "deadline_exceeded",
    409: "failed_precondition",
    412: "failed_precondition",
    429: "resource_exhausted",
    501: "unimplemented",
    503: "unavailable",
}
_STATUS = {409: 412}  # Twirp's status of failed_precondition

Handler = Callable[[Ticket, Any], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class Service:
    """``handlers`` by the method's name. ValueError for a name that the descriptor does not have."""

    descriptor: ServiceDescriptor
    handlers: Mapping[str, Handler]

    def __post_init__(self) -> None:
        if unknown := set(self.handlers) - set(self.descriptor.methods_by_name):
            raise ValueError(f"{self.descriptor.full_name} has no method {sorted(unknown)[0]}.")


class Door(Protocol):
    """Who may call at all: ``signaling.rooms.Rooms``."""

    async def authenticate(self, token: str) -> Ticket:
        """Unauthenticated."""


class Twirp:
    """The routes of any number of services."""

    def __init__(self, door: Door, services: Iterable[Service]) -> None:
        self._door = door
        self._services = {service.descriptor.full_name: service for service in services}

    def routes(self) -> list[web.RouteDef]:
        path = PREFIX + "/{service}/{method}"
        return [web.post(path, self._call), web.options(path, _preflight)]

    async def _call(self, request: web.Request) -> web.Response:
        service = self._services.get(request.match_info["service"])
        name = request.match_info["method"]
        if service is None or (method := service.descriptor.methods_by_name.get(name)) is None:
            return error(404, "bad_route", f"There is no method {name[:64]}.")
        json = request.content_type == "application/json"
        if not json and request.content_type != "application/protobuf":
            return error(404, "bad_route", "The content type is neither application/protobuf nor application/json.")
        try:
            ticket = await self._door.authenticate(bearer(request))
            if (handler := service.handlers.get(name)) is None:
                raise HubError(f"{name} is not offered.", "不支持此操作。", code="unimplemented", status=501)
            body = await _body(request)
            kind = GetMessageClass(method.input_type)
            # A mebibyte of JSON takes a second to read: beside everything else, not instead of it.
            message = await asyncio.to_thread(_parse, kind, body, json) if len(body) > LARGE else _parse(kind, body, json)
            answer = await handler(ticket, message)
        except HubError as failure:
            return refusal(failure)
        except Exception:  # a fault of ours is told in Twirp's words too
            log.exception("server API call failed", service=service.descriptor.name, method=name)
            return error(500, "internal", "The hub failed at this call.")
        return _answer(answer, json)


def _answer(answer: Message, json: bool) -> web.Response:
    if not json:
        return web.Response(body=answer.SerializeToString(), content_type="application/protobuf", headers=CORS)
    text = json_format.MessageToJson(
        answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=None
    )
    return web.Response(text=text, content_type="application/json", headers=CORS)


async def _body(request: web.Request) -> bytes:
    """The size is checked before and while it is read."""
    too_long = Failure(
        "The request is longer than 1 MiB.", "请求超过 1 MiB。", status=413, code="too_long", twirp="resource_exhausted"
    )
    if request.content_length is not None and request.content_length > MAX_BODY:
        raise too_long
    body = bytearray()
    async for part in request.content.iter_chunked(65536):
        body += part
        if len(body) > MAX_BODY:
            raise too_long
    return bytes(body)


def _parse(kind: type[Message], body: bytes, json: bool) -> Message:
    message = kind()
    try:
        if json:
            json_format.Parse(body or b"{}", message, ignore_unknown_fields=True)
        else:
            message.ParseFromString(body)
            message.DiscardUnknownFields()
    except (json_format.ParseError, DecodeError, ValueError, RecursionError):
        raise Invalid("The request cannot be read.", "请求无法读取。") from None
    return message


def refusal(failure: HubError) -> web.Response:
    """A HubError as Twirp has it."""
    status = _STATUS.get(failure.status, failure.status)
    code, meta = CODES.get(failure.status, "internal"), {"code": failure.code}
    if failure.message_zh != failure.message:
        meta["msg_zh"] = failure.message_zh
    if isinstance(failure, Failure):
        code = failure.twirp or code
        meta |= failure.meta
    return error(status, code, failure.message, meta)


def error(status: int, code: str, text: str, meta: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"code": code, "msg": text, "meta": dict(meta or {})}, status=status, headers=CORS)


async def _preflight(request: web.Request) -> web.Response:
    return web.Response(status=204, headers=CORS)
