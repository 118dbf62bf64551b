"""Somebody in a room as the signalling sees them: LiveKit's records of the participant and of their tracks. No I/O, no clock.

A participant is kept twice: here, and packed as ``record`` at the media worker that runs the room, so that a restarted
hub finds everybody again (:func:`pack`, :func:`unpack`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal

import msgspec
from livekit.protocol import models, rtc

from commhub.conference import CameraSeat, Presence, Ticket
from commhub.media import messages as media
from signaling import tokens
from signaling.clients import UNKNOWN, Client, client_of
from signaling.resource import Resource
from signaling.viewers import Viewers

State = models.ParticipantInfo.State
Kind = models.ParticipantInfo.Kind

SOURCE_NAMES = {number: name for name, number in tokens.SOURCES.items()}
#: Attributes that say who somebody is; only the token does.
RESERVED = frozenset({"org", "kind"})
#: Grants that are not about being in the room.
API_GRANTS = frozenset(
    {"roomCreate", "roomList", "roomRecord", "roomAdmin", "ingressAdmin", "destinationRoom", "canManageAgentSession"}
)
_SOURCE_KINDS = {
    models.TrackSource.CAMERA: models.TrackType.VIDEO,
    models.TrackSource.MICROPHONE: models.TrackType.AUDIO,
    models.TrackSource.SCREEN_SHARE: models.TrackType.VIDEO,
    models.TrackSource.SCREEN_SHARE_AUDIO: models.TrackType.AUDIO,
}
_CAPABILITIES = 32  # everybody gets to see them
_KINDS = {"agent": Kind.AGENT, "ingress": Kind.INGRESS, "egress": Kind.EGRESS, "sip": Kind.SIP}


@dataclass(slots=True)
class Track:
    """A track somebody announced. ``bound`` from the moment the negotiation found it: then others see it."""

    info: models.TrackInfo
    cids: dict[str, str]
    bound: bool = False
    stream: str = ""
    ended_at: float | None = None  # its publisher stopped sending it; it goes unless it is bound again at once
    silenced: bool = False  # muted from here, and not unmuted by its publisher since
    held_until: float = 0.0  # its client may not know yet that it is muted
    shut: bool = False  # gate one is closed at the engine: its publisher has not got the floor
    awaited: bool = False  # not subscribed to before it opens
    concealed: bool = False  # gate two is closed for whatever records the room

    @property
    def sid(self) -> str:
        return self.info.sid

    @property
    def kind(self) -> str:
        return "video" if self.info.type == models.TrackType.VIDEO else "audio"

    def announce(self, room: str, peer: str, client: Client = UNKNOWN) -> media.Announce:
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
            red=self.kind == "audio" and not self.info.disable_red and client.takes_red,
            codecs=[codec.mime_type for codec in self.info.codecs if codec.mime_type],
            encrypted=self.info.encryption != models.Encryption.NONE,
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


@dataclass(frozen=True, slots=True)
class Origin:
    """Of a forwarded participant: the room they really are in, and the Source as which their tracks come."""

    room: str
    source: str


@dataclass(slots=True)
class Participant:
    """``kind`` is ``client`` (a LiveKit client) or ``bridge``: a camera (``seat`` says which), or somebody who is forwarded
    from another room (``origin``).

    ``present``: the WebSocket is there. ``away_until``: unix seconds when somebody whose WebSocket or media is lost is
    removed. ``replaced``: their worker died, they were told to come back as somebody new.
    """

    info: models.ParticipantInfo
    ticket: Ticket
    kind: Literal["client", "bridge"] = "client"
    dual: bool = False
    auto_subscribe: bool = True
    seat: CameraSeat | None = None
    origin: Origin | None = None
    client: Client = UNKNOWN
    may_pause: bool = True  # its videos may stop for want of bandwidth
    adaptive: bool = False  # says by itself what its views need
    tracks: dict[str, Track] = field(default_factory=dict)
    wants: dict[str, bool] = field(default_factory=dict)  # said explicitly, by the client or by an admin
    resource: Resource | None = None  # of a WHIP or WHEP client
    chosen: set[str] = field(default_factory=set)  # what a WHEP client is to get
    shapes: dict[str, rtc.UpdateTrackSettings] = field(default_factory=dict)  # what its views need, by track
    subscribed: set[str] = field(default_factory=set)  # told to the engine
    denied: set[str] = field(default_factory=set)  # gates closed at the engine
    viewers: Viewers | None = None  # who may subscribe to this participant; None: everybody
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
    former: list[Track] = field(default_factory=list)  # from before the worker died, not announced again yet
    auto_subscribe_data: bool = False
    data_tracks: dict[str, models.DataTrackInfo] = field(default_factory=dict)
    data_wants: dict[str, bool] = field(default_factory=dict)
    data_handles: dict[str, int] = field(default_factory=dict)  # data tracks it gets, by the number its frames carry
    last_handle: int = 0
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    received: int = 0  # sequence of its last reliable data packet, as the engine told it
    quiet_at: float | None = None  # a simulated speaker stops then
    resumes_to_cut: int = 0  # simulated: its next WebSockets are closed
    cut_silently: bool = False  # … before a word was said

    @property
    def sid(self) -> str:
        return self.info.sid

    @property
    def identity(self) -> str:
        return self.info.identity

    @property
    def source(self) -> str:
        """Of a bridge: the Source of its tracks."""
        if self.seat is not None:
            return self.seat.source
        return self.origin.source if self.origin is not None else ""

    @property
    def hidden(self) -> bool:
        return self.info.permission.hidden

    @property
    def unlisted(self) -> bool:
        """Hidden by the hub itself: in no list at all. Whom an API key hides its own administrators see, as LiveKit has it."""
        return self.hidden and self.person

    @property
    def exempt(self) -> bool:
        """Sees what publishers restrict: LiveKit's recorders."""
        return self.info.permission.recorder

    def shown(self) -> models.ParticipantInfo:
        """What others see: with the tracks that are bound."""
        info = models.ParticipantInfo()
        info.CopyFrom(self.info)
        info.tracks.extend(track.info for track in self.tracks.values() if track.bound)
        info.data_tracks.extend(self.data_tracks.values())
        info.is_publisher = bool(info.tracks or info.data_tracks)
        return info

    def presence(self) -> Presence:
        if self.seat is not None:
            kind, org = ("camera" if self.seat.kind == "camera" else "service"), self.seat.org
        else:
            kind, org = ("person" if self.person else "service"), self.ticket.attributes.get("org", "")
        joined_at = self.info.joined_at_ms * 1_000_000
        return Presence(self.identity, self.info.name, kind, org, joined_at, forwarded=self.origin is not None)

    def about(self) -> dict[str, str]:
        """What the recorder needs of a person."""
        presence = self.presence()
        return {"name": presence.name, "org": presence.org, "kind": presence.kind}

    def may_publish(self, source: models.TrackSource, kind: models.TrackType) -> bool:
        """Where sources are restricted, a picture does not pass for a microphone."""
        permission = self.info.permission
        if not permission.can_publish:
            return False
        sources = permission.can_publish_sources
        return not sources or (source in sources and _SOURCE_KINDS.get(source, kind) == kind)

    def may_be_seen_by(self, viewer: Participant, track: str) -> bool:
        """The publisher's own word about who may subscribe (LiveKit's track permissions)."""
        return self.viewers is None or viewer.exempt or self.viewers.allow(viewer.identity, viewer.sid, track)

    def credential(self, now: float, ttl: float) -> Ticket:
        """What a fresh token says: LiveKit's clients come back with it after a full reconnect, so it holds what was changed
        since. Rights over the server API last no longer than they did in the token that gave them, and the organisation is
        never what somebody says of themselves."""
        ticket = self.ticket
        attributes = honest(ticket, self.info.attributes)
        grants = ticket.grants
        if now + ttl > ticket.expires_at:
            grants = {name: value for name, value in grants.items() if name not in API_GRANTS}
        return replace(ticket, name=self.info.name, metadata=self.info.metadata, attributes=attributes, grants=grants)

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


