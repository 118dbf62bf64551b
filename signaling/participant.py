"""Somebody in a room as the signalling sees them: LiveKit's records of the participant and of their tracks. No I/O, no clock.

A participant is kept twice: here, and packed as ``record`` at the media worker that runs the room, so that a restarted
hub finds everybody again (:func:`pack`, :func:`unpack`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec
from livekit.protocol import models, rtc

from commhub.conference import CameraSeat, Presence, Ticket
from commhub.media import messages as media
from signaling import tokens
from signaling.resource import Resource

State = models.ParticipantInfo.State
Kind = models.ParticipantInfo.Kind

SOURCE_NAMES = {number: name for name, number in tokens.SOURCES.items()}
_KINDS = {"agent": Kind.AGENT, "ingress": Kind.INGRESS, "egress": Kind.EGRESS, "sip": Kind.SIP}


@dataclass(slots=True)
class Track:
    """A track somebody announced. ``bound`` from the moment the negotiation found it: then others see it."""

    info: models.TrackInfo
    cids: dict[str, str]
    bound: bool = False
    stream: str = ""
    ended_at: float | None = None  # its publisher stopped sending it; it goes unless it is bound again at once

    @property
    def sid(self) -> str:
        return self.info.sid

    @property
    def kind(self) -> str:
        return "video" if self.info.type == models.TrackType.VIDEO else "audio"

    def announce(self, room: str, peer: str) -> media.Announce:
        return media.Announce(
            room=room,
            peer=peer,
            track=self.sid,
            kind=self.kind,
            source=SOURCE_NAMES.get(self.info.source, ""),
            cids=dict(self.cids),
            name=self.info.name,
            muted=self.info.muted,
            stream=self.stream,
            layers=[
                media.Layer(
                    quality=min(int(layer.quality), 2),
                    width=layer.width,
                    height=layer.height,
                    bitrate=layer.bitrate,
                    rid=layer.rid,
                )
                for layer in self.info.layers
            ],
        )


@dataclass(slots=True)
class Participant:
    """``kind`` is ``client`` (a LiveKit client) or ``bridge`` (a camera, ``seat`` says which).

    ``present``: the WebSocket is there. ``away_until``: unix seconds when somebody whose WebSocket or media is lost is
    removed. ``replaced``: their worker died, they were told to come back as somebody new.
    """

    info: models.ParticipantInfo
    ticket: Ticket
    kind: Literal["client", "bridge"] = "client"
    dual: bool = False
    auto_subscribe: bool = True
    seat: CameraSeat | None = None
    tracks: dict[str, Track] = field(default_factory=dict)
    wants: dict[str, bool] = field(default_factory=dict)  # said explicitly, by the client or by an admin
    resource: Resource | None = None  # of a WHIP or WHEP client
    chosen: set[str] = field(default_factory=set)  # what a WHEP client is to get
    subscribed: set[str] = field(default_factory=set)  # told to the engine
    denied: set[str] = field(default_factory=set)  # gates closed at the engine
    viewers: rtc.SubscriptionPermission | None = None  # who may subscribe to this participant; None: everybody
    present: bool = False
    away_until: float | None = None
    replaced: bool = False
    media_ended: bool = False  # its transport is over, not only silent
    person: bool = False  # somebody the hub let in by name; otherwise a service, made by an API key
    dirty: bool = False
    refresh_at: float = 0.0
    sections: tuple[int, int] | None = None  # media sections asked for and not yet offered
    wanted: dict[str, rtc.SignalResponse] = field(default_factory=dict)  # the last dynacast word per track
    gone: dict[str, models.ParticipantInfo] = field(default_factory=dict)  # who left while we were away
    drop_next_resume: bool = False

    @property
    def sid(self) -> str:
        return self.info.sid

    @property
    def identity(self) -> str:
        return self.info.identity

    @property
    def hidden(self) -> bool:
        return self.info.permission.hidden

    def shown(self) -> models.ParticipantInfo:
        """What others see: with the tracks that are bound."""
        info = models.ParticipantInfo()
        info.CopyFrom(self.info)
        info.tracks.extend(track.info for track in self.tracks.values() if track.bound)
        info.is_publisher = bool(info.tracks)
        return info

    def presence(self) -> Presence:
        if self.seat is not None:
            kind, org = "camera", self.seat.org
        else:
            kind, org = ("person" if self.person else "service"), self.ticket.attributes.get("org", "")
        return Presence(self.identity, self.info.name, kind, org, self.info.joined_at_ms * 1_000_000)

    def about(self) -> dict[str, str]:
        """What the recorder needs of a person."""
        presence = self.presence()
        return {"name": presence.name, "org": presence.org, "kind": presence.kind}

    def may_publish(self, source: models.TrackSource) -> bool:
        permission = self.info.permission
        if not permission.can_publish:
            return False
        return not permission.can_publish_sources or source in permission.can_publish_sources

    def may_be_seen_by(self, viewer: Participant, track: str) -> bool:
        """The publisher's own word about who may subscribe (LiveKit's track permissions)."""
        if self.viewers is None or self.viewers.all_participants:
            return True
        for entry in self.viewers.track_permissions:
            named = entry.participant_identity == viewer.identity or (
                not entry.participant_identity and entry.participant_sid == viewer.sid
            )
            if named:
                return entry.all_tracks or track in entry.track_sids
        return False

    @property
    def on_http(self) -> bool:
        """A WHIP or WHEP client: no WebSocket is behind it, and it does not come back on one."""
        return self.resource is not None

    @property
    def owner(self) -> str:
        """The identity in the token; only a viewer's own is another."""
        return self.resource.owner if self.resource is not None else self.identity

    @property
    def fixed(self) -> bool:
        """Offers once, and gets whatever its view asks for."""
        return self.resource is not None and self.resource.view is not None

    def wishes(self, track: str) -> bool:
        if self.fixed:
            return track in self.chosen and self.info.permission.can_subscribe
        return self.wants.get(track, self.auto_subscribe) and self.info.permission.can_subscribe


