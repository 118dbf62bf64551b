"""What admins do between two rooms: a participant goes on in another one (MoveParticipant), or is seen there too
(ForwardParticipant, :mod:`signaling.forwarding`).

On the same worker their peer connection goes along: nothing of what they send stops, and what they receive begins with the next
key frame. A destination on another worker is reached by themselves: a token for it, and ``leave`` with RECONNECT.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from commhub import log as logs
from commhub.conference import Ticket
from commhub.errors import Conflict, Forbidden, Invalid
from signaling import session
from signaling.participant import API_GRANTS, Participant
from signaling.session import Room

if TYPE_CHECKING:
    from signaling.rooms import Rooms

log = logs.get(__name__)


class Between:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def move(self, name: str, identity: str, destination: str, key: str) -> None:
        """``key`` is the admin's API key: it reaches both rooms, and makes the destination when it is not there. NotFound,
        Forbidden, Busy (it is full), whatever the hub says about entering it, Unavailable."""
        origin, to, person, ticket = await self._agreed(name, identity, destination, key)
        to.admits(identity)
        self._go(origin, to, person, ticket)

    async def forward(self, name: str, identity: str, destination: str, key: str) -> None:
        """As :meth:`move`; Conflict when somebody of that identity is there already."""
        origin, to, person, _ = await self._agreed(name, identity, destination, key)
        self._rooms.forwards.begin(origin, person, to)

    async def _agreed(self, name: str, identity: str, destination: str, key: str) -> tuple[Room, Room, Participant, Ticket]:
        """Everybody who has a say has said yes, and both rooms run."""
        rooms = self._rooms
        person = rooms.find(name).of_identity(identity)
        if person.kind != "client":
            raise Invalid("Only clients can be moved or forwarded.", "只能移动或转发客户端。")
        self._reach(destination, key)
        ticket = self._ticket(person, destination, key)
        await rooms.host.admit(ticket)
        to = await self._opened(name, destination, key)
        origin = rooms.find(name)
        if origin.people.get(person.sid) is not person or person.replaced or rooms.rooms.get(destination) is not to:
            raise Conflict("The participant left meanwhile.", "该参会者已离开。")
        return origin, to, person, ticket

    def _reach(self, destination: str, key: str) -> None:
        room = self._rooms.rooms.get(destination)
        if room is not None and not self._rooms.keys.reaches(key, room.key):
            raise Forbidden("The API key does not reach the destination room.", "该 API 密钥无权访问目标会商。")

    def _ticket(self, person: Participant, destination: str, key: str) -> Ticket:
        """For the destination, with the rights they have; those over the server API were for the room they come from."""
        rooms, now = self._rooms, self._rooms.now()
        room = rooms.rooms.get(destination)
        owner = room.key if room is not None else key
        grants = {grant: value for grant, value in person.ticket.grants.items() if grant not in API_GRANTS}
        return replace(
            person.ticket,
            key=person.ticket.key if rooms.keys.reaches(person.ticket.key, owner) else key,
            room=destination,
            grants={**grants, "room": destination, "roomJoin": True},
            token_id=secrets.token_hex(16),
            issued_at=round(now, 3),
            expires_at=now + rooms.terms.refresh_ttl,
            room_config={},
        )

    async def _opened(self, beside: str, destination: str, key: str) -> Room:
        """The destination, on a worker: on the one of ``beside`` when it was on none."""
        rooms = self._rooms
        room = rooms.rooms.get(destination)
        if room is None:
            room = session.new_room(destination, key, rooms.terms, rooms.now())
            room.beside = beside
            rooms.make(room)
        elif not room.placed:
            room.beside = beside
        await rooms.places.wait(room)
        return room

    def _go(self, origin: Room, to: Room, person: Participant, ticket: Ticket) -> None:
        rooms, now = self._rooms, self._rooms.now()
        together = rooms.engine.worker_of(origin.name) == rooms.engine.worker_of(to.name)
        if together and origin.placed:
            rooms.moved(person.sid, to.name)
            rooms.act(origin.name, origin.depart(person, to.name, now))
            rooms.act(to.name, to.arrive(person, ticket, now))
        else:
            rooms.act(origin.name, origin.send_away(person, ticket, now))
        log.info("participant moved", room=origin.name, to=to.name, peer=person.sid, in_place=together)
