"""Pieces of a video stream become access units: where a picture begins, what codec it really is, what time it has.

What the sender declares is only believed where the content does not say otherwise. No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from commhub.wire import h264, h265
from commhub.wire.pes import CODE, Bytes

FRAME_LIMIT = 4 << 20  # octets of one picture; an IDR of 4K at its very best has half of it
_FRAME_TICKS = 3600  # 90 kHz: a picture of 25 per second, where nothing says how long one lasts
_PROOF = 3  # pictures in a row after which a wrong clock is not believed any more
_RECOVERY = 25  # good ones after which it is again


class Unit(NamedTuple):
    """An access unit. ``pts`` and ``dts`` are 90 kHz, unwrapped, of one clock for both kinds; ``data`` of H.264 and H.265 is a
    byte stream (annex B), of AAC one ADTS frame, of others what a packet held. ``key``: decoding can begin here. ``lost``: of
    this kind something is missing between the unit before and this one."""

    kind: str
    codec: str
    pts: int
    dts: int
    data: bytes
    key: bool
    lost: bool


@dataclass(slots=True)
class Counts:
    """What was noticed, for the card that explains a failed play."""

    packs: int = 0
    maps: int = 0
    skipped: int = 0  # octets that were nothing
    gaps: int = 0
    lengths: int = 0  # packets whose length was not true
    damaged: int = 0  # pictures given up
    oversized: int = 0
    unreadable: int = 0  # packets whose header or content could not be read
    ignored: int = 0  # packets of streams that nobody wants


class Label(NamedTuple):
    """Times of a packet: its PTS and DTS (33 bits), and the RTP time (32 bits) it came with; None where there is none."""

    pts: int | None = None
    dts: int | None = None
    rtp: int | None = None


NOTHING = Label()


class _Unwrap:
    """Numbers of ``bits`` that wrap around, as ones that do not; a jump is the shorter way."""

    __slots__ = ("_half", "_mask", "last")

    def __init__(self, bits: int) -> None:
        self._mask, self._half = (1 << bits) - 1, 1 << bits - 1
        self.last: int | None = None

    def __call__(self, value: int) -> int:
        if self.last is None:
            self.last = value
        else:
            self.last += ((value - self.last + self._half) & self._mask) - self._half
        return self.last


class Clock:
    """One time for pictures and sound. It follows PTS; where those are absent, stand still or count milliseconds, the RTP time;
    where that does not go on either, pictures are counted as 25 a second. After a change the time goes on from where it was.

    >>> clock = Clock(); clock.picture(Label(pts=9000)), clock.picture(Label(pts=12600))
    (9000, 12600)
    """

    def __init__(self) -> None:
        self.source = "pts"
        self._pts, self._rtp = _Unwrap(33), _Unwrap(32)
        self._offset = 0
        self._doubts = self._trust = 0
        self._spacing = _FRAME_TICKS
        self._labelled: int | None = None  # the newest time that was told
        self._since = 0  # pictures since
        self.latest = 0  # of a picture
        self.began = False

    def picture(self, label: Label) -> int:
        """The time of the next picture, in decoding order."""
        self._since += 1
        if label.pts is None and label.rtp is None and self.began:
            self.latest += self._spacing
            return self.latest
        pts_before, rtp_before = self._pts.last, self._rtp.last
        pts = None if label.pts is None else self._pts(label.pts)
        rtp = None if label.rtp is None else self._rtp(label.rtp)
        pts_step = None if pts is None or pts_before is None else pts - pts_before
        rtp_step = None if rtp is None or rtp_before is None else rtp - rtp_before
        self._judge(pts, pts_step, rtp_step)
        value = pts if self.source == "pts" else rtp if self.source == "rtp" else None
        if not self.began and value is None and self.source == "pts":
            value, self._offset = 0, 0
            if rtp is not None:
                self.source, value = "rtp", rtp
        self.began = True
        if value is None:
            self.latest += self._spacing
            return self.latest
        now = value + self._offset
        if self._labelled is not None and 0 < now - self._labelled < 10 * _FRAME_TICKS * self._since:
            self._spacing = (now - self._labelled) // self._since
        self._labelled, self._since = now, 0
        self.latest = now
        return now

    def _judge(self, pts: int | None, pts_step: int | None, rtp_step: int | None) -> None:
        goes = pts is not None and (pts_step is None or pts_step != 0)
        if goes and pts_step and rtp_step and pts_step > 0 and rtp_step > 30 * pts_step:
            goes = False  # milliseconds
        if self.source == "pts":
            self._doubts = 0 if goes else self._doubts + 1
            if self._doubts >= _PROOF:
                self._follow("rtp" if rtp_step else "count")
            return
        sane = goes and pts_step is not None and abs(pts_step) <= 2 * 90_000
        if sane and rtp_step and pts_step:
            sane = rtp_step < 5 * pts_step if pts_step > 0 else True
        self._trust = self._trust + 1 if sane else 0
        if self._trust >= _RECOVERY:
            self._follow("pts")
            return
        if self.source == "rtp":
            self._doubts = 0 if rtp_step else self._doubts + 1
            if self._doubts >= _PROOF:
                self._follow("count")

    def _follow(self, source: str) -> None:
        self.source, self._doubts, self._trust = source, 0, 0
        raw = self._pts.last if source == "pts" else self._rtp.last
        if raw is not None:
            self._offset = self.latest + self._spacing - raw

    def sound(self, label: Label) -> int | None:
        """The time of a packet of sound, None where none can be told from its label."""
        value, unwrap = (label.rtp, self._rtp) if self.source == "rtp" else (label.pts, self._pts)
        if value is None or self.source == "count":
            return None
        last = unwrap.last
        if last is None:
            return value
        unwrapped = unwrap(value)
        unwrap.last = last  # pictures alone judge the steps
        return unwrapped + self._offset

    def decoding(self, label: Label, pts: int) -> int:
        """The decoding time that belongs to a picture's ``pts``."""
        if label.dts is None or label.pts is None or self.source != "pts":
            return pts
        behind = (label.pts - label.dts) & (1 << 33) - 1
        return pts - behind if behind < 10 * 90_000 else pts


