"""A webhook receiver on loopback that verifies with livekit-api as any user's receiver does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web
from livekit.api import TokenVerifier, WebhookReceiver
from livekit.protocol import webhook

SECRET = "0123456789abcdef0123456789abcdef"


class WebhookHost:
    """``events`` are those taken, in order of arrival. ``answer(event)`` says with which status (200 when not set); ``delay``
    seconds before. Its port stays the same over :meth:`up` and :meth:`down`."""

    def __init__(self, key: str = "APItest", secret: str = SECRET) -> None:
        self._verify = WebhookReceiver(TokenVerifier(key, secret))
        self.events: list[webhook.WebhookEvent] = []
        self.tries = 0
        self.bad: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[webhook.WebhookEvent], int] = lambda event: 200
        self.delay = 0.0
        self.busy = self.busiest = 0
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._held = socket.socket()
        self._arrived = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def allow(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _take(self, request: web.Request) -> web.Response:
        self.tries += 1
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            body = (await request.read()).decode()
            self.headers.append(dict(request.headers))
            try:
                event = self._verify.receive(body, request.headers["Authorization"])
            except Exception as error:
                self.bad.append(repr(error))
                return web.Response(status=401)
            if self.delay:
                await asyncio.sleep(self.delay)
            status = self.answer(event)
            if 200 <= status < 300:
                self.events.append(event)
                self._arrived.set()
            return web.Response(status=status, headers={"Location": self.url} if 300 <= status < 400 else {})
        finally:
            self.busy -= 1

    async def until(self, number: int, within: float = 20) -> list[webhook.WebhookEvent]:
        """When ``number`` events were taken. AssertionError after ``within`` seconds."""
        try:
            async with asyncio.timeout(within):
                while len(self.events) < number:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            kinds = [one.event for one in self.events][-20:]
            raise AssertionError(f"{len(self.events)} of {number} webhooks came: {kinds}") from None
        return self.events

    async def up(self) -> None:
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        self._held.close()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def down(self) -> None:
        """Away, as by a crash: connections are refused. The port stays ours, so that nobody else answers on it."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            self._held = socket.socket()
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held.bind(("127.0.0.1", self.port))

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.down()
        self._held.close()