def honest(ticket: Ticket, attributes: Mapping[str, str]) -> dict[str, str]:
    """What is said of somebody, with the reserved ones as their token has them, or not at all."""
    free = {name: value for name, value in attributes.items() if name not in RESERVED}
    return {**free, **{name: value for name, value in ticket.attributes.items() if name in RESERVED}}


def with_rights(ticket: Ticket, grants: Mapping[str, object]) -> Ticket:
    """``ticket`` of somebody who comes back with another one, with the ``grants`` they have by now. Of those over the server API
    it keeps what both tickets give: a short-lived one lends nothing to a long-lived one."""
    kept = {name: value for name, value in grants.items() if name not in API_GRANTS or ticket.grants.get(name) == value}
    return replace(ticket, grants=kept)


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
        capabilities=dict.fromkeys(islice(about.capabilities, _CAPABILITIES)),
        attributes=ticket.attributes,
    )
    settings = request.connection_settings
    return Participant(
        info,
        ticket,
        dual=dual,
        auto_subscribe=settings.auto_subscribe,
        person=person,
        client=client_of(about),
        may_pause=settings.subscriber_allow_pause or not settings.HasField("subscriber_allow_pause"),
        adaptive=settings.adaptive_stream,
        auto_subscribe_data=settings.auto_subscribe_data_track,
    )


