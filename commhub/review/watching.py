"""What of a player's many requests is a look or a seek, for the access log. Time is a parameter.

A *view* is a page that is opened; asking again within a minute is the same page. A *seek* is a range that begins far from where
the same person's last one of that track ended (30 s of the recording); a player fetches all tracks of a moment at once, so what
goes to about the same moment within three seconds is one seek. The head of a file, which a player needs whatever it shows, is
none.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

AGAIN = 60.0  # seconds in which a page that asks again is the same one
FAR_MS = 30_000
TOGETHER = 3.0  # seconds
HEAD = 64 << 10  # bytes at the beginning of a file
REMEMBERED = 10_000  # people at recordings; who is forgotten has one row more


@dataclass(slots=True)
class _Looking:
    opened: float = float("-inf")
    sought: tuple[float, int] = (float("-inf"), 0)  # when, and where to
    tracks: dict[str, tuple[int, int]] = field(default_factory=dict)  # the last range of each, on the recording's clock


class Watching:
    def __init__(self) -> None:
        self._looking: OrderedDict[tuple[str, str], _Looking] = OrderedDict()

    def opened(self, person: str, recording: str, now: float) -> bool:
        """Is it a view? ``now`` is monotonic seconds."""
        one = self._of(person, recording)
        new = now - one.opened > AGAIN
        one.opened = now
        if new:
            one.tracks.clear()
        return new

    def went(self, person: str, recording: str, track: str, begin_ms: int, end_ms: int, now: float) -> bool:
        """Is a range of a track that shows this a seek?"""
        one = self._of(person, recording)
        before, behind = one.tracks.get(track, (0, 0))
        one.tracks[track] = begin_ms, end_ms
        if before - FAR_MS <= begin_ms <= behind + FAR_MS:
            return False
        when, where = one.sought
        if now - when <= TOGETHER and abs(begin_ms - where) <= FAR_MS:
            return False
        one.sought = now, begin_ms
        return True

    def _of(self, person: str, recording: str) -> _Looking:
        key = person, recording
        one = self._looking.setdefault(key, _Looking())
        self._looking.move_to_end(key)
        while len(self._looking) > REMEMBERED:
            self._looking.popitem(last=False)
        return one
