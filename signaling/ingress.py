"""LiveKit's Ingress service: stream keys for WHIP encoders, and RTSP cameras that are brought into a room.

``WHIP_INPUT`` makes a stream key, the bearer token of an encoder at ``url``; ``URL_INPUT`` has the bridge pull ``rtsp://``,
within ``bridges.allow``. Media is passed on as it comes. A token needs ``ingressAdmin``; it sees what its key reaches.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from livekit.protocol import ingress as protocol
from livekit.protocol import models, rtc

from commhub import log as logs
from commhub.addresses import parse_url
from commhub.conference import INGRESS, Ingresses, IngressState, IngressWay, Ticket
from commhub.errors import Forbidden, HubError, Invalid, NotFound
from commhub.tasks import Tasks
from signaling import tokens
from signaling.participant import Participant
from signaling.places import NO_ROOM
from signaling.rooms import Rooms
from signaling.session import Room
from signaling.twirp import Service

log = logs.get(__name__)

_STATES = {
    "inactive": protocol.IngressState.ENDPOINT_INACTIVE,
    "buffering": protocol.IngressState.ENDPOINT_BUFFERING,
    "publishing": protocol.IngressState.ENDPOINT_PUBLISHING,
    "error": protocol.IngressState.ENDPOINT_ERROR,
    "complete": protocol.IngressState.ENDPOINT_COMPLETE,
}
_TICKET_SECONDS = 600.0
_PORT = 554


class Ingress:
    """Also the :class:`signaling.whip.Streams` of the hub. ``url`` is where encoders post (``https://hub.example/w``); ``report``
    hears what webhooks tell."""

    def __init__(self, rooms: Rooms, ways: Ingresses, url: str, report: Callable[..., None] | None = None) -> None:
        self.rooms, self._ways, self._url, self._report = rooms, ways, url, report
        self._told: set[str] = set()  # ingresses whose beginning was told
        self._tasks = Tasks("ingress service")
        ways.changed = self._changed

    async def close(self) -> None:
        await self._tasks.close()

    def service(self) -> Service:
        return Service(
            protocol.DESCRIPTOR.services_by_name["Ingress"],
            {
                "CreateIngress": self._create,
                "UpdateIngress": self._update,
                "ListIngress": self._list,
                "DeleteIngress": self._delete,
            },
        )

    # ------------------------------------------------------------------------------------------ stream keys

    async def admit(self, stream_key: str) -> tuple[Ticket, str] | None:
        if stream_key.count(".") == 2 or len(stream_key) > 128:
            return None  # a JWT
        way = await self._ways.by_stream_key(stream_key)
        if way is None or way.kind != "whip" or way.key not in self.rooms.keys:
            return None  # also when the API key that made it is configured no longer
        if not way.enabled:
            raise Forbidden("The ingress is disabled.", "该接入已停用。", code="disabled")
        now = self.rooms.now()
        ticket = Ticket(
            key=way.key,
            identity=way.identity,
            name=way.name,
            room=way.room,
            grants={"roomJoin": True, "room": way.room, "canPublish": True},
            metadata=way.metadata,
            kind="ingress",
            token_id=f"{INGRESS}{way.id} {secrets.token_hex(8)}",
            expires_at=now + _TICKET_SECONDS,
        )
        return ticket, way.id

    def _session(self, way: IngressWay) -> tuple[Room, Participant] | None:
        """Its participant, when it is in the room."""
        room = self.rooms.rooms.get(way.room)
        for person in room.people.values() if room is not None else ():
            mine = person.resource is not None and person.resource.ingress == way.id
            seated = person.seat is not None and person.seat.source == INGRESS + way.id
            if (mine or seated) and not person.replaced and room is not None:
                return room, person
        return None

    def _end_session(self, way: IngressWay) -> None:
        found = self._session(way)
        if found is not None and found[1].on_http:
            self.rooms.receive(found[0].name, found[1].sid, rtc.SignalRequest(leave=rtc.LeaveRequest()))

    # ------------------------------------------------------------------------------------------ calls

    async def _create(self, ticket: Ticket, request: protocol.CreateIngressRequest) -> protocol.IngressInfo:
        _require(ticket)
        if request.input_type == protocol.IngressInput.RTMP_INPUT:
            raise HubError(
                "RTMP is not taken: publish by WHIP, or give an rtsp:// address.",
                "不支持 RTMP，请使用 WHIP 推流，或提供 rtsp:// 地址。",
                code="unimplemented",
                status=501,
            )
        if request.HasField("enable_transcoding") and request.enable_transcoding:
            raise HubError("Media is passed on as it comes.", "音视频原样转发，不转码。", code="unimplemented", status=501)
        way = IngressWay(
            key=ticket.key,
            kind="whip" if request.input_type == protocol.IngressInput.WHIP_INPUT else "url",
            room=request.room_name,
            identity=request.participant_identity,
            title=request.name,
            name=request.participant_name,
            metadata=request.participant_metadata,
            enabled=request.enabled if request.HasField("enabled") else True,
            options=protocol.IngressInfo(audio=request.audio, video=request.video).SerializeToString(),
        )
        if way.kind == "url":
            way = _with_url(way, request.url)
        self._check(ticket, way)
        return self._shown(await self._ways.create(way))

    def _check(self, ticket: Ticket, way: IngressWay) -> None:
        if not way.room or not way.identity:
            raise Invalid("An ingress needs a room name and a participant identity.", "需要会商名称和参会者标识。")
        if max(map(len, (way.room, way.identity, way.name, way.title))) > tokens.MAX_IDENTITY:
            raise Invalid("A name is too long.", "名称过长。")
        if len(way.metadata.encode()) > tokens.MAX_TEXT:
            raise Invalid("The metadata is too long.", "元数据过长。")
        room = self.rooms.rooms.get(way.room)
        if room is not None and not self.rooms.keys.reaches(ticket.key, room.key):
            raise NotFound(NO_ROOM)

    async def _find(self, ticket: Ticket, ingress: str) -> IngressWay:
        _require(ticket)
        found = await self._ways.find(id=ingress.removeprefix(INGRESS) or "-")
        if not found or not self.rooms.keys.reaches(ticket.key, found[0].key):
            raise NotFound("There is no such ingress.", "没有这个接入。")
        return found[0]

    async def _update(self, ticket: Ticket, request: protocol.UpdateIngressRequest) -> protocol.IngressInfo:
        way = await self._find(ticket, request.ingress_id)
        if request.HasField("enable_transcoding") and request.enable_transcoding:
            raise HubError("Media is passed on as it comes.", "音视频原样转发，不转码。", code="unimplemented", status=501)
        way = replace(
            way,
            title=request.name or way.title,
            room=request.room_name or way.room,
            identity=request.participant_identity or way.identity,
            name=request.participant_name or way.name,
            metadata=request.participant_metadata or way.metadata,
            enabled=request.enabled if request.HasField("enabled") else way.enabled,
        )
        self._check(ticket, way)
        before = await self._find(ticket, request.ingress_id)
        if not way.enabled or way.room != before.room:
            self._end_session(before)
        return self._shown(await self._ways.update(way))

    async def _list(self, ticket: Ticket, request: protocol.ListIngressRequest) -> protocol.ListIngressResponse:
        _require(ticket)
        found = await self._ways.find(id=request.ingress_id.removeprefix(INGRESS), room=request.room_name)
        reached = [way for way in found if self.rooms.keys.reaches(ticket.key, way.key)]
        # A stream key is a password: only its own key gets to see it.
        return protocol.ListIngressResponse(items=[self._shown(way, secret=way.key == ticket.key) for way in reached])

    async def _delete(self, ticket: Ticket, request: protocol.DeleteIngressRequest) -> protocol.IngressInfo:
        way = await self._find(ticket, request.ingress_id)
        self._end_session(way)
        shown = self._shown(way, secret=False)
        await self._ways.delete(way)
        return shown

    def _shown(self, way: IngressWay, secret: bool = True) -> protocol.IngressInfo:
        shown = protocol.IngressInfo.FromString(way.options)
        whip = way.kind == "whip"
        shown.ingress_id, shown.name, shown.room_name = INGRESS + way.id, way.title, way.room
        shown.participant_identity, shown.participant_name = way.identity, way.name
        shown.participant_metadata = way.metadata
        shown.input_type = protocol.IngressInput.WHIP_INPUT if whip else protocol.IngressInput.URL_INPUT
        shown.url = self._url if whip else way.url
        shown.stream_key = way.stream_key if whip and secret else ""
        shown.reusable, shown.bypass_transcoding, shown.enable_transcoding = whip, True, False
        shown.enabled = way.enabled
        shown.state.CopyFrom(self._state(way))
        return shown

    def _state(self, way: IngressWay) -> protocol.IngressState:
        found, said = self._session(way), self._ways.state(way)
        if found is None:
            alone = said if way.kind == "url" else IngressState()
            return protocol.IngressState(status=_STATES[alone.state], error=alone.error, updated_at=alone.since)
        room, person = found
        shown = person.shown()
        there = said.state == "publishing" if way.kind == "url" else bool(shown.tracks)
        state = protocol.IngressState(
            status=_STATES["publishing" if there else said.state if way.kind == "url" else "buffering"],
            error=said.error,
            room_id=room.info.sid,
            started_at=person.info.joined_at_ms * 1_000_000,
            resource_id=person.sid,
            tracks=shown.tracks,
        )
        for track in shown.tracks:
            if track.type == models.TrackType.VIDEO:
                state.video.mime_type, state.video.width, state.video.height = track.mime_type, track.width, track.height
            else:
                state.audio.mime_type = track.mime_type
        return state

    # ------------------------------------------------------------------------------------------ what happens

    def _changed(self, way: IngressWay, state: IngressState) -> None:
        if state.state == "publishing":
            self._tell("ingress_started", way)
        elif state.state in ("inactive", "complete", "error"):
            self._tell("ingress_ended", way)

    def _tell(self, kind: str, way: IngressWay) -> None:
        begins = kind == "ingress_started"
        if self._report is None or begins == (way.id in self._told):
            return
        (self._told.add if begins else self._told.discard)(way.id)
        room = self.rooms.rooms.get(way.room)
        info = models.Room(name=way.room, sid=room.info.sid if room is not None else "")
        unique = f"{way.id} {kind} {secrets.token_hex(8)}"
        self._report(kind, ingress_info=self._shown(way, secret=False), room=info, key=way.key, unique=unique)

    def heard(self, kind: str, **what: Any) -> None:
        """A fact about a room, as webhooks tell it."""
        room = what.get("room")
        if room is not None and kind in ("participant_joined", "participant_left", "room_finished"):
            self._tasks.spawn(self._take(kind, room.name, what.get("participant")), "fact")

    async def _take(self, kind: str, room: str, participant: models.ParticipantInfo | None) -> None:
        if kind == "room_finished":
            await self._ways.end(room)
            return
        if participant is None or participant.kind != models.ParticipantInfo.Kind.INGRESS:
            return
        for way in await self._ways.find(room=room):
            if way.identity != participant.identity:
                continue
            removed = participant.disconnect_reason == models.DisconnectReason.PARTICIPANT_REMOVED
            if way.kind == "url" and kind == "participant_left" and removed:
                await self._ways.end(room, way.identity)
            elif way.kind == "whip":
                self._tell("ingress_started" if kind == "participant_joined" else "ingress_ended", way)
                if removed and kind == "participant_left":  # the encoder would be back within a second
                    await self._ways.update(replace(way, enabled=False))


def _require(ticket: Ticket) -> None:
    if not tokens.allows(ticket, "ingressAdmin"):
        raise Forbidden("The token does not allow managing ingresses.", "令牌不允许管理接入。")


def _with_url(way: IngressWay, url: str) -> IngressWay:
    """Its user and password apart. Invalid, or 501 for a scheme that is not pulled."""
    scheme = url.partition("://")[0].lower()
    if scheme != "rtsp":
        offered = "RTSP over TLS is not pulled; give an rtsp:// address." if scheme == "rtsps" else ""
        raise HubError(
            offered or "Only rtsp:// addresses are pulled.", "仅支持拉取 rtsp:// 地址。", code="unimplemented", status=501
        )
    try:
        parts = urlsplit(url)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        raise Invalid("The address cannot be read.", "地址无法识别。") from None
    bare = url
    if "@" in parts.netloc:
        bare = url.replace(parts.netloc, parts.netloc.rpartition("@")[2], 1)
    try:
        parse_url(bare, "rtsp", _PORT)
    except ValueError as error:
        raise Invalid(str(error), "地址格式不正确。", code="bad_address") from None
    return replace(way, url=bare, user=user, password=password)
