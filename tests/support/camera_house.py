"""A whole CommHub that takes devices of GB/T 28181, and what tests do with its cameras."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from bridges.simulated.device import Style
from tests.support import free_port
from tests.support.caller import Caller, longest_gap
from tests.support.gb28181 import DEVICE, PLATFORM
from tests.support.installation import Installation, Person

TERMINAL = "01J00000000000000000000007"
PICTURE = Style(main=(640, 360), sub=(320, 180), fps=Fraction(25), group_seconds=2.0)


class House(Installation):
    """A hub that takes devices of GB/T 28181."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.sip = free_port()
        super().__init__(
            folder,
            COMMHUB_GB28181__ENABLED="true",
            COMMHUB_GB28181__ID=PLATFORM,
            COMMHUB_GB28181__HOSTS='["127.0.0.1"]',
            COMMHUB_GB28181__PORT=str(self.sip),
            COMMHUB_GB28181__MEDIA_ADDRESS="127.0.0.1",
            **settings,
        )

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.sip


async def admitted(hub: House, code: str = DEVICE, name: str = "北匝道录像机") -> tuple[Person, str]:
    """An administrator who has let the device in, and its password."""
    admin = await hub.sign_in(hub.who("admin"))
    org = (await admin.call("GET", "/organisations"))["items"][0]["id"]
    made = await admin.call("POST", "/devices", {"code": code, "name": name, "org_id": org})
    return admin, made["password"]


async def cameras(person: Person, of: Callable[[dict[str, Any]], bool], count: int, within: float = 20) -> list[dict[str, Any]]:
    """So many cameras of which that is true. AssertionError when they are not there in time."""
    last = time.monotonic() + within
    while True:
        found = [one for one in (await person.call("GET", "/cameras?limit=200"))["items"] if of(one)]
        if len(found) >= count:
            return found
        assert time.monotonic() < last, found
        await asyncio.sleep(0.2)


@asynccontextmanager
async def wall(person: Person, *shown: dict[str, Any]) -> AsyncIterator[tuple[Caller, list[str]]]:
    """Somebody whose wall shows these cameras; their identities in its room."""
    joining = await person.call("POST", "/views", {"terminal": TERMINAL})
    async with Caller(joining["url"], joining["token"], video=False, audio=False) as viewer:
        tiles = await person.call("PUT", f"/views/{TERMINAL}", {"cameras": [one["id"] for one in shown]})
        yield viewer, [one["identity"] for one in tiles["items"]]


def gb28181(camera: dict[str, Any]) -> bool:
    return bool(camera["protocol"] == "gb28181" and camera["online"])


async def gap(viewer: Caller, identity: str, act: Callable[[], Awaitable[None] | None]) -> float:
    """The longest time without a picture of this camera, seconds, once ``act`` has been done to it."""
    began = time.monotonic()
    if (done := act()) is not None:
        await done
    back = await viewer.sees(identity, after=began + 2, within=25)
    return longest_gap(viewer.frames[identity], began, back)