def camera(seat: CameraSeat, sid: str, now: float) -> Participant:
    """A camera's participant: kind BRIDGE, detail BRIDGE_RTSP; or an ingress'. It publishes and does nothing else."""
    ingress = seat.kind == "ingress"
    info = models.ParticipantInfo(
        sid=sid,
        identity=seat.identity,
        name=seat.name,
        state=State.ACTIVE,
        joined_at=int(now),
        joined_at_ms=int(now * 1000),
        permission=models.ParticipantPermission(can_publish=True),
        kind=Kind.INGRESS if ingress else Kind.BRIDGE,
        kind_details=[] if ingress else [models.ParticipantInfo.KindDetail.BRIDGE_RTSP],
        metadata=seat.metadata,
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
    silenced: bool = False


class Ruling(msgspec.Struct, frozen=True, array_like=True):
    """An admin's word on what somebody may, since ``at`` (unix seconds). It outlives their session, not the room.
    ``permission`` is a serialised ParticipantPermission."""

    at: float
    permission: bytes
    grants: dict[str, Any]


class RoomRecord(msgspec.Struct):
    """The room itself: every participant carries it, so that one of them is enough to find it again."""

    info: bytes
    key: str
    kept: bool
    trailer: bytes
    egress: bytes = b""
    rulings: dict[str, Ruling] = {}
    governed: bool = False  # nobody is heard but who has the floor


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
    origin: Origin | None = None
    resource: Resource | None = None
    tracks: list[TrackRecord] = []
    former: list[TrackRecord] = []
    wants: dict[str, bool] = {}
    viewers: bytes | None = None
    client: Client = Client()
    may_pause: bool = True
    adaptive: bool = False
    auto_subscribe_data: bool = False
    data_tracks: list[bytes] = []
    data_wants: dict[str, bool] = {}
    data_handles: dict[str, int] = {}
    blobs: dict[bytes, bytes] = {}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


def _track_record(track: Track) -> TrackRecord:
    return TrackRecord(track.info.SerializeToString(), track.cids, track.bound, track.stream, track.silenced)


def _track(kept: TrackRecord) -> Track:
    info = models.TrackInfo.FromString(kept.info)
    return Track(info, kept.cids, kept.bound, kept.stream, silenced=kept.silenced)


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
            origin=participant.origin,
            resource=participant.resource,
            tracks=[_track_record(track) for track in participant.tracks.values()],
            former=[_track_record(track) for track in participant.former],
            wants=participant.wants,
            viewers=None if participant.viewers is None else participant.viewers.word.SerializeToString(),
            client=participant.client,
            may_pause=participant.may_pause,
            adaptive=participant.adaptive,
            auto_subscribe_data=participant.auto_subscribe_data,
            data_tracks=[info.SerializeToString() for info in participant.data_tracks.values()],
            data_wants=participant.data_wants,
            data_handles=participant.data_handles,
            blobs=participant.blobs,
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
        origin=kept.origin,
        resource=kept.resource,
        wants=kept.wants,
        viewers=None if kept.viewers is None else Viewers(rtc.SubscriptionPermission.FromString(kept.viewers)),
        client=kept.client,
        may_pause=kept.may_pause,
        adaptive=kept.adaptive,
        auto_subscribe_data=kept.auto_subscribe_data,
        data_wants=kept.data_wants,
        data_handles=kept.data_handles,
        last_handle=max(kept.data_handles.values(), default=0),
        blobs=kept.blobs,
    )
    participant.tracks = {track.sid: track for track in map(_track, kept.tracks)}
    participant.former = [_track(item) for item in kept.former]
    for packed in kept.data_tracks:
        data_track = models.DataTrackInfo.FromString(packed)
        participant.data_tracks[data_track.sid] = data_track
    return participant, kept.room
