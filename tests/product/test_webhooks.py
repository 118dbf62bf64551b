"""Webhooks of a real installation: calls of the PyPI SDK, a receiver that is away, a hub that is killed."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from livekit import api

from tests.support.caller import Caller
from tests.support.installation import SECRET, Installation
from tests.support.receiver import WebhookHost

pytestmark = [pytest.mark.peer, pytest.mark.timeout(150)]


def token(identity: str) -> str:
    grants = api.VideoGrants(room_join=True, room="drill")
    made = api.AccessToken("APItest", SECRET).with_identity(identity).with_name(identity).with_grants(grants)
    return made.with_ttl(timedelta(minutes=10)).to_jwt()


async def test_every_fact_of_a_call_arrives_in_order_whatever_is_away(tmp_path: Path) -> None:
    async with WebhookHost("APItest", SECRET) as receiver:
        settings = {
            "COMMHUB_WEBHOOKS__RECEIVERS": json.dumps([{"url": receiver.url, "key": "APItest"}]),
            "COMMHUB_WEBHOOKS__ALLOW": receiver.allow,
        }
        async with Installation(tmp_path, **settings) as hub:
            url = hub.base.replace("http", "ws", 1)
            async with Caller(url, token("alice")) as alice:
                async with Caller(url, token("bob"), audio=False) as bob:
                    await bob.sees("alice")
                    await receiver.until(6)
                    await receiver.down()
                # Bob has left; the receiver is away, and so is the hub soon.
                await asyncio.sleep(1)
                hub.kill("hub")
                await asyncio.sleep(1)
                await hub.ready()
                await receiver.up()
                await receiver.until(8, within=40)
                assert alice.room.isconnected()
            await receiver.until(11)
            async with api.LiveKitAPI(hub.base, "APItest", SECRET) as admin:
                await admin.room.delete_room(api.DeleteRoomRequest(room="drill"))
            await receiver.until(12)
    assert receiver.bad == []
    once = {event.id: event for event in receiver.events}
    told = [(event.event, event.participant.identity) for event in once.values()]
    assert told[0] == ("room_started", "")
    assert told[-1] == ("room_finished", "")
    for identity, tracks in (("alice", 2), ("bob", 1)):
        assert [kind for kind, who in told if who == identity] == [
            "participant_joined",
            *["track_published"] * tracks,
            *["track_unpublished"] * tracks,
            "participant_left",
        ]
    assert len(told) == 12
    left = next(event for event in once.values() if event.event == "participant_left")
    assert left.participant.disconnect_reason == api.DisconnectReason.CLIENT_INITIATED
