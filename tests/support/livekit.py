"""A LiveKit room without I/O, and an engine and a host that do what a test says."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from livekit.protocol import models, rtc

from commhub.conference import Presence, Ticket
from commhub.errors import HubError
from commhub.log import Secret
from commhub.media import messages as media
from commhub.media.messages import Message
from signaling import session, tokens
from signaling.outs import Close, Command, Ended, Joined, Left, Negotiate, Out, Send, Terms
from signaling.session import Room

HUB_KEY = "hub"
KEYS = tokens.Keys(
    {
        HUB_KEY: tokens.Key(Secret("h" * 40), "all"),
        "own": tokens.Key(Secret("o" * 40), "own"),
        "other": tokens.Key(Secret("p" * 40), "own"),
        "wide": tokens.Key(Secret("w" * 40), "all"),
    }
)
JOIN: dict[str, object] = {"roomJoin": True, "room": "r", "canUpdateOwnMetadata": True}


def ticket(identity: str, key: str = "own", room: str = "r", grants: Mapping[str, object] | None = None) -> Ticket:
    return Ticket(
        key=key,
        identity=identity,
        name=identity.title(),
        room=room,
        grants={**JOIN, "room": room, **(grants or {})},
        token_id=f"id-{identity}",
        expires_at=10_000.0,
    )


def request(auto_subscribe: bool = True, offer: int = 1) -> rtc.JoinRequest:
    """As a client of today joins: its first offer is inside."""
    return rtc.JoinRequest(
        client_info=models.ClientInfo(protocol=17, client_protocol=2),
        connection_settings=rtc.ConnectionSettings(auto_subscribe=auto_subscribe),
        publisher_offer=rtc.SessionDescription(type="offer", sdp="offer", id=offer) if offer else None,
    )


class Stage:
    """One room, and everything it said: ``sent[sid]`` the responses, ``commands`` for the engine, ``facts`` for the hub."""

    def __init__(self, *, kept: bool = False, terms: Terms | None = None, placed: bool = True) -> None:
        self.now = 1000.0
        self.terms = terms or Terms(hub_key=HUB_KEY, refresh=lambda ticket, now: f"token of {ticket.identity}")
        self.room: Room = session.new_room("r", "own", self.terms, self.now, kept=kept)
        self.sent: dict[str, list[rtc.SignalResponse]] = defaultdict(list)
        self.commands: list[Message] = []
        self.offers: list[media.Offer] = []
        self.closed: list[str] = []
        self.facts: list[Joined | Left] = []
        self.asked: list[rtc.AddTrackRequest] = []  # by the next join requests
        self.ended = ""
        if placed:
            self.run(self.room.place(self.now))

    def run(self, outs: Iterable[Out]) -> None:
        for out in outs:
            match out:
                case Send():
                    for sid in out.to:
                        self.sent[sid].append(out.response)
                case Command():
                    self.commands.append(out.message)
                case Negotiate():
                    self.offers.append(out.offer)
                case Close():
                    self.closed.append(out.peer)
                case Joined() | Left():
                    self.facts.append(out)
                case Ended():
                    self.ended = out.reason

    def join(self, identity: str, *, dual: bool = False, auto_subscribe: bool = True, **grants: object) -> str:
        asked = request(auto_subscribe)
        asked.add_track_requests.extend(self.asked)
        sid, outs = self.room.join(ticket(identity, grants=grants), asked, self.now, dual=dual)
        self.run(outs)
        return sid

    def receive(self, sid: str, **message: Any) -> None:
        self.run(self.room.receive(sid, rtc.SignalRequest(**message), self.now))

    def event(self, message: Message) -> None:
        self.run(self.room.event(message, self.now))

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.run(self.room.tick(self.now))

    def kinds(self, sid: str) -> list[str]:
        return [response.WhichOneof("message") or "" for response in self.sent[sid]]

    def last(self, sid: str, kind: str) -> Any:
        """The last response of this kind; AssertionError when there is none."""
        found = [getattr(response, kind) for response in self.sent[sid] if response.WhichOneof("message") == kind]
        assert found, f"{kind} was not sent: {self.kinds(sid)}"
        return found[-1]

    def forget(self) -> None:
        self.sent.clear()
        self.commands.clear()
        self.facts.clear()
        self.offers.clear()

    def told(self, kind: type) -> list[Any]:
        return [command for command in self.commands if type(command) is kind]

    def publish(self, sid: str, cid: str = "cam", *, video: bool = True, mid: str = "7", bind: bool = True) -> str:
        """add_track, and the engine finds it in the next offer: the track's sid."""
        layers = [
            models.VideoLayer(quality=models.VideoQuality.LOW, width=320, height=180, bitrate=160_000),
            models.VideoLayer(quality=models.VideoQuality.MEDIUM, width=640, height=360, bitrate=450_000),
            models.VideoLayer(quality=models.VideoQuality.HIGH, width=1280, height=720, bitrate=1_700_000),
        ]
        add = rtc.AddTrackRequest(
            cid=cid,
            type=models.TrackType.VIDEO if video else models.TrackType.AUDIO,
            source=models.TrackSource.CAMERA if video else models.TrackSource.MICROPHONE,
            layers=layers if video else [],
            simulcast_codecs=[rtc.SimulcastCodec(codec="vp8", cid=cid)] if video else [],
        )
        self.receive(sid, add_track=add)
        track: str = self.last(sid, "track_published").track.sid
        if bind:
            self.event(media.TrackBound("r", sid, track, mid, "video/VP8" if video else "audio/opus"))
        return track


