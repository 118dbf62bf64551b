"""Unmodified livekit-client 2.23 in Chromium against our signalling and engine."""

from __future__ import annotations

import asyncio
import time

import pytest
from livekit import rtc

from tests.support import until
from tests.support.browser import chromium
from tests.support.caller import Caller, longest_gap
from tests.support.hub import Hub
from tests.support.tab import tab

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

# Four encoders and twelve decoders share the machine with the hub.
SMALL = {"resolution": {"width": 640, "height": 360, "frameRate": 15}}


@pytest.mark.parametrize("single", [True, False], ids=["single", "dual"])
async def test_two_pages_see_hear_and_tell_each_other(hub: Hub, single: bool) -> None:
    async with chromium() as browser:
        alice, bob = await tab(browser, hub, "alice"), await tab(browser, hub, "bob")
        for one in (alice, bob):
            await one.join(singlePeerConnection=single)
            await one.publish()
        await asyncio.gather(alice.sees("bob"), bob.sees("alice"))
        await alice.run("room.localParticipant.publishData(new TextEncoder().encode('one'), {reliable: true, topic: 't'})")
        await alice.run("room.localParticipant.publishData(new TextEncoder().encode('two'), {reliable: false})")
        await alice.run("room.localParticipant.sendText('三', {topic: 'lk.chat'})")
        echo = await alice.run("room.localParticipant.performRpc({destinationIdentity: 'bob', method: 'echo', payload: 'x'})")
        assert echo == "alice:x"
        await asyncio.sleep(0.5)
        data = await bob.heard("data")
        assert [one[:2] for one in data] == [["alice", "one"], ["alice", "two"]]
        assert data[0][2] == "t"
        assert await bob.heard("texts") == [["alice", "三"]]
        for one in (alice, bob):
            assert not [event for event in await one.heard("events") if "econnect" in event or "Disconnected" in event]


async def test_two_pages_and_two_callers_of_either_kind(hub: Hub) -> None:
    async with (
        chromium() as browser,
        Caller(hub.url, hub.token("carol"), single=True) as carol,
        Caller(hub.url, hub.token("dave"), single=False) as dave,
    ):
        alice, bob = await tab(browser, hub, "alice"), await tab(browser, hub, "bob")
        await alice.join(singlePeerConnection=True)
        await bob.join(singlePeerConnection=False)
        await asyncio.gather(alice.publish(**SMALL), bob.publish(**SMALL))
        await asyncio.gather(
            alice.sees("bob", "carol", "dave", within=30),
            bob.sees("alice", "carol", "dave", within=30),
            *(caller.sees(other, within=30) for caller, other in _pairs(carol, dave)),
        )
        for caller, other in _pairs(carol, dave):
            assert len(caller.sounds[other]) > 20, (other, len(caller.sounds[other]))
        texts: list[tuple[str, str]] = []
        tasks: list[asyncio.Task[None]] = []

        async def read(reader: rtc.TextStreamReader, identity: str) -> None:
            texts.append((identity, await reader.read_all()))

        dave.room.register_text_stream_handler(
            "lk.chat", lambda reader, identity: tasks.append(asyncio.create_task(read(reader, identity)))
        )
        await alice.run("room.localParticipant.sendText('三泵到位', {topic: 'lk.chat'})")
        await carol.room.local_participant.send_text("收到", topic="lk.chat")
        await until(lambda: sorted(texts) == [("alice", "三泵到位"), ("carol", "收到")])
        assert sorted(await bob.heard("texts")) == [["alice", "三泵到位"], ["carol", "收到"]]


def _pairs(carol: Caller, dave: Caller) -> list[tuple[Caller, str]]:
    return [(carol, one) for one in ("alice", "bob", "dave")] + [(dave, one) for one in ("alice", "bob", "carol")]


async def test_a_small_view_gets_the_small_layer_and_the_others_are_switched_off(hub: Hub) -> None:
    async with chromium() as browser:
        alice, bob = await tab(browser, hub, "alice"), await tab(browser, hub, "bob")
        await alice.join()
        await bob.join(adaptiveStream=True)
        await alice.publish(resolution={"width": 1280, "height": 720, "frameRate": 15})
        await bob.page.wait_for_selector("video")
        await bob.run("document.querySelector('video').style = 'width: 200px; height: 112px'")
        await bob.sees("alice")
        height = 0
        for _ in range(100):
            height = (await bob.received())["alice"]["height"]
            if height == 180:
                break
            await asyncio.sleep(0.2)
        assert height == 180
        active = """async () => {
          const track = room.localParticipant.getTrackPublication('camera').track;
          return track.sender.getParameters().encodings.filter((one) => one.active).length;
        }"""
        for _ in range(100):
            if await alice.run(active) == 1:
                break
            await asyncio.sleep(0.2)
        assert await alice.run(active) == 1


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
