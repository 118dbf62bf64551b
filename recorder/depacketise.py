"""RTP payloads to whole frames: RFC 7741 (VP8), RFC 9628 (VP9), AV1's RTP mapping 1.0, RFC 7587 (Opus), RFC 2198 (RED); RFC 6184
(H.264) is :mod:`recorder.avc`, RFC 7798 (H.265) :mod:`recorder.hevc`. No I/O, no clock.

A picture that misses a packet is dropped, and all that could refer to it, up to the next key frame.
"""

from __future__ import annotations

from typing import Protocol

from commhub.media.messages import Codec
from commhub.wire import av1, bits, vp8, vp9
from recorder.avc import H264
from recorder.frames import Format, Frame, Pictures
from recorder.hevc import H265
from recorder.reorder import Packet


class Depacketiser(Protocol):
    wants_key: bool
    malformed: int

    def receive(self, packet: Packet) -> list[Frame]: ...


def depacketiser(codec: Codec) -> Depacketiser:
    """ValueError for what cannot be recorded."""
    name = codec.mime.lower()
    if name == "audio/opus":
        return Opus(codec)
    if name == "audio/red":
        return Red(codec)
    if name == "video/vp8":
        return Vp8(codec)
    if name == "video/vp9":
        return Vp9(codec)
    if name == "video/h264":
        return H264(codec)
    if name == "video/h265":
        return H265(codec)
    if name in ("video/av1", "video/av1x"):
        return Av1(codec)
    raise ValueError(f"{codec.mime} cannot be recorded.")


# ------------------------------------------------------------------------------------------------------------ audio


def opus_duration(packet: bytes) -> int:
    """In 48 kHz samples (RFC 6716 §3.1); 0 for what is no Opus packet."""
    if not packet:
        return 0
    config = packet[0] >> 3
    if config < 12:
        frame = (480, 960, 1920, 2880)[config % 4]
    elif config < 16:
        frame = (480, 960)[config % 2]
    else:
        frame = (120, 240, 480, 960)[config % 4]
    code = packet[0] & 3
    if code < 3:
        return frame * (1 if code == 0 else 2)
    return min(frame * (packet[1] & 0x3F), 5760) if len(packet) > 1 else 0


class Opus:
    def __init__(self, codec: Codec) -> None:
        self.wants_key = False
        self.malformed = 0
        self._format = Format("audio", "opus", "opus", 48000, channels=2 if codec.channels != 1 else 1)

    def receive(self, packet: Packet) -> list[Frame]:
        return self._frame(packet.time, packet.at, packet.payload)

    def _frame(self, time: int, at: int, payload: bytes) -> list[Frame]:
        duration = opus_duration(payload)
        if not duration:
            self.malformed += bool(payload)
            return []
        return [Frame(time, at, payload, True, duration, self._format)]


