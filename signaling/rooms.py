"""All rooms of the hub: the state machines of :mod:`signaling.session` joined to the engine, the WebSockets and the hub.

This is the live side of :class:`commhub.conference.Conference`. Nothing here waits for a client: what is to be sent goes
into the socket's queue, offers are negotiated beside everything else (in order per participant), and facts for the hub's
records go out one after another.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from livekit.protocol import models, rtc
from livekit.protocol import room as service

from commhub import log as logs
from commhub.conference import HEARD_SECONDS, CameraSeat, Host, Presence, Ticket
from commhub.errors import Conflict, Forbidden, NotFound, Unavailable
from commhub.media import Engine
from commhub.media import messages as media
from commhub.media.messages import Message
from commhub.tasks import Tasks
from signaling import floors, making, session, subscribing, tokens
from signaling.between import Between
from signaling.forwarding import Forwards
from signaling.ledger import Ledger
from signaling.offers import Offers
from signaling.outs import Close, Command, Ended, Joined, Left, Negotiate, Out, Send, Terms, work
from signaling.places import NO_ROOM, Places
from signaling.resource import Resource
from signaling.revoked import Revoked
from signaling.rpc import Calls
from signaling.session import Room
from signaling.tokens import SOURCES, Keys
from signaling.witness import Report, Witnesses

log = logs.get(__name__)

TICK_SECONDS = 0.5


class Socket(Protocol):
    """A participant's WebSocket, as this module sees it. Neither method waits."""

    def send(self, response: rtc.SignalResponse, packed: bytes) -> None: ...
    def close(self) -> None:
        """When everything before has left."""


def steady_clock() -> Callable[[], float]:
    """Unix seconds that never jump."""
    start = time.time() - time.monotonic()
    return lambda: start + time.monotonic()


