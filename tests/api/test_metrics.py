"""Who may read /metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from commhub.api.metrics import Readers
from commhub.log import Secret
from commhub.metrics import CONTENT_TYPE, Metrics
from tests.support.hubs import Hub, serving

TOKEN = "0123456789abcdef"
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@asynccontextmanager
async def metered(folder: Path, *, near: bool = False, token: str = "") -> AsyncIterator[Hub]:
    readers = Readers(Metrics().text, CONTENT_TYPE, LOOPBACK if near else (), Secret(token))
    async with serving(folder, readers=readers) as hub:
        yield hub


async def status(hub: Hub, account: str | None = None, **headers: str) -> int:
    async with hub.browser(account) as browser, await browser.raw("GET", "/metrics", headers=headers) as answer:
        if answer.status == 200:
            assert answer.headers["Content-Type"] == CONTENT_TYPE
            assert answer.headers["Cache-Control"] == "no-store"
            assert "# HELP commhub_rooms " in await answer.text()
        return answer.status


async def test_from_addresses_that_are_named(tmp_path: Path) -> None:
    async with metered(tmp_path, near=True) as hub:
        assert await status(hub) == 200
        # Through a proxy that nobody named: then it is anybody.
        assert await status(hub, **{"X-Forwarded-For": "203.0.113.9"}) == 403
        assert await status(hub, Forwarded="for=203.0.113.9") == 403


async def test_nobody_else_but_with_the_token_or_the_permission(tmp_path: Path) -> None:
    async with metered(tmp_path, token=TOKEN) as hub:
        assert await status(hub) == 403
        assert await status(hub, Authorization=f"Bearer {TOKEN}") == 200
        assert await status(hub, Authorization=f"Bearer {TOKEN}x") == 403
        assert await status(hub, Authorization="Bearer ") == 403
        assert await status(hub, Authorization=f"Basic {TOKEN}") == 403
        assert await status(hub, "dispatcher") == 403
        assert await status(hub, "admin") == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer "])
async def test_without_a_token_none_is_right(tmp_path: Path, header: str) -> None:
    async with metered(tmp_path) as hub:
        assert await status(hub, Authorization=header) == 403
