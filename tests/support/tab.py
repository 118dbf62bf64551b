"""One page of Chromium with an unmodified livekit-client (``page.html``)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from playwright.async_api import Browser, Page

from tests.support.hub import Hub


class Tab:
    def __init__(self, page: Page, hub: Hub, identity: str) -> None:
        self.page, self.hub, self.identity = page, hub, identity

    async def join(self, token: str = "", **options: Any) -> None:
        await self.page.evaluate(
            "([url, token, options]) => join(url, token, options)",
            [self.hub.url, token or self.hub.token(self.identity), options],
        )

    async def publish(self, **options: Any) -> None:
        await self.page.evaluate("(options) => publish(options)", options)

    async def run(self, script: str, argument: Any = None) -> Any:
        return await self.page.evaluate(script, argument)

    async def heard(self, what: str) -> list[Any]:
        found: list[Any] = await self.page.evaluate("(what) => heard[what]", what)
        return found

    async def received(self) -> dict[str, dict[str, int]]:
        counts: dict[str, dict[str, int]] = await self.page.evaluate("received()")
        return counts

    async def sees(self, *identities: str, frames: int = 10, sound: int = 20, within: float = 20) -> float:
        """When so many *more* frames of each were decoded and so many packets of sound came; ``time.monotonic``."""
        began = await self.received()
        end = time.monotonic() + within
        while True:
            now = await self.received()
            if all(
                now.get(one, {}).get("frames", 0) - _before(began, now, one, "frames") >= frames
                and now.get(one, {}).get("sound", 0) - _before(began, now, one, "sound") >= sound
                for one in identities
            ):
                return time.monotonic()
            assert time.monotonic() < end, (self.identity, began, now, await self.heard("events"))
            await asyncio.sleep(0.1)


def _before(began: dict[str, dict[str, int]], now: dict[str, dict[str, int]], identity: str, what: str) -> int:
    """Counters begin anew with a new connection."""
    before = began.get(identity, {}).get(what, 0)
    return before if before <= now.get(identity, {}).get(what, 0) else 0


async def tab(browser: Browser, hub: Hub, identity: str) -> Tab:
    context = await browser.new_context(permissions=["camera", "microphone"])
    page = await context.new_page()
    await page.goto(f"{hub.base}/page")
    assert await page.evaluate("typeof LivekitClient") == "object", "the page came without its client"
    return Tab(page, hub, identity)
