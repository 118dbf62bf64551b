"""Sound of cameras as browsers take it: G.711 and AAC to Opus, 48 kHz mono (RFC 7587), in a thread of its own.

PyAV lets go of the interpreter lock while it works, so the event loop is not held up.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

import av

from bridges.timeline import signed32
from commhub import log as logs

log = logs.get(__name__)

RATE = 48_000
RATES = (8_000, 12_000, 16_000, 24_000, RATE)  # that an encoder takes (RFC 6716 section 2)
EFFORT = "1"  # of 10: a third of the work, and no difference in the sound of a street
FRAME = 960  # samples: 20 ms
BITRATE = 32_000
BACKLOG = 5_000  # packets that may wait over all cameras: a second of more than fifty; more means that this machine is too slow
WAITING = 100  # of them of one camera
_GAP = 0.1  # s of silence in the device's time from which ours jumps as well
_AU_LIMIT = 64

Delivered = Callable[[list[tuple[bytes, int]]], None]


class Turning(Protocol):
    """The work of the thread on one camera's sound."""

    def feed(self, payload: bytes, timestamp: int) -> list[tuple[bytes, int]]: ...
    def translate(self, timestamp: int) -> int | None: ...


class Encoder:
    """One camera's sound. ``feed`` takes RTP payloads (of codec ADTS: frames with their headers) in order and returns
    ``(Opus packet, time in 48 kHz)``. ValueError when the codec is none of ours or its description is unusable. Not for the
    event loop."""

    def __init__(self, codec: str, clock_rate: int, channels: int, fmtp: dict[str, str]) -> None:
        self._clock_rate = clock_rate
        self._aac: _Rfc3640 | None = None
        name = {"PCMA": "pcm_alaw", "PCMU": "pcm_mulaw", "MPEG4-GENERIC": "aac", "ADTS": "aac"}.get(codec)
        if name is None:
            raise ValueError("This sound codec cannot be turned into Opus.")
        decoder = av.CodecContext.create(name, "r")
        assert isinstance(decoder, av.AudioCodecContext)
        if codec == "MPEG4-GENERIC":
            self._aac = _Rfc3640(fmtp)
            decoder.extradata = self._aac.config
        decoder.sample_rate = clock_rate
        decoder.layout = "stereo" if channels == 2 else "mono"
        encoder = av.CodecContext.create("libopus", "w")
        assert isinstance(encoder, av.AudioCodecContext)
        rate = clock_rate if clock_rate in RATES else RATE  # what is not in the sound need not be encoded
        encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", av.AudioFormat("s16")
        encoder.bit_rate = BITRATE
        encoder.time_base = Fraction(1, rate)
        encoder.options = {"frame_duration": "20", "application": "audio", "compression_level": EFFORT}
        self._decoder, self._encoder = decoder, encoder
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=rate, frame_size=rate // 50)
        self._expected: int | None = None  # the device's time of the next sample
        self._sent = 0  # our time of the next packet
        self._position = 0.0  # our time of the next sample that comes in
        #: A moment in both times, the device's and ours; read by other threads.
        self.anchor: tuple[int, float] | None = None

    def feed(self, payload: bytes, timestamp: int) -> list[tuple[bytes, int]]:
        if self._expected is not None:
            ahead = signed32(timestamp - self._expected)
            if ahead > self._clock_rate * _GAP:
                jump = min(ahead, 10 * self._clock_rate) * RATE // self._clock_rate // FRAME * FRAME
                self._sent += jump
                self._position += jump
        self.anchor = (timestamp, self._position)
        units = self._aac.units(payload) if self._aac is not None else [payload]
        out: list[tuple[bytes, int]] = []
        samples = 0
        for unit in units:
            for frame in self._decoder.decode(av.Packet(unit)):
                samples += frame.samples * self._clock_rate // (frame.sample_rate or self._clock_rate)
                frame.pts = None
                for resampled in self._resampler.resample(frame):
                    resampled.pts = None
                    for packet in self._encoder.encode(resampled):
                        out.append((bytes(packet), self._sent & 0xFFFF_FFFF))
                        self._sent += FRAME
        self._expected = (timestamp + samples) & 0xFFFF_FFFF
        self._position += samples * RATE / self._clock_rate
        return out

    def translate(self, timestamp: int) -> int | None:
        """Our time of a device's time near the newest packet."""
        if self.anchor is None:
            return None
        known, ours = self.anchor
        return round(ours + signed32(timestamp - known) * RATE / self._clock_rate)


