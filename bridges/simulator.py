"""A simulated camera: an RTSP server (RFC 2326) that shows a street with a clock, as real ones do it.

    CAMERA_PASSWORD=… python -m bridges.simulator --port 8554 --user admin

Digest or no authentication, RTP over the connection itself or over UDP, H.264 Baseline, optionally a G.711 beep each second.
It encodes only while somebody watches. For demonstrations and tests; it listens on loopback unless told otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import re
import secrets
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from bridges import rtsp_auth
from bridges.rtsp_message import Packet, Parser, Request, build_reply
from bridges.scene import Encoder, Picture, Scene, tone
from commhub import log as logs
from commhub.tasks import Tasks
from commhub.wire import h264, rtcp, rtp

log = logs.get(__name__)

PACKET = 1_400  # as most cameras, which know nothing of WebRTC
VIDEO_PT, AUDIO_PT = 96, 8
LIFETIME = 60  # s without a word of the client
NONCE_LIFETIME = 300.0
_NTP_EPOCH = 2_208_988_800
_BACKLOG = 1 << 20  # bytes a client may be behind before pictures are left out for it
_PUBLIC = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, TEARDOWN"


@dataclass(slots=True)
class Options:
    """``algorithm``: MD5 or SHA-256. ``transports``: what SETUP accepts; anything else is answered with 461."""

    user: str = ""
    password: str = field(default="", repr=False)
    name: str = "CAM-01"
    width: int = 1280
    height: int = 720
    fps: Fraction = Fraction(25, 2)
    group: int = 12
    audio: bool = False
    algorithm: str = "MD5"
    transports: frozenset[str] = frozenset({"tcp", "udp"})
    realm: str = "CommHub simulated camera"
    nonce_lifetime: float = NONCE_LIFETIME


class Camera:
    """The whole device. ``await start(host, port)``; ``port`` is then the real one."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.port = 0
        self._scene = Scene(options.width, options.height, options.name)
        self._encoder: Encoder | None = None
        self._clients: set[_Client] = set()
        self._server: asyncio.Server | None = None
        self._tasks = Tasks("simulated camera")
        self._wake = asyncio.Event()
        self._key_wanted = False
        self._beep = tone() if options.audio else b""
        self._nonces: dict[str, float] = {}
        first = self._new_encoder().encode(self._scene.draw(datetime.now()))[0]
        self.parameter_sets = [unit for unit in first.units if unit[0] & 0x1F in (h264.SPS, h264.PPS)]
        self.connections = 0
        self.pictures = 0

    def _new_encoder(self) -> Encoder:
        options = self.options
        return Encoder(options.width, options.height, options.fps, options.group)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Client(self), host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._tasks.spawn(self._film(), "film")
        if self._beep:
            self._tasks.spawn(self._sound(), "sound")

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._tasks.close()
        for client in list(self._clients):
            client.end()

    # ---- what it sees

    def joined(self, client: _Client) -> None:
        self._clients.add(client)
        self.want_key_frame()
        self._wake.set()

    def left(self, client: _Client) -> None:
        self._clients.discard(client)
        if not self._clients:
            self._wake.clear()

    def want_key_frame(self) -> None:
        self._key_wanted = True

    async def _film(self) -> None:
        loop = asyncio.get_running_loop()
        interval = float(1 / self.options.fps)
        while True:
            await self._wake.wait()
            self._encoder = self._new_encoder()
            due = loop.time()
            while self._clients:
                frame = self._scene.draw(datetime.now())
                key, self._key_wanted = self._key_wanted, False
                for picture in self._encoder.encode(frame, key=key):
                    self.pictures += 1
                    for client in list(self._clients):
                        client.send_picture(picture)
                due = max(due + interval, loop.time() - 1)
                await asyncio.sleep(max(0.0, due - loop.time()))

    async def _sound(self) -> None:
        loop = asyncio.get_running_loop()
        size, at = 320, 0  # 40 ms
        while True:
            await self._wake.wait()
            due = loop.time()
            while self._clients:
                for client in list(self._clients):
                    client.send_sound(self._beep[at : at + size])
                at = (at + size) % len(self._beep)
                due = max(due + 0.04, loop.time() - 1)
                await asyncio.sleep(max(0.0, due - loop.time()))

    # ---- who may see it

    def challenge(self, *, stale: bool) -> str:
        nonce = secrets.token_hex(16)
        now = time.monotonic()
        self._nonces = {known: at for known, at in self._nonces.items() if now - at < self.options.nonce_lifetime}
        self._nonces[nonce] = now
        algorithm = "" if self.options.algorithm == "MD5" else f", algorithm={self.options.algorithm}"
        return f'Digest realm="{self.options.realm}", nonce="{nonce}"{algorithm}' + (", stale=true" if stale else "")

    def authorised(self, request: Request) -> tuple[bool, bool]:
        """``(may, the nonce was right once)``."""
        if not self.options.user:
            return True, False
        scheme, _, rest = request.get("authorization").partition(" ")
        if scheme.lower() != "digest":
            return False, False
        values = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        options, algorithm = self.options, self.options.algorithm
        first = rtsp_auth.digest(algorithm, f"{options.user}:{options.realm}:{options.password}")
        second = rtsp_auth.digest(algorithm, f"{request.method}:{values.get('uri', '')}")
        nonce = values.get("nonce", "")
        expected = rtsp_auth.digest(algorithm, f"{first}:{nonce}:{second}")
        if values.get("username") != options.user or not secrets.compare_digest(values.get("response", ""), expected):
            return False, False
        fresh = time.monotonic() - self._nonces.get(nonce, float("-inf")) < options.nonce_lifetime
        return fresh, not fresh

    def description(self) -> bytes:
        sps = h264.parse_sps(self.parameter_sets[0])
        sprop = ",".join(base64.b64encode(unit).decode() for unit in self.parameter_sets)
        lines = [
            "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=Simulated camera", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*",
            f"m=video 0 RTP/AVP {VIDEO_PT}", "a=control:trackID=1", f"a=rtpmap:{VIDEO_PT} H264/90000",
            f"a=fmtp:{VIDEO_PT} packetization-mode=1;profile-level-id={sps.profile_level_id};sprop-parameter-sets={sprop}",
        ]  # fmt: skip
        if self._beep:
            lines += [f"m=audio 0 RTP/AVP {AUDIO_PT}", "a=control:trackID=2", f"a=rtpmap:{AUDIO_PT} PCMA/8000"]
        return "\r\n".join([*lines, ""]).encode()


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


