"""Where a track's media stand on the session's clock, as a reader computes it from the journal's anchors. No I/O, no clock.

An anchor is the packet that was the least late of some seconds: its RTP time, when it came (UTC ns), and what the sender's own
clock (NTP, from its reports) said then, 0 where that is not known. Packets are only ever late, so the line under all anchors
is the clock: the lower convex hull, of what came before and behind. It has the slope of a clock that runs fast or slow.
Tracks of one sender that report share one line, over the sender's clock, and so stand to each other as they left it.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from itertools import pairwise

SECOND = 1_000_000_000
REACH = 300 * SECOND  # of anchors that say where a moment is, to either side
_SHORT = 30 * SECOND
_TRUST = SECOND  # a sender's clock may move a track by no more
_APART = SECOND // 5  # a report that is so much off the line belongs to a clock that was set
Point = tuple[int, int]  # time on the one clock, how much later it is on the other (ns)


class Line:
    """The lower hull of points, near a time."""

    def __init__(self) -> None:
        self._points: list[Point] = []

    def add(self, at: int, late: int) -> None:
        insort(self._points, (at, late))
        newest = self._points[-1][0]
        while self._points[0][0] < newest - 3 * REACH:
            del self._points[0]

    def clear(self) -> None:
        self._points.clear()

    @property
    def newest(self) -> int | None:
        return self._points[-1][0] if self._points else None

    def value(self, at: int) -> int | None:
        """How much later it is on the other clock; None without any point."""
        low = bisect_right(self._points, (at - REACH, -(1 << 62)))
        high = bisect_right(self._points, (at + REACH, 1 << 62))
        near = self._points[low:high] or self._points[-1:]
        hull: list[Point] = []
        for point in near:
            while len(hull) > 1 and _turns_down(hull[-2], hull[-1], point):
                hull.pop()
            if hull and hull[-1][0] == point[0]:
                continue  # sorted: the lower one came first
            hull.append(point)
        return _along(_straight(hull), at) if hull else None


def _turns_down(first: Point, middle: Point, last: Point) -> bool:
    return (middle[1] - first[1]) * (last[0] - first[0]) >= (last[1] - first[1]) * (middle[0] - first[0])


def _straight(hull: list[Point]) -> list[Point]:
    """Without a first and last point that is there only because something has to be: it was as late as it happened to be."""
    for _ in range(2):
        if len(hull) > 2 and hull[-1][0] - hull[-2][0] < _SHORT:
            hull = [*hull[:-2], _beyond(hull[-3], hull[-2], hull[-1])]
        hull = [(-at, late) for at, late in reversed(hull)]
    return hull


def _beyond(first: Point, middle: Point, last: Point) -> Point:
    """The line goes on as it was up to ``middle``, which is below ``last``."""
    return last[0], middle[1] + (middle[1] - first[1]) * (last[0] - middle[0]) // (middle[0] - first[0])


def _along(line: list[Point], at: int) -> int:
    """On a broken line; level beyond its ends."""
    if at <= line[0][0]:
        return line[0][1]
    for (x, y), (following, height) in pairwise(line):
        if at <= following:
            return y + (height - y) * (at - x) // (following - x)
    return line[-1][1]


@dataclass(slots=True)
class _Reports:
    """RTP time to the sender's clock: the mean of what its reports say nearby."""

    points: list[Point] = field(default_factory=list)

    def add(self, at: int, ahead: int) -> bool:
        """False when the sender has set its clock: what was known of it is void."""
        same = not self.points or abs(self.points[-1][1] - ahead) <= _APART
        if not same:
            self.points.clear()
        self.points.append((at, ahead))
        if len(self.points) > 200:
            del self.points[:100]
        return same

    def value(self, at: int) -> int | None:
        near = sorted(self.points, key=lambda point: abs(point[0] - at))[:12]
        if not near:
            return None
        middle = sum(x for x, _ in near) // len(near)
        height = sum(y for _, y in near) // len(near)
        spread = sum((x - middle) ** 2 for x, _ in near)
        slope = sum((x - middle) * (y - height) for x, y in near) / spread if spread > (20 * SECOND) ** 2 else 0.0
        return height + round(slope * (at - middle))


class Run:
    """A track from where its RTP time begins until it begins anew. ``sender`` is shared by all tracks of one sender."""

    def __init__(self, rate: int, sender: Line) -> None:
        self._rate, self._sender = rate, sender
        self._own, self._reports = Line(), _Reports()

    def _ns(self, rtp: int) -> int:
        return rtp * SECOND // self._rate

    def anchor(self, rtp: int, came: int, ntp: int) -> None:
        at = self._ns(rtp)
        self._own.add(at, came - at)
        if ntp:
            if not self._reports.add(at, ntp - at):
                self._sender.clear()
            self._sender.add(ntp, came - ntp)

    def settled(self, rtp: int) -> bool:
        """Can nothing that comes move this moment any more?"""
        newest = self._own.newest
        return newest is not None and newest > self._ns(rtp) + REACH

    def place(self, rtp: int) -> int | None:
        """UTC ns; None while nothing is known."""
        at = self._ns(rtp)
        late = self._own.value(at)
        if late is None:
            return None
        arrival = at + late
        ahead = self._reports.value(at)
        if ahead is None:
            return arrival
        theirs = at + ahead
        shared = self._sender.value(theirs)
        placed = arrival if shared is None else theirs + shared
        return placed if abs(placed - arrival) <= _TRUST else arrival
