"""A media worker as a recorder sees it: the link's contract with real RTP in it, sent as a test says."""

from __future__ import annotations

import asyncio
import fractions
import functools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from commhub.errors import NotFound
from commhub.media import messages
from commhub.media.link import RECORD, Link, Listener, listen
from commhub.media.messages import Codec, Done, Message
from commhub.wire import h264, h265
from commhub.wire.rtp import HEADER

SECOND = 1_000_000_000
VP8 = Codec("video/VP8", 90000)
VP9 = Codec("video/VP9", 90000)
AV1 = Codec("video/AV1", 90000)
H264 = Codec("video/H264", 90000, fmtp="level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f")
H265 = Codec("video/H265", 90000, fmtp="level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST")
OPUS = Codec("audio/opus", 48000, channels=2)


@dataclass(frozen=True)
class Clip:
    """A few seconds of RTP payloads: per frame its time in RTP units and its packets. The first one is a key frame."""

    codec: Codec
    frames: list[tuple[int, list[bytes]]]
    length: int  # RTP units

    def looped(self, index: int) -> tuple[int, list[bytes]]:
        """Frame ``index`` of the clip played again and again: its time from the very first frame."""
        rounds, position = divmod(index, len(self.frames))
        stamp, payloads = self.frames[position]
        return rounds * self.length + stamp, payloads

    def before(self, units: int) -> int:
        """How many frames begin before a time."""
        rounds, rest = divmod(units, self.length)
        return rounds * len(self.frames) + sum(stamp < rest for stamp, _ in self.frames)


