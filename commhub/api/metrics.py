"""``/metrics``: for whom the settings name (addresses, a token), and for people with the permission. Nobody else."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from commhub.api.gate import Gate, guarded
from commhub.errors import Forbidden, Unauthenticated
from commhub.guard import Network
from commhub.log import Secret

PERMISSION = "metrics.view"


@dataclass(frozen=True, slots=True)
class Readers:
    """``text`` makes the answer. ``token`` '' is nobody's."""

    text: Callable[[], Awaitable[bytes]]
    content_type: str
    networks: tuple[Network, ...] = ()
    token: Secret[str] = field(default_factory=lambda: Secret(""))


def metrics(gate: Gate, readers: Readers) -> Callable[[web.Request], Awaitable[Any]]:
    async def serve(request: web.Request) -> web.Response:
        if not (_near(gate, readers, request) or _knows(readers, request)):
            await _may(gate, request)
        headers = {"Content-Type": readers.content_type, "Cache-Control": "no-store"}
        return web.Response(body=await readers.text(), headers=headers)

    return guarded(serve)


def _near(gate: Gate, readers: Readers, request: web.Request) -> bool:
    address = gate.address(request)
    if address == request.remote and ("X-Forwarded-For" in request.headers or "Forwarded" in request.headers):
        return False  # through a proxy nobody told us of: it is not the proxy who reads
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network for network in readers.networks if network.version == ip.version)


def _knows(readers: Readers, request: web.Request) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    right = readers.token.reveal()
    return bool(right) and scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), right.encode())


async def _may(gate: Gate, request: web.Request) -> None:
    try:
        sign_in = await gate.who(request)
    except Unauthenticated:
        raise Forbidden("Metrics are not for this address.", "此地址不能读取指标。", code="metrics") from None
    if not sign_in.actor.may(PERMISSION):
        raise Forbidden("You do not have the permission for this.", "没有此项权限。")
