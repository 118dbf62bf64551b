"""An RTSP server that follows a script, for conversations no honest camera has."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bridges.rtsp_message import Parser, Request, build_reply
from commhub.wire import h264, rtp
from tests.support.h264 import parameter_sets

Answer = Callable[["Conversation", Request], Awaitable[bytes | None]]


def sdp(
    codec: str = "H264/90000", payload_type: int = 96, *, sprop: bool = True, control: str = "trackID=1", more: str = ""
) -> bytes:
    """A description with one video; ``more`` are further lines."""
    fmtp = "packetization-mode=1"
    if sprop:
        fmtp += ";sprop-parameter-sets=" + ",".join(base64.b64encode(unit).decode() for unit in parameter_sets())
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=x", "t=0 0", f"m=video 0 RTP/AVP {payload_type}", f"a=control:{control}"]
    if codec:
        lines += [f"a=rtpmap:{payload_type} {codec}", f"a=fmtp:{payload_type} {fmtp}"]
    return "\r\n".join([*lines, more.strip(), ""]).encode()


@dataclass
class Conversation:
    """One connection."""

    server: RtspServer
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: list[Request] = field(default_factory=list)
    sequence: int = 100
    time: int = 90_000

    def reply(self, request: Request, status: int = 200, reason: str = "OK", body: bytes = b"", **headers: str) -> bytes:
        fields: dict[str, object] = {"CSeq": request.get("cseq")}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        return build_reply(status, reason, fields, body)

    def interleaved(self, payload: bytes, marker: bool = False, channel: int = 0) -> bytes:
        packet = rtp.build(payload, ssrc=7, sequence=self.sequence, timestamp=self.time, payload_type=96, marker=marker)
        self.sequence += 1
        return b"$" + bytes((channel,)) + len(packet).to_bytes(2, "big") + packet

    def picture(self, units: list[bytes], limit: int = 1400) -> bytes:
        payloads = [payload for unit in units for payload in h264.fragment(unit, limit)]
        data = b"".join(self.interleaved(payload, number == len(payloads) - 1) for number, payload in enumerate(payloads))
        self.time += 3600
        return data


class RtspServer:
    """``answers`` by method replace what an ordinary camera says; None from one means that nothing is answered."""

    def __init__(self, answers: dict[str, Answer] | None = None, *, description: bytes | None = None) -> None:
        self.answers = answers or {}
        self.description = sdp() if description is None else description
        self.conversations: list[Conversation] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> RtspServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/live"

    def methods(self, number: int = -1) -> list[str]:
        return [request.method for request in self.conversations[number].requests]

    def spawn(self, work: Awaitable[None]) -> None:
        """What runs beside the answers (media), until the server ends."""
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self._tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        conversation = Conversation(self, reader, writer)
        self.conversations.append(conversation)
        parser = Parser()
        parser.channels = set(range(256))
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while data := await reader.read(65536):
                for event in parser.receive(data):
                    if isinstance(event, Request):
                        conversation.requests.append(event)
                        answer = self.answers.get(event.method, self._ordinary)
                        reply = await answer(conversation, event)
                        if reply is not None:
                            writer.write(reply)
                            await writer.drain()
        writer.close()

    async def _ordinary(self, conversation: Conversation, request: Request) -> bytes | None:
        match request.method:
            case "OPTIONS":
                return conversation.reply(request, Public="OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
            case "DESCRIBE":
                return conversation.reply(request, body=self.description, Content_Type="application/sdp")
            case "SETUP":
                transport = request.get("transport")
                return conversation.reply(request, Transport=transport, Session="12345678;timeout=60")
            case _:
                return conversation.reply(request, Session="12345678")
