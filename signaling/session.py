"""A room and everybody in it, sans I/O: requests of clients and events of the engine go in, what to do comes out.

Every public method takes ``now`` (unix seconds that never jump) and returns a list of outs, in order:

==============  ==========================================================================================
``Send``        this response to these participants' WebSockets (those that have none are not named)
``Command``     a command for the media engine
``Negotiate``   an offer for the engine; its result comes back by :meth:`Room.answered` or :meth:`Room.refused`
``Close``       close this participant's WebSocket when everything before has left
``Joined``      facts for the hub's records
``Left``
``Ended``       the room is over; forget it
==============  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from livekit.protocol import models, rtc

from commhub.conference import CameraSeat, Ticket
from commhub.errors import Busy, NotFound
from commhub.media import messages as media
from commhub.media.messages import Message
from signaling import (
    data_tracks,
    entrance,
    events,
    messages,
    mirror,
    moderation,
    moving,
    participant,
    placement,
    publishing,
    requests,
    simulations,
    subscribing,
    watching,
)
from signaling.outs import Close, Command, Ended, Left, Negotiate, Out, Send, Terms
from signaling.participant import Origin, Participant, RoomRecord, Ruling, State, Track
from signaling.resource import Resource

Reason = models.DisconnectReason
INGRESS = models.ParticipantInfo.Kind.INGRESS
Action = rtc.LeaveRequest

ROOM_UPDATE_DELAY = 2.0  # changes of the number of people are told together


@dataclass(slots=True)
class Room:
    """One room. ``key`` made it; ``kept`` rooms (consultations) exist until closed, others end when empty."""

    info: models.Room
    key: str
    terms: Terms
    kept: bool = False
    placed: bool = False  # a worker runs it
    beside: str = ""  # the room with which it would like to share a worker
    people: dict[str, Participant] = field(default_factory=dict)  # by sid
    by_identity: dict[str, str] = field(default_factory=dict)
    outs: list[Out] = field(default_factory=list)
    speaking: set[str] = field(default_factory=set)
    empty_since: float = 0.0
    had_people: bool = False
    told_at: float | None = None  # when room_update is due
    changed: dict[str, Participant] = field(default_factory=dict)  # for who tells other systems; they clear it
    closed: bool = False
    viewers: set[str] = field(default_factory=set)  # sids of WHEP clients
    egress: bytes = b""  # what is to be recorded by itself: a serialised RoomEgress
    recorders: set[str] = field(default_factory=set)  # who records it; '' is the consultation's own recording
    returning: dict[str, Participant] = field(default_factory=dict)  # by identity: who was here when everything died
    rulings: dict[str, Ruling] = field(default_factory=dict)  # by identity: rights that were changed while somebody was here
    speakers: frozenset[str] | None = None  # identities that have the floor; None: there is none, everybody is heard
    apart: Callable[[str, str], bool] | None = None  # (publisher, viewer), identities: held, or not to be heard by that one

    # ------------------------------------------------------------------------------------------ for the parts

    @property
    def name(self) -> str:
        return self.info.name

    def send(self, to: Participant, response: rtc.SignalResponse) -> None:
        if to.present:
            self.outs.append(Send((to.sid,), response))

    def respond(self, to: Participant, response: rtc.RequestResponse) -> None:
        """``request_response``, if the client understands it."""
        if to.client.takes_success or (response.reason != rtc.RequestResponse.OK and to.client.takes_answers):
            self.send(to, rtc.SignalResponse(request_response=response))

    def broadcast(self, response: rtc.SignalResponse, besides: Participant | None = None) -> None:
        to = tuple(person.sid for person in self.people.values() if person.present and person is not besides)
        if to:
            self.outs.append(Send(to, response))

    def command(self, message: Message) -> None:
        """Nothing is told to a worker that is not there: :meth:`place` tells all of it."""
        if self.placed:
            self.outs.append(Command(message))

    def show(self, person: Participant, besides: Participant | None = None) -> None:
        """``person`` changed: a new version for everybody who may see them."""
        person.info.version += 1
        person.dirty = True
        self.changed[person.sid] = person
        update = rtc.SignalResponse(update=rtc.ParticipantUpdate(participants=[person.shown()]))
        if person.hidden:
            self.send(person, update)
        else:
            self.broadcast(update, besides)

    def clients(self) -> Iterable[Participant]:
        return (person for person in self.people.values() if person.kind == "client")

    def of_identity(self, identity: str) -> Participant:
        sid = self.by_identity.get(identity)
        if sid is None or self.people[sid].replaced:
            raise NotFound("The participant is not in the room.", "该参会者不在会商中。")
        return self.people[sid]

    def find_track(self, sid: str) -> tuple[Participant, Track] | None:
        for person in self.people.values():
            if (track := person.tracks.get(sid)) is not None:
                return person, track
        return None

    def drop(
        self,
        person: Participant,
        reason: models.DisconnectReason,
        now: float,
        *,
        tell_host: bool = True,
        moving: bool = False,
    ) -> None:
        """Take somebody out; the others and the engine are told. ``moving``: not the engine, where they go on elsewhere."""
        del self.people[person.sid]
        self.by_identity.pop(person.identity, None)
        data_tracks.left(self, person)
        if not person.replaced and not moving:
            self.command(media.RemovePeer(self.name, person.sid, Reason.Name(reason)))
        for other in self.people.values():
            other.subscribed.difference_update(person.tracks)
            other.denied.difference_update(person.tracks)
        person.info.state = State.DISCONNECTED
        person.info.disconnect_reason = reason
        person.info.version += 1
        self.changed[person.sid] = person
        person.present = False
        if not person.hidden and not person.replaced:
            shown = person.shown()
            del shown.tracks[:]
            for other in self.clients():
                if not other.present and not other.replaced:
                    other.gone[person.sid] = shown
            self.broadcast(rtc.SignalResponse(update=rtc.ParticipantUpdate(participants=[shown])))
        if person.sid in self.speaking:
            self.speaking.discard(person.sid)
            silent = rtc.SpeakersChanged(speakers=[models.SpeakerInfo(sid=person.sid)])
            self.broadcast(rtc.SignalResponse(speakers_changed=silent))
        if tell_host:
            self.outs.append(Left(person.presence(), Reason.Name(reason).lower()))
        self.recount(now)

    def expel(
        self,
        person: Participant,
        reason: models.DisconnectReason,
        now: float,
        action: rtc.LeaveRequest.Action = Action.DISCONNECT,
        *,
        tell_host: bool = True,
    ) -> None:
        """Tell a client to go, close its WebSocket, take it out."""
        self.send(person, messages.leave(reason, action))
        self.close_socket(person)
        self.drop(person, reason, now, tell_host=tell_host)

    def close_socket(self, person: Participant) -> None:
        self.outs.append(Close(person.sid))

    def negotiate(self, person: Participant, description: rtc.SessionDescription) -> None:
        person.sections = None
        self.outs.append(Negotiate(media.Offer(self.name, person.sid, description.sdp, description.id)))

    def tell_room(self) -> None:
        """Something of the room itself changed: everybody hears it now, and every record carries it."""
        self.told_at = None
        for person in self.people.values():
            person.dirty = True
        self.broadcast(rtc.SignalResponse(room_update=rtc.RoomUpdate(room=self.info)))

    def refresh(self, person: Participant, now: float) -> None:
        person.refresh_at = now + self.terms.refresh_every
        if token := self.terms.refresh(person.credential(now, self.terms.refresh_ttl), now):
            self.send(person, rtc.SignalResponse(refresh_token=token))

    def recount(self, now: float) -> None:
        here = [person for person in self.people.values() if not person.hidden and not person.replaced]
        before = self.info.num_participants, self.info.num_publishers
        self.info.num_participants = len(here)
        self.info.num_publishers = sum(1 for person in here if any(track.bound for track in person.tracks.values()))
        if any(True for _ in self.clients()):
            self.had_people = True
        else:
            self.empty_since = now
        # Who is hidden changes nothing, and nobody hears that somebody came.
        if self.told_at is None and before != (self.info.num_participants, self.info.num_publishers):
            self.told_at = now + ROOM_UPDATE_DELAY

    def record(self) -> RoomRecord:
        trailer, rulings = self.terms.trailer, self.rulings
        governed = self.speakers is not None
        return RoomRecord(self.info.SerializeToString(), self.key, self.kept, trailer, self.egress, rulings, governed)

    def _flush(self) -> list[Out]:
        if self.viewers:
            watching.look(self)
        if self.placed:
            for person in self.people.values():
                if person.dirty and not person.replaced:
                    person.dirty = False
                    record = participant.pack(person, self.record())
                    self.outs.append(Command(media.UpdatePeer(self.name, person.sid, about=person.about(), record=record)))
        outs, self.outs = self.outs, []
        return outs

    # ------------------------------------------------------------------------------------------ coming and going

    def knows(self, identity: str) -> bool:
        """Is this somebody who is here, or on the way back?"""
        return identity in self.by_identity or identity in self.returning

    def admits(self, identity: str) -> None:
        """Busy when the room is full and this identity is not already in it."""
        limit = self.info.max_participants
        if limit and not self.knows(identity) and sum(1 for _ in self.clients()) >= limit:
            raise Busy("The room is full.", "会商人数已满。")

    def join(
        self, ticket: Ticket, request: rtc.JoinRequest, now: float, *, dual: bool, resource: Resource | None = None
    ) -> tuple[str, list[Out]]:
        """Somebody new (or somebody known who starts anew): their ``PA_`` sid, and what happens. ``join`` is sent first.
        With a ``resource`` it is a WHIP or WHEP client."""
        sid = entrance.join(self, ticket, request, now, dual=dual, resource=resource)
        return sid, self._flush()

    def resume(self, sid: str, ticket: Ticket, request: rtc.JoinRequest, now: float) -> list[Out] | None:
        """The same participant on a new WebSocket; None when there is no such session. ``reconnect`` is sent first."""
        return self._flush() if entrance.resume(self, sid, ticket, request, now) else None

    def receive(self, sid: str, request: rtc.SignalRequest, now: float) -> list[Out]:
        """One message of a client."""
        person = self.people.get(sid)
        if person is not None and person.present:
            requests.receive(self, person, request, now)
        return self._flush()

    def disconnected(self, sid: str, now: float) -> list[Out]:
        """The WebSocket is gone without a word: they may come back for a while."""
        person = self.people.get(sid)
        if person is not None and person.present:
            person.present = False
            if not (person.media_ended and person.away_until):
                person.away_until = now + self.terms.away
        return self._flush()

    def misbehaved(self, sid: str, now: float) -> list[Out]:
        """The client broke the protocol: it goes, nobody else notices more than that."""
        if (person := self.people.get(sid)) is not None:
            self.expel(person, Reason.STATE_MISMATCH, now)
        return self._flush()

    def negotiated(self, sid: str, resource: Resource) -> list[Out]:
        """A WHIP or WHEP client's new ICE session."""
        if (person := self.people.get(sid)) is not None:
            person.resource, person.dirty = resource, True
        return self._flush()

    def answered(self, sid: str, answer: media.Answer) -> list[Out]:
        if (person := self.people.get(sid)) is not None:
            self.send(person, messages.answer(answer.sdp, answer.id, answer.mids))
        return self._flush()

    def mirror(self, person: Participant, origin: Origin, now: float) -> tuple[Participant, list[Out]]:
        """Somebody of another room is seen here too; :meth:`follow` whatever happens to them there."""
        return mirror.begin(self, person, origin, now), self._flush()

    def unmirror(self, sid: str, now: float) -> list[Out]:
        """They are no longer in the other room."""
        self.drop(self.people[sid], Reason.PARTICIPANT_REMOVED, now)
        return self._flush()

    def follow(self, sid: str, person: Participant, muted: dict[str, bool]) -> list[Out]:
        mirror.follow(self, self.people[sid], person, muted)
        return self._flush()

    def depart(self, person: Participant, to: str, now: float) -> list[Out]:
        """They go on in the room ``to``; :meth:`arrive` there follows at once."""
        moving.depart(self, person, to, now)
        return self._flush()

    def arrive(self, person: Participant, ticket: Ticket, now: float) -> list[Out]:
        moving.arrive(self, person, ticket, now)
        return self._flush()

    def moved(self, sid: str, now: float) -> list[Out]:
        """They were moved here while their WebSocket was away: told again."""
        person = self.people[sid]
        others = [other.shown() for other in self.people.values() if other is not person and not (other.hidden or other.replaced)]
        moving.tell(self, person, others, now)
        return self._flush()

    def send_away(self, person: Participant, ticket: Ticket, now: float) -> list[Out]:
        """They are to join another room by themselves."""
        moving.send_away(self, person, ticket, now)
        return self._flush()

    # ------------------------------------------------------------------------------------------ the engine

    def event(self, message: Message, now: float) -> list[Out]:
        """One event of the engine about this room."""
        events.receive(self, message, now)
        return self._flush()

    def place(self, now: float) -> list[Out]:
        """A worker is there: the room opens on it, with its cameras."""
        placement.place(self)
        return self._flush()

    def lost(self, now: float) -> list[Out]:
        """The worker died: every client starts anew, at once; cameras wait for the next worker."""
        placement.lost(self, now)
        return self._flush()

    def restore(self, state: media.RoomState, now: float) -> list[Out]:
        """A running room as its worker describes it: the hub is new, or was cut off from the worker for a while."""
        placement.restore(self, state, now)
        self.recount(now)
        return self._flush()

    # ------------------------------------------------------------------------------------------ the hub and admins

    def remove(self, identity: str, now: float) -> list[Out]:
        """The hub or an admin removes somebody. NotFound."""
        moderation.remove(self, identity, now)
        return self._flush()

    def mute(
        self, identity: str, tracks: Callable[[Track], bool], now: float, *, muted: bool = True
    ) -> tuple[list[Track], list[Out]]:
        """Mute (or unmute) those tracks of somebody, from here. NotFound when nobody or nothing is there."""
        return moderation.mute(self, identity, tracks, muted), self._flush()

    def update(
        self,
        identity: str,
        now: float,
        *,
        name: str = "",
        metadata: str = "",
        attributes: dict[str, str] | None = None,
        permission: models.ParticipantPermission | None = None,
    ) -> tuple[models.ParticipantInfo, list[Out]]:
        """Change what is said about somebody, or what they may. Empty leaves as it is. NotFound, Invalid."""
        info = moderation.update(self, identity, now, name, metadata, attributes or {}, permission)
        return info, self._flush()

    def subscribe(self, identity: str, tracks: Iterable[str], on: bool) -> list[Out]:
        """Decide for somebody what they receive. NotFound."""
        subscribing.wish(self, self.of_identity(identity), tracks, on)
        return self._flush()

    def send_data(self, packet: bytes, reliable: bool, sids: Iterable[str], identities: Iterable[str]) -> list[Out]:
        """A serialised DataPacket from the server; without receivers everybody gets it."""
        moderation.send_data(self, packet, reliable, list(sids), list(identities))
        return self._flush()

    def apply(self, change: Callable[[Room], None]) -> list[Out]:
        """What one of the parts is told from outside: who has the floor, who is apart."""
        change(self)
        return self._flush()

    def set_metadata(self, metadata: str) -> list[Out]:
        self.info.metadata = metadata
        self.tell_room()
        return self._flush()

    def set_recording(self, active: bool, by: str = "") -> list[Out]:
        (self.recorders.add if active else self.recorders.discard)(by)
        if self.info.active_recording != bool(self.recorders):
            self.info.active_recording = bool(self.recorders)
            self.tell_room()
        return self._flush()

    def add_camera(self, seat: CameraSeat, now: float) -> list[Out]:
        """The camera's participant; idempotent."""
        entrance.camera(self, seat, now)
        return self._flush()

    def close(self, reason: models.DisconnectReason, now: float) -> list[Out]:
        """Everybody goes. A kept room is empty afterwards; any other is over."""
        for person in list(self.people.values()):
            if person.kind == "client":
                self.expel(person, reason, now)
            else:
                self.drop(person, reason, now)
        return self._flush()

    def end(self, reason: models.DisconnectReason, now: float) -> list[Out]:
        """:meth:`close`, and the room is over."""
        outs = self.close(reason, now)
        self.command(media.CloseRoom(self.name))
        self.closed = True
        self.outs.append(Ended(Reason.Name(reason).lower()))
        return outs + self._flush()

    # ------------------------------------------------------------------------------------------ time

    def tick(self, now: float) -> list[Out]:
        """Whatever is due: who stayed away too long, tokens to refresh, counts to tell, an empty room to end."""
        for person in list(self.people.values()):
            publishing.sweep(self, person, now)
            if person.quiet_at is not None and now >= person.quiet_at:
                person.quiet_at = None
                simulations.speak(self, person, 0.0)
            if person.away_until is not None and now >= person.away_until:
                reason = Reason.CONNECTION_TIMEOUT if person.present else Reason.SIGNAL_CLOSE
                self.expel(person, reason, now, Action.RECONNECT)
            elif person.present and now >= person.refresh_at:
                self.refresh(person, now)
        if self.told_at is not None and now >= self.told_at:
            self.tell_room()
        if not self.kept and now >= self._ends_at():
            return self._flush() + self.end(Reason.ROOM_CLOSED, now)
        return self._flush()

    def _ends_at(self) -> float:
        if any(person.kind == "client" or person.info.kind == INGRESS for person in self.people.values()):
            return float("inf")
        return self.empty_since + (self.info.departure_timeout if self.had_people else self.info.empty_timeout)


def new_room(name: str, key: str, terms: Terms, now: float, *, kept: bool = False, metadata: str = "") -> Room:
    """An empty room, on no worker yet."""
    info = models.Room(
        sid=messages.new_sid("RM_"),
        name=name,
        empty_timeout=terms.empty_timeout,
        departure_timeout=terms.departure_timeout,
        max_participants=terms.max_participants,
        creation_time=int(now),
        creation_time_ms=int(now * 1000),
        enabled_codecs=[models.Codec(mime=mime) for mime in messages.PUBLISH_MIMES],
        metadata=metadata,
    )
    return Room(info, key, terms, kept, empty_since=now)


def room_of(state: media.RoomState, terms: Terms, now: float) -> Room | None:
    """The room a worker's snapshot describes; None when nobody in it carries a readable record."""
    for peer in state.peers:
        try:
            _, kept = participant.unpack(peer.record)
        except ValueError:
            continue
        info = models.Room.FromString(kept.info)
        terms = replace(terms, trailer=kept.trailer)
        found = Room(info, kept.key, terms, kept.kept, placed=True, empty_since=now, had_people=True)
        found.egress, found.rulings = kept.egress, kept.rulings
        found.speakers = frozenset() if kept.governed else None
        return found
    return None