class Rooms:
    """``keys`` includes the hub's own (``terms.hub_key``). ``workers``, ``settle`` and ``patience`` are
    :class:`~signaling.places.Places`'. ``report`` hears what LiveKit's webhooks tell; ``ledger`` keeps who is
    there for a hub that starts when nothing else is left."""

    def __init__(
        self,
        engine: Engine,
        host: Host,
        keys: Keys,
        terms: Terms,
        *,
        workers: int = 1,
        settle: float = 3.0,
        patience: float = 5.0,
        clock: Callable[[], float] | None = None,
        report: Report | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.engine, self.host, self.keys = engine, host, keys
        self.terms = replace(terms, refresh=self._refreshed, trailer=terms.trailer or base64.b64encode(secrets.token_bytes(24)))
        self.now = clock or steady_clock()
        self.rooms: dict[str, Room] = {}
        self._sockets: dict[str, Socket] = {}
        self._facts: asyncio.Queue[tuple[str, Joined | Left]] = asyncio.Queue()
        self._revoked = Revoked()
        self.spoke: Callable[[str, str, bool], None] = lambda room, identity, speaks: None
        self.calls = Calls()
        self.between, self.forwards = Between(self), Forwards(self)
        self._moved: dict[str, str] = {}  # sid → the room it was moved to; its WebSocket still says the first one
        self.witnesses = Witnesses(report)
        self._ledger = ledger or Ledger()
        self._ledger.read(self.now())
        self._tasks = Tasks("signalling")
        self._offers = Offers(self, self._tasks)
        engine.on_event(self._event)
        self.places = Places(self, workers=workers, settle=settle, patience=patience)

    async def start(self) -> None:
        self._tasks.spawn(self._tick(), "clock")
        self._tasks.spawn(self._tell_host(), "facts")
        self._tasks.spawn(self.places.settle_late(), "settle")
        self._tasks.spawn(self._ledger.keep(), "ledger")

    async def close_all(self) -> None:
        """The hub stops: sockets are closed without a word, rooms go on at their workers."""
        await self._tasks.close()
        for socket in list(self._sockets.values()):
            socket.close()

    def verify(self, token: str) -> Ticket:
        """What a token says, to this hub, now. Unauthenticated."""
        return tokens.verify(token, self.keys, self.now())

    async def authenticate(self, token: str) -> Ticket:
        """:meth:`verify`, for who does not join: somebody's own token is no better than their place in the room, so with
        their removal it is dead here too."""
        ticket = self.verify(token)
        self._revoked.check(ticket.room, ticket)
        if ticket.identity:
            await self.host.check(ticket)
        return ticket

    def _refreshed(self, ticket: Ticket, now: float) -> str:
        return tokens.refreshed(ticket, self.keys, now=now, ttl=self.terms.refresh_ttl) if ticket.key in self.keys else ""

    # ------------------------------------------------------------------------------------------ Conference

    async def open(self, room: str, *, key: str, metadata: str = "") -> None:
        known = self.rooms.get(room)
        if known is None:
            known = self.make(session.new_room(room, key, self.terms, self.now(), kept=True, metadata=metadata))
        known.kept, known.key = True, key

    async def close(self, room: str) -> None:
        if (known := self.rooms.get(room)) is not None:
            self.run(known, known.end(models.DisconnectReason.ROOM_DELETED, self.now()))

    def named(self, prefix: str) -> list[str]:
        return [name for name in self.rooms if name.startswith(prefix)]

    def present(self, room: str, *, unseen: bool = False, connected: bool = False) -> list[Presence]:
        known = self.rooms.get(room)
        people = [] if known is None else [one for one in known.people.values() if one.present or not connected]
        if not unseen:
            return [person.presence() for person in people if not person.hidden]
        return [replace(person.presence(), identity=person.owner) for person in people]

    async def reached(self, room: str) -> frozenset[str] | None:
        if not self.places.settled:
            return None
        known = self.rooms.get(room)
        if known is None:
            return frozenset()
        stats = await self.engine.stats(room)
        if stats is None and self.engine.worker_of(room):
            return None
        peers = stats.peers if stats is not None else []
        heard = {one.peer for one in peers if one.connected and 0 <= one.heard <= HEARD_SECONDS}
        return frozenset(one.owner for one in known.people.values() if one.present or one.sid in heard)

    async def remove(self, room: str, identity: str, *, before: float = 0.0) -> None:
        """``before`` (unix seconds; 0: now): tokens of this identity that were issued before are dead too."""
        known = self.find(room)
        # Also who is on the way back from a dead worker, and who only watches.
        people = [one for one in known.people.values() if one.identity == identity or one.owner == identity]
        if not people:
            raise NotFound("The participant is not in the room.", "该参会者不在会商中。")
        sid = known.by_identity.get(identity)
        if tickets := [replace(one.ticket, identity=identity) for one in people if one.kind == "client"]:
            await self._revoke(room, tickets, before or self.now())
        if (known := self.find(room)).by_identity.get(identity) == sid:
            self.run(known, known.remove(identity, self.now()))

    async def _revoke(self, room: str, tickets: list[Ticket], before: float) -> None:
        """At once for this hub, then for its records. Where those fail (a full disk), nobody is kept in a room for that."""
        self._revoked.add(room, tickets, before, self.now())
        try:
            await self.host.revoke(room, tickets, before)
        except Exception:
            log.exception("removal not written; until the hub restarts it holds all the same", room=room)

    async def mute(self, room: str, identity: str, source: str, muted: bool = True) -> None:
        if not muted:
            raise Conflict("Nobody is unmuted from afar.", "不能远程取消静音。")
        wanted = SOURCES.get(source)
        known = self.find(room)
        _, outs = known.mute(identity, lambda track: track.info.source == wanted, self.now())
        self.run(known, outs)

    async def provide(self, room: str, *, key: str) -> None:
        self.create(service.CreateRoomRequest(name=room), key)

    def reaches(self, room: str, key: str) -> bool:
        known = self.rooms.get(room)
        return self.keys.reaches(key, key if known is None else known.key)

    def camera_seats(self, room: str) -> list[CameraSeat]:
        known = self.rooms.get(room)
        return [one.seat for one in known.people.values() if one.seat is not None] if known is not None else []

    async def add_camera(self, room: str, seat: CameraSeat) -> None:
        known = self.find(room)
        self.run(known, known.add_camera(seat, self.now()))

    async def remove_camera(self, room: str, identity: str) -> None:
        known = self.find(room)
        if known.of_identity(identity).kind != "bridge":
            raise NotFound("There is no such camera in the room.", "会商中没有这个摄像机。")
        self.run(known, known.remove(identity, self.now()))

    def govern(self, room: str, speakers: Iterable[str] | None) -> None:
        if (known := self.rooms.get(room)) is not None:
            self.run(known, known.apply(lambda room: floors.govern(room, speakers)))

    def part(self, room: str, apart: Callable[[str, str], bool] | None) -> None:
        if (known := self.rooms.get(room)) is not None:
            self.run(known, known.apply(lambda room: subscribing.part(room, apart)))

    def forward(self, room: str, identity: str, to: str) -> bool:
        origin, there = self.rooms.get(room), self.rooms.get(to)
        sid = origin.by_identity.get(identity) if origin is not None else None
        if origin is None or there is None or sid is None or origin.people[sid].kind != "client":
            return False
        try:
            self.forwards.begin(origin, origin.people[sid], there)
        except Conflict:
            return False
        return True

    def unforward(self, room: str, to: str) -> None:
        self.forwards.end(room, to)

    def set_recording(self, room: str, active: bool, *, by: str = "") -> None:
        if (known := self.rooms.get(room)) is not None:
            self.run(known, known.set_recording(active, by))

    # ------------------------------------------------------------------------------------------ clients

    async def admit(self, ticket: Ticket, asked: str = "", *, resuming: bool = False, only_ask: bool = False) -> str:
        """The room this ticket may enter now; it is made when the ticket's key may make it, and runs on a worker.

        Forbidden, NotFound, Conflict, Busy, Unavailable with a sentence. ``only_ask`` changes nothing.
        """
        name = tokens.require_join(ticket, asked)
        ticket = replace(ticket, room=name)  # one that names no room is, from here on, for the one that was asked for
        self._revoked.check(name, ticket)
        await self.places.wait_settled()
        self._reach(ticket, name)
        if not resuming:
            self._admits(name, ticket.identity)
        await self.host.admit(ticket, resuming=resuming)
        known = self.rooms.get(name)
        if known is None and ticket.key == self.terms.hub_key:
            raise NotFound(NO_ROOM, "会商不存在或已结束。")
        if only_ask:
            return name
        if known is None:
            known = self.make(making.configured(session.new_room(name, ticket.key, self.terms, self.now()), ticket.room_config))
        elif known.kept and known.key != ticket.key:
            await self.host.used_key(ticket.key, name, "join")
        await self.places.wait(known)
        return name

    def _admits(self, name: str, identity: str) -> None:
        room = self.rooms.get(name)
        if room is not None:
            room.admits(identity)
        known = room.knows(identity) if room is not None else self._ledger.knows(name, identity)
        if self.engine.full(name) and not known:
            raise Unavailable(
                "The media service has too much to do: nobody new can join for the moment.",
                "媒体服务负载已满，暂时无法加入，请稍后再试。",
                code="overloaded",
            )

    def _reach(self, ticket: Ticket, name: str) -> None:
        room = self.rooms.get(name)
        if room is not None and not self.keys.reaches(ticket.key, room.key):
            raise Forbidden("The token's API key does not reach this room.", "该 API 密钥无权进入此会商。")

    def join(
        self,
        name: str,
        ticket: Ticket,
        request: rtc.JoinRequest,
        socket: Socket,
        *,
        dual: bool,
        resource: Resource | None = None,
    ) -> str:
        """After :meth:`admit`: the new participant's sid. NotFound when the room ended meanwhile, Unauthenticated when the
        ticket died, Busy when somebody took the last place. A WHIP or WHEP client has a ``resource``; its ``socket`` is only
        listened to for the answer and the end."""
        room = self.find(name)
        ticket = replace(ticket, room=name)
        self._revoked.check(name, ticket)
        room.admits(ticket.identity)
        sid, outs = room.join(ticket, request, self.now(), dual=dual, resource=resource)
        self._sockets[sid] = socket
        self.run(room, outs)
        log.info("participant joined", room=name, peer=sid, dual=dual)
        return sid

    def resume(self, name: str, ticket: Ticket, request: rtc.JoinRequest, socket: Socket) -> bool:
        """The same participant on a new WebSocket. False: there is no such session, the client has to start anew."""
        sid = request.participant_sid
        room = self.room_of(sid, name)
        if room is not None and room.name != name and sid in room.people:
            if room.people[sid].identity != ticket.identity:
                return False  # everybody in the first room knows this sid
            ticket = room.people[sid].ticket  # it does not know yet that it was moved; resumed, it is told
        self._revoked.check(ticket.room or name, ticket)
        outs = None if room is None else room.resume(sid, replace(ticket, room=room.name), request, self.now())
        if room is None or outs is None:
            return False
        if room.name != name:
            outs += room.moved(sid, self.now())
        earlier = self._sockets.pop(sid, None)
        self._sockets[sid] = socket
        if earlier is not None:
            earlier.close()
        self.run(room, outs)
        log.info("participant resumed", room=name, peer=sid)
        return True

    def moved(self, sid: str, to: str) -> None:
        """From now on what its WebSocket and its worker say is about that room."""
        self._moved[sid] = to

    def room_of(self, sid: str, name: str) -> Room | None:
        return self.rooms.get(self._moved.get(sid, name))

    def receive(self, name: str, sid: str, request: rtc.SignalRequest) -> int:
        """How much :func:`~signaling.outs.work` it was."""
        if (room := self.room_of(sid, name)) is None:
            return 0
        outs = room.receive(sid, request, self.now())
        self.run(room, outs)
        return work(outs)

    def disconnected(self, name: str, sid: str, socket: Socket) -> None:
        if self._sockets.get(sid) is not socket:
            return  # it has come back on another one, or was told to go
        del self._sockets[sid]
        if (room := self.room_of(sid, name)) is not None:
            self.run(room, room.disconnected(sid, self.now()))

    def misbehaved(self, name: str, sid: str) -> None:
        if (room := self.room_of(sid, name)) is not None:
            self.run(room, room.misbehaved(sid, self.now()))

    # ------------------------------------------------------------------------------------------ admins

    def find(self, name: str) -> Room:
        """NotFound."""
        if (room := self.rooms.get(name)) is None:
            raise NotFound(NO_ROOM, "会商不存在或已结束。")
        return room

    def create(self, request: service.CreateRoomRequest, key: str) -> models.Room:
        """Idempotent. Forbidden when the name belongs to another key's room."""
        room = self.rooms.get(request.name)
        if room is None and key in self.keys:
            room = session.new_room(request.name, key, self.terms, self.now(), metadata=request.metadata)
            self.make(making.requested(room, request))
        elif room is None or not self.keys.reaches(key, room.key):
            raise Forbidden("The API key does not reach this room.", "该 API 密钥无权访问此会商。")
        return room.info

    async def delete(self, name: str) -> None:
        """Everybody goes, and their tokens are dead. A consultation's room stays, empty: only the hub ends a consultation."""
        tickets = [person.ticket for person in self.find(name).clients()]
        await self._revoke(name, tickets, self.now())
        room = self.find(name)
        reason = models.DisconnectReason.ROOM_DELETED
        self.run(room, room.close(reason, self.now()) if room.kept else room.end(reason, self.now()))

    async def call(self, name: str, identity: str, method: str, payload: str, timeout: float) -> str:
        """RPC to a participant: the payload of its answer (:mod:`signaling.rpc`). ``timeout`` in seconds; 0: the usual."""
        callee = self.find(name).of_identity(identity)

        def send(packet: bytes) -> None:
            if (room := self.room_of(callee.sid, name)) is not None:
                self.run(room, room.send_data(packet, True, [callee.sid], []))

        return await self.calls.perform(callee, method, payload, timeout, send)

    def act(self, name: str, outs: Iterable[Out]) -> None:
        """Carry out what a room's state machine said."""
        self.run(self.find(name), list(outs))

    # ------------------------------------------------------------------------------------------ carrying out

    def make(self, room: Room) -> Room:
        self.rooms[room.name] = room
        self._ledger.welcome(room)
        log.info("room made", room=room.name, kept=room.kept)
        self.places.place(room)
        return room

    def run(self, room: Room, outs: list[Out]) -> None:
        for out in outs:
            match out:
                case Send():
                    packed = out.response.SerializeToString()
                    for sid in out.to:
                        if (socket := self._sockets.get(sid)) is not None:
                            socket.send(out.response, packed)
                case Command():
                    self.engine.tell(out.message)
                    if isinstance(out.message, media.RemovePeer):
                        self.calls.gone(out.message.peer)
                        self._moved.pop(out.message.peer, None)
                case Negotiate():
                    self._offers.add(out.offer)
                case Close():
                    if (socket := self._sockets.pop(out.peer, None)) is not None:
                        socket.close()
                case Joined() | Left():
                    self._facts.put_nowait((room.name, out))
                case Ended():
                    if self.rooms.get(room.name) is room:
                        del self.rooms[room.name]
                    log.info("room ended", room=room.name, reason=out.reason)
        self._ledger.look(room, outs)
        self.witnesses.look(room)
        self.forwards.look(room)

    # ------------------------------------------------------------------------------------------ events

    def _event(self, message: Message) -> None:
        if isinstance(message, media.Replied):
            self.calls.receive(message.peer, message.packet)
            return
        name, peer = getattr(message, "room", None), getattr(message, "peer", "")
        # What was said about somebody before the worker heard of their move is about them still.
        if isinstance(name, str) and (room := self.room_of(peer, name)) is not None:
            self.run(room, room.event(message, self.now()))
            if isinstance(message, media.Speakers) and room.speakers is not None:
                for speaker in message.speakers:
                    self.spoke(room.name, speaker.identity, speaker.active)

    # ------------------------------------------------------------------------------------------ time and facts

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._ledger.expire(self.rooms, self.now())
            for room in list(self.rooms.values()):
                try:
                    self.run(room, room.tick(self.now()))
                except Exception:  # the clock of all other rooms goes on
                    if (suppressed := logs.limited(("tick", room.name), 60)) is not None:
                        log.exception("room's clock failed", room=room.name, suppressed=suppressed)

    async def _tell_host(self) -> None:
        while True:
            name, fact = await self._facts.get()
            try:
                if isinstance(fact, Joined):
                    await self.host.joined(name, fact.presence)
                else:
                    await self.host.left(name, fact.presence, fact.reason)
            except Exception:
                log.exception("fact not recorded", room=name)
