"""A plain MP4 around samples that lie in one file already: the tables behind them (ISO/IEC 14496-12, -14, -15). No I/O, no clock.

The file is :func:`head`, the samples as they came, :func:`movie`. Times are 90 kHz from the film's beginning; sound is counted
in its own rate, as players want it.
"""

from __future__ import annotations

import itertools
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from commhub.wire import h264, h265
from recorder.boxes import MATRIX, box, full

CLOCK = 90_000
AAC_SAMPLES = 1024  # of one frame
_KINDS = box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2mp41")
HEAD = len(_KINDS) + 16  # octets before the first sample
_HIGH = (100, 110, 122, 144, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)


def head(octets: int = 0) -> bytes:
    """What stands before ``octets`` of samples."""
    return _KINDS + struct.pack(">I4sQ", 1, b"mdat", octets + 16)


@dataclass(frozen=True, slots=True)
class Look:
    """How pictures are to be decoded: ``codec`` is h264 or h265, ``sets`` are its parameter sets (NAL units)."""

    codec: str
    sets: tuple[bytes, ...]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Voice:
    """AAC; ``private`` is its AudioSpecificConfig (14496-3 §1.6.2.1)."""

    rate: int
    channels: int
    private: bytes


def look(codec: str, units: Iterable[bytes]) -> Look:
    """Of a key frame's parameter sets. ValueError when a decoder could not begin with them."""
    if codec == "h264":
        kinds = {
            h264.SPS: [one for one in units if one[0] & 31 == h264.SPS],
            h264.PPS: [one for one in units if one[0] & 31 == h264.PPS],
        }
    else:
        kinds = {kind: [one for one in units if h265.kind(one) == kind] for kind in (h265.VPS, h265.SPS, h265.PPS)}
    if not all(kinds.values()):
        raise ValueError("A key frame lacks its parameter sets.")
    sets = tuple(dict.fromkeys(itertools.chain.from_iterable(kinds.values())))
    if len(sets) > 64 or any(len(one) > 4096 for one in sets):
        raise ValueError("The parameter sets are too large.")
    size = h264.parse_sps(kinds[h264.SPS][0]) if codec == "h264" else h265.parse_sps(kinds[h265.SPS][0])
    return Look(codec, sets, size.width, size.height)


@dataclass(slots=True)
class Samples:
    """One track. ``where`` is each sample's offset in the file, ``times`` when it is shown, ``order`` when it is decoded,
    ``looks`` (of pictures) the number of its :class:`Look`."""

    where: array[int] = field(default_factory=lambda: array("Q"))
    sizes: array[int] = field(default_factory=lambda: array("I"))
    times: array[int] = field(default_factory=lambda: array("q"))
    order: array[int] = field(default_factory=lambda: array("q"))
    keys: array[int] = field(default_factory=lambda: array("I"))  # numbers of key frames, from 1
    looks: bytearray = field(default_factory=bytearray)


