"""Calls in the whole product: terminals at their sockets, PyPI clients in the rooms."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy
import pytest
from livekit import rtc

from commhub.model import new_id
from tests.support import until
from tests.support.caller import Caller
from tests.support.installation import Installation, Person, SignIn

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]


class Ear(Caller):
    """Also hears how loud each one is: of each 10 ms, when and its mean square."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(url, token, video=False)
        self.loud: dict[str, list[float]] = {}

    def _subscribed(self, track: Any, publication: Any, participant: Any) -> None:
        super()._subscribed(track, publication, participant)
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self._spawn(self._listen(rtc.AudioStream(track), self.loud.setdefault(participant.identity, [])))

    async def _listen(self, stream: Any, loud: list[float]) -> None:
        async for event in stream:
            samples = numpy.frombuffer(event.frame.data, dtype=numpy.int16).astype(float)
            if samples.size and float((samples**2).mean()) > 10_000:
                loud.append(time.monotonic())

    async def hears(self, identity: str, within: float = 30) -> None:
        since = time.monotonic()
        await until(lambda: sum(at > since for at in self.loud.get(identity, [])) > 5, within, f"the voice of {identity}")

    def last(self, identity: str) -> float:
        return max(self.loud.get(identity, [0.0]))


class Phone:
    """Somebody at a terminal: the socket that instructs it, and the room it is in."""

    def __init__(self, hub: Installation, person: Person) -> None:
        self.hub, self.person, self.told = hub, person, new_id()
        self.me: str = person.me["person"]["id"]
        self.identity = f"{self.me}:{self.told}"
        self.heard: list[dict[str, Any]] = []
        self.ear: Ear | None = None
        self._task: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()

    async def _keep(self) -> None:
        """As a page does: the socket is opened again whenever it is gone."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                async with self.person.session.ws_connect(f"{self.hub.base}/events", headers={"Origin": self.hub.base}) as socket:
                    await socket.receive_json()
                    await socket.send_json({"type": "terminal", "id": self.told, "kind": "console", "name": "test"})
                    async for message in socket:
                        await self._hear(socket, json.loads(message.data))
            await asyncio.sleep(0.1)

    async def _hear(self, socket: aiohttp.ClientWebSocketResponse, said: dict[str, Any]) -> None:
        if said["type"] == "terminal":
            self.ready.set()
        if said["type"] == "instruction":
            self.heard.append(said)
            await socket.send_json({"type": "ack", "id": said["id"], "ok": True})

    async def rings(self, call: str) -> None:
        await until(lambda: any(one["verb"] == "ring" and one["subject"] == call for one in self.heard), what="ringing")

    async def told_to(self, verb: str, call: str) -> dict[str, Any]:
        await until(lambda: any((one["verb"], one["subject"]) == (verb, call) for one in self.heard), what=f"{verb} {call}")
        return next(one for one in self.heard if (one["verb"], one["subject"]) == (verb, call))

    async def call(self, *people: Phone, **more: Any) -> dict[str, Any]:
        body = {"to": [{"person": one.me} for one in people], "terminal": self.told, "video": False, **more}
        made: dict[str, Any] = await self.person.call("POST", "/calls", body)
        return made

    async def act(self, verb: str, id: str, *, status: int = 0, **more: Any) -> dict[str, Any]:
        done: dict[str, Any] = await self.person.call(
            "POST", f"/calls/{id}/{verb}", {"terminal": self.told, **more}, status=status
        )
        return done

    async def enter(self, call: str) -> Ear:
        await self.leave()
        ticket = await self.act("join", call)
        assert ticket["identity"] == self.identity
        self.ear = Ear(ticket["url"], ticket["token"])
        return await self.ear.__aenter__()

    async def answer(self, call: str) -> Ear:
        await self.rings(call)
        await self.act("answer", call)
        return await self.enter(call)

    async def leave(self) -> None:
        ear, self.ear = self.ear, None
        if ear is not None:
            await ear.__aexit__(None, None, None)

    async def __aenter__(self) -> Phone:
        self._task = asyncio.create_task(self._keep())
        await asyncio.wait_for(self.ready.wait(), 60)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@asynccontextmanager
async def phones(hub: Installation, *accounts: str) -> AsyncIterator[list[Phone]]:
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for account in accounts:
            who: SignIn = next(one for one in hub.sign_ins if one.account == account)
            found.append(await stack.enter_async_context(Phone(hub, await hub.sign_in(who))))
        yield found


async def state(phone: Phone, call: str) -> dict[str, Any]:
    found: dict[str, Any] = await phone.person.call("GET", f"/calls/{call}")
    return found


def legs(call: dict[str, Any]) -> dict[str, str]:
    return {leg["person"]["id"]: leg["end"] or leg["state"] for leg in call["legs"]}


async def test_a_call_held_transferred_and_over(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, phones(hub, "dispatcher", "emergency", "water") as (a, b, c):
        first = (await a.call(b))["id"]
        at_a, at_b = await a.enter(first), await b.answer(first)
        await at_a.hears(b.identity)
        await at_b.hears(a.identity)

        await a.act("hold", first)
        held = time.monotonic()
        await asyncio.sleep(2)
        for ear, whom in ((at_a, b), (at_b, a)):  # what was on its way may still be heard
            assert ear.last(whom.identity) < held + 1, "heard while held"
        refused = await a.act("hold", first, status=409)
        assert (refused["code"], "resume" in refused["allowed"]) == ("not_now", True)
        await a.act("resume", first)
        await at_b.hears(a.identity)
        await at_a.hears(b.identity)

        # Attended: a asks c, who goes on with b.
        second = (await a.call(c))["id"]
        assert legs(await state(a, first))[a.me] == "held"
        at_c = await c.answer(second)
        await (await a.enter(second)).hears(c.identity)
        await a.act("transfer", first, call=second)
        told = await c.told_to("join", first)
        await c.leave()
        c.ear = at_c = Ear(hub.base.replace("http", "ws"), told["token"])
        await at_c.__aenter__()
        await at_c.hears(b.identity)
        await at_b.hears(c.identity)
        assert (await a.told_to("leave", first))["reason"] == "transferred"
        assert legs(await state(a, first)) == {a.me: "transferred", b.me: "answered", c.me: "answered"}

        # Blind: b gives c to a.
        await b.act("transfer", first, to={"person": a.me})
        await (await a.answer(first)).hears(c.identity)
        await at_c.hears(a.identity)
        await c.act("hangup", first)
        over = await state(a, first)
        assert (over["state"], over["end"]) == ("ended", "hangup")
        assert [leg["end"] for leg in over["legs"]] == ["transferred", "transferred", "hangup", "hangup"]


async def test_three_talk_and_the_hub_dies(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, phones(hub, "dispatcher", "emergency", "water") as (a, b, c):
        call = (await a.call(b, c, kind="conference"))["id"]
        ears = [await a.enter(call), await b.answer(call), await c.answer(call)]
        for ear, mine in zip(ears, (a, b, c), strict=True):
            for other in {a, b, c} - {mine}:
                await ear.hears(other.identity)
        # c's client dies with the hub.
        await b.act("hold", call)
        quiet = time.monotonic()
        killed = time.monotonic()
        hub.kill("hub")
        assert c.ear is not None
        await c.leave()
        await hub.ready()

        async def reconciled() -> dict[str, Any]:
            while True:
                with contextlib.suppress(AssertionError, aiohttp.ClientError):
                    found = await state(a, call)
                    if legs(found)[c.me] != "answered":
                        return found
                await asyncio.sleep(0.1)

        found = await asyncio.wait_for(reconciled(), 60)
        print(f"reconciled {time.monotonic() - killed:.1f} s after the kill")
        assert legs(found) == {a.me: "answered", b.me: "held", c.me: "restart"}
        assert ears[0].last(b.identity) < quiet + 1, "the hold was forgotten"
        await b.act("resume", call)
        await ears[0].hears(b.identity)
        await ears[1].hears(a.identity)
        await a.act("hangup", call)
        assert (await state(a, call))["state"] == "ended"
