"""Streams with layers inside, packet by packet, with what each frame refers to: made ones, and what Chromium once sent.

``tests/data/layers/*.bin`` were recorded at our own worker, with Chromium's invented camera: of every packet its layer, index,
M and PT octet, time stamp, payload size, the first octets of its payload and its dependency descriptor.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from commhub.wire import dependency

DATA = Path(__file__).resolve().parents[1] / "data" / "layers"
_HEAD = struct.Struct("!BIBIHBB")
TRAILER = struct.Struct("!IHH")  # which frame this is, which part of it, of how many


@dataclass(slots=True)
class Recorded:
    layer: int
    index: int
    marker: bool
    payload_type: int
    timestamp: int
    size: int
    payload: bytes  # its beginning
    descriptor: bytes


def recorded(name: str) -> list[Recorded]:
    data, at, found = (DATA / f"{name}.bin").read_bytes(), 0, []
    while at < len(data):
        layer, index, mark, timestamp, size, kept, described = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        payload, descriptor = data[at : at + kept], data[at + kept : at + kept + described]
        at += kept + described
        found.append(Recorded(layer, index, mark > 127, mark & 0x7F, timestamp, size, payload, descriptor))
    return found


@dataclass(slots=True)
class Sent:
    """One packet to be sent. ``number`` is the frame's; ``references`` are the frames it needs."""

    payload: bytes
    timestamp: int
    marker: bool
    number: int
    spatial: int
    temporal: int
    references: tuple[int, ...]
    key: bool = False
    descriptor: bytes = b""


def trailer(payload: bytes) -> tuple[int, int, int]:
    """(frame, part, parts) of a packet made here."""
    number, part, parts = TRAILER.unpack(payload[-TRAILER.size :])
    return number, part, parts


def described(name: str, times: int = 1, descriptors: bool = True) -> Iterator[list[Sent]]:
    """Pictures of a recorded stream with dependency descriptors, again and again: it begins with a key frame."""
    packets = [one for one in recorded(name) if one.layer == 0]
    structure: dependency.Structure | None = None
    frames: list[tuple[Recorded, dependency.Frame]] = []
    for packet in packets:
        frame = dependency.parse(packet.descriptor, structure)
        structure = frame.structure or structure
        frames.append((packet, frame))
    while frames and not frames[-1][0].marker:  # the recording ends in the middle of a picture
        frames.pop()
    parts: dict[int, int] = {}
    for _, frame in frames:
        parts[frame.number] = parts.get(frame.number, 0) + 1
    first = frames[0][1].number
    count = max(frame.number for _, frame in frames) - first + 1
    spread = frames[-1][0].timestamp - frames[0][0].timestamp + 4500
    for turn in range(times):
        picture: list[Sent] = []
        seen: dict[int, int] = {}
        for packet, frame in frames:
            number = frame.number - first + turn * count
            part = seen[frame.number] = seen.get(frame.number, 0) + 1
            payload = packet.payload + TRAILER.pack(number, part, parts[frame.number])
            picture.append(
                Sent(
                    payload,
                    packet.timestamp + turn * spread & 0xFFFFFFFF,
                    packet.marker,
                    number,
                    frame.spatial,
                    frame.temporal,
                    tuple(number - back for back in frame.fdiffs),
                    frame.key,
                    dependency.renumber(packet.descriptor, turn * count) if descriptors else b"",
                )
            )
            if packet.marker:
                yield picture
                picture = []


class Vp8Layers:
    """VP8 in three temporal layers, T0 T2 T1 T2. In every ``sync``-th group of four the first frames of T2 and T1 refer to
    nothing above the base (Y); all others build upon what is below and before them."""

    def __init__(self, sync: int = 2, picture_id: int = 0x7FF0) -> None:
        self.sync, self.first_id = sync, picture_id
        self.number = -1
        self._place = 0  # since the last key frame
        self._tl0 = 250
        self._last: list[int | None] = [None, None, None]

    def picture(self, parts: int, *, key: bool = False) -> list[Sent]:
        self.number = number = self.number + 1
        self._place = 0 if key else self._place + 1
        temporal = (0, 2, 1, 2)[self._place % 4]
        up = temporal > 0 and self._place // 4 % self.sync == 0 and self._place % 4 != 3
        below = self._last[:1] if up else self._last[: temporal + 1]
        references = tuple(one for one in below if one is not None) if not key else ()
        self._last = [number, None, None] if key else self._last
        self._last[temporal] = number
        if not temporal:
            self._tl0 = self._tl0 + 1 & 0xFF
        found = []
        for part in range(parts):
            numbers = (0x8000 | self.first_id + number & 0x7FFF, self._tl0, temporal << 6 | up << 5)
            head = struct.pack("!BBHBB", 0x80 if part else 0x90, 0xE0, *numbers)
            tag = b"" if part else b"\x10\x00\x00\x9d\x01\x2a\x80\x02\xe0\x01" if key else b"\x11\x00\x00"
            payload = head + tag + TRAILER.pack(number, part + 1, parts)
            found.append(Sent(payload, number * 3000, part + 1 == parts, number, 0, temporal, references, key))
        return found
