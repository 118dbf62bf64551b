"""What other systems are told of a room (LiveKit's webhooks), found by comparing it with what was told before.

No I/O and no clock. Whatever changes somebody goes through ``Room.show`` or ``Room.drop``, which note who it was; so one place
knows all facts, in LiveKit's order: the room begins, somebody joins (when their media is connected), publishes,
unpublishes, leaves, the room ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from livekit.protocol import models

from signaling.participant import Participant, State
from signaling.session import Room

#: ``report(kind, room=…, key=…, participant=…, track=…, unique=…)``: as :meth:`commhub.webhooks.Webhooks.emit`.
Report = Callable[..., None]


@dataclass(slots=True)
class _Told:
    """``person`` as last seen: who has left is told with their last words."""

    person: Participant
    joined: bool = False
    tracks: dict[str, tuple[models.TrackInfo, str]] = field(default_factory=dict)  # sid → as published, what makes it unique


class Witnesses:
    """One for each room; without ``report`` none."""

    def __init__(self, report: Report | None) -> None:
        self._report = report
        self._rooms: dict[str, _Witness] = {}

    def look(self, room: Room) -> None:
        """After anything happened in the room; the last time when it is closed."""
        if self._report is None:
            room.changed.clear()
            return
        witness = self._rooms.get(room.name)
        if witness is None or witness.room is not room:
            if room.closed:
                return
            witness = self._rooms[room.name] = _Witness(room, self._report)
        if room.changed or not witness.began:
            witness.look()
        if room.closed:
            del self._rooms[room.name]
            witness.ended()

    def going_on(self) -> list[tuple[str, str]]:
        """Kind and ``unique`` of every beginning that was told and has not ended."""
        return [beginning for witness in self._rooms.values() for beginning in witness.going_on()]

    def found(self, room: Room) -> None:
        """A room found again: nobody has noted who changed."""
        room.changed.update(room.people)
        self.look(room)


class _Witness:
    """Of one room. ``unique`` texts come from sids, which a worker keeps: a restarted hub tells the same facts again."""

    def __init__(self, room: Room, report: Report) -> None:
        self.room, self._report = room, report
        self._told: dict[str, _Told] = {}
        self.began = False

    def look(self) -> None:
        room = self.room
        if room.placed and not self.began:
            self.began = True
            self._say("room_started", unique=room.info.sid)
        changed, room.changed = room.changed, {}
        for sid, person in changed.items():
            if sid in self._told or not person.unlisted:
                self._compare(sid, person)

    def going_on(self) -> list[tuple[str, str]]:
        found = [("room_started", self.room.info.sid)] if self.began else []
        for sid, told in self._told.items():
            if told.joined:
                found.append(("participant_joined", sid))
            found += [("track_published", unique) for _, unique in told.tracks.values()]
        return found

    def ended(self) -> None:
        for sid, told in list(self._told.items()):
            self._left(sid, told)
        if self.began:
            self._say("room_finished", unique=self.room.info.sid)

    def _compare(self, sid: str, person: Participant) -> None:
        told = self._told.get(sid)
        if told is None:
            told = self._told[sid] = _Told(person)
        if self.room.people.get(sid) is not person:
            self._left(sid, told)
            return
        if not told.joined:
            if person.info.state != State.ACTIVE:
                return
            told.joined = True
            self._say("participant_joined", participant=person.shown(), unique=sid)
        now = {track.sid: track.info for track in person.tracks.values() if track.bound}
        for track, (info, unique) in list(told.tracks.items()):
            if track not in now:
                self._unpublished(told, track, info, unique)
        for track, info in now.items():
            if track not in told.tracks:
                copy = models.TrackInfo()
                copy.CopyFrom(info)
                told.tracks[track] = (copy, _unique(info))
                self._say("track_published", participant=_brief(person), track=copy, unique=_unique(info))

    def _unpublished(self, told: _Told, track: str, info: models.TrackInfo, unique: str) -> None:
        del told.tracks[track]
        self._say("track_unpublished", participant=_brief(told.person), track=info, unique=unique)

    def _left(self, sid: str, told: _Told) -> None:
        for track, (info, unique) in list(told.tracks.items()):
            self._unpublished(told, track, info, unique)
        del self._told[sid]
        kind = "participant_left" if told.joined else "participant_connection_aborted"
        shown = models.ParticipantInfo()
        shown.CopyFrom(told.person.info)
        self._say(kind, participant=shown, unique=sid)

    def _say(self, kind: str, **what: Any) -> None:
        self._report(kind, room=self.room.info, key=self.room.key, **what)


def _unique(info: models.TrackInfo) -> str:
    """A camera's track keeps its sid over its streams; the version is of the moment it was bound."""
    return f"{info.sid} {info.version.unix_micro}"


def _brief(person: Participant) -> models.ParticipantInfo:
    return models.ParticipantInfo(sid=person.sid, identity=person.identity, name=person.info.name)
