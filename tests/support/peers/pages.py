"""Participants with livekit-client in a page of Chromium or Firefox (``page.html``), served from an origin of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from aiohttp import web
from playwright.async_api import Browser, Page

from tests.support.peers.peer import Peer, PeerError

HERE = Path(__file__).parent
DISTRIBUTION = HERE.parents[2] / "web" / "node_modules" / "livekit-client" / "dist"
FILES = {
    "page.html": HERE / "page.html",
    "page.js": HERE / "page.js",
    "livekit-client.umd.js": DISTRIBUTION / "livekit-client.umd.js",
    "livekit-client.e2ee.worker.js": DISTRIBUTION / "livekit-client.e2ee.worker.js",
}


class PageServer:
    """``async with PageServer() as pages``: ``pages.url`` is the page. No LiveKit server is on this origin."""

    async def __aenter__(self) -> PageServer:
        app = web.Application()
        app.router.add_get("/{name}", self._file)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/page.html"
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._runner.cleanup()

    async def _file(self, request: web.Request) -> web.FileResponse:
        if (file := FILES.get(request.match_info["name"])) is None:
            raise web.HTTPNotFound
        return web.FileResponse(file)


class Evaluates(Protocol):
    async def evaluate(self, function: str, *arguments: Any) -> Any: ...

    async def close(self) -> None: ...


class ChromiumPage:
    """The same face as :class:`~tests.support.peers.firefox.FirefoxPage`."""

    def __init__(self, page: Page) -> None:
        self._page = page

    @classmethod
    async def open(cls, browser: Browser, url: str) -> ChromiumPage:
        context = await browser.new_context(permissions=["camera", "microphone"])
        page = await context.new_page()
        await page.goto(url)
        return cls(page)

    async def evaluate(self, function: str, *arguments: Any) -> Any:
        return await self._page.evaluate(f"(all) => ({function})(...all)", list(arguments))

    async def close(self) -> None:
        await self._page.context.close()


class PagePeer(Peer):
    def __init__(self, kind: str, mode: str, identity: str, page: Evaluates) -> None:
        super().__init__(kind, mode, identity)
        self.page = page

    async def _ask(self, verb: str, words: dict[str, Any]) -> Any:
        answer = await self.page.evaluate("(verb, words) => told(verb, words)", verb, words)
        if "error" in answer:
            raise PeerError(**answer["error"])
        return answer["value"]

    async def close(self) -> None:
        try:
            await super().close()
        finally:
            await self.page.close()