def _picture(number: int, width: int, height: int, noise: bool) -> av.VideoFrame:
    pixels = np.full((height, width, 3), 40, np.uint8)
    if noise:
        pixels[:] = np.random.default_rng(number).integers(0, 120, pixels.shape, np.uint8)
    left = number * 7 % (width - 24)
    pixels[height // 4 : height // 2, left : left + 24] = (200, 180, 20 * (number % 10))
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = number, fractions.Fraction(1, 15)
    return frame


@functools.cache
def video(codec: Codec, width: int = 320, height: int = 180, seconds: float = 2.0, fps: int = 15, bitrate: int = 0) -> Clip:
    """Encoded once per test run. With ``bitrate`` (VP8, H.264) the pictures are hard enough to need it."""
    pictures = [_picture(number, width, height, bitrate > 0) for number in range(round(seconds * fps))]
    step = 90000 // fps
    name = codec.mime.lower()
    if name in ("video/vp8", "video/h264"):
        encoder = Vp8Encoder() if name == "video/vp8" else H264Encoder()
        if bitrate:
            encoder.target_bitrate = bitrate
        payloads = [encoder.encode(picture, force_keyframe=number == 0)[0] for number, picture in enumerate(pictures)]
    elif name == "video/vp9":
        options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
        payloads = [_vp9(data, key) for data, key in _encode("libvpx-vp9", pictures, options)]
    elif name == "video/h265":
        words = "log-level=none:repeat-headers=1:info=0:bframes=0:pools=none:frame-threads=1:keyint=1000"
        options = {"preset": "ultrafast", "tune": "zerolatency", "x265-params": words}
        payloads = [h265.packets(h264.split_annex_b(data)) for data, _ in _encode("libx265", pictures, options)]
    else:
        payloads = [_av1(data) for data, _ in _encode("libsvtav1", pictures, {"preset": "12", "svtav1-params": "pred-struct=1"})]
    assert len(payloads) == len(pictures)
    return Clip(codec, [(number * step, packets) for number, packets in enumerate(payloads)], len(pictures) * step)


def _encode(name: str, pictures: list[av.VideoFrame], options: dict[str, str]) -> list[tuple[bytes, bool]]:
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = pictures[0].width, pictures[0].height, "yuv420p"
    context.time_base, context.framerate = fractions.Fraction(1, 15), fractions.Fraction(15)
    context.gop_size, context.options = 1000, options
    packets = [packet for picture in [*pictures, None] for packet in context.encode(picture)]
    return [(bytes(packet), packet.is_keyframe) for packet in packets]


def _vp9(data: bytes, key: bool, size: int = 1100) -> list[bytes]:
    """RFC 9628 §4.2 without picture ids: P, B and E bits."""
    parts = [data[n : n + size] for n in range(0, len(data), size)]
    inter = 0 if key else 0x40
    return [
        bytes([inter | (0x08 if n == 0 else 0) | (0x04 if n == len(parts) - 1 else 0)]) + part for n, part in enumerate(parts)
    ]


def _av1(data: bytes, size: int = 1100) -> list[bytes]:
    """The OBUs of a temporal unit, each without its size field, cut into packets of W=1."""
    out: list[bytes] = []
    offset = 0
    while offset < len(data):
        head, extended = data[offset], data[offset] >> 2 & 1
        offset += 1 + extended
        length = shift = 0
        while True:
            byte = data[offset]
            length |= (byte & 0x7F) << shift
            offset, shift = offset + 1, shift + 7
            if not byte & 0x80:
                break
        body = data[offset : offset + length]
        offset += length
        if head >> 3 & 15 == 2:
            continue
        obu = bytes([head & 0xFD]) + body
        parts = [obu[n : n + size] for n in range(0, len(obu), size)]
        for n, part in enumerate(parts):
            out.append(bytes([(0x80 if n else 0) | (0x40 if n < len(parts) - 1 else 0) | 0x10]) + part)
    return out


@functools.cache
def opus(seconds: float = 2.0) -> Clip:
    """A tone, 20 ms a packet."""
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format, context.bit_rate = 48000, "mono", "s16", 24000
    packets: list[bytes] = []
    for number in range(round(seconds * 50) + 1):
        when = (np.arange(960) + number * 960) / 48000
        wave = (np.sin(2 * np.pi * 440 * when) * 8000).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, number * 960, fractions.Fraction(1, 48000)
        packets += [bytes(packet) for packet in context.encode(frame)]
    packets = packets[: round(seconds * 50)]
    return Clip(OPUS, [(number * 960, [packet]) for number, packet in enumerate(packets)], len(packets) * 960)


@dataclass
class Sender:
    """One track's RTP: goes on in sequence and time over clips and pauses."""

    clip: Clip
    handle: int
    sequence: int = 65_500
    origin: int = 0xFFFF0000  # both wrap soon
    index: int = 0
    sent: int = 0  # RTP units behind the last frame
    base: int = 0
    delay: int = 0  # ns added to the ingress time

    def packets(self, index: int) -> list[bytes]:
        stamp, payloads = self.clip.looped(index)
        out = []
        for number, payload in enumerate(payloads):
            last = number == len(payloads) - 1
            second = 96 | (0x80 if last else 0)
            when = (self.origin + self.base + stamp) & 0xFFFFFFFF
            out.append(HEADER.pack(0x80, second, self.sequence & 0xFFFF, when, 0x1234) + payload)
            self.sequence += 1
        return out

    def ns(self, index: int) -> int:
        return (self.base + self.clip.looped(index)[0]) * SECOND // self.clip.codec.clock_rate

    def change(self, clip: Clip) -> None:
        """Go on with another clip (another size)."""
        self.base += self.clip.looped(self.index)[0]
        self.clip, self.index = clip, 0

    def skip(self, seconds: float) -> None:
        """Send nothing for a while; the clock runs on."""
        self.base += round(seconds * self.clip.codec.clock_rate)


@dataclass
class SinkFeed:
    """Serves ``name`` in ``folder``; ``await opened(sink)`` waits for a recorder."""

    folder: Path
    name: str = "media-0"
    heard: list[Message] = field(default_factory=list)
    sinks: dict[str, Link] = field(default_factory=dict)  # sink → link
    rooms: set[str] | None = None  # None: has every room
    on_open: Callable[[str], None] | None = None
    _listener: Listener | None = None
    _handles: int = 0

    async def start(self) -> SinkFeed:
        self._listener = await listen(self.folder, self.name, lambda link: None, self._receive, packets=True)
        return self

    async def stop(self) -> None:
        """As if it were killed: the links break."""
        if self._listener is not None:
            await self._listener.close()
            self._listener = None
            for path in self.folder.glob(f"{self.name}.*"):
                path.unlink()
        self.sinks.clear()

    def _receive(self, link: Link, message: Message) -> Message:
        self.heard.append(message)
        if isinstance(message, messages.OpenSink):
            if self.rooms is not None and message.room not in self.rooms:
                raise NotFound("The room is not on this worker.", code="no_room")
            self.sinks[message.sink] = link
            if self.on_open is not None:
                self.on_open(message.sink)
        elif isinstance(message, messages.CloseSink):
            self.sinks.pop(message.sink, None)
        return Done()

    async def opened(self, sink: str, within: float = 30.0) -> Link:
        for _ in range(round(within / 0.005)):
            if sink in self.sinks and self.sinks[sink].packets is not None:
                return self.sinks[sink]
            await asyncio.sleep(0.005)
        raise AssertionError("No recorder opened the sink in time.")

    def peer(self, sink: str, identity: str, *, present: bool = True, at: int = 0, peer: str = "", **about: str) -> None:
        peer = peer or f"PA_{identity}"
        self.sinks[sink].tell(messages.SinkPeer(sink, peer, identity, present, at or time.time_ns(), about))

    def track(
        self, sink: str, identity: str, clip: Clip, source: str = "", *, sid: str = "", peer: str = "", at: int = 0,
        muted: bool = False, encrypted: bool = False,
    ) -> Sender:  # fmt: skip
        kind = clip.codec.mime.partition("/")[0]
        self._handles += 1
        source = source or ("camera" if kind == "video" else "microphone")
        self.sinks[sink].tell(
            messages.SinkTrack(
                sink, self._handles, sid or f"TR_{identity}_{source}", peer or f"PA_{identity}", identity, kind, source, True,
                at or time.time_ns(), clip.codec, muted=muted, encrypted=encrypted,
            )
        )  # fmt: skip
        return Sender(clip, self._handles)

    def ends(self, sink: str, identity: str, sender: Sender, source: str, *, sid: str = "", at: int = 0) -> None:
        kind = sender.clip.codec.mime.partition("/")[0]
        self.sinks[sink].tell(
            messages.SinkTrack(
                sink, sender.handle, sid or f"TR_{identity}_{source}", f"PA_{identity}", identity, kind, source, False,
                at or time.time_ns(), sender.clip.codec,
            )
        )  # fmt: skip

    def tell(self, sink: str, message: Message) -> None:
        self.sinks[sink].tell(message)

    async def send(self, sink: str, packets: Iterable[tuple[int, int, bytes]]) -> None:
        """``(handle, ingress time, RTP)``; waits when the socket is full."""
        batch = bytearray()
        for handle, at, packet in packets:
            batch += RECORD.pack(handle, at, len(packet)) + packet
            if len(batch) > 40_000:
                await self._push(sink, batch)
                batch.clear()
        if batch:
            await self._push(sink, batch)

    async def _push(self, sink: str, batch: bytearray) -> None:
        link = self.sinks.get(sink)
        for _ in range(5_000):
            if link is None or link.packets is None or link.closed.is_set() or link.packets.send(batch):
                return
            await asyncio.sleep(0.002)
        raise AssertionError("The recorder does not take its packets.")

    async def play(
        self, sink: str, senders: list[Sender], seconds: float, start: int, *, paced: bool = False,
        spoil: Callable[[Sender, list[bytes]], list[bytes]] | None = None,
    ) -> int:  # fmt: skip
        """``seconds`` of media of all senders, in the order of their times from ``start`` (UTC ns) on; unpaced as fast as
        the recorder takes it. Returns the time behind it. ``spoil`` gets every frame's packets before they leave."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        offsets = {id(sender): sender.ns(sender.index) for sender in senders}
        due: list[tuple[int, Sender]] = []
        for sender in senders:
            index = sender.index
            while (when := sender.ns(index) - offsets[id(sender)]) < round(seconds * SECOND):
                due.append((when, sender))
                index += 1
        due.sort(key=lambda one: one[0])
        run: list[tuple[int, int, bytes]] = []
        mark = 0
        for when, sender in due:
            packets = sender.packets(sender.index)
            sender.index += 1
            if spoil is not None:
                packets = spoil(sender, packets)
            at = start + when + sender.delay
            run += [(sender.handle, at, packet) for packet in packets]
            if paced and when > mark:
                await self.send(sink, run)
                run.clear()
                await asyncio.sleep(max(0.0, began + when / SECOND - loop.time()))
                mark = when + SECOND // 100
            elif len(run) > 200:
                await self.send(sink, run)
                run.clear()
                await asyncio.sleep(0)
        await self.send(sink, run)
        return start + round(seconds * SECOND)