class _Client(asyncio.Protocol):
    """One connection, which is one session."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._parser = Parser()
        self._parser.channels = set(range(256))
        self._transport: asyncio.Transport | None = None
        self._session = secrets.token_hex(8)
        self._ways: dict[str, _Way] = {}
        self._started = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._camera.connections += 1

    def connection_lost(self, error: Exception | None) -> None:
        self._camera.left(self)
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
                self._camera.want_key_frame()

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
            body = self._camera.description()
            self._reply(request, 200, "OK", body, Content_Type="application/sdp", Content_Base=base)
        elif method == "SETUP":
            self._setup(request)
        elif method == "PLAY" and self._ways:
            self._reply(request, 200, "OK", Range="npt=now-")
            self._camera.joined(self)
        elif method in ("GET_PARAMETER", "SET_PARAMETER", "PAUSE"):
            self._reply(request, 200, "OK")
        elif method == "TEARDOWN":
            self._reply(request, 200, "OK")
            assert self._transport is not None
            self._transport.close()
        else:
            self._reply(request, 455, "Method Not Valid In This State")

    def _setup(self, request: Request) -> None:
        kind = "audio" if request.url.rstrip("/").endswith("trackID=2") and self._camera.options.audio else "video"
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

    def send_picture(self, picture: Picture) -> None:
        way = self._ways.get("video")
        if way is None or (not self._started and not picture.key):
            return
        assert self._transport is not None
        if self._transport.get_write_buffer_size() > _BACKLOG:
            self._started = False  # too slow: wait for the next key frame
            return
        self._started = True
        now = time.time()
        payloads = [payload for unit in picture.units for payload in h264.fragment(unit, PACKET)]
        for number, payload in enumerate(payloads):
            self._send(way, payload, way.time(now), number == len(payloads) - 1)
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
        if now - way.reported < 5:
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


async def run(host: str, port: int, options: Options) -> None:
    """Serves until it is cancelled. OSError when the port is taken."""
    camera = Camera(options)
    await camera.start(host, port)
    log.info("simulated camera ready", host=host, port=camera.port)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await camera.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bridges.simulator", description="A simulated RTSP camera.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8554)
    parser.add_argument("--user", default="")
    # The command line is everybody's to read (ps), the environment is not.
    parser.add_argument("--password", default=os.environ.get("CAMERA_PASSWORD", ""), help="better: CAMERA_PASSWORD")
    parser.add_argument("--name", default="CAM-01")
    parser.add_argument("--size", default="1280x720", help="width x height")
    parser.add_argument("--fps", type=Fraction, default=Fraction(25, 2))
    parser.add_argument("--group", type=int, default=12, help="pictures between two key frames")
    parser.add_argument("--audio", action="store_true", help="a beep each second (G.711)")
    parser.add_argument("--algorithm", choices=["MD5", "SHA-256"], default="MD5")
    parser.add_argument("--transports", default="tcp,udp")
    given = parser.parse_args(arguments)
    width, _, height = given.size.partition("x")
    logs.configure(process="camera")
    try:
        options = Options(
            user=given.user, password=given.password, name=given.name, width=int(width), height=int(height), fps=given.fps,
            group=given.group, audio=given.audio, algorithm=given.algorithm, transports=frozenset(given.transports.split(",")),
        )  # fmt: skip
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run(given.host, given.port, options))
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
