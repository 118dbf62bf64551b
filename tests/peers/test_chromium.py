"""livekit-client in Chromium, and a hub whose parts are killed. What both servers are asked is in the other modules."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.support.browser import chromium
from tests.support.caller import Caller, longest_gap
from tests.support.hub import Hub
from tests.support.tab import tab

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

# Four encoders and twelve decoders share the machine with the hub.
SMALL = {"resolution": {"width": 640, "height": 360, "frameRate": 15}}


def _pairs(carol: Caller, dave: Caller) -> list[tuple[Caller, str]]:
    return [(carol, one) for one in ("alice", "bob", "dave")] + [(dave, one) for one in ("alice", "bob", "carol")]


async def test_the_worker_is_killed_and_pictures_are_back(hub: Hub) -> None:
    # A browser for each: two pages that reopen one invented camera at the same moment may both get no pictures from it.
    async with (
        chromium() as one_browser,
        chromium() as other_browser,
        Caller(hub.url, hub.token("carol")) as carol,
        Caller(hub.url, hub.token("dave"), single=False) as dave,
    ):
        alice, bob = await tab(one_browser, hub, "alice"), await tab(other_browser, hub, "bob")
        await alice.join(singlePeerConnection=True)
        await bob.join(singlePeerConnection=False)
        await asyncio.gather(alice.publish(**SMALL), bob.publish(**SMALL))
        await asyncio.gather(alice.sees("bob", "carol"), bob.sees("alice", "dave"))
        hub.rooms.set_recording("r", True)
        for one in (alice, bob):
            await one.run("window.neverReloaded = true")
        began = time.monotonic()
        await hub.media.end()
        await hub.media.start()
        back = await asyncio.gather(alice.sees("bob", frames=3, sound=3), bob.sees("alice", frames=3, sound=3))
        print("pages see each other again after", [round(at - began, 1) for at in back])
        assert max(back) - began < 5
        await asyncio.gather(
            alice.sees("bob", "carol", "dave"),
            bob.sees("alice", "carol", "dave"),
            *(caller.sees(other, after=began + 0.5) for caller, other in _pairs(carol, dave)),
        )
        for one in (alice, bob):
            assert await one.run("window.neverReloaded && room.isRecording")
            assert not [event for event in await one.heard("events") if event.startswith("Disconnected")]
        assert [fact for fact in hub.host.facts if fact[0] == "left"] == []


@pytest.mark.parametrize("single", [True, False], ids=["single", "dual"])
async def test_the_hub_is_killed_and_media_goes_on(hub: Hub, single: bool) -> None:
    async with chromium() as browser, Caller(hub.url, hub.token("carol"), single=single) as carol:
        alice, bob = await tab(browser, hub, "alice"), await tab(browser, hub, "bob")
        for one in (alice, bob):
            await one.join(singlePeerConnection=single)
            await one.publish(**SMALL)
        await asyncio.gather(alice.sees("bob", "carol"), bob.sees("alice", "carol"), carol.sees("alice"))
        sids = {one.identity: await one.run("room.localParticipant.sid") for one in (alice, bob)}
        crashed = time.monotonic()
        await hub.crash()
        while time.monotonic() - crashed < 1.5:
            await asyncio.gather(alice.sees("bob", frames=3, sound=3), bob.sees("alice", frames=3, sound=3))
        await hub.start()
        until_when = time.monotonic() + 12
        while time.monotonic() < until_when and len(hub.host.resumed) < 3:
            await asyncio.gather(alice.sees("bob", frames=3, sound=3), bob.sees("alice", frames=3, sound=3))
        await asyncio.gather(alice.sees("bob", "carol"), bob.sees("alice", "carol"))
        assert longest_gap(carol.frames["alice"], crashed, time.monotonic()) < 1.5
        assert {one.identity for one in hub.rooms.present("r")} == {"alice", "bob", "carol"}
        assert sids == {one.identity: await one.run("room.localParticipant.sid") for one in (alice, bob)}
        await alice.run("room.localParticipant.setMicrophoneEnabled(false)")
        await bob.page.wait_for_function("heard.events.some((one) => one.startsWith('TrackMuted'))")
