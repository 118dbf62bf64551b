"""What a device sends of a recording that is downloaded: RTP → access units, on their way to the process that writes the film.
No I/O but the pipe it is given."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

from bridges.timeline import Sequence
from commhub.wire.ps import Demuxer
from commhub.wire.units import Unit

CLOCK = 90_000
HEAD = struct.Struct("!BBqqI")  # of recorder.download, which runs as a program of its own
KINDS = {"h264": 1, "h265": 2, "pcma": 3, "pcmu": 4, "aac": 5}
BEGIN, END = 6, 7
KEY = WHOLE = 1


class Reel:
    """``base``: seconds of the film at which the next session begins; ``write`` takes records. ``unfit`` is called with the name
    of a codec that no film can be made of."""

    layer = ""

    def __init__(self, write: Callable[[bytes], None], unfit: Callable[[str], None]) -> None:
        self.running = False
        self.base = 0
        self.until = 0  # 90 kHz of the film: the newest picture
        self.received = 0  # octets of this session
        self.pictures = self.lost = 0
        self.heard_at = 0.0  # monotonic seconds: when the newest picture came
        self.demuxer = Demuxer()
        self._sequence = Sequence()
        self._first = 0
        self._write, self._unfit = write, unfit

    @property
    def container(self) -> str:
        return self.demuxer.container or ""

    def open(self, sound: str | None = None) -> None:
        self.close()
        self.demuxer = Demuxer(sound)
        self._sequence.restart()
        self.received = self.pictures = 0

    def close(self) -> None:
        """The last picture of a session has nothing behind it that would end it."""
        if self.running:
            self._units(self.demuxer.flush())
        self.running = False

    def packets(self, packets: list[bytes], now: int) -> None:
        for packet in packets:
            self.packet(packet, now)

    def packet(self, packet: bytes, now: int) -> None:
        taken = self._sequence.take(packet)
        if taken is None:
            return
        got, missing = taken
        if missing:
            self.lost += self.running
            self._units(self.demuxer.gap())
        if got.payload:
            self.received += len(got.payload)
            self._units(self.demuxer.push(got.payload, got.timestamp, got.marker))

    def octets(self, data: bytes, now: int) -> None:
        self.received += len(data)
        self._units(self.demuxer.push(data))

    def _units(self, units: list[Unit]) -> None:
        for unit in units:
            kind = KINDS.get(unit.codec)
            if kind is None:
                if unit.kind == "video":
                    self._unfit(unit.codec)
                continue
            if not self.running:
                if unit.kind == "audio" or not unit.key:
                    continue
                self.running, self._first = True, unit.pts
                self._write(HEAD.pack(BEGIN, 0, self.base * CLOCK, 0, 0))
            if unit.kind == "video":
                self.pictures += 1
                self.heard_at = time.monotonic()
                self.until = max(self.until, self.base * CLOCK + unit.pts - self._first)
            self._write(HEAD.pack(kind, KEY if unit.key else 0, unit.pts, unit.dts, len(unit.data)) + unit.data)
