"""A media worker with too much to do takes nobody new, and keeps everybody it has."""

from __future__ import annotations

import aiohttp
import pytest

from tests.support.house import House, join_parameter
from tests.support.livekit import request


async def validate(house: House, identity: str) -> tuple[int, str]:
    query = {"access_token": house.token(identity), "join_request": join_parameter(request())}
    async with house.client.get("/rtc/v1/validate", params=query) as answer:
        assert answer.status == 200 or "too much to do" in (answer.reason or "")  # livekit-client's context.statusText
        return answer.status, await answer.text()


async def test_nobody_new_is_let_in_and_told_why(house: House) -> None:
    alice = await house.join("alice")
    await alice.hear("join")
    house.engine.crowded = True
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await house.join("bob")
    assert (refused.value.status, refused.value.message) == (503, "Invalid response status")
    status, text = await validate(house, "bob")
    assert status == 503
    assert "too much to do" in text
    assert "请稍后" in text


async def test_who_is_there_comes_back_by_resuming_and_by_joining_anew(house: House) -> None:
    alice = await house.join("alice")
    sid = (await alice.hear("join")).participant.sid
    house.engine.crowded = True
    await alice.ws.close()
    join = request(offer=0)
    join.reconnect, join.participant_sid = True, sid
    resumed = await house.join("alice", join_request=join_parameter(join))
    await resumed.hear("reconnect")
    again = await house.join("alice")
    await again.hear("join")
    assert (await validate(house, "alice"))[0] == 200


async def test_everybody_may_come_in_again_as_soon_as_there_is_less_to_do(house: House) -> None:
    house.engine.crowded = True
    assert (await validate(house, "bob"))[0] == 503
    house.engine.crowded = False
    assert (await validate(house, "bob"))[0] == 200
