"""Publishers send the layers that somebody needs, and no others (LiveKit's dynacast)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from commhub.media.backup import helps
from commhub.media.messages import Message, Wanted
from commhub.media.room import HIGH, Encoding, Track
from commhub.media.sinks import Sinks

LOWER_AFTER = 0.5  # seconds; views change size while they are dragged
PAUSE_AFTER = 3.0  # seconds; a stopped encoder needs a key frame to begin again
_ALL = [0, 1, 2]


class Home(Protocol):
    sinks: Sinks
    emit: Callable[[Message], None]

    def now(self) -> float: ...
    def tracks_of(self, receiver: int) -> list[Track]:
        """All that share it: a participant's track and its forwarded ones."""

    def relayed(self, track: Track) -> bool:
        """Does another worker get it?"""


class Dynacast:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._less: dict[Track, None] = {}  # tracks of which less would do

    def consider(self, track: Track) -> None:
        """Who receives the track has changed: more is told at once, less after a while."""
        self._less.pop(track, None)
        if track.kind != "video" or not track.encodings:
            return
        if track.peer.connection is None:  # somebody else's, forwarded; its owner is told
            for encoding in track.encodings:
                for other in self._home.tracks_of(encoding.receiver):
                    if other.peer.connection is not None:
                        self.consider(other)
            return
        told = dict(track.wanted) if track.wanted is not None else {}
        needed = [(encoding.codec.mime, self._qualities(track, encoding)) for encoding in track.encodings]
        needed += [(mime, _ALL) for mime in track.backups if helps(track, mime)]
        # Clients send everything until they are told what is wanted.
        asked = [mime for mime, _ in needed if mime not in told and mime in track.backups]
        if asked or any(len(qualities) > len(told.get(mime, _ALL)) for mime, qualities in needed):
            self._tell(track, needed)
        elif any(len(qualities) < len(told.get(mime, _ALL)) for mime, qualities in needed):
            if not track.unwanted_since:
                track.unwanted_since = self._home.now()
            wait = LOWER_AFTER if any(qualities for _, qualities in needed) else PAUSE_AFTER
            if self._home.now() - track.unwanted_since >= wait:
                self._tell(track, needed)
            else:
                self._less[track] = None
        else:
            track.unwanted_since = 0.0

    def _qualities(self, track: Track, encoding: Encoding) -> list[int]:
        # A viewer who has no section yet counts: the encoder then runs when the section is there.
        best = -1
        for shared in self._home.tracks_of(encoding.receiver):
            viewers = [one for one in shared.subscriptions.values() if one.enabled and one.allowed and not one.untaken]
            asked = [one.asked for one in viewers if _of(one.encoding or shared.primary, encoding)]
            best = max(best, *asked) if asked else best
            if _of(shared.primary, encoding):
                best = max(best, self._home.sinks.quality(shared))
        if encoding is track.primary and self._home.relayed(track):
            best = HIGH
        return list(range(best + 1))

    def _tell(self, track: Track, needed: list[tuple[str, list[int]]]) -> None:
        track.wanted, track.unwanted_since = needed, 0.0
        self._home.emit(Wanted(track.room.name, track.peer.id, track.id, needed))

    def forget(self, track: Track) -> None:
        self._less.pop(track, None)

    def tick(self) -> None:
        for track in list(self._less):
            self.consider(track)


def _of(one: Encoding | None, encoding: Encoding) -> bool:
    return one is not None and one.receiver == encoding.receiver