class Red(Opus):
    """Opus with redundancy: a block is used once, so what one packet lost the next one brings."""

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec)
        self._last: int | None = None

    def receive(self, packet: Packet) -> list[Frame]:
        try:
            blocks = self._blocks(packet.payload)
        except ValueError:
            self.malformed += 1
            return []
        out: list[Frame] = []
        for offset, data in blocks:
            time = packet.time - offset
            if (self._last is None and offset) or (self._last is not None and time <= self._last):
                continue  # a redundant block is of use only where its own packet was lost
            out += self._frame(time, packet.at - offset * 1_000_000_000 // 48000, data)
        self._last = packet.time if self._last is None else max(self._last, packet.time)
        return out

    @staticmethod
    def _blocks(payload: bytes) -> list[tuple[int, bytes]]:
        heads: list[tuple[int, int]] = []
        offset = 0
        while True:
            if offset >= len(payload):
                raise ValueError("A RED header is torn.")
            if not payload[offset] & 0x80:
                break
            if offset + 4 > len(payload):
                raise ValueError("A RED header is torn.")
            word = int.from_bytes(payload[offset + 1 : offset + 4], "big")
            heads.append((word >> 10, word & 0x3FF))
            offset += 4
        offset += 1
        out: list[tuple[int, bytes]] = []
        for time, size in heads:
            if offset + size > len(payload):
                raise ValueError("A RED block is torn.")
            out.append((time, payload[offset : offset + size]))
            offset += size
        out.append((0, payload[offset:]))
        return out


# ------------------------------------------------------------------------------------------------------------ video


class Vp8(Pictures):
    def _add(self, payload: bytes) -> None:
        offset = 1
        if payload[0] & 0x80:
            flags = payload[1] if len(payload) > 1 else 0
            offset = 2
            if flags & 0x80:
                offset += 2 if len(payload) > 2 and payload[2] & 0x80 else 1
            offset += bool(flags & 0x40) + bool(flags & 0x30)
        if offset >= len(payload):
            raise ValueError("A VP8 payload descriptor is torn.")
        begins = payload[0] & 0x10 and not payload[0] & 0x07
        if not self._parts and not begins:
            raise ValueError("The first packet of a VP8 frame is missing.")
        self._parts.append(payload[offset:])

    def _picture(self) -> Frame:
        data = b"".join(self._parts)
        if data[0] & 1:
            return Frame(self._time, self._at, data, False)
        width, height = vp8.size(data)
        if not width:
            raise ValueError("This is not a VP8 key frame.")
        return Frame(self._time, self._at, data, True, 0, Format("video", "vp8", "vp8", self._rate, width=width, height=height))


class Vp9(Pictures):
    """The spatial layers of a picture become one superframe (VP9 bitstream specification, Annex B)."""

    def _begin(self) -> None:
        self._layers: list[list[bytes]] = []
        self._key = False
        self._size_told = (0, 0)

    def _add(self, payload: bytes) -> None:
        first, spatial = payload[0], 0
        reader = bits.Bytes(payload, 1)
        if first & 0x80 and reader.next() & 0x80:
            reader.next()
        if first & 0x20:
            spatial = (reader.next() >> 1) & 7
            if not first & 0x10:
                reader.next()
        if first & 0x10 and first & 0x40:
            for _ in range(3):
                if not reader.next() & 1:
                    break
        if first & 0x02:
            self._structure(reader)
        if reader.offset >= len(payload):
            raise ValueError("A VP9 payload descriptor is torn.")
        if first & 0x08:
            if not self._layers:
                self._key = not first & 0x40 and spatial == 0
            self._layers.append([])
        if not self._layers:
            raise ValueError("The first packet of a VP9 frame is missing.")
        self._layers[-1].append(payload[reader.offset :])

    def _structure(self, reader: bits.Bytes) -> None:
        head = reader.next()
        if head & 0x10:
            for _ in range((head >> 5) + 1):
                width = reader.next() << 8 | reader.next()
                self._size_told = (width, reader.next() << 8 | reader.next())
        if head & 0x08:
            for _ in range(reader.next()):
                for _ in range((reader.next() >> 2) & 3):
                    reader.next()

    def _picture(self) -> Frame:
        frames = [b"".join(parts) for parts in self._layers]
        data = b"".join(frames)
        if len(frames) > 1:
            width = (max(map(len, frames)).bit_length() + 7) // 8
            marker = bytes([0xC0 | (width - 1) << 3 | min(len(frames), 8) - 1])
            data += marker + b"".join(len(frame).to_bytes(width, "little") for frame in frames[:8]) + marker
        if not self._key:
            return Frame(self._time, self._at, data, False)
        width, height = self._size_told if len(frames) > 1 and self._size_told[0] else vp9.size(frames[0])
        return Frame(self._time, self._at, data, True, 0, Format("video", "vp9", "vp9", self._rate, width=width, height=height))


class Av1(Pictures):
    """Temporal units of OBUs with their sizes (AV1's RTP mapping §4, bitstream specification §5.3)."""

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec)
        self._head = b""
        self._told = av1.Sequence(0, 0, 0, 0, 0)

    def _begin(self) -> None:
        self._partial: bytes | None = None
        self._sequence = False

    def _add(self, payload: bytes) -> None:
        flags, reader = payload[0], bits.Bytes(payload, 1)
        count, number = (flags >> 4) & 3, 0
        while reader.offset < len(payload):
            number += 1
            last = number == count
            element = reader.take(len(payload) - reader.offset if last else reader.leb128())
            if number == 1 and flags & 0x80:
                if self._partial is None:
                    raise ValueError("The first part of an AV1 unit is missing.")
                element = self._partial + element
                self._partial = None
            elif self._partial is not None:
                raise ValueError("The last part of an AV1 unit is missing.")
            if reader.offset == len(payload) and flags & 0x40:
                self._partial = element
            else:
                self._unit(element)

    def _unit(self, obu: bytes) -> None:
        if not obu:
            raise ValueError("An AV1 unit is empty.")
        kind, extended, sized = (obu[0] >> 3) & 15, bool(obu[0] & 4), bool(obu[0] & 2)
        if kind in (2, 8, 15):  # temporal delimiter, tile list, padding
            return
        reader = bits.Bytes(obu, 2 if extended else 1)
        body = reader.take(reader.leb128()) if sized else obu[reader.offset :]
        whole = bytes([obu[0] | 2]) + obu[1 : 2 if extended else 1] + bits.leb128(len(body)) + body
        if kind == 1:
            self._sequence = True
            self._head = whole
            self._told = av1.sequence(body)
        self._parts.append(whole)

    def _picture(self) -> Frame | None:
        if self._partial is not None:
            raise ValueError("The last part of an AV1 unit is missing.")
        data = b"".join(self._parts)
        if not data:
            return None
        if not self._sequence:
            return Frame(self._time, self._at, data, False)
        told = self._told
        # AV1CodecConfigurationRecord (AV1 in ISO base media §2.3): 8 bits, 4:2:0.
        private = bytes([0x81, told.profile << 5 | told.level, told.tier << 7 | 0x0C, 0]) + self._head
        string = f"av01.{told.profile}.{told.level:02d}{'H' if told.tier else 'M'}.08"
        form = Format("video", "av1", string, self._rate, width=told.width, height=told.height, private=private)
        return Frame(self._time, self._at, data, True, 0, form)