class ScriptedEngine:
    """Remembers what it is told; ``answer`` says what an offer gets. Its events are whatever the test calls."""

    def __init__(self) -> None:
        self.told: list[Message] = []
        self.offers: list[media.Offer] = []
        self.worker = "media-0"
        self.crowded = False
        self.measured: media.RoomStats | None = None
        self.answer: Callable[[media.Offer], media.Answer | HubError] = lambda offer: media.Answer("answer", offer.id)
        self.listener: Callable[[Message], None] = lambda message: None
        self.found: Callable[[media.WorkerSnapshot], None] = lambda snapshot: None
        self.lost: Callable[[str, list[str]], None] = lambda worker, rooms: None
        self.ready: Callable[[str], None] = lambda worker: None

    def tell(self, message: Message) -> None:
        self.told.append(message)

    async def offer(self, offer: media.Offer | media.Restart) -> media.Answer:
        assert isinstance(offer, media.Offer)
        self.offers.append(offer)
        await asyncio.sleep(0)
        answer = self.answer(offer)
        if isinstance(answer, HubError):
            raise answer
        return answer

    def worker_of(self, room: str) -> str:
        return self.worker

    def full(self, room: str) -> bool:
        return self.crowded

    async def stats(self, room: str) -> media.RoomStats | None:
        return self.measured

    def on_event(self, listener: Callable[[Message], None]) -> None:
        self.listener = listener

    def on_worker(
        self,
        found: Callable[[media.WorkerSnapshot], None],
        lost: Callable[[str, list[str]], None],
        ready: Callable[[str], None],
    ) -> None:
        self.found, self.lost, self.ready = found, lost, ready


class OpenHost:
    """Lets everybody in, except what ``refuse`` says; remembers the rest."""

    def __init__(self) -> None:
        self.refuse: HubError | None = None
        self.dead: set[str] = set()
        self.facts: list[tuple[str, str, str]] = []
        self.used: list[tuple[str, str, str]] = []
        self.resumed: list[str] = []

    async def admit(self, ticket: Ticket, *, resuming: bool = False) -> None:
        from commhub.errors import Unauthenticated

        if self.refuse is not None:
            raise self.refuse
        if ticket.token_id in self.dead:
            raise Unauthenticated("The token was revoked.", "令牌已作废。")
        if resuming:
            self.resumed.append(ticket.identity)

    async def check(self, ticket: Ticket) -> None:
        from commhub.errors import Unauthenticated

        if ticket.token_id in self.dead:
            raise Unauthenticated("The token was revoked.", "令牌已作废。")

    async def revoke(self, room: str, tickets: Sequence[Ticket], before: float) -> None:
        self.dead.update(ticket.token_id for ticket in tickets)

    async def joined(self, room: str, presence: Presence) -> None:
        self.facts.append(("joined", room, presence.identity))

    async def left(self, room: str, presence: Presence, reason: str) -> None:
        self.facts.append(("left", room, presence.identity))

    async def used_key(self, key: str, room: str, action: str) -> None:
        self.used.append((key, room, action))