def client(ticket: Ticket, request: rtc.JoinRequest, sid: str, now: float, *, dual: bool, person: bool) -> Participant:
    """A new participant from their ticket and join request. ``now`` is unix seconds."""
    about = request.client_info
    info = models.ParticipantInfo(
        sid=sid,
        identity=ticket.identity,
        name=ticket.name,
        metadata=ticket.metadata,
        joined_at=int(now),
        joined_at_ms=int(now * 1000),
        permission=tokens.permission(ticket.grants),
        kind=_KINDS.get(ticket.kind, Kind.STANDARD),
        client_protocol=about.client_protocol,
        capabilities=about.capabilities,
        attributes=ticket.attributes,
    )
    if info.permission.can_update_metadata:
        info.metadata = request.metadata[: tokens.MAX_TEXT] or info.metadata
        for name, value in request.participant_attributes.items():
            info.attributes[name] = value
    return Participant(info, ticket, dual=dual, auto_subscribe=request.connection_settings.auto_subscribe, person=person)


def camera(seat: CameraSeat, sid: str, now: float) -> Participant:
    """A camera's participant: kind BRIDGE, detail BRIDGE_RTSP. It publishes and does nothing else."""
    info = models.ParticipantInfo(
        sid=sid,
        identity=seat.identity,
        name=seat.name,
        state=State.ACTIVE,
        joined_at=int(now),
        joined_at_ms=int(now * 1000),
        permission=models.ParticipantPermission(can_publish=True),
        kind=Kind.BRIDGE,
        kind_details=[models.ParticipantInfo.KindDetail.BRIDGE_RTSP],
        attributes={"org": seat.org} if seat.org else {},
    )
    ticket = Ticket(key="", identity=seat.identity, name=seat.name)
    return Participant(info, ticket, kind="bridge", auto_subscribe=False, seat=seat)


# ---------------------------------------------------------------------------------------------- the record at the worker


class TrackRecord(msgspec.Struct, array_like=True):
    info: bytes
    cids: dict[str, str]
    bound: bool
    stream: str


class RoomRecord(msgspec.Struct):
    """The room itself: every participant carries it, so that one of them is enough to find it again."""

    info: bytes
    key: str
    kept: bool
    trailer: bytes


class Record(msgspec.Struct, omit_defaults=True):
    """Version 1 of what the worker keeps for us."""

    info: bytes
    ticket: Ticket
    room: RoomRecord
    kind: Literal["client", "bridge"] = "client"
    dual: bool = False
    auto_subscribe: bool = True
    person: bool = False
    seat: CameraSeat | None = None
    resource: Resource | None = None
    tracks: list[TrackRecord] = []
    wants: dict[str, bool] = {}
    viewers: bytes | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


def pack(participant: Participant, room: RoomRecord) -> bytes:
    return _encode(
        Record(
            info=participant.info.SerializeToString(),
            ticket=participant.ticket,
            room=room,
            kind=participant.kind,
            dual=participant.dual,
            auto_subscribe=participant.auto_subscribe,
            person=participant.person,
            seat=participant.seat,
            resource=participant.resource,
            tracks=[
                TrackRecord(track.info.SerializeToString(), track.cids, track.bound, track.stream)
                for track in participant.tracks.values()
            ],
            wants=participant.wants,
            viewers=None if participant.viewers is None else participant.viewers.SerializeToString(),
        )
    )


def unpack(record: bytes) -> tuple[Participant, RoomRecord]:
    """ValueError for what this version did not write."""
    try:
        kept = _decode(record)
    except msgspec.DecodeError:
        raise ValueError("A participant's record cannot be read.") from None
    participant = Participant(
        info=models.ParticipantInfo.FromString(kept.info),
        ticket=kept.ticket,
        kind=kept.kind,
        dual=kept.dual,
        auto_subscribe=kept.auto_subscribe,
        person=kept.person,
        seat=kept.seat,
        resource=kept.resource,
        wants=kept.wants,
        viewers=None if kept.viewers is None else rtc.SubscriptionPermission.FromString(kept.viewers),
    )
    for item in kept.tracks:
        info = models.TrackInfo.FromString(item.info)
        participant.tracks[info.sid] = Track(info, item.cids, item.bound, item.stream)
    return participant, kept.room
