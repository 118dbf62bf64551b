"""A media worker that gets too little time gives up layers, then newcomers, nobody who is there; and recovers by itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.support import until
from tests.support.caller import Caller
from tests.support.installation import Installation
from tests.support.meetings import GUEST, HOST, consultation, ticket

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

SETTINGS = {"COMMHUB_LOG__FORMAT": "json", "COMMHUB_MEDIA__SHED_ABOVE": "0.1", "COMMHUB_MEDIA__REFUSE_ABOVE": "0.1"}
THIRD = "01J00000000000000000000003"


@contextlib.asynccontextmanager
async def starved(pid: int) -> AsyncIterator[None]:
    """The process gets a slice of time now and then, as on a machine with far too much to do."""

    async def slices() -> None:
        while True:
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(0.25)
            os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(0.06)

    task = asyncio.create_task(slices())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        os.kill(pid, signal.SIGCONT)


def levels(hub: Installation) -> list[str]:
    """The levels the worker has said that it is at."""
    said = (json.loads(line) for line in hub.log.read_text().splitlines() if line.startswith("{"))
    return [line["state"] for line in said if line.get("event") == "load"]


async def asked(url: str, token: str) -> tuple[int, str]:
    base = url.replace("ws", "http", 1)
    async with aiohttp.ClientSession() as session, session.get(f"{base}/rtc/validate?access_token={token}") as answer:
        return answer.status, await answer.text()


async def test_overload_from_calm_to_full_and_back(tmp_path: Path) -> None:
    async with Installation(tmp_path, **SETTINGS) as hub:
        person, other, made = await consultation(hub)
        mine, theirs = await ticket(person, made["id"], HOST), await ticket(other, made["id"], GUEST)
        late = await ticket(other, made["id"], THIRD)
        guest = theirs["identity"]
        async with (
            Caller(mine["url"], mine["token"]) as first,
            Caller(theirs["url"], theirs["token"], simulcast=True),
        ):
            await until(lambda: first.widths.get(guest) == 960, 30, "the best layer is seen")
            async with starved(hub.pids()["media-0"]):
                await until(lambda: "shed" in levels(hub), 20, "layers are shed")
                await until(lambda: "full" in levels(hub), 20, "and that was not enough")
                status, text = await asked(late["url"], late["token"])
                assert status == 503
                assert "媒体服务负载已满" in text
                assert (await asked(mine["url"], mine["token"]))[0] == 200
                await until(lambda: first.widths[guest] <= 480, 20, "a lower layer is seen")
            await until(lambda: levels(hub)[-1] == "shed", 30, "newcomers are let in")
            assert (await asked(late["url"], late["token"]))[0] == 200
            await until(lambda: levels(hub)[-1] == "calm", 30, "all is well")
            await until(lambda: first.widths[guest] == 960, 30, "the best layer is seen again")
            assert not [event for _, event in first.events if event == "disconnected"]
