"""A publisher's own word about who may subscribe (LiveKit's track permissions). No I/O, no clock.

It is asked for every viewer and track whenever something changes, so an answer may not cost more when the word is long.
"""

from __future__ import annotations

from collections.abc import Callable

from livekit.protocol import rtc

MAX_NAMED = 500  # people one word may name, and tracks of each; the rest of it is not read
MAX_SID, MAX_IDENTITY = 64, 256
MAX_TRACKS = 5_000  # of all of them together: the word is in the publisher's record


class Viewers:
    """``word`` is not changed from outside."""

    def __init__(self, word: rtc.SubscriptionPermission) -> None:
        self.word = word
        self._people: dict[str, tuple[bool, set[str]]] = {}
        self._sids: dict[str, tuple[bool, set[str]]] = {}
        for entry in word.track_permissions:
            # Who is named twice is meant the first time, as with LiveKit.
            by = self._people if entry.participant_identity else self._sids
            by.setdefault(entry.participant_identity or entry.participant_sid, (entry.all_tracks, set(entry.track_sids)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Viewers) and self.word == other.word

    __hash__ = None  # type: ignore[assignment]

    def allow(self, identity: str, sid: str, track: str) -> bool:
        if self.word.all_participants:
            return True
        known = self._people.get(identity) or self._sids.get(sid)
        return known is not None and (known[0] or track in known[1])

    def succeed(self, earlier: str, track: str) -> None:
        """What was said about the track ``earlier`` is said about this one."""
        for entry in self.word.track_permissions:
            if earlier in entry.track_sids:
                entry.track_sids.append(track)
        for by in (self._people, self._sids):
            for _, tracks in by.values():
                if earlier in tracks:
                    tracks.add(track)


def read(word: rtc.SubscriptionPermission, identity_of: Callable[[str], str]) -> Viewers | None:
    """What a client said, within bounds; None when it names nobody somewhere: LiveKit, too, takes nothing of such a message.
    ``identity_of`` a sid, '' when nobody has it: a sid changes with every full reconnect, the word is about the person."""
    kept, left = rtc.SubscriptionPermission(all_participants=word.all_participants), MAX_TRACKS
    for entry in word.track_permissions[:MAX_NAMED]:
        if not (entry.participant_identity or entry.participant_sid):
            return None
        if max(len(entry.participant_identity), len(entry.participant_sid)) > MAX_IDENTITY:
            continue  # nobody's
        one = kept.track_permissions.add(participant_sid=entry.participant_sid, all_tracks=entry.all_tracks)
        one.participant_identity = entry.participant_identity or identity_of(entry.participant_sid)
        one.track_sids.extend(sid for sid in entry.track_sids[: min(MAX_NAMED, left)] if len(sid) <= MAX_SID)
        left -= len(one.track_sids)
    return Viewers(kept)
