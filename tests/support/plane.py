"""A client of the data plane over real loopback sockets: SRTP by libsrtp, so both sides never share a mistake."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
from collections.abc import Callable
from typing import Any

import pylibsrtp

from commhub.media import plane
from commhub.media.forward import Forwarder
from commhub.wire import rtcp, rtp

GCM, CM = "SRTP_AEAD_AES_128_GCM", "SRTP_AES128_CM_SHA1_80"
_PROFILES = {
    GCM: (28, pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM),
    CM: (30, pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80),
}
EXTENSIONS = {
    plane.MID: 1,
    plane.RID: 2,
    plane.REPAIRED_RID: 3,
    plane.AUDIO_LEVEL: 4,
    plane.TRANSPORT_CC: 5,
    plane.ABS_SEND_TIME: 6,
    plane.DEPENDENCY: 7,
}


class Events:
    """Notes everything the plane says."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.on_stun: Callable[[plane.Path, bytes], None] | None = None

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [fact[1:] for fact in self.said if fact[0] == name]

    def stun(self, path: plane.Path, data: bytes) -> None:
        self.said.append(("stun", path, data))
        if self.on_stun:
            self.on_stun(path, data)

    def dtls(self, transport: int, data: bytes) -> None:
        self.said.append(("dtls", transport, data))

    def first_packet(self, receiver: int, layer: int) -> None:
        self.said.append(("first_packet", receiver, layer))

    def bandwidth(self, transport: int, bits_per_second: int) -> None:
        self.said.append(("bandwidth", transport, bits_per_second))

    def path_silent(self, transport: int) -> None:
        self.said.append(("path_silent", transport))

    def audio_levels(self, levels: list[tuple[int, int]]) -> None:
        self.said.append(("audio_levels", levels))

    def key_frame_wanted(self, receiver: int, layer: int) -> None:
        self.said.append(("key_frame_wanted", receiver, layer))

    def connection_closed(self, path: plane.Path) -> None:
        self.said.append(("connection_closed", path))

    def sender_report(self, tap: int, rtp_time: int, ntp: int) -> None:
        self.said.append(("sender_report", tap, rtp_time, ntp))


class Client:
    """One transport's far end. ``received`` are plain RTP packets, ``reports`` parsed RTCP."""

    def __init__(self, forwarder: Forwarder, number: int, port: int, profile: str = GCM) -> None:
        self.number = number
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self.target = ("127.0.0.1", port)
        size, kind = _PROFILES[profile]
        self.ours, self.theirs = ours, theirs = os.urandom(size), os.urandom(size)
        policy = pylibsrtp.Policy
        outbound = policy(key=ours, ssrc_type=policy.SSRC_ANY_OUTBOUND, srtp_profile=kind)
        outbound.allow_repeat_tx = True
        self.outbound = pylibsrtp.Session(outbound)
        inbound = policy(key=theirs, ssrc_type=policy.SSRC_ANY_INBOUND, srtp_profile=kind)
        inbound.window_size = 1024  # as browsers have it: repairs come late
        self.inbound = pylibsrtp.Session(inbound)
        self.received: list[bytes] = []
        self.reports: list[rtcp.Packet] = []
        self.raw: list[bytes] = []  # SRTP as it came
        self.other: list[bytes] = []  # neither RTP nor RTCP
        self.refused = 0
        forwarder.add_transport(number)
        forwarder.set_path(number, plane.Path(0, *self.socket.getsockname()))
        forwarder.set_keys(number, profile, ours, theirs)
        asyncio.get_running_loop().add_reader(self.socket, self._read)

    def _read(self) -> None:
        while True:
            try:
                data = self.socket.recv(2048)
            except OSError:
                return
            if not 127 < data[0] < 192:
                self.other.append(data)
            elif 192 <= data[1] <= 223:
                self.reports += rtcp.parse(self.inbound.unprotect_rtcp(data))
            else:
                self.raw.append(data)
                try:
                    self.received.append(self.inbound.unprotect(data))
                except pylibsrtp.Error:  # seen before, or not for these keys
                    self.refused += 1

    def send(self, packet: bytes) -> None:
        self.socket.sendto(self.outbound.protect(packet), self.target)

    def send_rtcp(self, packet: bytes) -> None:
        self.socket.sendto(self.outbound.protect_rtcp(packet), self.target)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()


class Vp8Track:
    """Makes VP8 packets of one layer: seeded, with every number where it belongs."""

    def __init__(self, ssrc: int, *, rid: str = "", mid: str = "v", sequence: int = 0, timestamp: int = 0, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.ssrc, self.rid, self.mid = ssrc, rid, mid
        self.sequence, self.timestamp = sequence, timestamp
        self.picture_id, self.tl0 = self.random.randrange(1 << 15), self.random.randrange(256)

    def packet(self, payload: bytes, *, marker: bool = False, padding: int = 0, payload_type: int = 96) -> bytes:
        values = [(EXTENSIONS[plane.MID], self.mid.encode())]
        if self.rid:
            values.append((EXTENSIONS[plane.RID], self.rid.encode()))
        data = rtp.build(
            payload,
            ssrc=self.ssrc,
            sequence=self.sequence,
            timestamp=self.timestamp,
            payload_type=payload_type,
            marker=marker,
            values=values,
        )
        self.sequence = self.sequence + 1 & 0xFFFF
        if padding:
            data = bytes((data[0] | 0x20,)) + data[1:] + bytes(padding - 1) + bytes((padding,))
        return data

    def frame(self, packets: int = 3, *, key: bool = False, size: int = 100, ticks: int = 3000) -> list[bytes]:
        """One frame; its payloads are random behind the VP8 headers."""
        found = []
        for number in range(packets):
            head = struct.pack("!BBHB", 0x90 if number == 0 else 0x80, 0xC0, 0x8000 | self.picture_id, self.tl0)
            tag = b""
            if number == 0:
                tag = b"\x10\x00\x00\x9d\x01\x2a\x80\x02\xe0\x01" if key else b"\x11\x00\x00"
            found.append(self.packet(head + tag + self.random.randbytes(size), marker=number == packets - 1))
        self.timestamp = self.timestamp + ticks & 0xFFFFFFFF
        self.picture_id = self.picture_id + 1 & 0x7FFF
        self.tl0 = self.tl0 + 1 & 0xFF
        return found


async def until(condition: Callable[[], object], seconds: float = 3.0) -> None:
    """Let the loop run until the condition holds; AssertionError after ``seconds``. Where a busy machine gives this process no
    time, seconds say nothing about the plane: it also gets the turns that so many seconds mean, in at most ten times as long."""
    loop = asyncio.get_running_loop()
    began, turns = loop.time(), 0
    while not condition():
        waited = loop.time() - began
        assert waited < seconds or (turns < seconds * 100 and waited < 10 * seconds), "the condition did not come true in time"
        turns += 1
        await asyncio.sleep(0.002)


async def quiet(seconds: float = 0.03) -> None:
    """Time for something that must not happen, or that needs some turns of the loop: it gets them however slow the machine is."""
    for _ in range(10):
        await asyncio.sleep(seconds / 10)
