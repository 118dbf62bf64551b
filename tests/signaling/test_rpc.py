"""The hub calls a participant: who answers, who does not, and how it is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit import api
from livekit.protocol import models

from commhub.media import messages as media
from commhub.media.data import HUB_CALLER, stamp
from signaling import rpc
from signaling.failure import Failure
from tests.support import until
from tests.support.house import House


def sent(house: House, sid: str) -> list[models.DataPacket]:
    told = [one for one in house.engine.told if isinstance(one, media.SendData)]
    assert all((one.to, one.reliable) == ([sid], True) for one in told)
    return [models.DataPacket.FromString(one.packet) for one in told]


class Callee:
    """What a client's SDK does with a request, through the engine's eyes."""

    def __init__(self, house: House, sid: str) -> None:
        self.house, self.sid = house, sid

    async def asked(self) -> models.DataPacket:
        await until(lambda: bool(sent(self.house, self.sid)))
        return sent(self.house, self.sid)[-1]

    def says(self, sid: str = "", **value: Any) -> None:
        asked = sent(self.house, self.sid)[0]
        packet = models.DataPacket(destination_identities=[asked.participant_identity], **value)
        stamped = stamp(packet.SerializeToString(), self.sid, "alice", reliable=True)
        assert stamped.reply
        self.house.engine.listener(media.Replied("r", sid or self.sid, stamped.packet))


@pytest.fixture
async def callee(house: House) -> Callee:
    await (await house.join("alice")).hear("join")
    return Callee(house, house.rooms.rooms["r"].by_identity["alice"])


def call(house: House, payload: str = "ping", timeout: float = 5.0) -> asyncio.Task[str]:
    return asyncio.create_task(house.rooms.call("r", "alice", "greet", payload, timeout))


async def test_a_call_is_answered(house: House, callee: Callee) -> None:
    calling = call(house)
    asked = await callee.asked()
    request = asked.rpc_request
    assert (request.method, request.payload, request.version, request.response_timeout_ms) == ("greet", "ping", 1, 5000)
    assert asked.participant_identity == HUB_CALLER + request.id
    callee.says(rpc_ack=models.RpcAck(request_id=request.id))
    callee.says("PA_other", rpc_response=models.RpcResponse(request_id=request.id, payload="of somebody else"))
    callee.says(rpc_response=models.RpcResponse(request_id="another", payload="of another call"))
    callee.says(rpc_response=models.RpcResponse(request_id=request.id, payload="pong"))
    assert await calling == "pong"
    callee.says(rpc_response=models.RpcResponse(request_id=request.id, payload="again"))  # nobody waits any more


async def test_an_answer_may_come_as_a_stream(house: House, callee: Callee, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(id: str, *parts: bytes, stream: str = "s") -> None:
        attributes = {"lk.rpc_request_id": id}
        callee.says(stream_header=models.DataStream.Header(stream_id=stream, topic="lk.rpc_response", attributes=attributes))
        for at, part in enumerate(parts):
            callee.says(stream_chunk=models.DataStream.Chunk(stream_id=stream, chunk_index=at, content=part))
        callee.says(stream_trailer=models.DataStream.Trailer(stream_id=stream))

    calling = call(house)
    id = (await callee.asked()).rpc_request.id
    callee.says("PA_other", stream_chunk=models.DataStream.Chunk(stream_id="s", content=b"of somebody else"))
    answer(id, "会".encode()[:2], "会".encode()[2:], b"!")
    assert await calling == "会!"

    for parts, sentence in (([b"\xff"], "RpcError 1500"), ([b"x" * 60] * 2, "RpcError 1504")):
        monkeypatch.setattr(rpc, "MAX_STREAM_PAYLOAD", 100)
        house.engine.told.clear()
        calling = call(house)
        answer((await callee.asked()).rpc_request.id, *parts)
        with pytest.raises(Failure, match=sentence):
            await calling


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (models.RpcError(code=1400, message="Method not supported at destination"), 400, "invalid_argument"),
        (models.RpcError(code=1500, message="Application error in method handler", data="x"), 500, "internal"),
        (models.RpcError(code=7, message="mine", data="{}"), 500, "internal"),
    ],
)
async def test_the_callees_error_is_the_callers(
    house: House, callee: Callee, error: models.RpcError, status: int, code: str
) -> None:
    calling = call(house)
    id = (await callee.asked()).rpc_request.id
    callee.says(rpc_response=models.RpcResponse(request_id=id, error=error))
    with pytest.raises(Failure) as failed:
        await calling
    assert (failed.value.status, failed.value.twirp) == (status, code)
    assert failed.value.meta == {"rpc_code": str(error.code), "rpc_message": error.message, "rpc_data": error.data}


async def test_nobody_acknowledges(house: House, callee: Callee) -> None:
    house.rooms.calls._ack_seconds = 0.05
    with pytest.raises(Failure, match="RpcError 1501: Connection timeout"):
        await call(house)


async def test_acknowledged_and_never_answered(house: House, callee: Callee) -> None:
    calling = call(house, timeout=0.2)
    callee.says(rpc_ack=models.RpcAck(request_id=(await callee.asked()).rpc_request.id))
    with pytest.raises(Failure, match="RpcError 1502: Response timeout"):
        await calling


async def test_the_callee_leaves_meanwhile(house: House, callee: Callee) -> None:
    calling = call(house)
    await callee.asked()
    await house.rooms.remove("r", "alice")
    with pytest.raises(Failure, match="RpcError 1503: Recipient disconnected"):
        await calling


async def test_a_worker_dies_meanwhile(house: House, callee: Callee) -> None:
    calling = call(house)
    await callee.asked()
    house.engine.lost("media-0", ["r"])
    with pytest.raises(Failure, match="RpcError 1503"):
        await calling


def test_a_long_request_is_a_stream_to_clients_that_know_it() -> None:
    payload = "会商" * 8000  # 48,000 octets in characters of three
    with pytest.raises(Failure, match="RpcError 1402"):
        rpc.request("id", "m", payload, 1.5, 0)
    header, *chunks, trailer = rpc.request("id", "m", payload, 1.5, 1)
    assert header.stream_header.total_length == 48_000
    assert dict(header.stream_header.attributes) == {
        "lk.rpc_request_id": "id",
        "lk.rpc_request_method": "m",
        "lk.rpc_request_response_timeout_ms": "1500",
        "lk.rpc_request_version": "2",
    }
    assert [packet.stream_chunk.chunk_index for packet in chunks] == [0, 1, 2, 3]
    assert "".join(packet.stream_chunk.content.decode() for packet in chunks) == payload
    assert trailer.stream_trailer.stream_id == "id"
    assert len(rpc.request("id", "m", "x" * rpc.MAX_PACKET_PAYLOAD, 1.0, 0)) == 1


async def test_over_twirp(house: House, callee: Callee) -> None:
    async with api.LiveKitAPI(house.url, "own", "o" * 40) as admin:
        asking = api.PerformRpcRequest(
            room="r", destination_identity="alice", method="greet", payload="ping", response_timeout_ms=3000
        )
        token = house.token(roomAdmin=True)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/protobuf"}
        calling = asyncio.create_task(
            house.client.post("/twirp/livekit.RoomService/PerformRpc", data=asking.SerializeToString(), headers=headers)
        )
        id = (await callee.asked()).rpc_request.id
        callee.says(rpc_response=models.RpcResponse(request_id=id, payload="pong"))
        answer = await calling
        assert api.PerformRpcResponse.FromString(await answer.read()).payload == "pong"
        await admin.room.create_room(api.CreateRoomRequest(name="empty"))
    for body, status, code in (
        ({"room": "r", "destination_identity": "nobody", "method": "m"}, 404, "not_found"),
        ({"room": "r", "destination_identity": "", "method": "m"}, 400, "invalid_argument"),
        ({"room": "r", "destination_identity": "alice", "method": "x" * 65}, 400, "invalid_argument"),
        ({"room": "r", "destination_identity": "alice", "method": ""}, 400, "invalid_argument"),
    ):
        headers = {"Authorization": f"Bearer {house.token(roomAdmin=True)}"}
        async with house.client.post("/twirp/livekit.RoomService/PerformRpc", json=body, headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (status, code)


def test_what_a_participant_says_to_others_is_no_reply() -> None:
    def of(identity: str, **value: Any) -> bool:
        packet = models.DataPacket(destination_identities=[identity], **value)
        return stamp(packet.SerializeToString(), "PA", "a", reliable=True).reply

    answer = models.RpcResponse(request_id="x")
    assert of(HUB_CALLER + "x", rpc_response=answer)
    assert not of("bob", rpc_response=answer)
    assert not of(HUB_CALLER + "x", user=models.UserPacket(payload=b"x"))
