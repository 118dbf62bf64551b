"""The signalling of a hub over real sockets on loopback; its engine is scripted and its host lets everybody in."""

from __future__ import annotations

import asyncio
import base64
import gzip
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient
from livekit.protocol import rtc

from signaling import tokens
from signaling.rooms import Rooms
from signaling.server import Signalling
from tests.support.livekit import KEYS, OpenHost, ScriptedEngine, request


@dataclass
class Peer:
    """A client's WebSocket, by hand."""

    ws: aiohttp.ClientWebSocketResponse
    heard: list[rtc.SignalResponse] = field(default_factory=list)

    async def hear(self, kind: str, seconds: float = 30.0) -> Any:
        """The next response of this kind; the others are kept in ``heard``."""
        async with asyncio.timeout(seconds):
            while True:
                frame = await self.ws.receive()
                assert frame.type == aiohttp.WSMsgType.BINARY, f"{frame.type} while waiting for {kind}"
                response = rtc.SignalResponse.FromString(frame.data)
                self.heard.append(response)
                if response.WhichOneof("message") == kind:
                    return getattr(response, kind)

    async def say(self, **message: Any) -> None:
        await self.ws.send_bytes(rtc.SignalRequest(**message).SerializeToString())

    async def closed(self, seconds: float = 30.0) -> int | None:
        async with asyncio.timeout(seconds):
            while not self.ws.closed:
                await self.ws.receive()
        return self.ws.close_code


class House:
    """The signalling of a hub, with an open host and a scripted engine that is ready."""

    def __init__(self, client: TestClient[web.Request, web.Application], rooms: Rooms, signalling: Signalling) -> None:
        self.client, self.rooms, self.signalling = client, rooms, signalling
        assert isinstance(rooms.engine, ScriptedEngine)
        assert isinstance(rooms.host, OpenHost)
        self.engine, self.host = rooms.engine, rooms.host
        self.url = str(client.make_url("/")).rstrip("/")

    def token(self, identity: str = "alice", key: str = "own", ttl: float = 60, room: str = "r", **grants: object) -> str:
        grants = {"roomJoin": True, "room": room, **grants}
        return tokens.mint(key, KEYS, now=time.time(), ttl=ttl, identity=identity, grants=grants)

    async def join(self, identity: str = "alice", *, path: str = "/rtc/v1", token: str = "", **query: str) -> Peer:
        query = {"access_token": token or self.token(identity), **query}
        if path == "/rtc/v1" and "join_request" not in query:
            query["join_request"] = join_parameter(request())
        ws = await self.client.ws_connect(path, params=query)
        return Peer(ws)


def join_parameter(join: rtc.JoinRequest) -> str:
    wrapped = rtc.WrappedJoinRequest(
        compression=rtc.WrappedJoinRequest.GZIP, join_request=gzip.compress(join.SerializeToString())
    )
    return base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()
