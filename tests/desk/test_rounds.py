"""Rounds and saved walls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commhub.model import new_id
from tests.support.hubs import Hub, serving

CAMERAS = [new_id() for _ in range(40)]
ROUND = {"name": "汛期重点", "cameras": CAMERAS, "tiles": 16, "dwell_seconds": 20}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def test_a_round_is_made_changed_and_removed(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page, hub.browser("binjiang") as other, hub.browser("admin") as admin:
        made = await page.ok("POST", "/rounds", ROUND)
        assert {name: made[name] for name in ROUND} == ROUND
        assert (await page.ok("GET", "/rounds"))["items"] == [made]
        assert (await admin.ok("GET", "/rounds"))["items"] == [made]
        changed = await page.ok("PATCH", f"/rounds/{made['id']}", {"dwell_seconds": 10, "cameras": CAMERAS[:2]})
        assert changed == {**made, "dwell_seconds": 10, "cameras": CAMERAS[:2]}
        if "round.edit" in other.me["permissions"]:
            assert (await other.ok("GET", "/rounds"))["items"] == []
            assert (await other.call("DELETE", f"/rounds/{made['id']}"))[0] == 404
        await page.ok("DELETE", f"/rounds/{made['id']}")
        assert (await page.ok("GET", "/rounds"))["items"] == []
        rows = (await admin.ok("GET", "/audit?action=round.edit"))["items"]
        assert [row["object"] for row in rows if row["result"] == "ok"] == ["汛期重点 −", "汛期重点", "汛期重点"]


@pytest.mark.parametrize(
    "wrong", [{"tiles": 5}, {"dwell_seconds": 4}, {"cameras": []}, {"name": " "}, {"cameras": ["x"]}, {"more": 1}]
)
async def test_what_is_no_round(hub: Hub, wrong: dict[str, object]) -> None:
    async with hub.browser("dispatcher") as page:
        assert (await page.call("POST", "/rounds", {**ROUND, **wrong}))[0] == 400


async def test_saved_walls_are_ones_own(hub: Hub) -> None:
    layout = {"id": "l1", "name": "泵站", "tiles": 4, "cameras": [CAMERAS[0], None, CAMERAS[1], None]}
    async with hub.browser("dispatcher") as page, hub.browser("admin") as admin:
        assert await page.ok("GET", "/layouts") == {"items": []}
        assert await page.ok("PUT", "/layouts", {"items": [layout]}) == {"items": [layout]}
        assert await page.ok("GET", "/layouts") == {"items": [layout]}
        assert await admin.ok("GET", "/layouts") == {"items": []}
        assert (await page.call("PUT", "/layouts", {"items": [{**layout, "tiles": 26}]}))[0] == 400
        assert await page.ok("PUT", "/layouts", {"items": []}) == {"items": []}
