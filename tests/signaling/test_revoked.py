"""Removed is removed: on every way in, at once, whatever the records' disk does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest
from livekit import api
from livekit.protocol import models

from commhub.conference import Ticket
from commhub.errors import Unauthenticated
from signaling import tokens
from signaling.revoked import Revoked
from tests.support.house import House
from tests.support.livekit import KEYS, request


async def refused(house: House, token: str) -> set[int]:
    """The status on every way in."""
    seen = set()
    for path in ("/rtc/v1/validate", "/rtc/validate"):
        async with house.client.get(path, params={"access_token": token}) as answer:
            seen.add(answer.status)
    for path in ("/rtc/v1", "/rtc"):
        for query in ({}, {"reconnect": "1", "sid": "PA_x"}):
            try:
                peer = await house.join(token=token, path=path, **query)
                await peer.ws.close()
                seen.add(101)
            except aiohttp.WSServerHandshakeError as error:
                seen.add(error.status)
    return seen


def older(identity: str, seconds: float) -> str:
    grants = {"roomJoin": True, "room": "r"}
    return tokens.mint("own", KEYS, now=time.time() - seconds, ttl=600, identity=identity, grants=grants)


async def test_a_removed_participants_tokens_are_dead_and_a_new_one_lives(house: House) -> None:
    used, kept_back = older("alice", 5), older("alice", 3)
    alice, bob = await house.join(token=used), await house.join("bob")
    refreshed = await alice.hear("refresh_token")
    async with api.LiveKitAPI(house.url, "own", "o" * 40) as admin:
        await admin.room.remove_participant(api.RoomParticipantIdentity(room="r", identity="alice"))
    assert (await alice.hear("leave")).reason == models.DisconnectReason.PARTICIPANT_REMOVED
    for token in (used, kept_back, refreshed):
        assert await refused(house, token) == {401}
    again = await house.join(token=house.token("alice"))
    assert (await again.hear("join")).participant.identity == "alice"
    assert (await bob.hear("update")) is not None


async def test_the_moment_before_which_tokens_die_may_be_named(house: House) -> None:
    used, other = older("alice", 60), older("alice", 5)
    await (await house.join(token=used)).hear("join")
    async with api.LiveKitAPI(house.url, "own", "o" * 40) as admin:
        half_a_minute_ago = int(time.time()) - 30
        who = api.RoomParticipantIdentity(room="r", identity="alice", revoke_token_ts=half_a_minute_ago)
        await admin.room.remove_participant(who)
    assert await refused(house, used) == {401}
    await (await house.join(token=other)).hear("join")


async def test_the_server_api_takes_no_removed_participants_token(house: House) -> None:
    """A moderator's page calls it with the token it joined with."""
    token = house.token("alice", roomAdmin=True)
    alice = await house.join(token=token)
    refreshed = await alice.hear("refresh_token")

    async def asks(token: str) -> int:
        headers, body = {"Authorization": f"Bearer {token}"}, {"room": "r"}
        async with house.client.post("/twirp/livekit.RoomService/ListParticipants", json=body, headers=headers) as answer:
            return answer.status

    assert [await asks(token), await asks(refreshed)] == [200, 403]
    async with api.LiveKitAPI(house.url, "own", "o" * 40) as admin:
        await admin.room.remove_participant(api.RoomParticipantIdentity(room="r", identity="alice"))
    assert [await asks(token), await asks(refreshed)] == [401, 401]
    house.rooms._revoked = Revoked()  # the next hub knows it from its records
    assert [await asks(token), await asks(refreshed)] == [401, 401]


async def test_whoever_was_in_a_deleted_room_needs_a_new_token(house: House) -> None:
    used, unused = older("alice", 5), older("bob", 5)
    await (await house.join(token=used)).hear("join")
    async with api.LiveKitAPI(house.url, "own", "o" * 40) as admin:
        await admin.room.delete_room(api.DeleteRoomRequest(room="r"))
    assert await refused(house, used) == {401}
    await (await house.join(token=unused)).hear("join")


async def test_a_removal_overtakes_a_join_that_is_on_its_way(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the question whether a token is good and the join there is a wait."""
    token = older("alice", 5)
    await (await house.join(token=token)).hear("join")
    ticket = house.rooms.verify(token)
    admitted = await house.rooms.admit(ticket)
    await house.rooms.remove("r", "alice")
    with pytest.raises(Unauthenticated, match="revoked"):
        house.rooms.join(admitted, ticket, request(), Deaf(), dual=False)
    with pytest.raises(Unauthenticated, match="revoked"):
        house.rooms.resume(admitted, ticket, request(), Deaf())


async def test_records_that_cannot_be_written_keep_nobody_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(room: str, tickets: Sequence[Ticket], before: float) -> None:
        await asyncio.sleep(0)
        raise OSError("disk full")

    monkeypatch.setattr(house.host, "revoke", fails)
    token = older("alice", 5)
    alice = await house.join(token=token)
    await house.rooms.remove("r", "alice")
    assert (await alice.hear("leave")).reason == models.DisconnectReason.PARTICIPANT_REMOVED
    assert await refused(house, token) == {401}


async def test_a_token_without_a_room_is_judged_by_the_room_it_asks_for(house: House) -> None:
    token = tokens.mint("own", KEYS, now=time.time() - 5, ttl=600, identity="alice", grants={"roomJoin": True})
    ticket = house.rooms.verify(token)
    asked: list[str] = []

    async def admit(ticket: Ticket, *, resuming: bool = False) -> None:
        asked.append(ticket.room)

    house.host.admit = admit  # type: ignore[method-assign]
    await house.rooms.admit(ticket, "r")
    assert asked == ["r"]


class Deaf:
    def send(self, response: Any, packed: bytes) -> None: ...
    def close(self) -> None: ...
