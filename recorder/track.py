"""One track's packets to the pieces of its files: order, frames, time, cuts. No I/O, no clock: ``now`` is monotonic seconds.

A file (segment) ends after some minutes, when the format changes, when the track is muted or its time jumps, and
when its clock has drifted so far that its place on the session's clock would be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

from commhub.media.messages import Codec
from recorder.container import Container, Seal
from recorder.containers import container
from recorder.depacketise import depacketiser, opus_duration
from recorder.fmp4 import REORDERED
from recorder.frames import Format, Frame
from recorder.reorder import Packet, Reorder, parse
from recorder.timeline import SECOND, SenderClock, Timeline

_JUMP = 3 * SECOND
_SETTLED = 10 * SECOND  # a segment's start may be corrected for so long
_CORRECTED = 16  # files
_NOTICED = SECOND // 1000
_DRIFT = SECOND * 30 // 1000
_ANCHOR = 5 * SECOND
_QUIET = 2.0  # s of an audio track without packets that stay in one file
_AUDIBLE = 0.06  # s of lost audio that is worth a fact
_INSIST = 2.0  # s between two requests for a key frame
_FILLED = 5760  # samples of one Opus packet at most
_FILES, _FILES_SECOND = 20.0, 0.5  # files of a track at once, and then a second: who changes size with every picture gets no more
_KEYED = 0.1  # s a piece has at least before a key frame begins the next one


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. ``key_frames``: the longest a picture goes without one, so that a player can seek."""

    piece: float = 0.5
    segment: float = 300.0
    hold: float = 0.25
    key_frames: float = 10.0


@dataclass(frozen=True, slots=True)
class Begin:
    """A new file; ``start`` is the place of its first frame (UTC ns), ``rtp`` that frame's RTP time, ``fresh``: RTP time has
    begun anew since the file before."""

    format: Format
    mime: str
    extension: str
    start: int
    head: bytes
    rtp: int = 0
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    data: bytes
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Anchor:
    """RTP time ↔ ingress time ↔ the sender's NTP (0: not known) of the packet that was the least late since the last anchor, with
    the monotonic time of writing it (ns); and where that packet and the file's start are now known to be (UTC ns)."""

    rtp: int
    at: int
    ntp: int
    mono: int
    place: int
    start: int


@dataclass(frozen=True, slots=True)
class Moved:
    """The file ``back`` files before the last one that began is now known to start at ``start`` (UTC ns)."""

    back: int
    start: int


