"""PerformRpc: the hub itself calls a method of a participant (LiveKit's RPC over data packets).

A request goes out as version 1 (one packet, at most 15 KiB); a longer one as version 2, a text stream, to clients that know it
(``client_protocol`` 1 and above). Either is acknowledged at once and answered by one packet of at most 15 KiB; the Rust SDKs
answer a stream by a stream. Error codes are the SDKs' own (``RpcError``).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from livekit.protocol import models

from commhub.errors import Busy, NotFound
from commhub.media.data import HUB_CALLER
from signaling.failure import Failure
from signaling.participant import Participant

MAX_PACKET_PAYLOAD = 15 * 1024  # octets, of version 1 both ways
MAX_METHOD = 64
ACK_SECONDS = 2.0  # what LiveKit's SDKs grant a round trip
DEFAULT_TIMEOUT = 10.0
MAX_TIMEOUT = 60.0
MAX_CALLS = 1000
STREAM_PROTOCOL = 1  # client_protocol from which on requests are understood as streams
_CHUNK = 15_000
_REQUEST_TOPIC, _RESPONSE_TOPIC = "lk.rpc_request", "lk.rpc_response"
MAX_STREAM_PAYLOAD = 1 << 20  # octets of an answer that comes as a stream

APPLICATION_ERROR = 1500
CONNECTION_TIMEOUT = 1501
RESPONSE_TIMEOUT = 1502
RECIPIENT_DISCONNECTED = 1503
RESPONSE_TOO_LARGE = 1504
REQUEST_TOO_LARGE = 1402

# RPC code → HTTP status, Twirp code: as LiveKit's server maps them.
_OUTCOMES = {
    1400: (400, "invalid_argument"),  # unsupported method
    1401: (404, "not_found"),
    1402: (400, "malformed"),
    1403: (501, "unimplemented"),
    1404: (501, "unimplemented"),
    CONNECTION_TIMEOUT: (408, "canceled"),
    RESPONSE_TIMEOUT: (408, "canceled"),
    RECIPIENT_DISCONNECTED: (503, "unavailable"),
}
_TEXTS = {
    CONNECTION_TIMEOUT: ("Connection timeout", "对方未及时确认。"),
    RESPONSE_TIMEOUT: ("Response timeout", "对方未及时应答。"),
    RECIPIENT_DISCONNECTED: ("Recipient disconnected", "对方已断开。"),
    APPLICATION_ERROR: ("Application error in method handler", "对方处理时出错。"),
    RESPONSE_TOO_LARGE: ("Response payload too large", "应答内容过长。"),
    REQUEST_TOO_LARGE: ("Request payload too large", "请求内容过长。"),
}

Send = Callable[[bytes], None]


def failure(code: int, message: str = "", data: str = "") -> Failure:
    """An RpcError as Twirp tells it; its parts are in ``meta``."""
    known, chinese = _TEXTS.get(code, _TEXTS[APPLICATION_ERROR])
    status, twirp = _OUTCOMES.get(code, (500, "internal"))
    message = message or known
    text = f"RpcError {code}: {message}" + (f": {data}" if data else "")
    meta = {"rpc_code": str(code), "rpc_message": message, "rpc_data": data}
    return Failure(text, chinese, status=status, code="rpc_error", twirp=twirp, meta=meta)


@dataclass(slots=True)
class _Call:
    peer: str
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)
    answer: asyncio.Future[models.RpcResponse] = field(default_factory=asyncio.Future)
    stream: str = ""  # of an answer that comes as one
    parts: bytearray = field(default_factory=bytearray)

    def settle(self, response: models.RpcResponse) -> None:
        self.acknowledged.set()
        if not self.answer.done():
            self.answer.set_result(response)

    def fail(self, code: int) -> None:
        self.settle(models.RpcResponse(error=models.RpcError(code=code, message=_TEXTS[code][0])))

    def add(self, part: bytes) -> None:
        self.parts += part
        if len(self.parts) > MAX_STREAM_PAYLOAD:
            self.fail(RESPONSE_TOO_LARGE)

    def finish(self) -> None:
        try:
            self.settle(models.RpcResponse(payload=self.parts.decode()))
        except UnicodeDecodeError:
            self.fail(APPLICATION_ERROR)


class Calls:
    """All calls of the hub that wait for an answer."""

    def __init__(self, ack_seconds: float = ACK_SECONDS) -> None:
        self._ack_seconds = ack_seconds
        self._calls: dict[str, _Call] = {}

    async def perform(self, callee: Participant, method: str, payload: str, timeout: float, send: Send) -> str:
        """The payload of the answer. ``send`` takes serialised reliable DataPackets for the callee, in order. Failure with the
        RPC's code, NotFound when it cannot be called at all, Busy."""
        if callee.kind != "client":
            raise NotFound("The participant cannot be called: it is no client.", "该参会者不是客户端，无法调用。")
        if len(self._calls) >= MAX_CALLS:
            raise Busy("Too many calls are waiting for their answers.", "等待应答的调用过多。")
        id = secrets.token_hex(16)
        timeout = min(timeout or DEFAULT_TIMEOUT, MAX_TIMEOUT)
        packets = request(id, method, payload, timeout, callee.info.client_protocol)
        call = self._calls[id] = _Call(callee.sid)
        try:
            for packet in packets:
                send(packet.SerializeToString())
            async with asyncio.timeout(timeout):
                try:
                    async with asyncio.timeout(self._ack_seconds):
                        await call.acknowledged.wait()
                except TimeoutError:
                    raise failure(CONNECTION_TIMEOUT) from None
                answer = await call.answer
        except TimeoutError:
            raise failure(RESPONSE_TIMEOUT) from None
        finally:
            del self._calls[id]
        if answer.HasField("error"):
            error = answer.error
            raise failure(error.code, error.message[:256], error.data[:MAX_PACKET_PAYLOAD])
        return answer.payload

    def receive(self, peer: str, data: bytes) -> None:
        """What a participant answered. Only the callee's own word counts."""
        try:
            packet = models.DataPacket.FromString(data)
        except DecodeError:
            return
        match packet.WhichOneof("value"):
            case "rpc_ack":
                if (call := self._of(peer, packet.rpc_ack.request_id)) is not None:
                    call.acknowledged.set()
            case "rpc_response":
                if (call := self._of(peer, packet.rpc_response.request_id)) is not None:
                    call.settle(packet.rpc_response)
            case "stream_header":
                header = packet.stream_header
                call = self._of(peer, header.attributes.get("lk.rpc_request_id", ""))
                if call is not None and header.topic == _RESPONSE_TOPIC and not call.stream:
                    call.stream = header.stream_id
            case "stream_chunk":
                if (call := self._streaming(peer, packet.stream_chunk.stream_id)) is not None:
                    call.add(packet.stream_chunk.content)
            case "stream_trailer":
                if (call := self._streaming(peer, packet.stream_trailer.stream_id)) is not None:
                    call.finish()

    def _of(self, peer: str, id: str) -> _Call | None:
        call = self._calls.get(id)
        return call if call is not None and call.peer == peer else None

    def _streaming(self, peer: str, stream: str) -> _Call | None:
        return next((call for call in self._calls.values() if stream and (call.peer, call.stream) == (peer, stream)), None)

    def gone(self, peer: str) -> None:
        """The participant has left."""
        for call in self._calls.values():
            if call.peer == peer:
                call.fail(RECIPIENT_DISCONNECTED)


