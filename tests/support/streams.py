"""Pictures and program streams for tests: real ones of x264 and x265, packs made octet by octet, streams cut into RTP."""

from __future__ import annotations

import functools
import struct
from fractions import Fraction

import av

from commhub.wire import h264, ps, ps_write
from commhub.wire.pes import crc32, pack_time
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


class TransportWriter:
    """Transport packets by hand after 13818-1 §2.4.3.2."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}

    def packets(self, pid: int, data: bytes) -> bytes:
        out, first = b"", True
        while data:
            piece, data = data[:184], data[184:]
            count = self.counts[pid] = (self.counts.get(pid, -1) + 1) & 15
            stuffing = 184 - len(piece)
            field = b"" if not stuffing else bytes((stuffing - 1,)) + (b"\0" + b"\xff" * (stuffing - 2) if stuffing > 1 else b"")
            head = bytes((0x47, (0x40 if first else 0) | pid >> 8, pid & 255, (0x30 if stuffing else 0x10) | count))
            out += head + field + piece
            first = False
        return out

    def section(self, pid: int, table: int, body: bytes) -> bytes:
        whole = bytes((table, 0xB0, len(body) + 9)) + b"\0\1\xc1\0\0" + body
        return self.packets(pid, b"\0" + whole + crc32(whole).to_bytes(4, "big"))


def transport(tables: bool = True, video_type: int = 0x1B) -> list[bytes]:
    """The pictures of :func:`h264_pictures` with AAC, a piece each; tables before each eighth."""
    writer = TransportWriter()
    found = []
    for number, data in enumerate(h264_pictures()):
        one = b""
        if tables and number % 8 == 0:
            one += writer.section(0, 0, b"\0\1\xe1\0")
            one += writer.section(0x100, 2, b"\xe1\x01\xf0\0" + bytes((video_type, 0xE1, 1, 0xF0, 0)) + b"\x0f\xe1\x02\xf0\x00")
        one += writer.packets(0x101, pes(0xE0, data, number * TICKS, length=0))
        one += writer.packets(0x102, pes(0xC0, adts_frame(60 + number), number * TICKS))
        found.append(one)
    return found
