"""The servers that the same tests run against: a whole CommHub, and LiveKit 1.13.3; on this machine, with the same key.

Signalling is on loopback, media on loopback and on the addresses given besides: Firefox checks no candidate of 127.0.0.1.

A test asks for what both have: ``url`` for clients, ``base`` for the API, tokens. Nothing else is known of either.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import WSMsgType, web
from livekit import api

from tests.support import free_port
from tests.support.installation import REPOSITORY, SECRET, Installation

KEY = "APItest"
LIVEKIT_VERSION = "1.13.3"


class Server(ABC):
    """``async with`` one of its kinds. ``url`` is what clients connect to, ``base`` where RoomService is."""

    name = ""
    port: int

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def admin(self) -> api.LiveKitAPI:
        return api.LiveKitAPI(self.base, KEY, SECRET)

    def token(self, identity: str, room: str, *, ttl: float = 600, key: str = KEY, secret: str = SECRET, **grants: Any) -> str:
        """``grants`` in the words of ``api.VideoGrants``."""
        allowed = api.VideoGrants(**{"room_join": True, "room": room, "can_update_own_metadata": True, **grants})
        made = api.AccessToken(key, secret).with_identity(identity).with_name(identity.title()).with_grants(allowed)
        return str(made.with_ttl(timedelta(seconds=ttl)).to_jwt())

    @abstractmethod
    async def start(self) -> None: ...

    @abstractmethod
    async def stop(self) -> None: ...

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()


class CommHub(Server):
    name = "commhub"

    def __init__(self, addresses: Sequence[str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hub-"))
        self.installation = Installation(self.folder, COMMHUB_MEDIA__ADDRESS=json.dumps(list(addresses)))
        self.port = self.installation.port

    async def start(self) -> None:
        await self.installation.serve()

    async def stop(self) -> None:
        await self.installation.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def livekit_binary() -> str:
    """Empty when it can neither be found nor built."""
    script = subprocess.run([REPOSITORY / "tools" / "livekit.sh"], stdout=subprocess.PIPE, text=True, check=False)
    path = script.stdout.strip()
    return str((REPOSITORY / path).resolve()) if path else ""


class LiveKit(Server):
    name = "livekit"

    def __init__(self, binary: str, addresses: Sequence[str]) -> None:
        self.binary, self.addresses, self.port, self.media_port = binary, addresses, free_port(), free_port()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        # What is not about loopback is LiveKit's default.
        rtc = {
            "udp_port": self.media_port, "tcp_port": self.media_port, "use_external_ip": False,
            "enable_loopback_candidate": True, "ips": {"includes": [f"{one}/32" for one in self.addresses]},
        }  # fmt: skip
        settings = {
            "port": self.port, "bind_addresses": ["127.0.0.1"], "rtc": rtc, "keys": {KEY: SECRET}, "logging": {"level": "error"},
        }  # fmt: skip
        self._process = await asyncio.create_subprocess_exec(
            "setpriv", "--pdeathsig", "TERM", self.binary, "--config-body", json.dumps(settings),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(self.base) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


class WithoutV1(Server):
    """Another server behind a proxy that has never heard of ``/rtc/v1``: as an older LiveKit, clients fall back to ``/rtc``."""

    def __init__(self, behind: Server) -> None:
        self.behind, self.name = behind, behind.name
        self.refused: list[str] = []

    async def start(self) -> None:
        self._session = aiohttp.ClientSession()
        app = web.Application()
        app.router.add_get("/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/rtc/v1"):
            self.refused.append(request.path)
            return web.Response(status=404, text="404 page not found", headers={"Access-Control-Allow-Origin": "*"})
        wanted = {name: value for name, value in request.headers.items() if name in ("Authorization", "Origin")}
        target = f"{self.behind.base}{request.raw_path}"
        if request.headers.get("Upgrade", "").lower() != "websocket":
            async with self._session.get(target, headers=wanted) as answer:
                return web.Response(status=answer.status, body=await answer.read(), headers={"Access-Control-Allow-Origin": "*"})
        try:
            upstream = await self._session.ws_connect(target, headers=wanted, max_msg_size=0)
        except aiohttp.WSServerHandshakeError as error:
            return web.Response(status=error.status)
        downstream = web.WebSocketResponse(max_msg_size=0)
        await downstream.prepare(request)
        ways = [asyncio.ensure_future(_pump(upstream, downstream)), asyncio.ensure_future(_pump(downstream, upstream))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await upstream.close()
        await downstream.close()
        return downstream


async def _pump(source: Any, target: Any) -> None:
    async for message in source:
        if message.type == WSMsgType.BINARY:
            await target.send_bytes(message.data)
        elif message.type == WSMsgType.TEXT:
            await target.send_str(message.data)
