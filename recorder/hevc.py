"""H.265 of RTP (RFC 7798) to access units with lengths (ISO/IEC 14496-15 §8). No I/O, no clock."""

from __future__ import annotations

from commhub.media.messages import Codec
from commhub.wire import h264, h265
from recorder.frames import Format
from recorder.mp4 import hevc_configuration
from recorder.units import Units

_NAMES = (h265.VPS, h265.SPS, h265.PPS)
_SILENT = (h265.AUD, 36, 37, 38)  # delimiters, ends and filler say nothing in a file


class H265(Units):
    standard = "H.265"

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec)
        self._sets: dict[int, dict[bytes, bytes]] = {kind: {} for kind in _NAMES}  # by their first octets: the number is there
        self._told(codec.fmtp, ("sprop-vps", "sprop-sps", "sprop-pps"))

    def _add(self, payload: bytes) -> None:
        if len(payload) < 3:
            raise ValueError("An H.265 payload is too short.")
        kind = h265.kind(payload)
        if kind == h265.FRAGMENT:
            flags = payload[2]
            head = bytes((payload[0] & 0x81 | (flags & 0x3F) << 1, payload[1]))
            self._part(head, payload[3:], first=bool(flags & 0x80), last=bool(flags & 0x40))
        elif kind == h265.AGGREGATION:
            for unit in h265.aggregated(payload):
                self._unit(bytes(unit))
        elif kind < h265.AGGREGATION:
            self._unit(payload)
        else:
            raise ValueError("An H.265 packetisation that was not negotiated.")

    def _unit(self, nal: bytes) -> None:
        if len(nal) < 3:
            raise ValueError("An H.265 unit is empty.")
        kind = h265.kind(nal)
        if kind in _NAMES:
            self._learn(nal)
        elif kind < 32:
            if self._after_loss and not self._coded and not nal[2] & 0x80:
                raise ValueError("The first slice of a picture is missing.")
            self._coded = True
            self._sync = self._sync or kind in h265.IRAP
            self._parts.append(nal)
        elif kind not in _SILENT:
            self._parts.append(nal)

    def _learn(self, nal: bytes) -> None:
        kind = h265.kind(nal) if len(nal) > 3 else -1
        if kind not in _NAMES:
            raise ValueError("This is no H.265 parameter set.")
        if len(nal) > h264.PARAMETER_SET_LIMIT:
            raise ValueError("An H.265 parameter set is too large.")
        known, name = self._sets[kind], self._name(kind, nal)
        if known.get(name, nal) != nal:
            known.clear()  # another sequence
        if len(known) < 16 or name in known:
            known[name] = nal

    @staticmethod
    def _name(kind: int, nal: bytes) -> bytes:
        """Which one it is. VPS have their number in the first four bits; of SPS there is one in use; PPS count by Exp-Golomb."""
        if kind == h265.PPS:
            return bytes((min(255, h264.BitReader(nal[2:16]).ue()),))
        return nal[2:3] if kind == h265.VPS else b""

    def _format(self) -> Format | None:
        if not all(self._sets.values()):
            return None
        sequence = next(iter(self._sets[h265.SPS].values()))
        told = h265.parse_sps(sequence)
        sets = [nal for kind in _NAMES for nal in self._sets[kind].values()]
        return Format(
            "video", "h265", string(sequence), self._rate, width=told.width, height=told.height, private=hevc_configuration(sets)
        )


def string(sequence: bytes) -> str:
    """RFC 6381's name of what an SPS describes (ISO/IEC 14496-15 annex E.3)."""
    plain = sequence.replace(b"\0\0\x03", b"\0\0")[3:15]
    space, tier, profile = ("", "A", "B", "C")[plain[0] >> 6], plain[0] >> 5 & 1, plain[0] & 31
    compatible = int(f"{int.from_bytes(plain[1:5], 'big'):032b}"[::-1], 2)
    constraints = plain[5:11].rstrip(b"\0")
    parts = [f"hvc1.{space}{profile}", f"{compatible:X}", f"{'H' if tier else 'L'}{plain[11]}"]
    return ".".join([*parts, *(f"{one:X}" for one in constraints)])
