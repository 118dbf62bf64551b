"""A recording of a device that somebody looks at, when the process that plays it is killed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridges.simulated.device import Device
from tests.support import until
from tests.support.camera_house import TERMINAL, House, admitted, cameras, gb28181
from tests.support.gb28181 import device
from tests.support.installation import Person

pytestmark = [pytest.mark.peer, pytest.mark.timeout(480)]


async def standing(person: Person, playback: str) -> dict[str, Any]:
    """Where it is, "playing" false for one of which nothing has been said yet."""
    found = [one for one in (await person.call("GET", "/playbacks"))["items"] if one["id"] == playback]
    assert len(found) == 1
    return {"at": 0.0, "playing": False, **(found[0]["position"] or {}), "state": found[0]["state"]}


async def comes(person: Person, playback: str, within: float = 60, **wanted: object) -> dict[str, Any]:
    async with asyncio.timeout(within):
        while True:
            now = await standing(person, playback)
            if now.items() >= wanted.items():
                return now
            await asyncio.sleep(0.2)


def told(one: Device) -> list[str]:
    """Verbs of MANSRTSP that the device heard."""
    return [command.value.partition(" ")[0] for command in one.commands if command.what == "MANSRTSP"]


async def test_one_that_is_paused_stays_so_when_its_bridge_is_killed(tmp_path: Path) -> None:
    async with House(tmp_path) as hub:
        admin, password = await admitted(hub)
        async with device(hub.address, password=password, channels=1) as one:
            camera = (await cameras(admin, gb28181, 1, within=60))[0]
            await admin.call("POST", "/views", {"terminal": TERMINAL})
            begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=20)
            span = {"from": begin.isoformat(), "to": (begin + timedelta(hours=18)).isoformat()}
            made = await admin.call("POST", "/playbacks", {"camera_id": camera["id"], "terminal": TERMINAL, **span})
            await comes(admin, made["id"], playing=True)
            await admin.call("POST", f"/playbacks/{made['id']}", {"action": "seek", "value": 600})
            await admin.call("POST", f"/playbacks/{made['id']}", {"action": "pause"})
            paused = await comes(admin, made["id"], playing=False, state="live")
            assert told(one)[-1] == "PAUSE"

            await hub.spare("bridge-gb28181")
            hub.kill("bridge-gb28181")
            await until(lambda: told(one).count("PAUSE") == 2, 60, "the pause told again")
            await asyncio.sleep(3)  # where it stands is told at most every two seconds
            again = await comes(admin, made["id"], playing=False, state="live")
            assert again["at"] == pytest.approx(paused["at"], abs=10)
            await asyncio.sleep(3)
            assert (await standing(admin, made["id"]))["at"] == again["at"]

            await admin.call("POST", f"/playbacks/{made['id']}", {"action": "play"})
            await comes(admin, made["id"], playing=True)
