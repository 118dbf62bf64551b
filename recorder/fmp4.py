"""Fragmented MP4 for H.264, H.265 and AV1, one track a file (ISO/IEC 14496-12 and -15). No I/O, no clock.

Samples are given in decoding order with their presentation time. Pieces begin only at a frame that is shown after all
before it, so inside a piece the sorted presentation times are the decoding times, also with B pictures.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from recorder.boxes import MATRIX as _MATRIX
from recorder.boxes import box as _box
from recorder.boxes import full as _full
from recorder.container import Data, Index, Seal, Torn
from recorder.frames import Format

#: Codec → sample entry, its configuration.
ENTRIES = {"h264": (b"avc1", b"avcC"), "h265": (b"hvc1", b"hvcC"), "av1": (b"av01", b"av1C")}
#: Whose pictures may be shown in another order than they are decoded in.
REORDERED = frozenset({"h264", "h265"})
_SIDX_ROOM = 8192  # bytes reserved for the segment index
_ENTRIES = (_SIDX_ROOM - 64) // 12
_KEY, _OTHER = 0x02000000, 0x01010000  # sample flags: depends on nothing / on others and is no sync sample


@dataclass(slots=True)
class _Sample:
    time: int
    data: bytes
    key: bool


class Fmp4:
    extension = "mp4"

    def __init__(self, form: Format) -> None:
        if form.codec not in ENTRIES:
            raise ValueError("Only H.264, H.265 and AV1 go into fragmented MP4.")
        self._format = form
        self.mime = f'video/mp4; codecs="{form.string}"'
        self.index = Index()
        self._samples: list[_Sample] = []
        self._number = 0
        self._highest = -1
        self._step = form.rate // 25  # the last known distance of two frames
        self._mehd = self._room = 0

    # ------------------------------------------------------------------------------------------------------- writing

    def head(self) -> bytes:
        kinds = _box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6cmfcavc1mp41")
        movie = self._movie()
        self._mehd = len(kinds) + movie.index(b"mehd") - 4
        self._room = len(kinds) + len(movie)
        data = kinds + movie + _box(b"free", bytes(_SIDX_ROOM - 8))
        self.index.end = len(data)
        return data

    def _movie(self) -> bytes:
        form = self._format
        size = struct.pack(">II", form.width << 16, form.height << 16)
        kind, record = ENTRIES[form.codec]
        entry = _box(
            kind, bytes(6), struct.pack(">H", 1), bytes(16), struct.pack(">HH", form.width, form.height),
            struct.pack(">III", 0x480000, 0x480000, 0), struct.pack(">H", 1), bytes(32), struct.pack(">Hh", 0x18, -1),
            _box(record, form.private),
        )  # fmt: skip
        empty = struct.pack(">I", 0)
        table = _box(
            b"stbl", _full(b"stsd", 0, 0, struct.pack(">I", 1), entry), _full(b"stts", 0, 0, empty),
            _full(b"stsc", 0, 0, empty), _full(b"stsz", 0, 0, empty, empty), _full(b"stco", 0, 0, empty),
        )  # fmt: skip
        media = _box(
            b"mdia",
            _full(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, form.rate, 0, 0x55C4, 0)),
            _full(b"hdlr", 0, 0, empty, b"vide", bytes(12), b"CommHub\0"),
            _box(
                b"minf",
                _full(b"vmhd", 0, 1, bytes(8)),
                _box(b"dinf", _full(b"dref", 0, 0, struct.pack(">I", 1), _full(b"url ", 0, 1))),
                table,
            ),
        )
        return _box(
            b"moov",
            _full(
                b"mvhd", 0, 0, struct.pack(">IIIIIH", 0, 0, form.rate, 0, 0x10000, 0x100), bytes(10), _MATRIX, bytes(24),
                struct.pack(">I", 2),
            ),
            _box(
                b"trak",
                _full(b"tkhd", 0, 3, struct.pack(">IIIII", 0, 0, 1, 0, 0), bytes(8), bytes(8), _MATRIX, size),
                media,
            ),
            _box(
                b"mvex",
                _full(b"mehd", 1, 0, bytes(8)),
                _full(b"trex", 0, 0, struct.pack(">IIIII", 1, 1, 0, 0, 0)),
            ),
        )  # fmt: skip

    def add(self, time: int, data: bytes, key: bool, duration: int = 0) -> None:
        if self._samples and 0 < time - self._samples[-1].time < self._format.rate:
            self._step = time - self._samples[-1].time
        self._samples.append(_Sample(time, data, key))

    @property
    def waiting(self) -> int:
        return len(self._samples)

    @property
    def pending(self) -> int:
        return max(sample.time for sample in self._samples) - self._samples[0].time if self._samples else 0

    @property
    def duration_ms(self) -> int:
        return self.index.until * 1000 // self._format.rate

    def cut(self, last: bool = False) -> bytes:
        """Up to the latest frame that is shown after all before it; ``last``: everything."""
        samples = self._samples
        count = len(samples)
        following = max((sample.time for sample in samples), default=0) + self._step
        if not last:
            highest = self._highest
            count = 0
            for position, sample in enumerate(samples):
                if sample.time > highest:
                    highest, count = sample.time, position
            following = samples[count].time if count else 0
        if not count:
            return b""
        chosen, self._samples = samples[:count], samples[count:]
        self._highest = max(sample.time for sample in chosen)
        return self._fragment(chosen, following)

    def _fragment(self, samples: list[_Sample], following: int) -> bytes:
        order = sorted(sample.time for sample in samples)
        times = [*order, max(following, order[-1])]
        rows = b"".join(
            struct.pack(
                ">IIIi", times[n + 1] - times[n], len(sample.data), _KEY if sample.key else _OTHER, sample.time - times[n]
            )
            for n, sample in enumerate(samples)
        )
        self._number += 1
        size = 8 + 16 + 8 + 16 + 20 + 20 + len(rows)  # moof, mfhd, traf, tfhd, tfdt, trun
        run = _full(b"trun", 1, 0xF01, struct.pack(">Ii", len(samples), size + 8), rows)
        track = _box(
            b"traf", _full(b"tfhd", 0, 0x20000, struct.pack(">I", 1)), _full(b"tfdt", 1, 0, struct.pack(">Q", times[0])), run
        )
        moof = _box(b"moof", _full(b"mfhd", 0, 0, struct.pack(">I", self._number)), track)
        data = moof + _box(b"mdat", *(sample.data for sample in samples))
        self.index.pieces.append((times[0], self.index.end, len(data), samples[0].key))
        self.index.end += len(data)
        self.index.until = times[-1]
        return data

    def seal(self) -> Seal:
        return _seal(self.index, self._mehd, self._room, self._format.rate)


def _references(index: Index) -> list[tuple[int, int, int]]:
    """``(time, offset, size)`` of runs of pieces that begin with a key frame, few enough for the room."""
    runs: list[tuple[int, int, int]] = []
    for time, offset, size, key in index.pieces:
        if runs and not key:
            began, where, before = runs[-1]
            runs[-1] = (began, where, before + size)
        else:
            runs.append((time, offset, size))
    while len(runs) > _ENTRIES:
        pairs = [runs[n : n + 2] for n in range(0, len(runs), 2)]
        runs = [(pair[0][0], pair[0][1], sum(run[2] for run in pair)) for pair in pairs]
    return runs


def _seal(index: Index, mehd: int, room: int, rate: int) -> Seal:
    runs = _references(index)
    start = index.pieces[0][0] if index.pieces else 0
    ends = [*(run[0] for run in runs[1:]), index.until]
    size = 32 + 12 * len(runs)
    table = _full(
        b"sidx", 0, 0, struct.pack(">IIIIHH", 1, rate, start, _SIDX_ROOM - size, 0, len(runs)),
        *(struct.pack(">III", run[2], end - run[0], 0x90000000) for run, end in zip(runs, ends, strict=True)),
    )  # fmt: skip
    filler = _box(b"free", bytes(_SIDX_ROOM - size - 8))
    duration = _full(b"mehd", 1, 0, struct.pack(">Q", index.until))
    return Seal(b"", [(room, table + filler), (mehd, duration)])


# ------------------------------------------------------------------------------------------------------------ recovery


def _read(data: Data, offset: int) -> tuple[bytes, int]:
    """Kind and end of the box at ``offset``. ValueError when it is not whole."""
    if offset + 8 > len(data):
        raise ValueError("A box is torn.")
    size, kind = struct.unpack(">I4s", data[offset : offset + 8])
    if size < 8 or offset + size > len(data):
        raise ValueError("A box is torn.")
    return kind, offset + size


def recover(data: Data) -> tuple[Index, Seal, int]:
    """What of a file of :class:`Fmp4` can be played, and its time scale. Torn when there is no whole fragment."""
    try:
        kind, movie = _read(data, 0)
        second, room = _read(data, movie)
        reserved, end = _read(data, room)
        if (kind, second) != (b"ftyp", b"moov") or reserved not in (b"free", b"sidx"):
            raise ValueError("The head is not ours.")
        if reserved == b"sidx":
            _, end = _read(data, end)
        head = bytes(data[movie:room])
        mehd = movie + head.index(b"mehd") - 4
        (rate,) = struct.unpack_from(">I", head, head.index(b"mvhd") + 16)
    except (ValueError, struct.error):
        raise Torn("The head of an MP4 file is torn.") from None
    index = Index(end=end)
    while True:
        try:
            kind, middle = _read(data, index.end)
            body, behind = _read(data, middle)
            if (kind, body) != (b"moof", b"mdat"):
                break
            time, until, key = _times(bytes(data[index.end : middle]))
        except (ValueError, struct.error):
            break
        index.pieces.append((time, index.end, behind - index.end, key))
        index.end = behind
        index.until = until
    if not index.pieces:
        raise Torn("An MP4 file holds no whole fragment.")
    return index, _seal(index, mehd, room, rate), rate


def _times(moof: bytes) -> tuple[int, int, bool]:
    """First decoding time, the time behind the last sample, and whether the first one is a key frame."""
    (time,) = struct.unpack_from(">Q", moof, moof.index(b"tfdt") + 8)
    run = moof.index(b"trun")
    (count,) = struct.unpack_from(">I", moof, run + 8)
    if count < 1 or run + 16 + 16 * count != len(moof):
        raise ValueError("A fragment's table has a wrong size.")
    durations = [struct.unpack_from(">I", moof, run + 16 + 16 * n)[0] for n in range(count)]
    (flags,) = struct.unpack_from(">I", moof, run + 24)
    return time, time + sum(durations), flags == _KEY
