"""Pictures and sound as the payloads of RTP packets: a program stream, as annex C of GB/T 28181 wants it and as devices send it,
a transport stream, or bare NAL units. No I/O, no clock."""

from __future__ import annotations

import struct
from typing import Protocol

from commhub.wire import h264, h265
from commhub.wire.pes import AUDIO, CODE, VIDEO, crc32, pack_time
from commhub.wire.ps_write import RTP_PAYLOAD, cut, pack_header, packets, program_map, system_header

PS_TYPE, ES_TYPE = 96, 98
_PICTURE_CODE = b"\x00\x00\x01\xe0"
_PACKET = 188
_MAP_PID, _VIDEO_PID, _AUDIO_PID = 0x100, 0x101, 0x102
_TS_TYPES = {"h264": 0x1B, "h265": 0x24}
_PER_PACKET = 7  # of MPEG-TS in one RTP packet


class Packer(Protocol):
    payload_type: int

    def pack(self, units: list[bytes], pts: int, dts: int, *, key: bool, audio: bytes) -> list[bytes]:
        """Payloads of one picture (NAL units) with the sound of its time, the times in 90 kHz."""
        ...


def packer(codec: str, audio: str | None, quirks: frozenset[str]) -> Packer:
    if "ts" in quirks:
        return TransportPacker(codec)
    if "es" in quirks:
        return BarePacker(codec)
    return ProgramPacker(codec, audio, quirks)


class ProgramPacker:
    payload_type = PS_TYPE

    def __init__(self, codec: str, audio: str | None, quirks: frozenset[str]) -> None:
        self._quirks, self._first, self._count = quirks, True, 0
        streams = [(VIDEO, "h264" if "h265-said-h264" in quirks else codec)]
        if audio is not None:
            streams.append((AUDIO, audio))
        header, table = system_header([stream for stream, _ in streams]), program_map(streams)
        if "psm-as-system-header" in quirks:
            table = CODE + b"\xbb" + table[4:]
        self._header = b"" if "no-system-header" in quirks else header
        self._map = b"" if "no-psm" in quirks else table
        self._shift = 0

    def pack(self, units: list[bytes], pts: int, dts: int, *, key: bool, audio: bytes) -> list[bytes]:
        quirks, self._count = self._quirks, self._count + 1
        if "constant-time" in quirks:
            pts = dts = 90_000
        if "jumping-time" in quirks and self._count % 100 == 0:
            self._shift += 3600 * 90_000
        pts, dts = pts + self._shift, dts + self._shift
        parts = [pack_header(dts)]
        if key or self._first:
            parts.append(self._header)
            if self._first or "psm-first-only" not in quirks:
                parts.append(self._map)
        self._first = False
        if "private-stream" in quirks:
            parts.append(CODE + b"\xbd" + struct.pack("!H", 40) + b"\x00\x00\x01\xe0" * 10)
        parts += self._picture(h264.START_CODE + h264.START_CODE.join(units), pts, dts)
        if audio:
            parts += packets(AUDIO, audio, pts)
        return cut(b"".join(parts))

    def _picture(self, data: bytes, pts: int, dts: int) -> list[bytes]:
        if "wrapped-length" in self._quirks:
            head = b"\x80\x80\x05" + pack_time(2, pts)
            return [_PICTURE_CODE + struct.pack("!H", len(head) + len(data) & 0xFFFF) + head + data]
        found = packets(VIDEO, data, pts, dts)
        if "shifted-header" in self._quirks:
            return [one[:6] + _shifted(one[6:]) for one in found]
        if "zero-length" in self._quirks:
            return [_PICTURE_CODE + b"\0\0" + one[6:] for one in found]
        return found


def _shifted(packet: bytes) -> bytes:
    """A PES header without its first octet, with a zero behind it."""
    end = 3 + packet[2]
    return packet[1:2] + packet[2:end] + b"\0" + packet[end:]


class BarePacker:
    payload_type = ES_TYPE

    def __init__(self, codec: str) -> None:
        self._fragment = h265.fragment if codec == "h265" else h264.fragment

    def pack(self, units: list[bytes], pts: int, dts: int, *, key: bool, audio: bytes) -> list[bytes]:
        return [payload for unit in units for payload in self._fragment(unit, RTP_PAYLOAD)]


class TransportPacker:
    """As ffmpeg's ``rtp_mpegts`` sends it, for devices that are built with ffmpeg (ISO/IEC 13818-1 §2.4)."""

    payload_type = PS_TYPE

    def __init__(self, codec: str) -> None:
        self._counters = {0: 0, _MAP_PID: 0, _VIDEO_PID: 0}
        programs = b"\x00\x01\xc1\x00\x00" + struct.pack("!HH", 1, 0xE000 | _MAP_PID)
        streams = b"\x00\x01\xc1\x00\x00" + struct.pack("!HH", 0xE000 | _VIDEO_PID, 0xF000)
        streams += struct.pack("!BHH", _TS_TYPES[codec], 0xE000 | _VIDEO_PID, 0xF000)
        self._tables = [(0, _section(0, programs)), (_MAP_PID, _section(2, streams))]

    def pack(self, units: list[bytes], pts: int, dts: int, *, key: bool, audio: bytes) -> list[bytes]:
        found: list[bytes] = []
        if key:
            for pid, section in self._tables:
                found += self._packets(pid, b"\0" + section.ljust(_PACKET - 5, b"\xff"), None)
        delimiter = h264.START_CODE + b"\x09\xf0"
        head = b"\x80\xc0\x0a" + pack_time(3, pts) + pack_time(1, dts)
        data = delimiter + h264.START_CODE + h264.START_CODE.join(units)
        found += self._packets(_VIDEO_PID, _PICTURE_CODE + b"\0\0" + head + data, dts)
        return [b"".join(found[at : at + _PER_PACKET]) for at in range(0, len(found), _PER_PACKET)]

    def _packets(self, pid: int, data: bytes, clock: int | None) -> list[bytes]:
        found, at = [], 0
        while at < len(data):
            counter = self._counters[pid]
            self._counters[pid] = (counter + 1) & 15
            field = (
                b"" if clock is None or at else b"\x10" + struct.pack("!IH", clock >> 1 & 0xFFFFFFFF, (clock & 1) << 15 | 0x7E00)
            )
            room = _PACKET - 4 - (len(field) + 1 if field else 0)
            piece = data[at : at + room]
            lacking = room - len(piece)
            if lacking and not field:
                lacking -= 1
                field = b"\0" if lacking else b""
                stuffing = bytes((lacking,)) + (b"\0" + b"\xff" * (lacking - 1) if lacking else b"")
            else:
                stuffing = bytes((len(field) + lacking,)) + field + b"\xff" * lacking if field else b""
            head = struct.pack("!BHB", 0x47, (0 if at else 0x4000) | pid, (0x30 if stuffing else 0x10) | counter)
            found.append(head + stuffing + piece)
            at += len(piece)
        return found


def _section(table: int, body: bytes) -> bytes:
    whole = struct.pack("!BH", table, 0xB000 | len(body) + 4) + body
    return whole + crc32(whole).to_bytes(4, "big")
