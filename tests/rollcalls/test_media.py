"""Roll calls with real media: of three who all send a tone, the others hear the one that is called, counted at their sockets."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.installation import Installation
from tests.support.talkers import Talker, colleagues, talker

pytestmark = [pytest.mark.peer, pytest.mark.timeout(480)]


async def _came(ear: Talker, mouths: list[Talker], seconds: float) -> dict[str, int]:
    """Packets with sound in them that came from each meanwhile, by name. What came just after a gate closed is silence."""
    since = time.monotonic()
    await asyncio.sleep(seconds)
    return {one.who.name: sum(at > since for at in ear.heard[one.identity]) for one in mouths if one is not ear}


async def test_one_is_heard_besides_the_chair(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, AsyncExitStack() as stack:
        crew = [await stack.enter_async_context(talker(hub, one)) for one in await colleagues(hub, [3, 5, 6, 7])]
        chief, *others = crew
        body = {"title": "点名", "people": [one.who.id for one in others]}
        room: str = (await chief.call("POST", "/consultations", body))["id"]
        for one in crew:
            ticket = await one.call("POST", f"/consultations/{room}/join", {"terminal": one.told})
            await one.enter(room, ticket["token"])
        for one in others[1:]:
            await others[0].hears(one.identity, 0.0)  # a conference: everybody is heard

        order = [one.who.id for one in others]
        order_of: dict[str, Any] = {"kind": "sequence", "people": order, "answer_seconds": 0, "limit_seconds": 0}
        roll: dict[str, Any] = await chief.call("POST", f"/consultations/{room}/roll-calls", order_of)

        async def go(action: str) -> None:
            nonlocal roll
            roll = await chief.call("GET", f"/roll-calls/{roll['id']}")
            headers: Any = {"If-Match": f'"{roll["rev"]}"'}
            roll = await chief.call("POST", f"/roll-calls/{roll['id']}/step", {"action": action}, **headers)

        for number in range(len(others)):
            await go("next")
            asked = time.monotonic()
            ear = others[(number + 1) % len(others)]
            await ear.hears(others[number].identity, asked)
            await asyncio.sleep(0.5)
            came = await _came(ear, crew, 1.5)
            assert {name for name, count in came.items() if count} == {chief.who.name, others[number].who.name}, came
            # Whoever is not called publishes anew: not a packet.
            cheat = next(one for one in others if one not in (others[number], ear))
            await cheat.publish(room)
            assert (await _came(ear, crew, 1.0))[cheat.who.name] == 0
        await go("end")
        ended = time.monotonic()
        for one in others[1:]:
            await others[0].hears(one.identity, ended)
        report = await chief.call("GET", f"/roll-calls/{roll['id']}")
        assert [entry["state"] for entry in report["entries"]] == ["done"] * 3
