"""Debian's Chromium, headless, with an invented camera and microphone, driven by Playwright."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

CHROMIUM = Path(__file__).with_name("chromium.sh")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
]  # fmt: skip


@asynccontextmanager
async def chromium(
    home: Path | None = None, film: Path | None = None, netns: str = "", more: Sequence[str] = ()
) -> AsyncIterator[Browser]:
    """``home`` is its home directory when it is not the tests' own: see :func:`trusting`. ``film`` is what its camera sees,
    ``netns`` the network namespace it lives in, ``more`` its further arguments."""
    environment: dict[str, str | float | bool] = {**os.environ, "CHROMIUM_NETNS": netns}
    if home is not None:
        environment |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "XDG_DATA_HOME": str(home / ".local/share")}
    async with async_playwright() as playwright:
        arguments = [*QUIET, *more, *([f"--use-file-for-fake-video-capture={film}"] if film is not None else [])]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, env=environment)
        try:
            yield browser
        finally:
            await browser.close()


async def trusting(home: Path, ca: Path) -> Path:
    """``home``, in which this CA is installed as a person does it: in the user's NSS database (certutil of libnss3-tools)."""
    for database in (home / ".pki/nssdb", home / ".local/share/pki/nssdb"):  # where Chromium looked, and looks
        database.mkdir(parents=True)
        for words in (("-N", "--empty-password"), ("-A", "-n", "hub", "-t", "C,,", "-i", str(ca))):
            process = await asyncio.create_subprocess_exec("certutil", "-d", f"sql:{database}", *words)
            assert await asyncio.wait_for(process.wait(), 30) == 0
    return home


async def visitor(browser: Browser, base: str, *, width: int = 1920, height: int = 1080) -> tuple[BrowserContext, Page]:
    """A person's own browser profile and page; what the page complains about is kept in ``page.complaints``."""
    context = await browser.new_context(
        base_url=base, viewport={"width": width, "height": height}, locale="zh-CN", permissions=["camera", "microphone"]
    )
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.complaints = complaints  # type: ignore[attr-defined]
    return context, page


async def screenshot(page: Page, name: str) -> None:
    """Into SCREENSHOTS when that is set."""
    if folder := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=f"{folder}/{name}.png")
