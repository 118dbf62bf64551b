"""H.264 of RTP (RFC 6184) to access units with lengths (ISO/IEC 14496-15). No I/O, no clock."""

from __future__ import annotations

from commhub.media.messages import Codec
from commhub.wire import bits, h264
from recorder.frames import Format
from recorder.units import Units


class H264(Units):
    standard = "H.264"

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec)
        self._sequences: dict[int, bytes] = {}
        self._pictures: dict[int, bytes] = {}
        self._told(codec.fmtp, ("sprop-parameter-sets",))

    def _add(self, payload: bytes) -> None:
        kind = payload[0] & 0x1F
        if kind == 28:
            if len(payload) < 3:
                raise ValueError("An H.264 fragment is torn.")
            head = bytes([payload[0] & 0xE0 | payload[1] & 0x1F])
            self._part(head, payload[2:], first=bool(payload[1] & 0x80), last=bool(payload[1] & 0x40))
        elif kind == 24:
            reader = bits.Bytes(payload, 1)
            while reader.offset < len(payload):
                self._unit(reader.take(reader.next() << 8 | reader.next()))
        elif 1 <= kind <= 23:
            self._unit(payload)
        else:
            raise ValueError("An H.264 packetisation that was not negotiated.")

    def _unit(self, nal: bytes) -> None:
        if not nal:
            raise ValueError("An H.264 unit is empty.")
        kind = nal[0] & 0x1F
        if kind in (7, 8):
            self._learn(nal)
        elif kind in (1, 5):
            if self._after_loss and not self._coded and (len(nal) < 2 or not nal[1] & 0x80):
                raise ValueError("The first slice of a picture is missing.")
            self._coded = True
            self._sync = self._sync or kind == 5
            self._parts.append(nal)
        elif kind == 6:
            self._sync = self._sync or (len(nal) > 1 and nal[1] == 6)  # recovery point: gradual refresh
            self._parts.append(nal)
        elif kind not in (9, 10, 11, 12):  # delimiters and filler say nothing in a file
            self._parts.append(nal)

    def _learn(self, nal: bytes) -> None:
        if nal and nal[0] & 0x1F == 7:
            number = h264.parse_sps(nal).id
            if self._sequences.get(number, nal) != nal:
                self._sequences, self._pictures = {}, {}  # a new sequence makes the old pictures' parameters void
            self._sequences[number] = nal
        elif len(nal) > 1:
            self._pictures[h264.BitReader(nal[1:16]).ue()] = nal

    def _format(self) -> Format | None:
        if not self._sequences or not self._pictures:
            return None
        first = next(iter(self._sequences.values()))
        sequence = h264.parse_sps(first)
        return Format(
            "video", "h264", f"avc1.{sequence.profile_level_id}", self._rate, width=sequence.width, height=sequence.height,
            private=self._configuration(first[1:4]),
        )  # fmt: skip

    def _configuration(self, profile: bytes) -> bytes:
        """AVCDecoderConfigurationRecord, ISO/IEC 14496-15 §5.3.3.1."""
        out = bytearray(b"\x01" + profile + b"\xff")
        for mark, units in ((0xE0, self._sequences.values()), (0, self._pictures.values())):
            chosen = list(units)[:31]
            out.append(mark | len(chosen))
            for nal in chosen:
                out += len(nal).to_bytes(2, "big") + nal
        if profile[0] in (100, 110, 122, 144):
            out += b"\xfd\xf8\xf8\x00"  # 4:2:0, 8 bits: what real-time senders use
        return bytes(out)
