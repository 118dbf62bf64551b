"""A hub's signalling with real media on loopback, without accounts: `Host` lets everybody in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from commhub.media import messages as media
from commhub.media.engine import TICK, Engine
from commhub.media.forward import Forwarder
from commhub.media.messages import Message
from commhub.media.plane import Address
from signaling import tokens
from signaling.outs import Terms
from signaling.rooms import Rooms
from signaling.server import HTTP_LIMITS, Signalling
from signaling.twirp import RoomService
from tests.support.livekit import HUB_KEY, KEYS, OpenHost


class LocalEngine:
    """The worker's engine in this process, behind the hub's contract. Its events arrive a moment later, as over the link."""

    def __init__(self) -> None:
        self.engine = Engine("media-0", Forwarder, self._emit)
        self.listener: Callable[[Message], None] = lambda message: None
        self.ready: Callable[[str], None] = lambda worker: None
        self._clock: asyncio.Task[None] | None = None

    def open(self) -> None:
        self.engine.open([Address("127.0.0.1", "127.0.0.1")], 0)
        self._clock = asyncio.create_task(self._turn())
        self.ready("media-0")

    def close(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self.engine.close()

    async def _turn(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.engine.tick()

    def _emit(self, message: Message) -> None:
        asyncio.get_running_loop().call_soon(lambda: self.listener(message))

    def tell(self, message: Message) -> None:
        self.engine.command(message)

    async def offer(self, offer: media.Offer) -> media.Answer:
        answer = self.engine.command(offer)
        assert isinstance(answer, media.Answer)
        return answer

    def worker_of(self, room: str) -> str:
        return "media-0" if room in self.engine.rooms else ""

    def on_event(self, listener: Callable[[Message], None]) -> None:
        self.listener = listener

    def on_worker(
        self,
        found: Callable[[media.WorkerSnapshot], None],
        lost: Callable[[str, list[str]], None],
        ready: Callable[[str], None],
    ) -> None:
        self.ready = ready


LIVEKIT_CLIENT = Path(__file__).parents[2] / "web" / "node_modules" / "livekit-client" / "dist" / "livekit-client.umd.js"


async def _page(request: web.Request) -> web.FileResponse:
    return web.FileResponse(Path(__file__).with_name("page.html"))


async def _livekit_client(request: web.Request) -> web.FileResponse:
    return web.FileResponse(LIVEKIT_CLIENT)


class Hub:
    """``async with Hub() as hub``: ``hub.url`` is what LiveKit clients connect to."""

    def __init__(self, *, away: float = 20.0) -> None:
        self.engine = LocalEngine()
        self.host = OpenHost()
        self.rooms = Rooms(self.engine, self.host, KEYS, Terms(hub_key=HUB_KEY, away=away))
        self.signalling = Signalling(self.rooms)
        self.url = self.base = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([*self.signalling.routes(), *RoomService(self.rooms).routes()])
        app.router.add_get("/page", _page)
        app.router.add_get("/livekit-client.umd.js", _livekit_client)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, **HTTP_LIMITS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"ws://127.0.0.1:{self._runner.addresses[0][1]}"
        self.base = self.url.replace("ws", "http", 1)
        await self.rooms.start()
        self.engine.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.signalling.close()
        await self.rooms.close_all()
        await self._runner.cleanup()
        self.engine.close()

    def token(self, identity: str, room: str = "r", key: str = "own", **grants: object) -> str:
        grants = {"roomJoin": True, "room": room, "canUpdateOwnMetadata": True, **grants}
        return tokens.mint(key, KEYS, now=time.time(), ttl=600, identity=identity, name=identity.title(), grants=grants)
