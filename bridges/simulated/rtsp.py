"""A simulated camera with an address: an RTSP server (RFC 2326) that shows a street with a clock, as real ones do it.

Digest or no authentication, RTP over the connection itself or over UDP, H.264 Baseline (or with B-frames) or H.265, optionally a
G.711 beep each second. A URL that ends with ``/sub`` is the small stream. It encodes only what somebody watches. It listens on
loopback unless told otherwise.
"""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from bridges import rtsp_auth
from bridges.rtsp_message import Request
from bridges.scene import Encoder, Scene, tone
from bridges.simulated.rtsp_client import AUDIO_PT, VIDEO_PT, Client
from commhub import log as logs
from commhub.tasks import Tasks
from commhub.wire import h264, h265

log = logs.get(__name__)

NONCE_LIFETIME = 300.0


@dataclass(slots=True)
class Options:
    """``algorithm``: MD5 or SHA-256. ``transports``: what SETUP accepts; anything else is answered with 461. ``codec``: h264 or
    h265. ``sub_*``: the small stream. ``report_every``: seconds between sender reports."""

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
    codec: str = "h264"
    b_frames: int = 0
    sub_width: int = 320
    sub_height: int = 180
    report_every: float = 5.0


class Feed:
    """One of the camera's streams, and who watches it."""

    def __init__(self, options: Options, width: int, height: int) -> None:
        self.options = options
        self.pictures = 0
        self.clients: set[Client] = set()
        self.key_wanted = False
        self.wake = asyncio.Event()
        self._scene = Scene(width, height, options.name)
        self._size = width, height
        # The first picture may come late where there are B-frames.
        encoder = self._encoder()
        units = next(one.units for _ in range(16) for one in encoder.encode(self._scene.draw(datetime.now())))
        self.parameter_sets = [unit for unit in units if self._parameter_set(unit)]

    def _encoder(self) -> Encoder:
        options = self.options
        return Encoder(*self._size, options.fps, options.group, codec=options.codec, b_frames=options.b_frames)

    def _parameter_set(self, unit: bytes) -> bool:
        if self.options.codec == "h265":
            return h265.kind(unit) in (h265.VPS, h265.SPS, h265.PPS)
        return unit[0] & 0x1F in (h264.SPS, h264.PPS)

    async def film(self) -> None:
        loop = asyncio.get_running_loop()
        interval = float(1 / self.options.fps)
        while True:
            await self.wake.wait()
            encoder = self._encoder()
            due = loop.time()
            while self.clients:
                frame = self._scene.draw(datetime.now())
                key, self.key_wanted = self.key_wanted, False
                for picture in encoder.encode(frame, key=key):
                    self.pictures += 1
                    ahead = (picture.pts - picture.dts) * interval
                    for client in list(self.clients):
                        client.send_picture(picture, ahead)
                due = max(due + interval, loop.time() - 1)
                await asyncio.sleep(max(0.0, due - loop.time()))

    def attributes(self) -> list[str]:
        """Of the medium in the SDP (RFC 6184 §8, RFC 7798 §7)."""
        sets = [base64.b64encode(unit).decode() for unit in self.parameter_sets]
        if self.options.codec == "h265":
            names = ("sprop-vps", "sprop-sps", "sprop-pps")
            said = ";".join(f"{name}={value}" for name, value in zip(names, sets, strict=True))
            return [f"a=rtpmap:{VIDEO_PT} H265/90000", f"a=fmtp:{VIDEO_PT} {said}"]
        level = h264.parse_sps(self.parameter_sets[0]).profile_level_id
        said = f"packetization-mode=1;profile-level-id={level};sprop-parameter-sets={','.join(sets)}"
        return [f"a=rtpmap:{VIDEO_PT} H264/90000", f"a=fmtp:{VIDEO_PT} {said}"]


class Camera:
    """The whole device. ``await start(host, port)``; ``port`` is then the real one."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.port = 0
        self.connections = 0
        self.main = Feed(options, options.width, options.height)
        self._sub: Feed | None = None
        self._clients: set[Client] = set()
        self._server: asyncio.Server | None = None
        self._tasks = Tasks("simulated camera")
        self._beep = tone() if options.audio else b""
        self._watched = asyncio.Event()
        self._nonces: dict[str, float] = {}

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Client(self), host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._tasks.spawn(self.main.film(), "film")
        if self._beep:
            self._tasks.spawn(self._sound(), "sound")

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._tasks.close()
        for client in list(self._clients):
            client.end()

    @property
    def pictures(self) -> int:
        return self.main.pictures

    @property
    def parameter_sets(self) -> list[bytes]:
        return self.main.parameter_sets

    @property
    def audio(self) -> bool:
        return bool(self._beep)

    # ---- what it sees

    def feed(self, url: str) -> Feed:
        """Which of the streams a URL means, whatever stands behind it for a medium."""
        if "/sub" not in url:
            return self.main
        if self._sub is None:
            self._sub = Feed(self.options, self.options.sub_width, self.options.sub_height)
            self._tasks.spawn(self._sub.film(), "small film")
        return self._sub

    def joined(self, client: Client, feed: Feed) -> None:
        self._clients.add(client)
        feed.clients.add(client)
        feed.key_wanted = True
        feed.wake.set()
        self._watched.set()

    def left(self, client: Client, feed: Feed) -> None:
        self._clients.discard(client)
        feed.clients.discard(client)
        if not feed.clients:
            feed.wake.clear()
        if not self._clients:
            self._watched.clear()

    def want_key_frame(self) -> None:
        self.main.key_wanted = True

    async def _sound(self) -> None:
        loop = asyncio.get_running_loop()
        size, at = 320, 0  # 40 ms
        while True:
            await self._watched.wait()
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

    def description(self, feed: Feed) -> bytes:
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=Simulated camera", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*",
                 f"m=video 0 RTP/AVP {VIDEO_PT}", "a=control:trackID=1", *feed.attributes()]  # fmt: skip
        if self._beep:
            lines += [f"m=audio 0 RTP/AVP {AUDIO_PT}", "a=control:trackID=2", f"a=rtpmap:{AUDIO_PT} PCMA/8000"]
        return "\r\n".join([*lines, ""]).encode()


async def run(host: str, port: int, options: Options) -> None:
    """Serves until it is cancelled. OSError when the port is taken."""
    camera = Camera(options)
    await camera.start(host, port)
    log.info("simulated camera ready", host=host, port=camera.port)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await camera.close()