def movie(pictures: Samples, looks: Sequence[Look], sound: Samples, voice: Voice | None) -> bytes:
    """The box that makes a film of the samples before it. There has to be a picture."""
    tracks = [_pictures(pictures, looks)]
    if voice is not None and sound.sizes:
        tracks.append(_sound(sound, voice))
    length = max(one.length for one in tracks)
    return box(
        b"moov",
        full(
            b"mvhd", 1, 0, struct.pack(">QQIQ", 0, 0, CLOCK, length), struct.pack(">IH", 0x10000, 0x100), bytes(10), MATRIX,
            bytes(24), struct.pack(">I", len(tracks) + 1),
        ),
        *(one.data(number) for number, one in enumerate(tracks, 1)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Track:
    handler: bytes
    header: bytes
    entries: list[bytes]
    rate: int
    duration: int  # in its rate
    edits: list[tuple[int, int]]  # (90 kHz, media time in its rate)
    tables: list[bytes]
    size: tuple[int, int] = (0, 0)
    volume: int = 0

    @property
    def length(self) -> int:
        return sum(one for one, _ in self.edits)

    def data(self, number: int) -> bytes:
        edits = b"".join(struct.pack(">QqI", length, at, 0x10000) for length, at in self.edits)
        empty = struct.pack(">I", 0)
        return box(
            b"trak",
            full(
                b"tkhd", 1, 3, struct.pack(">QQIIQ", 0, 0, number, 0, self.length), bytes(8),
                struct.pack(">HHHH", 0, 0, self.volume, 0), MATRIX, struct.pack(">II", self.size[0] << 16, self.size[1] << 16),
            ),
            box(b"edts", full(b"elst", 1, 0, struct.pack(">I", len(self.edits)), edits)),
            box(
                b"mdia",
                full(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, self.rate, self.duration, 0x55C4, 0)),
                full(b"hdlr", 0, 0, empty, self.handler, bytes(12), b"CommHub\0"),
                box(
                    b"minf",
                    self.header,
                    box(b"dinf", full(b"dref", 0, 0, struct.pack(">I", 1), full(b"url ", 0, 1))),
                    box(b"stbl", full(b"stsd", 0, 0, struct.pack(">I", len(self.entries)), *self.entries), *self.tables),
                ),
            ),
        )  # fmt: skip


def _pictures(samples: Samples, looks: Sequence[Look]) -> _Track:
    order, times = samples.order, samples.times
    steps = [later - one for one, later in itertools.pairwise(order)]
    usual = sorted(steps)[len(steps) // 2] if steps else CLOCK // 25
    steps.append(usual)
    begin, until = min(times), max(times) + usual
    edits = [(until - begin, begin - order[0])]
    if begin > 0:
        edits.insert(0, (begin, -1))
    shift = [shown - decoded for shown, decoded in zip(times, order, strict=True)]
    tables = [
        _runs(b"stts", 0, ">II", steps),
        *([_runs(b"ctts", 1, ">Ii", shift)] if any(shift) else []),
        full(b"stss", 0, 0, struct.pack(">I", len(samples.keys)), _big("I", samples.keys)),
        *_places(samples),
    ]
    first = looks[0]
    return _Track(b"vide", full(b"vmhd", 0, 1, bytes(8)), [_entry(one) for one in looks], CLOCK, sum(steps), edits, tables,
                  (first.width, first.height))  # fmt: skip


def _sound(samples: Samples, voice: Voice) -> _Track:
    """A frame follows the one before, unless it comes so much later that something is missing between them."""
    at = [round(one * voice.rate / CLOCK) for one in samples.times]
    steps: list[int] = []
    due = at[0]
    for later in at[1:]:
        step = AAC_SAMPLES
        if later - due - AAC_SAMPLES > 2 * AAC_SAMPLES:
            step = later - due
        steps.append(step)
        due += step
    steps.append(AAC_SAMPLES)
    lasts = sum(steps)
    edits = [(lasts * CLOCK // voice.rate, 0)]
    if samples.times[0] > 0:
        edits.insert(0, (samples.times[0], -1))
    entry = box(
        b"mp4a", bytes(6), struct.pack(">H", 1), bytes(8), struct.pack(">HHI", voice.channels, 16, 0),
        struct.pack(">I", min(voice.rate, 0xFFFF) << 16), _description(voice),
    )  # fmt: skip
    tables = [_runs(b"stts", 0, ">II", steps), *_places(samples)]
    return _Track(b"soun", full(b"smhd", 0, 0, bytes(4)), [entry], voice.rate, lasts, edits, tables, volume=0x100)


# ---- tables


def _runs(kind: bytes, version: int, form: str, values: Iterable[int]) -> bytes:
    rows = [struct.pack(form, sum(1 for _ in group), value) for value, group in itertools.groupby(values)]
    return full(kind, version, 0, struct.pack(">I", len(rows)), *rows)


def _places(samples: Samples) -> list[bytes]:
    """Samples that lie side by side and are decoded alike are one chunk."""
    chunks, counts, looks = array("Q"), array("I"), bytearray()
    expected = -1
    for number, (where, size) in enumerate(zip(samples.where, samples.sizes, strict=True)):
        now = samples.looks[number] if samples.looks else 0
        if where != expected or now != looks[-1]:
            chunks.append(where)
            counts.append(0)
            looks.append(now)
        counts[-1] += 1
        expected = where + size
    rows = list(_chunk_runs(counts, looks))
    return [
        full(b"stsc", 0, 0, struct.pack(">I", len(rows)), *rows),
        full(b"stsz", 0, 0, struct.pack(">II", 0, len(samples.sizes)), _big("I", samples.sizes)),
        full(b"co64", 0, 0, struct.pack(">I", len(chunks)), _big("Q", chunks)),
    ]


def _chunk_runs(counts: array[int], looks: bytearray) -> Iterator[bytes]:
    before: tuple[int, int] | None = None
    for number, now in enumerate(zip(counts, looks, strict=True), 1):
        if now != before:
            yield struct.pack(">III", number, now[0], now[1] + 1)
            before = now


def _big(form: str, values: array[int]) -> bytes:
    swapped = array(form, values)
    swapped.byteswap()
    return swapped.tobytes()


# ---- sample entries


def _entry(look: Look) -> bytes:
    kind, record = (
        (b"avc1", box(b"avcC", _avc(look.sets)))
        if look.codec == "h264"
        else (b"hvc1", box(b"hvcC", hevc_configuration(look.sets)))
    )
    return box(
        kind, bytes(6), struct.pack(">H", 1), bytes(16), struct.pack(">HH", look.width, look.height),
        struct.pack(">III", 0x480000, 0x480000, 0), struct.pack(">H", 1), bytes(32), struct.pack(">Hh", 0x18, -1), record,
    )  # fmt: skip


def _avc(sets: Sequence[bytes]) -> bytes:
    """AVCDecoderConfigurationRecord (14496-15 §5.3.3.1)."""
    sequences = [one for one in sets if one[0] & 31 == h264.SPS][:31]
    others = [one for one in sets if one[0] & 31 == h264.PPS][:31]
    out = bytearray(b"\x01" + sequences[0][1:4] + b"\xff")
    for mark, units in ((0xE0, sequences), (0, others)):
        out.append(mark | len(units))
        for one in units:
            out += struct.pack(">H", len(one)) + one
    if sequences[0][1] in _HIGH:
        out += b"\xfd\xf8\xf8\x00"  # 4:2:0, 8 bits: what cameras send
    return bytes(out)


def hevc_configuration(sets: Sequence[bytes]) -> bytes:
    """HEVCDecoderConfigurationRecord (14496-15 §8.3.3.1): the general profile stands in the SPS as it has to stand here."""
    sequence = next(one for one in sets if h265.kind(one) == h265.SPS)
    plain = sequence.replace(b"\0\0\x03", b"\0\0")
    layers, nested = plain[2] >> 1 & 7, plain[2] & 1
    out = bytearray(b"\x01" + plain[3:15])
    out += b"\xf0\x00\xfc\xfd\xf8\xf8\x00\x00"  # 4:2:0, 8 bits
    out.append((layers + 1) << 3 | nested << 2 | 3)
    kinds = [kind for kind in (h265.VPS, h265.SPS, h265.PPS) if any(h265.kind(one) == kind for one in sets)]
    out.append(len(kinds))
    for kind in kinds:
        units = [one for one in sets if h265.kind(one) == kind]
        out += struct.pack(">BH", 0x80 | kind, len(units))
        for one in units:
            out += struct.pack(">H", len(one)) + one
    return bytes(out)


def _description(voice: Voice) -> bytes:
    """ES_Descriptor (14496-1 §7.2.6.5): AAC, its configuration."""

    def part(tag: int, *data: bytes) -> bytes:
        body = b"".join(data)
        return bytes([tag, 0x80, 0x80, 0x80, len(body)]) + body

    decoder = part(4, b"\x40\x15", bytes(3), struct.pack(">II", 0, 0), part(5, voice.private))
    return full(b"esds", 0, 0, part(3, b"\0\0\0", decoder, part(6, b"\x02")))
