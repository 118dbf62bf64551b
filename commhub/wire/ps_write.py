"""Writes the program stream of GB/T 28181 (annex C; ISO/IEC 13818-1 §2.5): one pack a frame, a system header and a map before
key frames and in the very first pack. For platforms that we send to, and for the simulator. No I/O, no clock."""

from __future__ import annotations

import struct

from commhub.wire.pes import AUDIO, CODE, STREAM_TYPES, VIDEO, crc32, pack_time

PES_LENGTH = 65_535  # what the length field can say: octets behind it
RTP_PAYLOAD = 1_400
_RATE = 50_000  # mux rate and bounds in units of 50 octets a second: 20 Mbit/s

_TYPES = {codec: number for number, (_, codec) in reversed(STREAM_TYPES.items())}


def pack_header(clock: int) -> bytes:
    """14 octets; ``clock`` is the system clock reference, 90 kHz."""
    base = clock & (1 << 33) - 1
    # '01' base[32..30] 1 base[29..15] 1 base[14..0] 1 extension(9) 1 rate(22) 11 reserved(5) stuffing(3)
    word = 1 << 46 | (base >> 30) << 43 | 1 << 42 | (base >> 15 & 0x7FFF) << 27 | 1 << 26 | (base & 0x7FFF) << 11 | 1 << 10 | 1
    return CODE + b"\xba" + word.to_bytes(6, "big") + (_RATE << 2 | 3).to_bytes(3, "big") + b"\xf8"


def system_header(streams: list[int]) -> bytes:
    """For these stream ids: E0 and its kind with buffers of up to 8 MiB, others up to 1 MiB."""
    sound = sum(AUDIO <= stream < VIDEO for stream in streams)
    bounds = struct.pack("!BHBBB", 0x80 | _RATE >> 15, (_RATE << 1 | 1) & 0xFFFF, sound << 2, 0xE0 | len(streams) - sound, 0x7F)
    for stream in streams:
        bounds += struct.pack("!BH", stream, 0xC000 | (0x2000 | 8191 if stream >= VIDEO else 8191))
    return CODE + b"\xbb" + struct.pack("!H", len(bounds)) + bounds


def program_map(streams: list[tuple[int, str]]) -> bytes:
    """A program stream map of ``(stream id, codec)``. ValueError for a codec that has no stream type."""
    entries = b""
    for stream, codec in streams:
        if codec not in _TYPES:
            raise ValueError(f"The program stream has no type for {codec}.")
        entries += struct.pack("!BBH", _TYPES[codec], stream, 0)
    body = struct.pack("!BBHH", 0xE1, 0xFF, 0, len(entries)) + entries
    whole = CODE + b"\xbc" + struct.pack("!H", len(body) + 4) + body
    return whole + crc32(whole).to_bytes(4, "big")


def packets(stream: int, data: bytes, pts: int, dts: int | None = None) -> list[bytes]:
    """PES packets of at most 65,535 octets behind their length; the first one has the time."""
    if dts is None or dts == pts:
        head = b"\x80\x80\x05" + pack_time(2, pts)
    else:
        head = b"\x80\xc0\x0a" + pack_time(3, pts) + pack_time(1, dts)
    found: list[bytes] = []
    at = 0
    while at < len(data) or not found:
        room = PES_LENGTH - len(head)
        piece = data[at : at + room]
        found.append(CODE + struct.pack("!BH", stream, len(head) + len(piece)) + head + piece)
        at += room
        head = b"\x80\x00\x00"
    return found


class Muxer:
    """Packs of one stream. ``video`` and ``audio`` are codecs of :data:`~commhub.wire.pes.STREAM_TYPES`, None without one."""

    def __init__(self, video: str | None = "h264", audio: str | None = None) -> None:
        streams = [(VIDEO, video)] if video is not None else []
        streams += [(AUDIO, audio)] if audio is not None else []
        self._tables = system_header([stream for stream, _ in streams]) + program_map(streams)
        self._first = True

    def video(self, data: bytes, pts: int, *, key: bool, dts: int | None = None, audio: bytes = b"") -> bytes:
        """One picture (a byte stream with start codes), ``pts`` in 90 kHz. ``audio`` of the same time goes into its pack."""
        parts = packets(VIDEO, data, pts, dts)
        if audio:
            parts += packets(AUDIO, audio, pts)
        return self._pack(pts if dts is None else dts, key, parts)

    def audio(self, data: bytes, pts: int) -> bytes:
        """A pack with sound alone."""
        return self._pack(pts, False, packets(AUDIO, data, pts))

    def _pack(self, clock: int, key: bool, parts: list[bytes]) -> bytes:
        tables = self._tables if key or self._first else b""
        self._first = False
        return pack_header(clock) + tables + b"".join(parts)


def cut(pack: bytes, limit: int = RTP_PAYLOAD) -> list[bytes]:
    """RTP payloads of a pack; the last one of a picture has the marker."""
    return [pack[at : at + limit] for at in range(0, len(pack), limit)]
