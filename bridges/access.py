"""Access units of H.264 and H.265 from a camera's RTP (RFC 6184, RFC 7798): for who decodes them. No I/O, no clock."""

from __future__ import annotations

from typing import NamedTuple

from commhub.wire import h264, h265
from commhub.wire.h264 import START_CODE, Bytes

LIMIT = 8 << 20  # octets of one picture
_SETS = 32


class Unit(NamedTuple):
    """``data`` is annex B; a unit with ``key`` has its parameter sets before it. ``timestamp`` is the device's RTP time,
    unwrapped. ``lost``: something is missing between the unit before and this one."""

    data: bytes
    timestamp: int
    key: bool
    lost: bool


class Assembler:
    """``codec`` H264 or H265. ``push`` takes payloads in order."""

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self._sets: dict[tuple[int, bytes], bytes] = {}
        self._last = -1
        self._late = False  # markers are wrong: a picture ends where the next one begins
        self.restart()

    def restart(self) -> None:
        """Another session."""
        self._units: list[bytes] = []
        self._octets = 0
        self._fragment: bytearray | None = None
        self._time: int | None = None
        self._ended: int | None = None
        self._damaged, self._lost = False, False

    def learn(self, units: list[bytes]) -> None:
        """Parameter sets from the SDP."""
        for unit in units:
            self._learn(unit)

    def push(self, payload: Bytes, timestamp: int, marker: bool, missing: int = 0) -> list[Unit]:
        """``missing`` packets before this one. What cannot be read counts as missing, too."""
        out: list[Unit] = []
        if missing:
            self._fragment, self._damaged = None, True
        if timestamp != self._time:
            if missing:
                self._units.clear()  # nobody knows whether it had ended
            self._end(out)
            if missing:
                self._lost = True
            self._damaged = False
            self._time = timestamp
        elif self._ended == timestamp:
            self._late = True
        try:
            self._take(payload)
        except ValueError:
            self._damaged, self._fragment = True, None
        if marker and not self._late and self._fragment is None and any(map(self._shows, self._units)):
            self._end(out)
            self._ended = timestamp
        return out

    def _take(self, payload: Bytes) -> None:
        if len(payload) < 2:
            raise ValueError("The payload is too short.")
        kind = self._kind(payload)
        h264_fragment, h265_fragment = self.codec == "H264" and kind == h264.FU_A, self.codec == "H265" and kind == h265.FRAGMENT
        if h264_fragment or h265_fragment:
            if len(payload) < 3:
                raise ValueError("The fragment is empty.")
            flags = payload[1] if h264_fragment else payload[2]
            if flags & 0x80:
                if h264_fragment:
                    self._fragment = bytearray((payload[0] & 0xE0 | flags & 0x1F,))
                else:
                    self._fragment = bytearray((payload[0] & 0x81 | (flags & 0x3F) << 1, payload[1]))
            if self._fragment is None:
                raise ValueError("The beginning of the fragment is missing.")
            self._fragment += payload[2 if h264_fragment else 3 :]
            if len(self._fragment) > LIMIT:
                raise ValueError("The unit is too large.")
            if flags & 0x40:
                whole, self._fragment = bytes(self._fragment), None
                self._add(whole)
            return
        if self.codec == "H264" and kind == h264.STAP_A:
            units = [bytes(unit) for unit in h264.aggregated(payload)]
        elif self.codec == "H265" and kind == h265.AGGREGATION:
            units = [bytes(unit) for unit in h265.aggregated(payload)]
        elif bytes(payload[:4]).endswith((b"\0\0\1", b"\0\0\0\1")) or bytes(payload[:3]) == b"\0\0\1":
            units = h264.split_annex_b(payload)  # some devices put their byte stream into packets as it is
        else:
            units = [bytes(payload)]
        for unit in units:
            self._add(unit)

    def _add(self, unit: bytes) -> None:
        self._octets += len(unit)
        if self._octets > LIMIT:
            raise ValueError("The picture is too large.")
        self._learn(unit)
        self._units.append(unit)

    def _kind(self, unit: Bytes) -> int:
        return unit[0] & 0x1F if self.codec == "H264" else h265.kind(unit)

    def _learn(self, unit: bytes) -> None:
        if len(unit) > 3 and self._is_set(unit) and (len(self._sets) < _SETS or self._name(unit) in self._sets):
            self._sets[self._name(unit)] = unit

    def _name(self, unit: bytes) -> tuple[int, bytes]:
        """Which parameter set it is: its kind and, close enough, its number."""
        kind = self._kind(unit)
        if self.codec == "H265":
            return kind, b""  # of cameras there is one of each
        return kind, unit[1:4] if kind == h264.SPS else unit[1:2]

    def _is_set(self, unit: bytes) -> bool:
        return self._kind(unit) in ((h264.SPS, h264.PPS) if self.codec == "H264" else (h265.VPS, h265.SPS, h265.PPS))

    def _shows(self, unit: bytes) -> bool:
        """Is it (a part of) a picture?"""
        return 1 <= self._kind(unit) <= 5 if self.codec == "H264" else self._kind(unit) < 32

    def _begins(self, unit: bytes) -> bool:
        kind = self._kind(unit)
        return kind in (h264.IDR, h264.SPS) if self.codec == "H264" else kind in h265.IRAP

    def _end(self, out: list[Unit]) -> None:
        units, self._units, self._octets = self._units, [], 0
        if self._fragment is not None:
            self._fragment, self._damaged = None, True
        if self._time is None or not any(map(self._shows, units)):
            if units and not self._damaged:
                return  # parameter sets alone: they are learnt
            self._lost = self._lost or self._damaged
            return
        if self._damaged:
            self._lost = True
            return
        key = any(map(self._begins, units))
        if key:
            own = [unit for unit in units if self._is_set(unit)]
            there = {self._name(unit) for unit in own}
            units = [unit for name, unit in sorted(self._sets.items()) if name not in there] + units
        lost, self._lost = self._lost, False
        out.append(Unit(b"".join(START_CODE + unit for unit in units), self._unwrapped(self._time), key, lost))

    def _unwrapped(self, timestamp: int) -> int:
        if self._last < 0:
            self._last = timestamp
        else:
            self._last += (timestamp - self._last + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        return self._last
