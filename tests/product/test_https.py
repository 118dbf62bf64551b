"""HTTPS of the hub's own making: who has installed its CA has a camera, a microphone and a consultation. Others have none."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Error, expect

from tests.support.browser import chromium, trusting, visitor
from tests.support.installation import Installation
from tests.support.pages import CAMERA, moves, sign_in

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

MEDIA = """async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  const kinds = stream.getTracks().map((track) => [track.kind, track.readyState]);
  stream.getTracks().forEach((track) => track.stop());
  return kinds.sort();
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    async with Installation(tmp_path_factory.mktemp("hub"), COMMHUB_HTTP__TLS="on") as hub:
        yield hub


async def handshake(hub: Installation, name: str, context: ssl.SSLContext) -> dict[str, Any]:
    """The hub's certificate as a client sees it that calls the hub ``name``."""
    _, writer = await asyncio.open_connection("127.0.0.1", hub.port, ssl=context, server_hostname=name)
    seen: dict[str, Any] = writer.get_extra_info("peercert")
    writer.close()
    return seen


async def test_the_certificate_and_how_to_trust_it(hub: Installation) -> None:
    trusted = ssl.create_default_context(cafile=hub.ca)
    for name in ("localhost", "127.0.0.1"):
        seen = await handshake(hub, name, trusted)
        assert {value for _, value in seen["subjectAltName"]} >= {"localhost", "127.0.0.1"}
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(hub, "elsewhere.example", trusted)
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(hub, "localhost", ssl.create_default_context())

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as session:
        async with session.get(f"{hub.base}/ca.crt") as answer:
            assert answer.status == 200
            assert answer.content_type == "application/x-x509-ca-cert"
            assert await answer.read() == hub.ca.read_bytes()
        async with session.get(f"{hub.base}/ca") as answer:
            assert answer.status == 200
            assert f"{hub.base}/ca" in await answer.text()
        # Nothing is said in the clear at this port.
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"http://localhost:{hub.port}/healthz")


async def test_a_browser_that_trusts_the_ca_joins_with_camera_and_microphone(hub: Installation, tmp_path: Path) -> None:
    home = await trusting(tmp_path / "home", hub.ca)
    async with chromium(home) as browser:
        _, page = await visitor(browser, hub.base)
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        await sign_in(page, hub.who("dispatcher"))
        assert await page.evaluate("[location.protocol, window.isSecureContext]") == ["https:", True]
        assert await page.evaluate(MEDIA) == [["audio", "live"], ["video", "live"]]

        await page.get_by_test_id("consultation-create").click()
        await page.get_by_test_id("create-title").fill("加密接入核验")
        await page.get_by_test_id("create-record").uncheck()
        await page.get_by_test_id("create-submit").click()
        await expect(page.get_by_test_id("room")).to_be_visible(timeout=15_000)
        await page.get_by_test_id("bring-camera").click()
        await page.get_by_test_id("camera-search").fill(hub.camera["name"][:3])
        await page.get_by_test_id("camera-option").filter(has_text=hub.camera["name"]).click()
        await page.get_by_test_id("camera-submit").click()
        await moves(page, CAMERA)
        there = {(parts.scheme, parts.netloc, parts.path.rpartition("/")[0]) for parts in map(urlsplit, sockets)}
        assert ("wss", f"localhost:{hub.port}", "/rtc") in there, sockets  # signalling
        assert {scheme for scheme, _, _ in there} == {"wss"}
        assert page.complaints == []  # type: ignore[attr-defined]


async def test_a_browser_that_does_not_trust_the_ca_is_kept_out(hub: Installation, tmp_path: Path) -> None:
    async with chromium(tmp_path / "home") as browser:
        _, page = await visitor(browser, hub.base)
        with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
            await page.goto("/")
