"""Pictures and program streams for tests: real ones of x264 and x265, packs made octet by octet, streams cut into RTP."""

from __future__ import annotations

import functools
import struct
from fractions import Fraction

import av

from commhub.wire import h264, ps, ps_write
from commhub.wire.pes import pack_time
from commhub.wire.units import Unit
from tests.support.h264 import FAST, encode

TICKS = 3600  # 90 kHz: 25 pictures a second
SILENCE = b"\xd5" * 320  # 40 ms of the A-law


def stream_of(units: list[bytes]) -> bytes:
    return b"".join(h264.START_CODE + unit for unit in units)


@functools.cache
def h264_pictures(count: int = 24, group: int = 8, width: int = 320, height: int = 180) -> list[bytes]:
    """Byte streams, parameter sets before each key picture."""
    return [stream_of(units) for units in encode(width, height, count, FAST | {"g": str(group), "bf": "0"})]


@functools.cache
def h265_pictures(count: int = 12, group: int = 6) -> list[bytes]:
    encoder = av.CodecContext.create("libx265", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 320, 180, "yuv420p", Fraction(1, 25)
    params = f"log-level=none:keyint={group}:min-keyint={group}:bframes=0:repeat-headers=1:pools=none:frame-threads=1:open-gop=0"
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "x265-params": params}
    found = []
    for number in range(count):
        frame = av.VideoFrame(320, 180, "yuv420p")
        for plane in frame.planes:
            plane.update(
                (bytes((at + number * 5) & 255 for at in range(256)) * (plane.buffer_size // 256 + 1))[: plane.buffer_size]
            )
        frame.pts = number
        found += [bytes(packet) for packet in encoder.encode(frame)]
    return found + [bytes(packet) for packet in encoder.encode(None)]


def pes(stream: int, payload: bytes, pts: int | None = None, length: int | None = None) -> bytes:
    """A packet, with a length that may be a lie."""
    head = b"\x80\x00\x00" if pts is None else b"\x80\x80\x05" + pack_time(2, pts)
    body = head + payload
    return b"\0\0\1" + struct.pack("!BH", stream, (len(body) if length is None else length) & 0xFFFF) + body


def pack(*parts: bytes, clock: int = 0) -> bytes:
    return ps_write.pack_header(clock) + b"".join(parts)


def adts_frame(size: int = 100) -> bytes:
    """A frame of 16 kHz, one channel; its content is no sound."""
    whole = size + 7
    return bytes((0xFF, 0xF1, 0x60, 0x40 | whole >> 11, whole >> 3 & 255, (whole & 7) << 5 | 0x1F, 0xFC)) + b"\x21" * size


def rtp(packs: list[bytes], demuxer: ps.Demuxer | None = None, *, markers: str = "right", limit: int = 1400) -> list[Unit]:
    """Each of ``packs`` with an RTP time of its own. ``markers``: right, all, none."""
    demuxer = demuxer or ps.Demuxer()
    found: list[Unit] = []
    for number, one in enumerate(packs):
        pieces = ps_write.cut(one, limit)
        for index, piece in enumerate(pieces):
            marker = markers == "all" or (markers == "right" and index == len(pieces) - 1)
            found += demuxer.push(piece, number * TICKS & 0xFFFF_FFFF, marker)
    return found + demuxer.flush()


def octets(data: bytes, demuxer: ps.Demuxer | None = None, size: int = 1000) -> list[Unit]:
    """Without RTP, in pieces."""
    demuxer = demuxer or ps.Demuxer()
    found: list[Unit] = []
    for at in range(0, len(data), size):
        found += demuxer.push(data[at : at + size])
    return found + demuxer.flush()


def pictures(units: list[Unit]) -> list[bytes]:
    return [unit.data for unit in units if unit.kind == "video"]


def sounds(units: list[Unit]) -> list[bytes]:
    return [unit.data for unit in units if unit.kind == "audio"]