def request(id: str, method: str, payload: str, timeout: float, protocol: int) -> list[models.DataPacket]:
    """The packets that ask. Failure 1402 when the payload is too long for this client."""
    milliseconds = int(timeout * 1000)
    size = len(payload.encode())
    if size <= MAX_PACKET_PAYLOAD:
        asked = models.RpcRequest(id=id, method=method, payload=payload, response_timeout_ms=milliseconds, version=1)
        return [_packet(id, rpc_request=asked)]
    if protocol < STREAM_PROTOCOL:
        raise failure(REQUEST_TOO_LARGE)
    header = models.DataStream.Header(
        stream_id=id,
        topic=_REQUEST_TOPIC,
        mime_type="text/plain",
        total_length=size,
        text_header=models.DataStream.TextHeader(operation_type=models.DataStream.OperationType.CREATE),
        attributes={
            "lk.rpc_request_id": id,
            "lk.rpc_request_method": method,
            "lk.rpc_request_response_timeout_ms": str(milliseconds),
            "lk.rpc_request_version": "2",
        },
    )
    chunks = [models.DataStream.Chunk(stream_id=id, chunk_index=at, content=part) for at, part in enumerate(_parts(payload))]
    trailer = models.DataStream.Trailer(stream_id=id)
    return [
        _packet(id, stream_header=header),
        *(_packet(id, stream_chunk=chunk) for chunk in chunks),
        _packet(id, stream_trailer=trailer),
    ]


def _packet(id: str, **value: object) -> models.DataPacket:
    return models.DataPacket(kind=models.DataPacket.RELIABLE, participant_identity=HUB_CALLER + id, **value)  # type: ignore[arg-type]


def _parts(text: str) -> Iterator[bytes]:
    """Each is whole characters: readers decode chunk by chunk."""
    data = text.encode()
    at = 0
    while at < len(data):
        end = min(at + _CHUNK, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[at:end]
        at = end
