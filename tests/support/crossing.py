"""A room of the signalling and an engine, joined by queues that deliver when they like, with clients that answer when they like.

Everything is drawn from one seed. :meth:`World.settle` delivers all that is under way; :meth:`World.check` is what must hold
then, whatever crossed before.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from livekit.protocol import models, rtc

from commhub.errors import HubError
from commhub.media import messages as m
from commhub.media.engine import Engine
from commhub.media.messages import Message
from commhub.media.plane import Address
from commhub.wire import sdp
from signaling import session
from signaling.outs import Close, Command, Negotiate, Out, Send, Terms
from signaling.session import Room
from tests.support.client import Offer, answer
from tests.support.engine import CERTIFICATE
from tests.support.livekit import request, ticket
from tests.support.recording_plane import RecordingPlane

QUALITIES = (models.VideoQuality.LOW, models.VideoQuality.MEDIUM, models.VideoQuality.HIGH)
NAMES = ("ann", "bea", "cid", "dot")


@dataclass
class Person:
    """A client: what it has heard and not done yet is in ``inbox``; it offers once at a time, as clients do."""

    name: str
    dual: bool
    offer: Offer
    sid: str = ""
    online: bool = True
    inbox: deque[rtc.SignalResponse] = field(default_factory=deque)
    tracks: dict[str, str] = field(default_factory=dict)  # cid → sid
    sections: dict[str, str] = field(default_factory=dict)  # cid → mid
    mids: dict[str, str] = field(default_factory=dict)  # as the last answer said
    offered: int = 1
    busy: bool = True
    again: bool = False
    restarts: int = 0


class World:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 1000.0
        self.events: deque[Message] = deque()
        self.commands: deque[Message | m.Offer] = deque()
        self.engine = Engine("media-0", RecordingPlane, self.events.append, certificate=CERTIFICATE, now=lambda: self.now)
        self.plane = cast(RecordingPlane, self.engine.plane)
        self.engine.open([Address("0.0.0.0", "192.0.2.1")], 7882)
        self.terms = Terms(away=1e9, departure_timeout=1 << 30)
        self.room: Room = session.new_room("r", "own", self.terms, self.now)
        self.people: dict[str, Person] = {}
        self.vain = False
        self.done: list[str] = []  # for the message of a failure
        self.carry(self.room.place(self.now))

    # ------------------------------------------------------------------------------------------------- the wires

    def carry(self, outs: Iterable[Out]) -> None:
        for out in outs:
            match out:
                case Send():
                    for person in self.people.values():
                        if person.sid in out.to and person.online:
                            person.inbox.append(out.response)
                case Command():
                    self.commands.append(out.message)
                case Negotiate():
                    self.commands.append(out.offer)
                case Close():
                    for person in list(self.people.values()):
                        if person.sid == out.peer:
                            person.online = False

    def _command(self) -> None:
        message = self.commands.popleft()
        try:
            result = self.engine.command(message)
        except HubError as error:
            if error.code != "no_peer":
                raise
            return
        if isinstance(result, m.Answer):
            assert isinstance(message, m.Offer)
            self.carry(self.room.answered(message.peer, result))

    def _event(self) -> None:
        event = self.events.popleft()
        online = {person.sid for person in self.people.values() if person.online}
        self.vain = isinstance(event, m.SectionsWanted) and event.peer not in online  # said again and again
        self.carry(self.room.event(event, self.now))

    def step(self) -> bool:
        """One thing that is under way arrives; False when nothing is."""
        self.vain = False
        ready: list[Callable[[], None]] = []
        if self.commands:
            ready.append(self._command)
        if self.events:
            ready.append(self._event)
        for person in self.people.values():
            if person.inbox and person.online:
                ready.append(lambda person=person: self._hear(person))  # type: ignore[misc]
        if not ready:
            return False
        self.random.choice(ready)()
        return True

    async def settle(self) -> None:
        """Everything that is under way arrives, and nothing more comes of it for a while."""
        quiet = 0
        for _ in range(5000):
            await asyncio.sleep(0)
            if self.step():
                quiet = quiet if self.vain else 0
                continue
            await asyncio.sleep(0)
            if not (self.events or self.commands):
                if quiet == 60:
                    return
                quiet += 1
                self.tick()
        raise AssertionError(f"It never comes to rest: {self.done}")

    def tick(self) -> None:
        self.now += 0.2
        for person in self.engine.rooms["r"].peers.values():
            for transport in person.connection.transports if person.connection is not None else []:
                transport.expected_since = self.now  # nobody here connects; nobody is given up for that
        self.engine.tick()
        self.carry(self.room.tick(self.now))

    # ------------------------------------------------------------------------------------------------- the clients

    def _say(self, person: Person, **message: Any) -> None:
        self.carry(self.room.receive(person.sid, rtc.SignalRequest(**message), self.now))

    def _renegotiate(self, person: Person) -> None:
        if person.busy:
            person.again = True
            return
        person.busy, person.again = True, False
        person.offered += 1
        description = rtc.SessionDescription(type="offer", sdp=person.offer.text(), id=person.offered)
        self._say(person, offer=description)

    def _hear(self, person: Person) -> None:
        response = person.inbox.popleft()
        kind = response.WhichOneof("message")
        if kind == "answer" and response.answer.id == person.offered:
            person.mids = dict(response.answer.mid_to_track_id)
            sdp.parse(response.answer.sdp)
            person.busy = False
            if person.again:
                self._renegotiate(person)
        elif kind == "offer":
            description = rtc.SessionDescription(type="answer", sdp=answer(response.offer.sdp), id=response.offer.id)
            self._say(person, answer=description)
        elif kind == "media_sections_requirement":
            wanted = response.media_sections_requirement
            person.offer.receive("audio", wanted.num_audios).receive("video", wanted.num_videos)
            self._renegotiate(person)
        elif kind == "track_published":
            published = response.track_published
            if published.cid in person.tracks:
                person.tracks[published.cid] = published.track.sid
                if published.cid not in person.sections:
                    kind_of = "video" if published.track.type == models.TrackType.VIDEO else "audio"
                    person.offer.send(kind_of, published.cid, ["q", "h", "f"] if kind_of == "video" else None)
                    person.sections[published.cid] = person.offer.sections[-1].mid
                self._renegotiate(person)
        elif kind == "track_unpublished":
            self._stop(
                person, next((cid for cid, sid in person.tracks.items() if sid == response.track_unpublished.track_sid), "")
            )
        elif kind == "leave":
            person.online = False

    def _stop(self, person: Person, cid: str) -> None:
        if cid in person.tracks:
            del person.tracks[cid]
            if (mid := person.sections.pop(cid, None)) is not None:
                person.offer.stop(mid)
            self._renegotiate(person)

    # ------------------------------------------------------------------------------------------------- what people do

    def act(self) -> None:
        """Something, by somebody."""
        name = self.random.choice(NAMES)
        person = self.people.get(name)
        if person is None or (not person.online and self.random.random() < 0.3):
            self.done.append(f"{name} joins")
            self._join(name)
            return
        if not person.online:
            self._resume(person)
            return
        choice = self.random.choice(
            [
                self._publish, self._publish, self._publish, self._unpublish, self._republish, self._wish, self._wish, self._view,
                self._mute, self._allow, self._permit, self._away, self._leave, self._link,
            ]
        )  # fmt: skip
        self.done.append(f"{name} {choice.__name__}")
        choice(person)

    def _join(self, name: str) -> None:
        dual = self.random.random() < 0.4
        offer = Offer().receive("audio", 1).receive("video", 1) if not dual else Offer()
        person = Person(name, dual, offer)
        asked = request(auto_subscribe=self.random.random() < 0.7, offer=0)
        asked.publisher_offer.type, asked.publisher_offer.sdp, asked.publisher_offer.id = "offer", offer.text(), 1
        person.sid = ""
        sid, outs = self.room.join(ticket(name), asked, self.now, dual=dual)
        self.carry(out for out in outs if not isinstance(out, Send) or out.to != (sid,))
        person.sid = sid
        self.people[name] = person
        self.carry(out for out in outs if isinstance(out, Send) and out.to == (sid,))

    def _publish(self, person: Person) -> None:
        video = self.random.random() < 0.5
        cid = f"{person.name}-{'cam' if video else 'mic'}-{self.random.randrange(2)}"
        if cid in person.tracks:
            return
        person.tracks[cid] = ""
        self._add(person, cid)

    def _add(self, person: Person, cid: str) -> None:
        video = "cam" in cid
        add = rtc.AddTrackRequest(
            cid=cid,
            type=models.TrackType.VIDEO if video else models.TrackType.AUDIO,
            source=models.TrackSource.CAMERA if video else models.TrackSource.MICROPHONE,
            layers=[
                models.VideoLayer(quality=quality, width=320 << int(quality), height=180 << int(quality)) for quality in QUALITIES
            ]
            if video
            else [],
        )
        self._say(person, add_track=add)

    def _unpublish(self, person: Person) -> None:
        if person.sections:
            self._stop(person, self.random.choice(sorted(person.sections)))

    def _republish(self, person: Person) -> None:
        """The same media stream track again, at once."""
        if person.sections:
            cid = self.random.choice(sorted(person.sections))
            self._stop(person, cid)
            person.tracks[cid] = ""
            self._add(person, cid)

    def _any_track(self) -> str:
        tracks = [sid for person in self.room.people.values() for sid in person.tracks]
        return self.random.choice([*tracks, "TR_none"])

    def _wish(self, person: Person) -> None:
        wanted = rtc.UpdateSubscription(track_sids=[self._any_track()], subscribe=self.random.random() < 0.6)
        self._say(person, subscription=wanted)

    def _view(self, person: Person) -> None:
        settings = rtc.UpdateTrackSettings(
            track_sids=[self._any_track()], disabled=self.random.random() < 0.5, quality=QUALITIES[1]
        )
        self._say(person, track_setting=settings)

    def _mute(self, person: Person) -> None:
        if person.tracks:
            sid = person.tracks[self.random.choice(sorted(person.tracks))]
            self._say(person, mute=rtc.MuteTrackRequest(sid=sid, muted=self.random.random() < 0.5))

    def _allow(self, person: Person) -> None:
        """May this one be seen, and by whom?"""
        word = rtc.SubscriptionPermission(all_participants=self.random.random() < 0.4)
        for name in self.random.sample(NAMES, 2):
            word.track_permissions.add(participant_identity=name, all_tracks=True)
        self._say(person, subscription_permission=word)

    def _permit(self, person: Person) -> None:
        permission = models.ParticipantPermission(
            can_publish=self.random.random() < 0.8, can_subscribe=self.random.random() < 0.8, can_publish_data=True
        )
        _, outs = self.room.update(person.name, self.now, permission=permission)
        self.carry(outs)

    def _away(self, person: Person) -> None:
        person.online = False
        person.inbox.clear()
        self.carry(self.room.disconnected(person.sid, self.now))

    def _resume(self, person: Person) -> None:
        self.done.append(f"{person.name} resumes")
        person.online = True
        asked = rtc.JoinRequest(reconnect=True, participant_sid=person.sid)
        outs = self.room.resume(person.sid, ticket(person.name), asked, self.now)
        if outs is None:
            person.online = False
            self._join(person.name)
            return
        self.carry(outs)
        # The client has lost every answer that was on its way: it begins anew with other credentials.
        person.restarts += 1
        person.offer.ufrag = f"them{person.restarts}"
        person.busy = False
        for cid, sid in list(person.tracks.items()):
            if not sid:
                self._add(person, cid)
        self._renegotiate(person)

    def _leave(self, person: Person) -> None:
        if self.random.random() < 0.5:
            self._say(person, leave=rtc.LeaveRequest())
            del self.people[person.name]

    def _link(self, person: Person) -> None:
        """The hub is another one, or was cut off: what was on its way from here is lost, the engine tells what it has."""
        self.events.clear()
        for _ in range(self.random.randrange(len(self.commands) + 1)):
            self._command()
        self.commands.clear()
        self.events.clear()
        state = next(one for one in self.engine.snapshot().rooms if one.room == "r")
        if self.random.random() < 0.5 and (found := session.room_of(state, self.terms, self.now)) is not None:
            self.room = found  # a new hub
        self.carry(self.room.restore(state, self.now))
        for other in self.people.values():
            known = self.room.people.get(other.sid)
            if known is None:
                other.online = False
            elif other.online:
                self._away(other)

    # ------------------------------------------------------------------------------------------------- what must hold

    def check(self) -> None:
        where = f"after {self.done}"
        engine, room = self.engine.rooms["r"], self.room
        there = {sid: one.identity for sid, one in engine.peers.items()}
        here = {sid: one.identity for sid, one in room.people.items() if not one.replaced}
        assert {sid: name.removeprefix("id-") for sid, name in there.items()} == here, where
        routes: dict[int, tuple[str, str]] = {}
        for sid, peer in engine.peers.items():
            person = room.people[sid]
            mids = [one.mid for one in peer.subscriptions.values() if one.mid]
            assert len(mids) == len(set(mids)), where
            assert set(peer.subscriptions) == person.subscribed, f"{person.identity} {where}"
            assert set(peer.tracks) == set(person.tracks), f"{person.identity} {where}"
            for name, track in person.tracks.items():
                known = peer.tracks[name]
                assert (known.primary is not None) == track.bound, f"{name} of {person.identity} {where}"
                assert known.muted == track.info.muted, where
            for name, subscription in peer.subscriptions.items():
                if subscription.route:
                    routes[subscription.route] = (sid, name)
        assert set(routes) == set(self.plane.routes), where
        for number, (sid, name) in routes.items():
            self._check_route(number, sid, name, where)
        self._check_reached(where)

    def _check_route(self, number: int, sid: str, name: str, where: str) -> None:
        """Whatever is forwarded may be."""
        engine, room = self.engine.rooms["r"], self.room
        track, person = engine.tracks[name], room.people[sid]
        publisher = room.people[track.peer.id]
        state = self.plane.state.get(number, {})
        if state.get("allowed", True):
            assert publisher.may_be_seen_by(person, name), where
            assert person.info.permission.can_subscribe, where
            track_info = publisher.tracks[name].info
            assert publisher.may_publish(track_info.source, track_info.type), where
        receiver = self.plane.routes[number].receiver
        if track.muted:
            assert self.plane.state.get(receiver, {}).get("open") is False, where

    def _check_reached(self, where: str) -> None:
        """Who is here gets what it wants."""
        for person in self.people.values():
            if not person.online:
                continue
            known = self.room.people.get(person.sid)
            if known is None:
                continue
            peer = self.engine.rooms["r"].peers[person.sid]
            for name in known.subscribed:
                subscription = peer.subscriptions[name]
                assert subscription.route, f"{person.name} does not get {name} {where}"
                if not person.dual:
                    assert person.mids.get(subscription.mid) == name, f"{person.name} {person.mids} {where}"