class _Rfc3640:
    """Access units of MPEG-4 audio (RFC 3640, modes AAC-hbr and AAC-lbr)."""

    def __init__(self, fmtp: dict[str, str]) -> None:
        try:
            self.config = bytes.fromhex(fmtp.get("config", ""))
            sizes = [int(fmtp.get(name, "0")) for name in ("sizelength", "indexlength", "indexdeltalength")]
        except ValueError:
            raise ValueError("The description of the AAC sound cannot be read.") from None
        self._size, self._index, self._delta = sizes
        if not 2 <= len(self.config) <= 64 or not 6 <= self._size <= 16 or not all(0 <= bits <= 8 for bits in sizes[1:]):
            raise ValueError("The description of the AAC sound cannot be read.")

    def units(self, payload: bytes) -> list[bytes]:
        if len(payload) < 2:
            raise ValueError("The AAC packet is torn.")
        bits = payload[0] << 8 | payload[1]
        at = 2 + -(-bits // 8)
        if at > len(payload):
            raise ValueError("The AAC packet is torn.")
        headers, left = int.from_bytes(payload[2:at], "big"), (at - 2) * 8
        sizes: list[int] = []
        while bits >= (width := self._size + (self._delta if sizes else self._index)):
            bits -= width
            left -= width
            sizes.append((headers >> left & (1 << width) - 1) >> (self._delta if sizes else self._index))
            if len(sizes) > _AU_LIMIT:
                raise ValueError("The AAC packet has too many parts.")
        units = []
        for size in sizes:
            if not 0 < size <= len(payload) - at:
                raise ValueError("The AAC packet is torn.")
            units.append(payload[at : at + size])
            at += size
        return units


class Transcoder:
    """The thread. ``open`` gives a feed for one camera; what comes out arrives in the event loop, in order."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._work: queue.Queue[tuple[Feed, Turning, bytes, int] | None] = queue.Queue(BACKLOG)
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def open(self, codec: str, clock_rate: int, channels: int, fmtp: dict[str, str], delivered: Delivered) -> Feed:
        """ValueError as :class:`Encoder`."""
        return self.through(Encoder(codec, clock_rate, channels, fmtp), delivered)

    def through(self, encoder: Turning, delivered: Delivered) -> Feed:
        """The same with another work than turning sound into Opus."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sound", daemon=True)
            self._thread.start()
        return Feed(self, encoder, delivered)

    def put(self, feed: Feed, encoder: Turning, payload: bytes, timestamp: int) -> None:
        try:
            if feed.given - feed.taken >= WAITING:
                raise queue.Full
            self._work.put_nowait((feed, encoder, payload, timestamp))
            feed.given += 1
        except queue.Full:
            self.dropped += 1
            if (suppressed := logs.limited("sound backlog", 60)) is not None:
                log.warning("sound dropped: this machine is too slow", suppressed=suppressed)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            feed, encoder, payload, timestamp = item
            feed.taken += 1
            try:
                out = encoder.feed(payload, timestamp)
            except (ValueError, av.FFmpegError):
                continue  # one packet of sound that cannot be decoded is silence
            if out and not feed.closed:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(feed.deliver, out)

    def close(self) -> None:
        if self._thread is not None:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._work.get_nowait()
            self._work.put(None)
            self._thread = None


class Feed:
    """One camera's sound on its way through the thread."""

    def __init__(self, transcoder: Transcoder, encoder: Turning, delivered: Delivered) -> None:
        self._transcoder, self._encoder, self._delivered = transcoder, encoder, delivered
        self.closed = False
        self.given = self.taken = 0  # packets; the one is counted by the loop, the other by the thread

    def put(self, payload: bytes, timestamp: int) -> None:
        """Never waits."""
        self._transcoder.put(self, self._encoder, payload, timestamp)

    def translate(self, timestamp: int) -> int | None:
        """:meth:`Encoder.translate`."""
        return self._encoder.translate(timestamp)

    def deliver(self, out: list[tuple[bytes, int]]) -> None:
        if not self.closed:
            self._delivered(out)

    def close(self) -> None:
        self.closed = True
