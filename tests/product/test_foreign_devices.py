"""A device of GB/T 28181 that nobody here wrote, the crate gb28181-rs, in the whole product: from REGISTER to BYE."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support import until
from tests.support.camera_house import TERMINAL, House, admitted, cameras, gb28181, wall
from tests.support.gb28181 import DOMAIN
from tests.support.installation import Person
from tests.support.peers import gb28181_rs

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]  # the first time cargo builds it

CODE, CHANNEL = "11010500001180000099", "11010500001310000099"


@asynccontextmanager
async def there(folder: Path, transport: str) -> AsyncIterator[tuple[House, Person, gb28181_rs.Peer, dict[str, Any]]]:
    """The hub, a dispatcher, the device, its camera."""
    await gb28181_rs.built()
    async with House(folder) as hub:
        admin, password = await admitted(hub, CODE, "别家设备")
        dispatcher = await hub.sign_in(hub.who("dispatcher"))
        async with gb28181_rs.device(
            folder, hub.address, code=CODE, channel=CHANNEL, domain=DOMAIN, password=password, transport=transport
        ) as device:
            (camera, *_) = await cameras(dispatcher, lambda one: gb28181(one) and one["name"] == "gb28181-rs", 1)
            yield hub, dispatcher, device, camera
        for _ in range(50):  # it signed out
            listed = (await admin.call("GET", "/devices"))["items"]
            if not any(one["online"] for one in listed):
                break
            await asyncio.sleep(0.1)
        assert [one["online"] for one in listed if one["code"] == CODE] == [False]


async def test_it_is_seen_and_moved(tmp_path: Path) -> None:
    async with there(tmp_path, "udp") as (hub, dispatcher, device, camera), wall(dispatcher, camera) as (viewer, (identity,)):
        await viewer.sees(identity, count=30)
        async with dispatcher.session.ws_connect(f"{hub.base}/events", headers={"Origin": hub.base}) as events:
            await events.send_json({"type": "move", "camera": camera["id"], "pan": 0.5, "tilt": 0.25})
            await until(lambda: any(line.startswith("ptz Move") for line in device.lines))
        # It stops by itself when nobody says any more that it should go on.
        await until(lambda: any("bits: 0" in line for line in device.lines))
        first = next(line for line in device.lines if line.startswith("ptz"))
        assert first.startswith("ptz Move { bits: 9,")  # up and right


async def test_its_recording_is_found_and_played(tmp_path: Path) -> None:
    async with there(tmp_path, "tcp") as (hub, dispatcher, device, camera), wall(dispatcher) as (viewer, _):
        start, end = (_text(device.recorded + offset) for offset in (-3600, 3600))
        found = await dispatcher.call("GET", f"/cameras/{camera['id']}/recordings?from={start}&to={end}")
        (one,) = found["items"]
        assert datetime.fromisoformat(one["start"]).timestamp() == device.recorded
        body = {"camera_id": camera["id"], "terminal": TERMINAL, "from": one["start"], "to": one["end"]}
        async with dispatcher.session.ws_connect(f"{hub.base}/events", headers={"Origin": hub.base}) as events:
            played = await dispatcher.call("POST", "/playbacks", body)
            # Of pause and speed it knows only an XML of its own; it plays to the end and says so by INFO.
            await viewer.sees(played["identity"], count=100)
            async with asyncio.timeout(20):
                async for message in events:
                    if '"playback.state"' in message.data and '"ended"' in message.data:
                        break


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
