"""Pictures of cameras, kept: where they are taken, what is written, who sees them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from commhub.desk.snapshots import AT_ONCE, ROOM
from tests.support.hubs import TERMINAL, Hub, serving
from tests.support.recorders import ScriptedBridge, recorder

JPEG = b"\xff\xd8\xff\xe0" + b"picture" * 100


@dataclass
class House:
    hub: Hub
    camera: str
    other: str
    taken: list[tuple[str, str, str]] = field(default_factory=list)
    now: int = 0
    most: int = 0

    async def take(self, worker: str, room: str, identity: str) -> bytes:
        self.taken.append((worker, room, identity))
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        return JPEG


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with serving(tmp_path) as hub:
        camera, other = await recorder(hub, 2)
        ScriptedBridge().link(hub)
        house = House(hub, camera, other)
        hub.parts.desk.snapshots._taking = house.take
        yield house


async def test_a_picture_of_a_camera_on_the_wall(house: House) -> None:
    async with house.hub.browser("dispatcher") as page, house.hub.browser("admin") as admin, admin.events() as stream:
        room = (await page.ok("POST", "/views", {"terminal": TERMINAL}))["room"]
        await page.ok("PUT", f"/views/{TERMINAL}", {"cameras": [house.camera]})
        made = await page.ok("POST", f"/cameras/{house.camera}/snapshots")
        assert house.taken == [("media-0", room, f"{house.camera}:bridge")]
        assert (made["sha256"], made["by"]["name"]) == (hashlib.sha256(JPEG).hexdigest(), "周明远")
        event = await stream.event("camera.snapshot")
        assert event["data"]["snapshot"] == made
        for who in (page, admin):
            async with await who.raw("GET", made["url"]) as response:
                assert (response.status, response.content_type, await response.read()) == (200, "image/jpeg", JPEG)
        rows = (await admin.ok("GET", "/audit?action=camera.snapshot"))["items"]
        assert [row["object"] for row in rows] == [f"临江大堤 K1 sha256:{made['sha256']}"]
        seen = (await admin.ok("GET", "/audit?action=camera.download"))["items"]
        assert len(seen) == 2


async def test_a_closed_camera_is_opened_for_it(house: House) -> None:
    async with house.hub.browser("dispatcher") as page:
        await page.ok("POST", f"/cameras/{house.other}/snapshots")
        ((_, room, identity),) = house.taken
        assert room.startswith(ROOM)
        assert identity == f"{house.other}:bridge"
        assert room not in house.hub.conference.rooms
        assert house.hub.parts.feeds.rooms(house.other) == set()


async def test_not_too_many_at_once(house: House) -> None:
    async with house.hub.browser("dispatcher") as page:
        await asyncio.gather(*(page.ok("POST", f"/cameras/{house.camera}/snapshots") for _ in range(8)))
    assert len(house.taken) == 8
    assert house.most <= AT_ONCE


async def test_no_picture_is_said_and_nothing_kept(tmp_path: Path) -> None:
    async with serving(tmp_path) as hub:
        (camera,) = await recorder(hub, 1)
        async with hub.browser("dispatcher") as page:
            status, answer = await page.call("POST", f"/cameras/{camera}/snapshots")
            assert (status, answer["code"]) == (503, "no_picture")
            assert not list((tmp_path / "snapshots").rglob("*.jpg"))


async def test_not_for_everybody(house: House) -> None:
    async with house.hub.browser("dispatcher") as page, house.hub.browser("binjiang") as other:
        made = await page.ok("POST", f"/cameras/{house.camera}/snapshots")
        status, _ = await other.call("GET", f"/snapshots/{made['id']}")
        assert status in (403, 404)
        assert (await page.call("GET", "/snapshots/01K00000000000000000000000"))[0] == 404


async def test_rooms_of_before_are_closed(house: House) -> None:
    house.hub.conference.rooms[ROOM + "old"] = {}
    await house.hub.parts.desk.snapshots.close_left()
    assert ROOM + "old" not in house.hub.conference.rooms
