"""Conference control with real media: SDK clients that are no page of ours obey the gates, also after a kill of the hub."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from livekit import rtc

from commhub.rooms.watch import SETTLE_SECONDS
from tests.support import until
from tests.support.installation import Installation
from tests.support.proofs import Figure
from tests.support.talkers import Talker, colleagues, talker

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Installation]:
    async with Installation(tmp_path) as hub:
        yield hub


async def crew_of(stack: AsyncExitStack, hub: Installation, count: int) -> list[Talker]:
    """The first is in charge."""
    crew = await colleagues(hub, [3] * count)
    return [await stack.enter_async_context(talker(hub, one)) for one in crew]


async def begun(crew: list[Talker]) -> str:
    """A consultation of all of them, led by the first; nobody is in it yet."""
    body = {"title": "会商", "people": [one.who.id for one in crew[1:]]}
    room: str = (await crew[0].call("POST", "/consultations", body))["id"]
    return room


async def joined(one: Talker, room: str) -> dict[str, Any]:
    answer: dict[str, Any] = await one.call("POST", f"/consultations/{room}/join", {"terminal": one.told})
    return answer


async def come_in(one: Talker, room: str) -> None:
    await one.enter(room, (await joined(one, room))["token"])


async def decide(chair: Talker, room: str, what: str, body: dict[str, Any]) -> None:
    rev = (await chair.call("GET", f"/consultations/{room}"))["control"]["rev"]
    headers: dict[str, Any] = {"If-Match": str(rev)}
    await chair.call("PUT", f"/consultations/{room}/{what}", body, **headers)


def quiet_since(listener: Talker, identity: str, since: float) -> bool:
    return not any(at > since for at in listener.heard[identity])


async def cheats(cheat: Talker, room: str, times: int = 2) -> None:
    """Publishes anew, mutes and unmutes by itself."""
    for _ in range(times):
        publication = await cheat.publish(room)
        await asyncio.sleep(0.3)
        publication.track.mute()
        await asyncio.sleep(0.1)
        publication.track.unmute()
        await asyncio.sleep(0.3)
        await cheat.rooms[room].local_participant.unpublish_track(publication.sid)


async def test_sdk_clients_obey_the_chair(hub: Installation) -> None:
    """One hub for all of it: what starts it costs more than what is asked of it."""
    async with AsyncExitStack() as stack:
        crew = await crew_of(stack, hub, 3)
        for part in (one_is_broadcast_and_few_talk_apart, nothing_reaches_who_waits, a_muted_client_is_not_forwarded):
            room = await begun(crew)
            await part(hub, crew, room)
            await crew[0].call("POST", f"/consultations/{room}/end")
            for one in crew:
                if (left := one.rooms.pop(room, None)) is not None:
                    await left.disconnect()
                one.heard.clear()
                one.tracks.clear()


async def a_muted_client_is_not_forwarded(hub: Installation, crew: list[Talker], room: str) -> None:
    """However hard it tries, also after a kill of the hub."""
    chair, cheat, third = crew
    for one in crew:
        await come_in(one, room)
    await chair.hears(cheat.identity, 0)
    await cheat.hears(chair.identity, 0)
    await decide(chair, room, "muting", {"muted": True, "unmute": False})
    await asyncio.sleep(0.6)
    silent = time.monotonic()
    await cheats(cheat, room)
    assert quiet_since(chair, cheat.identity, silent)
    await cheat.hears(chair.identity, silent)  # who chairs is heard

    hub.kill("hub")
    await asyncio.sleep(0.2)
    await hub.ready()
    after = time.monotonic()
    await cheat.hears(chair.identity, after)
    await until(lambda: all(one.rooms[room].isconnected() for one in crew), 30, "all have resumed")
    # Published while the new hub is at work: only what is announced since can be counted apart.
    await cheats(cheat, room)
    assert quiet_since(chair, cheat.identity, silent)
    assert quiet_since(third, cheat.identity, silent)

    await chair.call("POST", f"/consultations/{room}/speakers", {"person": cheat.who.id})
    allowed = time.monotonic()
    publication = await cheat.publish(room)
    await chair.hears(cheat.identity, allowed)
    await chair.call("DELETE", f"/consultations/{room}/speakers/{cheat.who.id}")
    await asyncio.sleep(0.6)
    silent = time.monotonic()
    publication.track.unmute()
    await asyncio.sleep(0.5)
    assert quiet_since(chair, cheat.identity, silent)


async def nothing_reaches_who_waits(hub: Installation, crew: list[Talker], room: str) -> None:
    chair, inside, late = crew
    old = await joined(late, room)  # a token of before
    await come_in(chair, room)
    await come_in(inside, room)
    await decide(chair, room, "lobby", {"mode": "everybody"})
    late.said.clear()
    waiting = await joined(late, room)
    assert (waiting["state"], waiting["token"]) == ("waiting", "")
    blocked = rtc.Room()
    with pytest.raises(rtc.ConnectError):
        await asyncio.wait_for(blocked.connect(hub.base.replace("http", "ws", 1), old["token"]), 20)
    assert not blocked.remote_participants
    shown = await chair.call("GET", f"/consultations/{room}/lobby")
    assert [one["person"] for one in shown["items"]] == [late.who.id]
    await inside.rooms[room].local_participant.publish_data(b"for those inside", topic="chat")
    await decide(chair, room, "stage", {"layout": "speaker"})
    await inside.call("POST", f"/consultations/{room}/hand")
    await asyncio.sleep(1.0)
    seen = [*late.said, str(await late.call("GET", f"/consultations/{room}"))]
    for name in (chair.who.name, inside.who.name, chair.who.id, inside.who.id, "for those inside"):
        assert sum(name in text for text in seen) == 0, name
    assert not late.heard
    assert not late.tracks

    data: list[bytes] = []
    await chair.call("POST", f"/consultations/{room}/lobby/admit", {"people": [late.who.id]})
    await until(lambda: any("consultation.admitted" in text for text in late.said), what="the word that they may come in")
    await come_in(late, room)
    let_in = time.monotonic()
    late.rooms[room].on("data_received", lambda packet: data.append(packet.data))
    await late.hears(chair.identity, let_in)
    await chair.call("POST", f"/consultations/{room}/lobby/return", {"person": late.who.id})
    await until(lambda: not late.rooms[room].isconnected(), 20, "sent back")
    out = time.monotonic() + 0.3
    await inside.rooms[room].local_participant.publish_data(b"again", topic="chat")
    await asyncio.sleep(0.8)
    assert quiet_since(late, chair.identity, out)
    assert data == []
    assert (await joined(late, room))["state"] == "waiting"


async def one_is_broadcast_and_few_talk_apart(hub: Installation, crew: list[Talker], room: str) -> None:
    chair, one, two = crew
    for each in crew:
        await come_in(each, room)
    await chair.hears(one.identity, 0)
    await two.hears(chair.identity, 0)
    await decide(chair, room, "broadcast", {"person": one.who.id})
    await asyncio.sleep(0.6)
    since = time.monotonic()
    await chair.hears(one.identity, since)
    await two.hears(one.identity, since)
    assert quiet_since(two, chair.identity, since)
    assert quiet_since(one, two.identity, since)
    await decide(chair, room, "broadcast", {"person": None})

    body = {"title": "水务", "people": [one.who.id, two.who.id]}
    sides = (await chair.call("POST", f"/consultations/{room}/sides", body))["control"]["sides"]
    await asyncio.sleep(0.8)
    since = time.monotonic()
    await one.hears(two.identity, since)
    await two.hears(one.identity, since)
    await asyncio.sleep(0.5)
    assert quiet_since(chair, one.identity, since)
    assert quiet_since(one, chair.identity, since)
    await chair.call("DELETE", f"/consultations/{room}/sides/{sides[0]['id']}")
    back = time.monotonic()
    await chair.hears(one.identity, back)
    await one.hears(chair.identity, back)


@pytest.mark.prove
async def test_a_co_chair_leads_when_the_chair_is_lost(hub: Installation, figure: Figure) -> None:
    async with AsyncExitStack() as stack:
        chair, deputy = crew = await crew_of(stack, hub, 2)
        room = await begun(crew)
        for each in crew:
            await come_in(each, room)
        await decide(chair, room, "co-chairs", {"people": [deputy.who.id]})
        await asyncio.sleep(SETTLE_SECONDS)
        await chair.rooms[room].disconnect()
        lost = time.monotonic()
        while (await deputy.call("GET", f"/consultations/{room}"))["control"]["acting"] != deputy.who.id:
            assert time.monotonic() - lost < 15
            await asyncio.sleep(0.1)
        took = time.monotonic() - lost
        assert "end" in (await deputy.call("GET", f"/consultations/{room}"))["may"]
        assert figure("conference: the chair is lost → a co-chair leads", took, "s", goal="≤ 5 s")
