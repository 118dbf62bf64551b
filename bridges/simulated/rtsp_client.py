"""A client of the simulated RTSP camera: one connection, which is one session (RFC 2326), and what it gets."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridges.rtsp_message import Packet, Parser, Request, build_reply
from bridges.scene import Picture
from commhub.wire import h264, h265, rtcp, rtp

if TYPE_CHECKING:
    from bridges.simulated.rtsp import Camera

PACKET = 1_400  # as most cameras, which know nothing of WebRTC
VIDEO_PT, AUDIO_PT = 96, 8
LIFETIME = 60  # s without a word of the client
_NTP_EPOCH = 2_208_988_800
_BACKLOG = 1 << 20  # bytes a client may be behind before pictures are left out for it
_PUBLIC = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, TEARDOWN"


@dataclass(slots=True)
class _Way:
    """How one medium reaches the client, and its RTP numbers."""

    payload_type: int
    clock_rate: int
    channel: int = -1
    sockets: tuple[socket.socket, socket.socket] | None = None
    remote: tuple[str, int, int] = ("", 0, 0)
    ssrc: int = field(default_factory=lambda: secrets.randbits(32))
    sequence: int = field(default_factory=lambda: secrets.randbits(16))
    offset: int = field(default_factory=lambda: secrets.randbits(32))
    packets: int = 0
    octets: int = 0
    reported: float = float("-inf")

    def time(self, now: float) -> int:
        return (self.offset + int(now * self.clock_rate)) & 0xFFFF_FFFF


class Client(asyncio.Protocol):
    """One connection, which is one session."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._parser = Parser()
        self._parser.channels = set(range(256))
        self._transport: asyncio.Transport | None = None
        self._session = secrets.token_hex(8)
        self._ways: dict[str, _Way] = {}
        self._started = False
        self._feed = camera.main

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._camera.connections += 1

    def connection_lost(self, error: Exception | None) -> None:
        self._camera.left(self, self._feed)
        for way in self._ways.values():
            for sock in way.sockets or ():
                sock.close()
        self._ways.clear()

    def end(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            events = self._parser.receive(data)
        except ValueError:
            self.end()
            return
        for event in events:
            if isinstance(event, Request):
                self._answer(event)
            elif isinstance(event, Packet):
                self._feedback(event.data)

    def _feedback(self, data: bytes) -> None:
        with contextlib.suppress(ValueError):
            if any(isinstance(packet, rtcp.KeyFrameRequest) for packet in rtcp.parse(data)):
                self._feed.key_wanted = True

    def _reply(self, request: Request, status: int, reason: str, body: bytes = b"", **more: str) -> None:
        headers: dict[str, object] = {"CSeq": request.get("cseq")[:9]}
        if status < 300 and self._ways:
            headers["Session"] = f"{self._session};timeout={LIFETIME}"
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        assert self._transport is not None
        self._transport.write(build_reply(status, reason, headers, body))

    def _answer(self, request: Request) -> None:
        method = request.method
        if method == "OPTIONS":
            self._reply(request, 200, "OK", Public=_PUBLIC)
            return
        may, stale = self._camera.authorised(request)
        if not may:
            self._reply(request, 401, "Unauthorized", WWW_Authenticate=self._camera.challenge(stale=stale))
        elif method == "DESCRIBE":
            base = request.url.rstrip("/") + "/"
            body = self._camera.description(self._camera.feed(request.url))
            self._reply(request, 200, "OK", body, Content_Type="application/sdp", Content_Base=base)
        elif method == "SETUP":
            self._setup(request)
        elif method == "PLAY" and self._ways:
            self._reply(request, 200, "OK", Range="npt=now-")
            self._camera.joined(self, self._feed)
        elif method in ("GET_PARAMETER", "SET_PARAMETER", "PAUSE"):
            self._reply(request, 200, "OK")
        elif method == "TEARDOWN":
            self._reply(request, 200, "OK")
            assert self._transport is not None
            self._transport.close()
        else:
            self._reply(request, 455, "Method Not Valid In This State")

    def _setup(self, request: Request) -> None:
        kind = "audio" if request.url.rstrip("/").endswith("trackID=2") and self._camera.audio else "video"
        self._feed = self._camera.feed(request.url)
        way = _Way(AUDIO_PT, 8000) if kind == "audio" else _Way(VIDEO_PT, 90_000)
        wanted = request.get("transport")
        allowed = self._camera.options.transports
        if "tcp" in allowed and (match := re.search(r"RTP/AVP/TCP.*interleaved=(\d{1,3})", wanted)):
            way.channel = int(match[1]) & 0xFE
            answer = f"RTP/AVP/TCP;unicast;interleaved={way.channel}-{way.channel + 1};ssrc={way.ssrc:08X}"
        elif "udp" in allowed and (match := re.search(r"RTP/AVP(?:/UDP)?;.*client_port=(\d{1,5})-(\d{1,5})", wanted)):
            assert self._transport is not None
            host = self._transport.get_extra_info("peername")[0]
            local = self._transport.get_extra_info("sockname")[0]
            way.sockets, ports = _pair(local)
            way.remote = (host, int(match[1]), int(match[2]))
            answer = f"RTP/AVP;unicast;client_port={match[1]}-{match[2]};server_port={ports[0]}-{ports[1]};ssrc={way.ssrc:08X}"
        else:
            self._reply(request, 461, "Unsupported Transport")
            return
        self._ways[kind] = way
        self._reply(request, 200, "OK", Transport=answer)

    # ---- what it gets

    def send_picture(self, picture: Picture, ahead: float) -> None:
        """``ahead``: seconds from when it is sent to when it is shown."""
        way = self._ways.get("video")
        if way is None or (not self._started and not picture.key):
            return
        assert self._transport is not None
        if self._transport.get_write_buffer_size() > _BACKLOG:
            self._started = False  # too slow: wait for the next key frame
            return
        self._started = True
        now = time.time()
        fragment = h265.fragment if self._feed.options.codec == "h265" else h264.fragment
        payloads = [payload for unit in picture.units for payload in fragment(unit, PACKET)]
        for number, payload in enumerate(payloads):
            self._send(way, payload, way.time(now + ahead), number == len(payloads) - 1)
        self._report(way, now)

    def send_sound(self, samples: bytes) -> None:
        way = self._ways.get("audio")
        if way is not None:
            now = time.time()
            self._send(way, samples, (way.offset + way.octets) & 0xFFFF_FFFF, False)
            self._report(way, now)

    def _send(self, way: _Way, payload: bytes, timestamp: int, marker: bool) -> None:
        packet = rtp.build(
            payload, ssrc=way.ssrc, sequence=way.sequence, timestamp=timestamp, payload_type=way.payload_type, marker=marker
        )
        way.sequence = (way.sequence + 1) & 0xFFFF
        way.packets += 1
        way.octets += len(payload)
        self._write(way, packet, False)

    def _write(self, way: _Way, data: bytes, control: bool) -> None:
        if way.sockets is not None:
            with contextlib.suppress(OSError):
                way.sockets[control].sendto(data, (way.remote[0], way.remote[1 + control]))
        elif self._transport is not None:
            self._transport.write(struct.pack("!BBH", 0x24, way.channel + control, len(data)) + data)

    def _report(self, way: _Way, now: float) -> None:
        if now - way.reported < self._feed.options.report_every:
            return
        way.reported = now
        ntp = int((now + _NTP_EPOCH) * 2**32)
        timestamp = way.time(now) if way.clock_rate == 90_000 else (way.offset + way.octets) & 0xFFFF_FFFF
        report = rtcp.SenderReport(way.ssrc, ntp, timestamp, way.packets, way.octets)
        self._write(way, rtcp.build_sender_report(report) + rtcp.build_source_description(way.ssrc, "camera"), True)


def _pair(host: str) -> tuple[tuple[socket.socket, socket.socket], tuple[int, int]]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    pair = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
    for sock in pair:
        sock.bind((host, 0))
        sock.setblocking(False)
    return pair, (pair[0].getsockname()[1], pair[1].getsockname()[1])
