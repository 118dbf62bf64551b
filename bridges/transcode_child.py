"""The process that makes H.264 as browsers show it of one camera's pictures: H.265, or H.264 with B-frames.

What it decodes comes from whoever stands at the other end of a cable. It has its own memory, little of it, writes no file,
and when it dies only its camera stops for a moment. Run by :mod:`bridges.transcode_video`; records over stdin and stdout:

    in   size, flags (1: a key frame is wanted,
         2: nobody is to see this one), PTS                and an access unit (annex B)
    out  size, flags (1: key frame), PTS, width, height    and an access unit (annex B), parameter sets before each IDR
"""

from __future__ import annotations

import os
import resource
import struct
import sys
from fractions import Fraction
from typing import BinaryIO

import av
from av.video.frame import PictureType

IN = struct.Struct("!IBq")
OUT = struct.Struct("!IBqHH")
KEY, QUIET = 1, 2
FRAME_LIMIT = 8 << 20  # octets of an access unit
MEMORY = 2 << 30  # octets of addresses; libraries take most of them, 4K pictures the rest
MOST = (1920, 1080)  # pictures are made smaller than that: a viewer's tile is, and an encoder costs by the pixel
JUMP = 90_000  # 90 kHz
QUIET_MOST = 4096  # pictures
GROUP = 60  # pictures between key frames that nobody has asked for
DECODERS = {"H264": "h264", "H265": "hevc"}
NICE = 5


class Converter:
    """``feed`` takes access units in the order of decoding, and returns ``(data, key, pts, width, height)``."""

    def __init__(self, codec: str) -> None:
        decoder = av.CodecContext.create(DECODERS[codec], "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.thread_count = 1
        self._decoder = decoder
        self._encoder: av.VideoCodecContext | None = None
        self._size = (0, 0)
        self._last = -1
        self._key = False
        self._quiet: set[int] = set()  # PTS

    def want_key(self) -> None:
        self._key = True

    def feed(self, data: bytes, pts: int, *, quiet: bool = False) -> list[tuple[bytes, bool, int, int, int]]:
        """A picture that cannot be decoded gives nothing; a ``quiet`` one is only decoded, for those that refer to it."""
        if quiet and len(self._quiet) < QUIET_MOST:
            self._quiet.add(pts)
        packet = av.Packet(data)
        packet.pts = packet.dts = pts
        try:
            frames = self._decoder.decode(packet)
        except av.FFmpegError:
            return []
        out = []
        for frame in frames:
            if frame.pts in self._quiet:
                self._quiet.discard(frame.pts)
            else:
                out += self._encode(frame)
        return out

    def _encode(self, frame: av.VideoFrame) -> list[tuple[bytes, bool, int, int, int]]:
        size = fit(frame.width, frame.height)
        if self._encoder is None or size != self._size:
            self._encoder, self._size = encoder(*size), size
        pts = frame.pts if frame.pts is not None else self._last + 1
        if pts <= self._last - JUMP:  # the device's clock began anew
            self._encoder = encoder(*size)
        else:
            pts = max(pts, self._last + 1)
        self._last = pts
        if (frame.width, frame.height) != size or frame.format.name != "yuv420p":
            frame = frame.reformat(*size, format="yuv420p")
        frame.pts, frame.time_base = pts, self._encoder.time_base
        frame.pict_type, self._key = PictureType.I if self._key else PictureType.NONE, False
        packets = self._encoder.encode(frame)
        return [(bytes(one), one.is_keyframe, one.pts or pts, *size) for one in packets]


def fit(width: int, height: int) -> tuple[int, int]:
    """The size to encode: even, the shape kept, no larger than ``MOST`` whichever way the picture lies."""
    long, short = MOST
    scale = min(1.0, long / max(width, height), short / min(width, height))
    return max(2, int(width * scale) & ~1), max(2, int(height * scale) & ~1)


def encoder(width: int, height: int) -> av.VideoCodecContext:
    made = av.CodecContext.create("libx264", "w")
    assert isinstance(made, av.VideoCodecContext)
    made.width, made.height, made.pix_fmt = width, height, "yuv420p"
    made.time_base, made.framerate = Fraction(1, 90_000), Fraction(25)
    most = max(400_000, width * height * 2)  # bit/s: 4 Mbit/s of 1080p
    made.options = {
        "preset": "superfast",
        "tune": "zerolatency",
        "profile": "baseline",
        "crf": "24",
        "maxrate": str(most),
        "bufsize": str(most),
        "g": str(GROUP),
        "forced-idr": "1",
        "threads": "1",
        "x264-params": "repeat-headers=1:scenecut=0",
    }
    return made


def confine() -> None:
    """What a decoder that was taken over could not do then."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))


def serve(codec: str, source: BinaryIO, sink: BinaryIO) -> None:
    """Until ``source`` ends."""
    converter = Converter(codec)
    while len(head := source.read(IN.size)) == IN.size:
        size, flags, pts = IN.unpack(head)
        data = source.read(size)
        if flags & KEY:
            converter.want_key()
        for unit, key, at, width, height in converter.feed(data, pts, quiet=bool(flags & QUIET)) if len(data) == size else ():
            sink.write(OUT.pack(len(unit), KEY if key else 0, at, width, height) + unit)
        sink.flush()


def main() -> None:
    os.nice(NICE)
    confine()
    av.logging.set_level(av.logging.PANIC)
    serve(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
