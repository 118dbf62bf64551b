"""ForwardParticipant: somebody of one room is seen and heard in others too, until they leave or are removed there.

What is known of it stands in the forwarded participant's own record at the worker (:class:`~signaling.participant.Origin`), so a
restarted hub finds it again; who died or moved among the workers is told anew by comparing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from commhub import log as logs
from commhub.errors import Conflict
from commhub.media import messages as media
from signaling.participant import Origin, Participant
from signaling.session import Room

if TYPE_CHECKING:
    from signaling.rooms import Rooms

log = logs.get(__name__)


@dataclass(slots=True)
class _Forward:
    """``sid`` is the image's in the room ``to``; ``muted`` is what was seen of the tracks there."""

    origin: Origin
    identity: str
    to: str
    sid: str
    muted: dict[str, bool] = field(default_factory=dict)


class Forwards:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._from: dict[str, dict[str, _Forward]] = {}  # by room, and the image's sid
        self._into: dict[str, dict[str, _Forward]] = {}
        self._told: dict[str, media.Relay] = {}  # by Source
        self._looking = False

    def begin(self, origin: Room, person: Participant, to: Room) -> None:
        """Idempotent. Conflict when somebody else of that identity is there."""
        if (sid := to.by_identity.get(person.identity)) is not None:
            known = to.people[sid].origin
            if known is not None and known.room == origin.name:
                return
            raise Conflict("Somebody of this identity is in the destination room.", "目标会商中已有相同身份的参会者。")
        others = [one for one in self._of(self._from, origin) if one.identity == person.identity]
        source = others[0].origin.source if others else f"forward:{secrets.token_hex(8)}"
        image, outs = to.mirror(person, Origin(origin.name, source), self._rooms.now())
        self._add(to, image).muted.update({track.sid: track.info.muted for track in person.tracks.values()})
        self._rooms.run(to, outs)
        log.info("participant forwarded", room=origin.name, to=to.name, peer=person.sid)

    def end(self, name: str, to: str) -> None:
        """Nobody of the room ``name`` is seen in ``to`` any more."""
        there = self._rooms.rooms.get(to)
        for one in list(self._from.get(name, {}).values()):
            if there is not None and one.to == to and one.sid in there.people:
                self._end(there, one)

    def found(self, room: Room) -> None:
        """A room that a worker told of: whose images are in it, and did the worker hear everything?"""
        for person in room.people.values():
            if person.origin is not None and person.sid not in self._into.get(room.name, {}):
                self._add(room, person)
        for one in self._of(self._from, room):
            self._told.pop(one.origin.source, None)
        self.look(room)
        for name in {one.origin.room for one in self._of(self._into, room)}:
            if (origin := self._rooms.rooms.get(name)) is not None:
                self.look(origin)

    def look(self, room: Room) -> None:
        """Something happened in the room."""
        if self._looking or not (room.name in self._from or room.name in self._into):
            return
        self._looking = True  # what follows from it is no news
        try:
            for one in self._of(self._into, room):
                self._look_here(room, one)
            for one in self._of(self._from, room):
                self._follow(room, one)
        finally:
            self._looking = False

    def _look_here(self, to: Room, one: _Forward) -> None:
        if to.closed or one.sid not in to.people:
            self._forget(one)
        elif one.origin.room not in self._rooms.rooms and self._rooms.places.settled:
            self._end(to, one)  # it did not come back after a restart
        else:
            self._relay(one.origin, one.identity)

    def _follow(self, origin: Room, one: _Forward) -> None:
        to = self._rooms.rooms.get(one.to)
        sid = origin.by_identity.get(one.identity)
        if to is None or one.sid not in to.people:
            self._forget(one)
        elif origin.closed or sid is None:
            self._end(to, one)
        else:
            self._rooms.run(to, to.follow(one.sid, origin.people[sid], one.muted))
            self._relay(one.origin, one.identity)

    def _end(self, to: Room, one: _Forward) -> None:
        log.info("forwarding ended", room=one.origin.room, to=to.name, peer=one.sid)
        self._rooms.run(to, to.unmirror(one.sid, self._rooms.now()))
        self._forget(one)

    @staticmethod
    def _of(index: dict[str, dict[str, _Forward]], room: Room) -> list[_Forward]:
        return list(index.get(room.name, {}).values())

    def _add(self, to: Room, image: Participant) -> _Forward:
        assert image.origin is not None
        one = _Forward(image.origin, image.identity, to.name, image.sid)
        for index, name in ((self._from, image.origin.room), (self._into, to.name)):
            index.setdefault(name, {})[image.sid] = one
        return one

    def _forget(self, one: _Forward) -> None:
        for index, name in ((self._from, one.origin.room), (self._into, one.to)):
            if (known := index.get(name)) is not None:
                known.pop(one.sid, None)
                if not known:
                    del index[name]
        self._relay(one.origin, one.identity)

    def _relay(self, origin: Origin, identity: str) -> None:
        """The worker of the room they come from is told where the Source goes, when that is new."""
        room, engine = self._rooms.rooms.get(origin.room), self._rooms.engine
        sid = room.by_identity.get(identity) if room is not None else None
        told = self._told.get(origin.source)
        if room is None or sid is None or room.people[sid].replaced or not room.placed:
            self._told.pop(origin.source, None)  # the Source ended with its participant, or its worker
            return
        goes_to = {one.to for one in self._from.get(origin.room, {}).values() if one.origin.source == origin.source}
        workers = sorted({engine.worker_of(name) for name in goes_to} - {""})
        if told is not None and told.peer != sid:
            told = None
        if told is None or told.workers != workers:
            if told is None and not workers:
                return
            message = media.Relay(room.name, sid, origin.source, workers)
            self._told[origin.source] = message
            engine.tell(message)
            if not workers:
                del self._told[origin.source]
