"""What changes in a running room, with unmodified livekit-client 2.23 in Chromium: tracks come and go, views change size."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.browser import chromium
from tests.support.hub import Hub
from tests.support.tab import Tab, tab

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]


async def until(one: Tab, script: str, value: object = True, within: float = 20.0) -> None:
    """The script's value in the page becomes this."""
    async with asyncio.timeout(within):
        while await one.run(script) != value:  # noqa: ASYNC110  (it happens in another process)
            await asyncio.sleep(0.1)


async def quiet(*tabs: Tab) -> None:
    """Nobody lost the connection meanwhile."""
    for one in tabs:
        assert not [event for event in await one.heard("events") if "econnect" in event or "Disconnected" in event]


@pytest.mark.parametrize("single", [True, False], ids=["single", "dual"])
async def test_tracks_that_come_and_go(hub: Hub, single: bool) -> None:
    async with chromium() as browser:
        alice, bob = await tab(browser, hub, "alice"), await tab(browser, hub, "bob")
        for one in (alice, bob):
            await one.join(singlePeerConnection=single)
            await one.publish()
        await asyncio.gather(alice.sees("bob"), bob.sees("alice"))
        gone = "() => [...room.remoteParticipants.values()][0].videoTrackPublications.size"
        for _ in range(2):
            # The camera is unpublished altogether and published again: a new track in the same or another section.
            await alice.run(
                "() => room.localParticipant.unpublishTrack(room.localParticipant.getTrackPublication('camera').track)"
            )
            await until(bob, gone, 0)
            await alice.run("() => room.localParticipant.setCameraEnabled(true)")
            await bob.sees("alice")
        # Unsubscribed, then subscribed again.
        await bob.run("() => [...room.remoteParticipants.values()][0].trackPublications.forEach(p => p.setSubscribed(false))")
        await asyncio.sleep(0.5)
        await bob.run("() => [...room.remoteParticipants.values()][0].trackPublications.forEach(p => p.setSubscribed(true))")
        await bob.sees("alice")
        # Muted: nothing comes; and then it does again.
        await alice.run("() => room.localParticipant.setCameraEnabled(false)")
        await asyncio.sleep(1)
        before = (await bob.received())["alice"]["frames"]
        await asyncio.sleep(1)
        assert (await bob.received())["alice"]["frames"] == before
        await alice.run("() => room.localParticipant.setCameraEnabled(true)")
        await bob.sees("alice")
        await alice.sees("bob")
        await quiet(alice, bob)


async def test_layers_follow_the_view(hub: Hub) -> None:
    async with chromium() as browser:
        alice, bob = await tab(browser, hub, "alice"), await tab(browser, hub, "bob")
        await alice.join()
        await alice.publish()
        await bob.join()
        await bob.sees("alice")
        height = "() => received().then(r => r.alice.height)"
        await until(bob, height, 720)
        camera = "[...room.remoteParticipants.values()][0].getTrackPublication('camera')"
        await bob.run(f"() => {camera}.setVideoQuality(0)")
        await until(bob, height, 180)
        # Nobody wants the upper layers any more: the encoder of the publisher stops making them.
        encodings = (
            "() => room.localParticipant.getTrackPublication('camera').track.sender.getParameters().encodings.map(e => e.active)"
        )
        await until(alice, encodings, [True, False, False])
        await bob.run(f"() => {camera}.setVideoQuality(2)")
        await until(alice, encodings, [True, True, True])
        await until(bob, height, 720)
        await bob.run(f"() => {camera}.setEnabled(false)")
        await until(alice, encodings, [False, False, False])
        await bob.run(f"() => {camera}.setEnabled(true)")
        await bob.sees("alice")
        await quiet(alice, bob)


@pytest.mark.parametrize("single", [True, False], ids=["single", "dual"])
@pytest.mark.parametrize("scenario", ["signal-reconnect", "full-reconnect"])
async def test_reconnections(hub: Hub, single: bool, scenario: str) -> None:
    async with chromium() as browser:
        alice, bob = await tab(browser, hub, "alice"), await tab(browser, hub, "bob")
        for one in (alice, bob):
            await one.join(singlePeerConnection=single)
            await one.publish()
        await asyncio.gather(alice.sees("bob"), bob.sees("alice"))
        await alice.run("(scenario) => room.simulateScenario(scenario)", scenario)
        await asyncio.sleep(3)
        await asyncio.gather(alice.sees("bob"), bob.sees("alice"))
        await alice.run("room.localParticipant.publishData(new TextEncoder().encode('after'), {reliable: true})")
        await until(bob, "() => heard.data.some(said => said[1] === 'after')")
        await bob.run("room.localParticipant.publishData(new TextEncoder().encode('back'), {reliable: true})")
        await until(alice, "() => heard.data.some(said => said[1] === 'back')")
