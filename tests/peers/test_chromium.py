"""Unmodified livekit-client 2.23 in Chromium against our signalling and engine."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.browser import chromium
from tests.support.hub import Hub
from tests.support.tab import tab

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]


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