@dataclass(frozen=True, slots=True)
class End:
    seal: Seal
    duration_ms: int
    start: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Media that should be there from ``start`` to ``end`` (UTC ns). ``reason``: loss (on the network), link (between processes),
    clock (RTP time jumped), churn (its format or time changed more often than files are begun)."""

    start: int
    end: int
    reason: str


@dataclass(slots=True)
class Quality:
    """What came of a track: packets and their octets, those that never came, those that came too late or twice, pictures or
    blocks of sound."""

    packets: int = 0
    octets: int = 0
    lost: int = 0
    late: int = 0
    frames: int = 0


@dataclass(frozen=True, slots=True)
class WantKey:
    """A key frame would help now."""


Out = Begin | Piece | Anchor | Moved | End | Gap | WantKey


class Feed:
    """One track from its opening to its end, under one number of the link. ValueError for a codec that cannot be recorded."""

    def __init__(self, codec: Codec, sender: SenderClock, limits: Limits, *, muted: bool = False) -> None:
        self._limits = limits
        self._frames = depacketiser(codec)
        self._rate = codec.clock_rate or 90000
        self._video = codec.mime.lower().startswith("video/")
        self._order = Reorder(limits.hold)
        self._timeline = Timeline(self._rate, sender)
        self._paused = muted
        self._box: Container | None = None
        self._format: Format | None = None
        self._first = self._start = 0  # of the segment: RTP units, UTC ns
        self._settled = False
        self._earlier: list[tuple[int, int]] = []  # segments that ended before their place was sure: RTP units, UTC ns
        self._last: Frame | None = None
        self._ends = 0  # RTP time behind the last frame
        self._waiting_since = 0.0
        self._anchored = 0
        self._least: tuple[int, int, int] | None = None  # how late (ns), RTP time, ingress time
        self._fresh = True
        self._lost_from: int | None = None
        self._lost_on_link = False
        self._roll = False
        self._last_key = self._asked = -1e9
        self._files, self._filed = _FILES, 0.0  # how many may be begun now; when that was counted
        self._refused_at: int | None = None  # since when no file may be begun (UTC ns)
        self._quality = Quality()
        self.malformed = 0

    @property
    def recording(self) -> bool:
        """A file is open."""
        return self._box is not None

    # ------------------------------------------------------------------------------------------------------------ input

    def receive(self, data: memoryview | bytes, at: int, now: float) -> list[Out]:
        """One plain RTP packet with its ingress time (UTC ns)."""
        if self._paused:
            return []
        try:
            packet = parse(data, at)
        except ValueError:
            self.malformed += 1
            return []
        self._quality.packets += 1
        self._quality.octets += len(packet.payload)
        out: list[Out] = []
        for ready in self._order.receive(packet, now):
            self._packet(ready, now, out)
        return out

    def tick(self, now: float) -> list[Out]:
        """At least every 100 ms."""
        out: list[Out] = []
        deadline = self._order.deadline
        if deadline is not None and now >= deadline:
            for ready in self._order.tick(now):
                self._packet(ready, now, out)
        box = self._box
        if box is not None and box.waiting and now - self._waiting_since >= self._limits.piece:
            # What is held back for its duration goes too when nothing has followed it for twice as long.
            self._cut(out, now, last=now - self._waiting_since >= 2 * self._limits.piece)
        if self._video and not self._paused and now - self._asked >= _INSIST and self._wants_key(now):
            self._asked = now
            out.append(WantKey())
        return out

    def clock(self, rtp_time: int, ntp: int) -> None:
        """A sender report."""
        self._timeline.report(rtp_time, ntp)

    def quality(self) -> Quality:
        """Since the last call."""
        found, order = self._quality, self._order
        found.lost, found.late = order.lost, order.late
        self._quality, order.lost, order.late = Quality(), 0, 0
        return found

    def dropped(self) -> None:
        """Packets did not make it over the link."""
        self._lost_on_link = True

    def pause(self, now: float) -> list[Out]:
        """Muted, or the disk cannot take it: the file ends."""
        out = self.close(now)
        self._paused = True
        return out

    def resume(self) -> None:
        self._paused = False
        self._asked = -1e9

    def close(self, now: float) -> list[Out]:
        """The track has ended: all there is."""
        out: list[Out] = []
        for ready in self._order.drain():
            self._packet(ready, now, out)
        self._end(out, now)
        self._last = None
        self._lost_from = None
        return out

    # ---------------------------------------------------------------------------------------------------------- packets

    def _wants_key(self, now: float) -> bool:
        return self._frames.wants_key or self._roll or now - self._last_key >= self._limits.key_frames

    def _packet(self, packet: Packet, now: float, out: list[Out]) -> None:
        if packet.lost and self._last is not None and self._lost_from is None:
            self._lost_from = self._ends
        wanted = self._frames.wants_key
        for frame in self._frames.receive(packet):
            self._frame(frame, now, out)
        if self._frames.wants_key and not wanted:
            self._asked = now
            out.append(WantKey())
            if self._last is not None and self._lost_from is None:  # a picture was spoilt, not lost
                self._lost_from = self._ends

    def _frame(self, frame: Frame, now: float, out: list[Out]) -> None:
        last = self._last
        self._quality.frames += 1
        if self._timeline.jumped(frame.time, frame.at, _JUMP):
            if last is not None:
                start = self._timeline.place(self._ends)
                self._end(out, now)
                out.append(Gap(start, max(start, frame.at), "clock"))
            self._timeline.restart()
            self._fresh, self._least = True, None
            self._earlier.clear()
            self._last = last = self._lost_from = None
        elif last is not None and frame.time <= last.time and self._format is not None and self._format.codec not in REORDERED:
            if not self._video:
                return  # a duplicate
            frame.time = last.time + self._rate // 1000  # only H.264 and H.265 show pictures in another order
        self._timeline.arrived(frame.time, frame.at)
        late = frame.at - frame.time * SECOND // self._rate
        if self._least is None or late < self._least[0]:
            self._least = (late, frame.time, frame.at)
        if self._lost_from is not None:
            self._gap(self._lost_from, frame.time, out)
        if self._video:
            self._before_picture(frame, now, out)
        elif last is not None and self._box is not None:
            self._before_sound(frame, last, now, out)
        if self._box is None:
            if not frame.key or frame.format is None:
                self._frames.wants_key = True
                return
            if not self._may_begin(frame, now, out):
                return
            self._begin(frame, now, out)
        self._add(frame.time, frame.data, frame.key, frame.duration, now, out)
        if last is not None and not frame.duration and 0 < frame.time - last.time < self._rate:
            self._ends = frame.time + frame.time - last.time
        else:
            self._ends = frame.time + (frame.duration or self._rate // 30)
        self._last = frame
        if frame.at - self._anchored >= _ANCHOR:
            self._anchor(frame, now, out)

    def _before_picture(self, frame: Frame, now: float, out: list[Out]) -> None:
        if frame.key:
            self._last_key = now
        if self._box is None:
            return
        if frame.time - self._first >= self._limits.segment * self._rate:
            self._roll = True
        if frame.key and (self._roll or frame.format != self._format):
            self._end(out, now)
        elif self._box.pending >= (_KEYED if frame.key else self._limits.piece) * self._rate:
            self._cut(out, now)  # a key frame begins a piece: players seek to pieces

    def _before_sound(self, frame: Frame, last: Frame, now: float, out: list[Out]) -> None:
        quiet = frame.time - self._ends
        over = frame.time - self._first >= self._limits.segment * self._rate
        if self._roll or over or frame.format != self._format or quiet > _QUIET * self._rate:
            self._end(out, now)
            return
        # Browsers play audio without regard to the stamps of its blocks: where a sender sends nothing (DTX), or a packet was
        # lost, stand frames that say so (RFC 6716 §3.2.1: length zero), else all that follows would be heard too early.
        toc = last.data[0] & 0xFC
        unit, time = opus_duration(bytes([toc])), self._ends
        while frame.time - time >= unit:
            count = min((frame.time - time) // unit, _FILLED // unit)
            self._add(time, bytes([toc | 3, count]), True, count * unit, now, out)
            time += count * unit

    def _gap(self, since: int, until: int, out: list[Out]) -> None:
        self._lost_from = None
        reason, self._lost_on_link = ("link" if self._lost_on_link else "loss"), False
        if until - since >= (self._rate // 60 if self._video else _AUDIBLE * self._rate):
            out.append(Gap(self._timeline.place(since), self._timeline.place(until), reason))

    # --------------------------------------------------------------------------------------------------------- segments

    def _may_begin(self, frame: Frame, now: float, out: list[Out]) -> bool:
        """A sender that changes its format with every picture, or its time, costs itself, not the disk that all tracks share."""
        self._files = min(_FILES, self._files + (now - self._filed) * _FILES_SECOND)
        self._filed = now
        if self._files < 1:
            if self._refused_at is None:
                self._refused_at = frame.at
            return False
        self._files -= 1
        if self._refused_at is not None:
            out.append(Gap(self._refused_at, frame.at, "churn"))
            self._refused_at = None
        return True

    def _begin(self, frame: Frame, now: float, out: list[Out]) -> None:
        assert frame.format is not None
        box = container(frame.format)
        self._box, self._format = box, frame.format
        self._first, self._roll, self._settled = frame.time, False, False
        self._start = self._timeline.place(frame.time)
        self._earlier = self._earlier[-_CORRECTED:]
        self._anchored = frame.at
        self._last_key = now
        begin = Begin(frame.format, box.mime, box.extension, self._start, box.head(), frame.time, self._fresh)
        self._fresh = False
        out.append(begin)

    def _add(self, time: int, data: bytes, key: bool, duration: int, now: float, out: list[Out]) -> None:
        box = self._box
        assert box is not None
        if not self._video and box.pending >= self._limits.piece * self._rate:
            self._cut(out, now)
        if not box.waiting:
            self._waiting_since = now
        box.add(time - self._first, data, key, duration)

    def _cut(self, out: list[Out], now: float, *, last: bool = False) -> None:
        assert self._box is not None
        data = self._box.cut(last)
        if data:
            out.append(Piece(data, self._box.duration_ms))
            self._waiting_since = now

    def _end(self, out: list[Out], now: float) -> None:
        box = self._box
        if box is None:
            return
        self._cut(out, now, last=True)
        if not self._settled:
            self._start = self._timeline.place(self._first)
            self._earlier.append((self._first, self._start))
        self._tell_anchor(now, out)
        out.append(End(box.seal(), box.duration_ms, self._start))
        self._box = None
        self._correct(0, out)

    def _correct(self, running: int, out: list[Out]) -> None:
        """Short files of a track's first seconds, placed again by what is known now. ``running`` files began behind them."""
        for index, (first, start) in enumerate(self._earlier):
            place = self._timeline.place(first)
            if abs(place - start) >= _NOTICED:
                self._earlier[index] = (first, place)
                out.append(Moved(len(self._earlier) - 1 - index + running, place))

    def _tell_anchor(self, now: float, out: list[Out]) -> None:
        if self._least is not None:
            _, rtp, at = self._least
            mono = round(now * SECOND)
            out.append(Anchor(rtp, at, self._timeline.sender(rtp), mono, self._timeline.place(rtp), self._start))
            self._least = None

    def _anchor(self, frame: Frame, now: float, out: list[Out]) -> None:
        self._anchored = frame.at
        start = self._timeline.place(self._first)
        if not self._settled:
            self._start = start
            self._settled = self._timeline.place(frame.time) - start >= _SETTLED
            self._correct(1, out)
            if self._settled:
                self._earlier.clear()
        elif abs(start - self._start) > _DRIFT:
            self._roll = True
        self._tell_anchor(now, out)
