"""An RTSP client (RFC 2326) that hands on what a camera sends: one conversation from connecting to its end.

Nothing here decides whether an address may be connected or whether to try again: see :mod:`bridges.pull`.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bridges import rtsp_auth, rtsp_sdp
from bridges.faults import Fault, Redirected
from bridges.rtsp_choice import choose
from bridges.rtsp_message import Packet, Parser, Reply, Request, build_reply, build_request
from bridges.rtsp_udp import Pair
from bridges.timeline import Reception, Reorder
from bridges.turns import Turns
from commhub.wire import rtcp

CONNECT_TIMEOUT = 5.0
REPLY_TIMEOUT = 5.0
MEDIA_TIMEOUT = 10.0
REPORT_INTERVAL = 5.0
_TICK = 0.05  # s; the reorder buffer's patience is a multiple of it
_UNREAD = 64 << 10  # bytes of answers that may wait for the camera
_SESSION = re.compile(r"([\x21-\x3a\x3c-\x7e]{1,256})(?:\s*;\s*timeout\s*=\s*(\d{1,5}))?.*")


@dataclass(slots=True)
class Camera:
    """What to pull: ``url`` without credentials, ``address`` the one that passed the allow list."""

    url: str
    address: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    transport: str = "tcp"


@dataclass(slots=True)
class Track:
    """One medium that is being received. ``channel`` is that of RTP, RTCP comes on ``channel + 1`` (or on UDP)."""

    media: rtsp_sdp.Media
    reception: Reception
    channel: int = 0
    rtcp_channel: int = 1
    matched: bool = False  # a packet of the announced payload type has come
    pair: Pair | None = None
    reorder: Reorder | None = None

    @property
    def kind(self) -> str:
        return self.media.kind


class Session(asyncio.BufferedProtocol):
    """``open`` until it is clear what will come, ``play``, ``watch`` until it ends, ``close``. They raise :class:`Fault`.

    ``on_packet(track, packet, now)`` gets RTP in order, ``on_clock(track, rtp_time, ntp)`` sender reports, ``on_flush()`` comes
    after each run of packets. ``now`` and ``ntp`` are UTC ns.
    """

    def __init__(
        self,
        camera: Camera,
        on_packet: Callable[[Track, bytes, int], None],
        on_clock: Callable[[Track, int, int], None],
        on_flush: Callable[[], None],
    ) -> None:
        self._camera = camera
        self._on_packet, self._on_clock, self._on_flush = on_packet, on_clock, on_flush
        self._loop = asyncio.get_running_loop()
        self._parser = Parser()
        self._transport: asyncio.Transport | None = None
        self._turns = Turns.here()
        self._waiting: tuple[int, asyncio.Future[Reply]] | None = None
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._fault: Fault | None = None
        self._number = 0
        self._challenge: rtsp_auth.Challenge | None = None
        self._session = ""
        self._reconnected = False
        self._lifetime = 60.0
        self._public: frozenset[str] = frozenset()
        self._url = camera.url
        self._ssrc = secrets.randbits(32)
        self._channels: dict[int, tuple[Track, bool]] = {}  # channel → track, is RTCP
        self.tracks: list[Track] = []
        self.last_media = time.monotonic()

    # ---------------------------------------------------------------- the conversation

    async def open(self) -> None:
        camera = self._camera
        await self._connect()
        options = await self.request("OPTIONS", camera.url)
        if options.status < 300:
            self._public = frozenset(word.strip().upper() for word in options.get("public").split(","))
        described = await self.request("DESCRIBE", camera.url, {"Accept": "application/sdp"})
        if 300 <= described.status < 400 and described.get("location"):
            raise Redirected(described.get("location"))
        _check(described)
        base = described.get("content-base") or described.get("content-location") or camera.url
        try:
            description = rtsp_sdp.parse(described.body)
        except ValueError as error:
            raise Fault("protocol", str(error)) from None
        video, audio = choose(description)
        self._url = rtsp_sdp.join(_clean(base, camera.url), description.control)
        await self._setup(video, rtsp_sdp.join(_clean(base, camera.url), video.control))
        if audio is not None:
            try:
                await self._setup(audio, rtsp_sdp.join(_clean(base, camera.url), audio.control))
            except Fault as fault:
                if fault.code not in ("protocol", "not_found", "busy"):
                    raise
                # A picture without sound is worth more than none.

    async def play(self) -> None:
        """From here on packets come, some cameras' before they have answered."""
        _check(await self.request("PLAY", self._url, {"Range": "npt=0.000-"}))
        self.last_media = time.monotonic()

    async def _connect(self) -> None:
        self._parser, self._ended = Parser(), self._loop.create_future()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._loop.create_connection(lambda: self, self._camera.address, self._camera.port)
        except TimeoutError:
            raise Fault("timeout") from None
        except ConnectionRefusedError:
            raise Fault("refused") from None
        except OSError:
            raise Fault("timeout") from None

    async def _setup(self, media: rtsp_sdp.Media, url: str) -> None:
        track = Track(media, Reception(media.clock_rate, self._ssrc))
        ways = ["udp", "tcp"] if self._camera.transport == "udp" else ["tcp", "udp"]
        if self.tracks:  # the second medium goes the way of the first
            ways = ["tcp" if self.tracks[0].pair is None else "udp"]
        for way in ways:
            reply = await (self._setup_tcp(track, url) if way == "tcp" else self._setup_udp(track, url))
            if reply.status != 461:  # Unsupported Transport
                break
        _check(reply)
        if not self._session:
            match = _SESSION.fullmatch(reply.get("session"))
            if match is None:
                raise Fault("protocol", "SETUP was answered without a session.")
            self._session = match[1]
            self._lifetime = min(max(float(match[2] or 60), 2.0), 600.0)
        self.tracks.append(track)

    async def _setup_tcp(self, track: Track, url: str) -> Reply:
        track.channel = 2 * len(self.tracks)
        track.rtcp_channel = track.channel + 1
        self._listen(track)  # packets may come before the reply
        asked = f"RTP/AVP/TCP;unicast;interleaved={track.channel}-{track.rtcp_channel}"
        reply = await self.request("SETUP", url, {"Transport": asked})
        if reply.status < 300:
            given = reply.get("transport")
            if "client_port" in given.lower():
                raise Fault("protocol", "SETUP for TCP was answered with UDP.")
            if match := re.search(r"interleaved\s*=\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?", given, re.IGNORECASE):
                self._unlisten(track)
                track.channel = int(match[1]) & 0xFF
                track.rtcp_channel = (int(match[2]) if match[2] else track.channel + 1) & 0xFF
                self._listen(track)
        else:
            self._unlisten(track)
        return reply

    async def _setup_udp(self, track: Track, url: str) -> Reply:
        assert self._transport is not None
        local = self._transport.get_extra_info("sockname")[0]
        remote = self._transport.get_extra_info("peername")[0]
        try:
            pair = Pair(local, remote)
        except OSError:
            raise Fault("no_media") from None
        try:
            reply = await self.request("SETUP", url, {"Transport": f"RTP/AVP;unicast;client_port={pair.port}-{pair.port + 1}"})
            if reply.status < 300:
                given = reply.get("transport")
                if "interleaved" in given.lower():
                    raise Fault("protocol", "SETUP for UDP was answered with TCP.")
                match = re.search(r"server_port\s*=\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?", given, re.IGNORECASE)
                if match:
                    pair.target(int(match[1]), int(match[2]) if match[2] else int(match[1]) + 1)
                track.pair, track.reorder = pair, Reorder()
                pair.start(
                    lambda data, now: self._datagram(track, data, now),
                    lambda data, now: self._control(track, data, now),
                    self._on_flush,
                )
                return reply
        except BaseException:
            pair.close()
            raise
        pair.close()
        return reply

    def _listen(self, track: Track) -> None:
        self._channels[track.channel] = (track, False)
        self._channels[track.rtcp_channel] = (track, True)
        self._parser.channels = set(self._channels)

    def _unlisten(self, track: Track) -> None:
        self._channels = {channel: entry for channel, entry in self._channels.items() if entry[0] is not track}
        self._parser.channels = set(self._channels)

    async def watch(self) -> None:
        """Keeps the session alive. Only a :class:`Fault` ends it: ``closed``, ``no_media``, ``protocol``, ``not_found`` …"""
        udp = any(track.pair is not None for track in self.tracks)
        started = time.monotonic()
        next_report, next_alive = started + 1.0, started + self._lifetime / 2
        while True:
            await asyncio.wait([self._ended], timeout=_TICK if udp else 0.25)
            if self._ended.done():
                raise self._fault or Fault("closed")
            now = time.monotonic()
            if now - self.last_media > MEDIA_TIMEOUT:
                raise Fault("no_media")
            if udp:
                self._overdue()
            if now >= next_report:
                next_report = now + REPORT_INTERVAL
                self._report()
            if now >= next_alive:
                next_alive = now + self._lifetime / 2
                await self._keep_alive()

    async def _keep_alive(self) -> None:
        method = "GET_PARAMETER" if "GET_PARAMETER" in self._public else "OPTIONS"
        try:
            reply = await self.request(method, self._url)
        except Fault as fault:
            if fault.code == "timeout" and time.monotonic() - self.last_media < MEDIA_TIMEOUT:
                return  # it plays: some cameras never answer these
            raise
        if reply.status == 454:  # Session Not Found
            raise Fault("closed")
        if reply.status in (405, 501, 551):
            self._public -= {"GET_PARAMETER"}

    def close(self) -> None:
        """Says TEARDOWN, without waiting for the answer, and closes everything. May be called twice."""
        for track in self.tracks:
            if track.pair is not None:
                track.pair.close()
        transport = self._transport
        if transport is not None and not transport.is_closing():
            if self._session and self._fault is None:
                self._write("TEARDOWN", self._url, {})
            transport.close()
            self._loop.call_later(1.0, transport.abort)

    # ---------------------------------------------------------------- requests

    async def request(self, method: str, url: str, headers: dict[str, str] | None = None) -> Reply:
        """One request and its answer, with our credentials where it asks for them."""
        fresh, refused = False, 0
        while refused < 3:
            try:
                reply = await self._exchange(method, url, headers or {})
            except Fault as fault:
                if fault.code != "closed" or not fresh or self._session or self._reconnected:
                    raise
                self._reconnected = True  # some cameras hang up after asking for the password
                await self._connect()
                continue
            if reply.status != 401:
                return reply
            refused += 1
            challenge = rtsp_auth.choose(reply.headers.get("www-authenticate", []))
            if challenge is None or not self._camera.user or (fresh and not challenge.stale):
                raise Fault("unauthorized")
            self._challenge, fresh = challenge, True
        raise Fault("unauthorized")

    async def _exchange(self, method: str, url: str, headers: dict[str, str]) -> Reply:
        if self._ended.done():
            raise self._fault or Fault("closed")
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._waiting = (self._write(method, url, headers), answer)
        try:
            awaited: list[asyncio.Future[Any]] = [answer, self._ended]
            await asyncio.wait(awaited, timeout=REPLY_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting = None
        if answer.done():
            return answer.result()
        if self._ended.done():
            raise self._fault or Fault("closed")
        if self._parser.pending and not self.tracks:
            raise Fault("protocol", "An answer ends before its announced length.")
        raise Fault("timeout")

    def _write(self, method: str, url: str, headers: dict[str, str]) -> int:
        assert self._transport is not None
        self._number += 1
        full: dict[str, object] = {"CSeq": self._number, "User-Agent": "CommHub", **headers}
        if self._session:
            full["Session"] = self._session
        if self._challenge is not None:
            full["Authorization"] = rtsp_auth.respond(
                self._challenge, self._camera.user, self._camera.password, method, url, secrets.token_hex(8)
            )
        self._transport.write(build_request(method, url, full))
        return self._number

    # ---------------------------------------------------------------- what comes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._turns.octets

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._turns.octets[:nbytes]))

    def data_received(self, data: bytes) -> None:
        now = time.time_ns()
        try:
            events = self._parser.receive(data)
        except ValueError as error:
            self._fail(Fault("protocol", str(error)))
            return
        media = False
        for event in events:
            if type(event) is Packet:
                entry = self._channels.get(event.channel)
                if entry is None:
                    continue
                track, control = entry
                if control:
                    self._control(track, event.data, now)
                else:
                    self._media(track, event.data, now)
                    media = True
            elif type(event) is Reply:
                self._reply(event)
            elif type(event) is Request:
                self._asked(event)
        if media:
            self._on_flush()
            if self._transport is not None:
                self._turns.rest(self._transport)

    def _fail(self, fault: Fault) -> None:
        self._fault = self._fault or fault
        if self._transport is not None:
            self._transport.abort()

    def fail(self, fault: Fault) -> None:
        """The receiver of the packets found them to be of no use."""
        self._fail(fault)

    def _reply(self, reply: Reply) -> None:
        if self._waiting is None or reply.status < 200:
            return
        number, answer = self._waiting
        said = reply.get("cseq")
        # Some cameras leave CSeq out; as only one request is under way, the answer is clear. Late answers have older numbers.
        if not answer.done() and (not said.isdigit() or int(said[:9]) >= number):
            answer.set_result(reply)

    def _asked(self, request: Request) -> None:
        """Some servers ask whether we are there, or say that it ends."""
        assert self._transport is not None
        if self._transport.get_write_buffer_size() > _UNREAD:
            self._fail(Fault("protocol", "It asks without reading the answers."))
            return
        known = request.method in ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE", "REDIRECT", "TEARDOWN")
        number = request.get("cseq")
        headers: dict[str, object] = {"CSeq": number[:9]} if number.isdigit() else {}
        self._transport.write(build_reply(200, "OK", headers) if known else build_reply(501, "Not Implemented", headers))
        if request.method in ("REDIRECT", "TEARDOWN"):
            self._transport.close()

    def _media(self, track: Track, packet: bytes, now: int) -> None:
        if self._counted(track, packet, now):
            self._on_packet(track, packet, now)

    def _counted(self, track: Track, packet: bytes, now: int) -> bool:
        """Whether it is a packet of this track at all."""
        if len(packet) < 12 or packet[0] >> 6 != 2:
            return False
        if 200 <= packet[1] <= 206:  # RTCP on the wrong channel
            self._control(track, packet, now)
            return False
        if packet[1] & 0x7F == track.media.payload_type:
            track.matched = True
        elif track.matched:
            return False  # metadata or error correction beside the medium; alone it is a number the SDP had wrong
        if track.kind == "video":
            self.last_media = time.monotonic()
        track.reception.packet(packet, now)
        return True

    def _datagram(self, track: Track, packet: bytes, now: int) -> None:
        assert track.reorder is not None
        if not self._counted(track, packet, now):
            return
        for due in track.reorder.push(packet, now):
            self._on_packet(track, due, now)

    def _overdue(self) -> None:
        now = time.time_ns()
        for track in self.tracks:
            if track.reorder is not None and (due := track.reorder.due(now)):
                for packet in due:
                    self._on_packet(track, packet, now)
                self._on_flush()

    def _control(self, track: Track, data: bytes, now: int) -> None:
        try:
            packets = rtcp.parse(data)
        except ValueError:
            return
        for packet in packets:
            if isinstance(packet, rtcp.SenderReport):
                ntp = track.reception.sender_report(packet, now)
                if ntp is not None:
                    self._on_clock(track, packet.rtp_time, ntp)

    def _report(self) -> None:
        now = time.time_ns()
        for track in self.tracks:
            self._send_control(track, track.reception.report(now))

    def want_key_frame(self, track: Track) -> None:
        """A PLI (RFC 4585), where the camera said that it listens to them."""
        if track.media.feedback and track.reception.ssrc is not None:
            report = track.reception.report(time.time_ns())
            self._send_control(track, report + rtcp.build_pli(self._ssrc, track.reception.ssrc))

    def _send_control(self, track: Track, data: bytes) -> None:
        if track.pair is not None:
            track.pair.send_control(data)
        elif self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"$" + bytes((track.rtcp_channel,)) + len(data).to_bytes(2, "big") + data)


def _check(reply: Reply) -> None:
    """Fault unless the camera agrees."""
    status = reply.status
    if 200 <= status < 300:
        return
    code = {401: "unauthorized", 403: "unauthorized", 404: "not_found", 453: "busy", 503: "busy", 454: "closed"}.get(status)
    if code is not None:
        raise Fault(code)
    raise Fault("protocol", f"It answered with status {status}.")


def _clean(base: str, fallback: str) -> str:
    """Content-Base as a URL that can stand in a request line."""
    base = base.strip()
    readable = 0 < len(base) <= 2048 and all(0x21 <= ord(letter) <= 0x7E for letter in base)
    return base if readable and base.lower().startswith("rtsp://") else fallback
