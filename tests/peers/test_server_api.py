"""The server API against clients of flesh: the PyPI livekit SDK and Chromium are called, moved and forwarded."""

from __future__ import annotations

import asyncio
import time

import pytest
from livekit import api, rtc

from tests.support.caller import Caller
from tests.support.hub import Hub

pytestmark = [pytest.mark.peer, pytest.mark.timeout(90)]


class Admin:
    """LiveKit's own client; what it lacks is asked for by hand."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.client = api.LiveKitAPI(hub.base, "own", "o" * 40)

    async def rpc(self, room: str, identity: str, method: str, payload: str, timeout_ms: int = 5000) -> str:
        asked = api.PerformRpcRequest(
            room=room, destination_identity=identity, method=method, payload=payload, response_timeout_ms=timeout_ms
        )
        grants = api.VideoGrants(room_admin=True, room=room)
        headers = self.client.room._auth_header(grants)
        answer = await self.client.room._client.request("RoomService", "PerformRpc", asked, headers, api.PerformRpcResponse)
        return str(answer.payload)


async def test_the_hub_calls_a_participant(hub: Hub) -> None:
    async with Caller(hub.url, hub.token("alice"), video=False, audio=False) as alice:

        async def greet(call: rtc.RpcInvocationData) -> str:
            if call.payload == "fail":
                raise rtc.RpcError(1234, "no", "because")
            return f"{len(call.payload)} {call.payload[-2:]}"

        alice.room.local_participant.register_rpc_method("greet", greet)
        admin = Admin(hub)
        began = time.monotonic()
        assert await admin.rpc("r", "alice", "greet", "你好") == "2 你好"
        assert time.monotonic() - began < 5
        assert await admin.rpc("r", "alice", "greet", "会" * 20_000) == "20000 会会"  # 60,000 octets
        for method, payload, code in (("greet", "fail", "1234"), ("unknown", "", "1400")):
            with pytest.raises(api.TwirpError) as failed:
                await admin.rpc("r", "alice", method, payload)
            assert failed.value.metadata["rpc_code"] == code
        await asyncio.gather(*(admin.rpc("r", "alice", "greet", str(n)) for n in range(20)))
        await admin.client.aclose()