# ---- pictures: what the first octets of a NAL unit say

_SHOWS, _BEGINS, _KEY, _LEADS, _SET, _INTRA = 1, 2, 4, 8, 16, 32


def _read_h264(first: int, second: int, third: int) -> int:
    number = first & 0x1F
    if number in (1, 2, 5):
        # first_mb_in_slice 0 is the bit 1; slice_type 2 and 7 are the codes 011 and 0001000
        found = _SHOWS | (_BEGINS if second & 0x80 else 0) | (_KEY if number == 5 else 0)
        return found | _INTRA if second & 0xF0 == 0xB0 or second & 0xFF == 0x88 else found
    if number in (7, 8):
        return _LEADS | (_SET if number == 7 else 0)
    return _LEADS if number in (6, 9) or 14 <= number <= 18 else 0


def _read_h265(first: int, second: int, third: int) -> int:
    number = first >> 1 & 0x3F
    if number < 32:
        return _SHOWS | (_BEGINS if third & 0x80 else 0) | (_KEY if number in h265.IRAP else 0)
    if number in (h265.VPS, h265.SPS, h265.PPS, h265.AUD, h265.SEI):
        return _LEADS | (_SET if number == h265.SPS else 0)
    return _LEADS if 41 <= number <= 44 or 48 <= number <= 55 else 0


_READ: dict[str, Callable[[int, int, int], int]] = {"h264": _read_h264, "h265": _read_h265}


def guess(first: int, second: int) -> str | None:
    """Which codec a NAL unit that begins so belongs to, None where it could be both or neither."""
    if first & 0x80:
        return None
    if first & 1:  # of H.265 that would be a layer nobody sends
        return "h264" if first & 0x1F in (1, 5, 7, 9) else None
    number = first >> 1
    if 1 <= second <= 7 and first != 0x06 and (number <= 9 or 16 <= number <= 21 or 32 <= number <= 40):
        return "h265" if second == 1 or number <= 1 else None
    return "h264" if first in (0x68, 0x48, 0x28) else None


