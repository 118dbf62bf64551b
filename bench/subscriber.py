"""Many cheap LiveKit subscribers in one process: they join, complete ICE and DTLS, count RTP, report, and decode nothing.

A subscriber speaks the dual-connection signalling (``/rtc``), answers the server's offers, checks the first candidate it
is given and keeps it alive, and sends a receiver report each second. SRTP is authenticated for one packet in 32,
so a server that sends rubbish does not look fast.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport, RTCIceTransport
from livekit.protocol import models, rtc
from pylibsrtp import Error as SrtpError

from commhub.wire import stun


class _Wire:
    """What RTCDtlsTransport takes for an ICE transport: only DTLS passes through it."""

    role = "controlling"
    state = "completed"

    def __init__(self, send: Any) -> None:
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._send_datagram = send

    async def _recv(self) -> bytes:
        return await self.inbox.get()

    async def _send(self, data: bytes) -> None:
        self._send_datagram(data)


@dataclass
class Counters:
    packets: int = 0
    octets: int = 0
    checked: int = 0
    bad: int = 0
    lost: int = 0
    first_at: float = 0.0
    highest: dict[int, int] = field(default_factory=dict)


class Subscriber:
    """One participant that only receives. ``await join()``, read ``counters``, ``await close()``. One packet in ``every`` is
    authenticated."""

    every = 32

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.counters = Counters()
        self.joined_at = 0.0
        self._certificate = RTCCertificate.generateCertificate()
        self._ufrag, self._password = f"{random.getrandbits(32):08x}", f"{random.getrandbits(128):032x}"
        self._remote: tuple[str, str] = ("", "")
        self._target: tuple[str, int] | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._dtls: RTCDtlsTransport | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._buffer = bytearray(2048)
        self.connected = asyncio.Event()

    async def join(self) -> None:
        self.joined_at = time.monotonic()
        self._session = aiohttp.ClientSession()
        query = {"access_token": self.token, "auto_subscribe": "1", "sdk": "python", "protocol": "15"}
        self._ws = await self._session.ws_connect(f"{self.url}/rtc", params=query, max_msg_size=0)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)
        self._tasks.append(asyncio.create_task(self._signal()))
        await asyncio.wait_for(self.connected.wait(), 20)

    async def _signal(self) -> None:
        async for frame in self._ws:
            if frame.type != aiohttp.WSMsgType.BINARY:
                continue
            answer = rtc.SignalResponse.FromString(frame.data)
            kind = answer.WhichOneof("message")
            if kind == "join":
                self._tasks.append(asyncio.create_task(self._ping()))
            elif kind == "offer":
                await self._answer(answer.offer)
            elif kind == "trickle":
                candidate = json.loads(answer.trickle.candidateInit).get("candidate", "")
                self._candidate(candidate)

    async def _ping(self) -> None:
        while True:
            await self._ws.send_bytes(rtc.SignalRequest(ping=int(time.time() * 1000)).SerializeToString())
            if self._target is not None:
                self._check()
            await asyncio.sleep(2)

    def _candidate(self, line: str) -> None:
        found = re.search(r"(\S+) (\d+) typ host", line)
        if found and " udp " in line.lower() and self._target is None and ":" not in found[1]:
            self._target = (found[1], int(found[2]))
            self._tasks.append(asyncio.create_task(self._connect()))

    async def _answer(self, offer: Any) -> None:
        ufrag = re.search(r"a=ice-ufrag:(\S+)", offer.sdp)
        password = re.search(r"a=ice-pwd:(\S+)", offer.sdp)
        finger = re.search(r"a=fingerprint:(\S+) (\S+)", offer.sdp)
        if not (ufrag and password and finger):
            raise ValueError("The offer has no ICE credentials or no fingerprint.")
        self._remote = (ufrag[1], password[1])
        self._fingerprint = (finger[1], finger[2])
        sections = offer.sdp.split("\r\nm=")[1:]
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
        mids = [m[1] for s in sections if (m := re.search(r"a=mid:(\S+)", s))]
        lines.append("a=group:BUNDLE " + " ".join(mids))
        own = self._certificate.getFingerprints()[0]
        for section, mid in zip(sections, mids, strict=True):
            kept = [
                line for line in section.split("\r\n")[1:]
                if line.startswith(("a=rtpmap", "a=fmtp", "a=rtcp-fb", "a=extmap:", "a=sctp-port", "a=max-message-size"))
            ]  # fmt: skip
            lines += ["m=" + section.split("\r\n")[0], "c=IN IP4 0.0.0.0", *kept, f"a=mid:{mid}", "a=rtcp-mux", "a=setup:active"]
            lines += [f"a=ice-ufrag:{self._ufrag}", f"a=ice-pwd:{self._password}", f"a=fingerprint:{own.algorithm} {own.value}"]
            lines.append("a=inactive" if "a=inactive" in section else "a=recvonly")
        answer = rtc.SessionDescription(type="answer", sdp="\r\n".join(lines) + "\r\n", id=offer.id)
        await self._ws.send_bytes(rtc.SignalRequest(answer=answer).SerializeToString())
        for line in re.findall(r"a=(candidate:.*)", offer.sdp):
            self._candidate(line)

    def _check(self) -> None:
        if self._target is None:
            return
        data = stun.binding_request(
            bytes(random.getrandbits(8) for _ in range(12)), f"{self._remote[0]}:{self._ufrag}", self._remote[1].encode(),
            priority=1, controlling=1, use_candidate=True,
        )  # fmt: skip
        self._socket.sendto(data, self._target)

    async def _connect(self) -> None:
        target = self._target
        assert target is not None
        wire = _Wire(lambda data: self._socket.sendto(data, target))
        self._wire = wire
        self._checked = asyncio.Event()
        while not self._checked.is_set():
            self._check()
            try:
                await asyncio.wait_for(self._checked.wait(), 0.05)
            except TimeoutError:
                continue
        dtls = RTCDtlsTransport(cast(RTCIceTransport, wire), [self._certificate])
        dtls._set_role("client")
        self._dtls = dtls
        algorithm, value = self._fingerprint
        await dtls.start(RTCDtlsParameters(fingerprints=[RTCDtlsFingerprint(algorithm, value)]))
        self.connected.set()
        self._tasks.append(asyncio.create_task(self._report()))

    def _readable(self) -> None:
        counters, buffer = self.counters, self._buffer
        while True:
            try:
                size = self._socket.recv_into(buffer)
            except (BlockingIOError, ConnectionRefusedError):
                return
            first = buffer[0]
            if first < 4:
                self._stun(bytes(buffer[:size]))
            elif first < 64:
                self._wire.inbox.put_nowait(bytes(buffer[:size]))
            elif not 192 <= buffer[1] < 224 and size > 12:
                counters.packets += 1
                counters.octets += size
                counters.first_at = counters.first_at or time.monotonic()
                number, ssrc = struct.unpack_from("!H4xI", buffer, 2)
                before = counters.highest.get(ssrc)
                if before is None or 0 < (number - before) & 0xFFFF < 0x8000:
                    counters.lost += 0 if before is None else ((number - before) & 0xFFFF) - 1
                    counters.highest[ssrc] = number
                else:
                    counters.lost -= 1
                if counters.packets % self.every == 0 and self._dtls is not None and self._dtls._rx_srtp is not None:
                    counters.checked += 1
                    try:
                        self.media(self._dtls._rx_srtp.unprotect(bytes(buffer[:size])))
                    except SrtpError:
                        counters.bad += 1

    def media(self, packet: bytes) -> None:
        """A packet that was authenticated; for whoever wants to see more of it."""

    def _stun(self, data: bytes) -> None:
        message = stun.parse(data)
        if message.kind == stun.REQUEST:  # a full ICE server checks us too
            assert self._target is not None
            answer = stun.binding_success(message.transaction_id, *self._target, self._password.encode())
            self._socket.sendto(answer, self._target)
        elif message.kind == stun.SUCCESS:
            self._checked.set()

    async def _report(self) -> None:
        """A receiver report each second, so that the server does not take us for dead."""
        while True:
            await asyncio.sleep(1)
            for ssrc, highest in self.counters.highest.items():
                report = struct.pack("!BBHIIIIIII", 0x81, 201, 7, 1, ssrc, 0, highest, 0, 0, 0)
                assert self._dtls is not None
                assert self._target is not None
                self._socket.sendto(self._dtls._tx_srtp.protect_rtcp(report), self._target)

    async def close(self) -> None:
        leave = rtc.SignalRequest(leave=rtc.LeaveRequest(reason=models.DisconnectReason.CLIENT_INITIATED))
        try:
            await self._ws.send_bytes(leave.SerializeToString())
        except (ConnectionError, aiohttp.ClientError):
            pass
        for task in self._tasks:
            task.cancel()
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        await self._ws.close()
        await self._session.close()