class Video:
    """Pictures of one stream. ``push`` takes its pieces in order, units are appended to ``out``.

    A picture ends where the next one begins, which the NAL units say, or where :meth:`finish` says so. Its time is that of the
    packet in which it begins (13818-1 §2.4.3.7); a second one in that packet gets a time of its own.
    """

    def __init__(self, clock: Clock, out: list[Unit], counts: Counts) -> None:
        self.declared: str | None = None  # what the sender says it is
        self.codec: str | None = None  # what it is
        self._clock, self._out, self._counts = clock, out, counts
        self._against = 0
        self._before: Label | None = None
        self._lost = False
        self._data = bytearray()
        self._label: Label | None = None  # of the packet the newest octets came in; None once a picture has taken it
        self._label_at = 0
        self._clear()

    def _clear(self) -> None:
        self._data.clear()
        self._scanned = 0
        self._label_at = 0
        self._begin()

    def _begin(self) -> None:
        self._start = -1  # where the picture begins
        self._flags = 0
        self._times: Label | None = None
        self._votes: str | None = None
        self._mixed = False
        self._whole = False  # its first slice is there

    @property
    def _opaque(self) -> bool:
        return self.declared in _OPAQUE and self.codec is None

    def push(self, data: Bytes, label: Label) -> None:
        """A piece; ``label`` is NOTHING where it only continues."""
        if self._data and self._ends_before(data, label):
            self.finish()
        self._before, self._label, self._label_at = self._label, label, len(self._data)
        self._data += data
        if len(self._data) > FRAME_LIMIT:
            self._counts.oversized += 1
            self.lose()
            return
        if self._opaque and self._times is None:
            self._times = label
        self._scan(6)

    def _ends_before(self, data: Bytes, label: Label) -> bool:
        times = self._times
        if self._opaque:
            if label.pts is None and label.rtp is None:
                return False
            self._times = times or label
            return times is not None and label != times
        if not self._flags & _SHOWS or times is None or label.pts is None or label.pts == times.pts:
            return False
        return bytes(data[:3]) == CODE or bytes(data[:4]) == h264.START_CODE

    def _scan(self, need: int) -> None:
        """Looks at the NAL units of which ``need`` octets with their start code are there."""
        data = self._data
        at = data.find(CODE, self._scanned)
        while 0 <= at <= len(data) - need:
            at = self._nal(at) + 3
            at = data.find(CODE, at)
        self._scanned = at if at >= 0 else max(self._scanned, len(data) - 2)

    def _nal(self, at: int) -> int:
        """A NAL unit begins; returns where it stands afterwards: what is finished goes away."""
        data = self._data
        head = data[at + 3 : at + 6].ljust(3, b"\0")
        first, second, third = head
        vote = guess(first, second)
        if vote is not None:
            self._mixed = self._mixed or (self._votes is not None and self._votes != vote)
            self._votes = vote
        reader = _READ.get(self._votes or self.codec or self.declared or "h264", _read_h264)
        flags = reader(first, second, third)
        if self._flags & _SHOWS and flags & (_BEGINS | _LEADS) and not self._opaque:
            cut = at - 1 if at and not data[at - 1] else at
            self._emit(cut)
            del data[:cut]
            at -= cut
            self._label_at = max(0, self._label_at - cut)
            self._scanned = 0
            self._begin()
            self._votes = vote
        if self._start < 0:
            self._start = at - 1 if at and not data[at - 1] else at
        if not self._flags & _SHOWS:
            if self._times is None or self._times.pts is None:
                self._take_label(at)
            self._whole = bool(flags & _BEGINS)
            self._flags |= flags & _INTRA  # of the first slice
        self._flags |= flags & ~_INTRA
        return at

    def _take_label(self, at: int) -> None:
        if at >= self._label_at:
            taken, self._label = self._label, None
        else:
            taken, self._before = self._before, None
        self._times = taken or self._times

    def finish(self) -> None:
        """The picture is complete: nothing more belongs to it."""
        if not self._data:
            return
        self._scan(4)
        if self._opaque:
            self._start, self._whole = 0, True
            self._flags |= _SHOWS | _KEY
        if self._flags & _SHOWS:
            self._emit(len(self._data))
        elif self._start < 0:
            self._counts.damaged += 1
        else:
            return  # parameter sets alone wait for their picture
        self._clear()

    def lose(self) -> None:
        """What there is cannot become a picture any more."""
        if self._data:
            self._counts.damaged += 1
        self._lost = True
        self._clear()

    def miss(self) -> None:
        """Something is missing between what was finished and what comes."""
        self._lost = True

    def _emit(self, end: int) -> None:
        codec = self._decide()
        if not self._whole or self._start < 0 or codec is None:
            self._counts.damaged += 1
            self._lost = True
            return
        label = self._times or NOTHING
        pts = self._clock.picture(label)
        key = bool(self._flags & _KEY) or self._flags & (_SET | _INTRA) == _SET | _INTRA
        data = bytes(memoryview(self._data)[self._start : end])
        self._out.append(Unit("video", codec, pts, self._clock.decoding(label, pts), data, key, self._lost))
        self._lost = False

    def _decide(self) -> str | None:
        """The codec of the picture at hand. A change is believed with parameter sets, or the second time."""
        if self._opaque and not (self._votes and self._flags & _SET and not self._mixed):
            return self.declared
        if self._votes is None or self._mixed or self._votes == self.codec:
            self._against = 0
            if self.codec is None and self.declared in _READ:
                self.codec = self.declared
            return self.codec or self._votes
        self._against += 1
        if self.codec is None or self._flags & _SET or self._against > 1:
            self.codec, self._against = self._votes, 0
        return self.codec


#: codecs whose units are not NAL units that we read: a packet with its own time is a picture
_OPAQUE = frozenset({"mpeg1", "mpeg2", "mpeg4", "svac"})
