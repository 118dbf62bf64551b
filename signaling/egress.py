"""LiveKit's Egress service, mapped to the hub's recorder: track by track, as it was sent, never transcoded.

``StartTrackEgress``, ``StartTrackCompositeEgress``, ``StartParticipantEgress`` and ``StartEgress`` with a MediaSource record
those tracks; ``StartRoomCompositeEgress`` records every track of the room and says so in ``details``: a picture of all of them is
made on demand, from the tracks. What would need a mixer, a browser or another host (streams, segments, images, uploads, web
pages) is ``unimplemented`` with a sentence. A token needs ``roomRecord``, and its key must reach the room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.message import Message
from livekit.protocol import egress as protocol
from livekit.protocol import models
from livekit.protocol import room as rooms_protocol

from commhub import log as logs
from commhub.conference import Egresses, EgressOrder, Part, Ticket
from commhub.errors import Forbidden, HubError, Invalid, NotFound
from commhub.tasks import Tasks
from signaling import tokens
from signaling.participant import SOURCE_NAMES, Participant, Track
from signaling.places import NO_ROOM
from signaling.rooms import Rooms
from signaling.session import Room
from signaling.twirp import Service

log = logs.get(__name__)

PREFIX = "EG_"
AS_SENT = "Each track is recorded as it was sent; the file path asked for is not used."
ALL_TRACKS = "Every track of the room is recorded on its own, as it was sent; a composition is made from the tracks on demand."
_STATES = {
    "starting": protocol.EgressStatus.EGRESS_STARTING,
    "active": protocol.EgressStatus.EGRESS_ACTIVE,
    "ending": protocol.EgressStatus.EGRESS_ENDING,
    "complete": protocol.EgressStatus.EGRESS_COMPLETE,
    "failed": protocol.EgressStatus.EGRESS_FAILED,
    "aborted": protocol.EgressStatus.EGRESS_ABORTED,
    "limit_reached": protocol.EgressStatus.EGRESS_LIMIT_REACHED,
}
_REQUESTS: dict[str, type[Message]] = {
    "room_composite": protocol.RoomCompositeEgressRequest,
    "participant": protocol.ParticipantEgressRequest,
    "track_composite": protocol.TrackCompositeEgressRequest,
    "track": protocol.TrackEgressRequest,
    "egress": protocol.StartEgressRequest,
}
_UPLOADS = ("s3", "gcp", "azure", "aliOSS")
_NOT_OFFERED = {
    "stream": "Streams to other servers are not offered: there is no mixer; watch by WHEP instead.",
    "segments": "Segmented files are not offered: recordings are written track by track.",
    "images": "Images are not offered.",
    "websocket_url": "A track is not sent to a WebSocket; record it to a file, or watch it by WHEP.",
    "upload": "Uploads are not offered: files stay in the hub's folder of recordings.",
    "web": "Web pages are not recorded: there is no browser in the hub.",
    "custom_base_url": "Layouts from web pages are not offered: there is no browser in the hub.",
}


class Unimplemented(HubError):
    def __init__(self, what: str) -> None:
        super().__init__(_NOT_OFFERED[what], "不支持这种导出方式。", code="unimplemented", status=501)


class Egress:
    """``report(kind, egress_info=…, room=…, key=…)`` hears what webhooks tell (:meth:`commhub.webhooks.Webhooks.emit`)."""

    def __init__(self, rooms: Rooms, egresses: Egresses, report: Callable[..., None] | None = None) -> None:
        self.rooms, self._egresses, self._report = rooms, egresses, report
        self._tasks = Tasks("egress service")
        egresses.changed = self._changed

    async def close(self) -> None:
        await self._tasks.close()

    def service(self) -> Service:
        return Service(
            protocol.DESCRIPTOR.services_by_name["Egress"],
            {
                "StartRoomCompositeEgress": self._room_composite,
                "StartParticipantEgress": self._participant,
                "StartTrackCompositeEgress": self._track_composite,
                "StartTrackEgress": self._track,
                "StartEgress": self._start,
                "StartWebEgress": self._web,
                "ListEgress": self._list,
                "StopEgress": self._stop,
            },
        )

    # ------------------------------------------------------------------------------------------ who may

    def _room(self, ticket: Ticket, name: str) -> Room:
        _require(ticket)
        room = self.rooms.find(name)
        if not self.rooms.keys.reaches(ticket.key, room.key):
            raise NotFound(NO_ROOM)
        return room

    # ------------------------------------------------------------------------------------------ what is to be recorded

    async def _room_composite(self, ticket: Ticket, request: protocol.RoomCompositeEgressRequest) -> protocol.EgressInfo:
        room = self._room(ticket, request.room_name)
        _check_outputs(request)
        return await self._order(ticket, room, "room_composite", request, _whole(request), ALL_TRACKS)

    async def _participant(self, ticket: Ticket, request: protocol.ParticipantEgressRequest) -> protocol.EgressInfo:
        room = self._room(ticket, request.room_name)
        _check_outputs(request)
        parts = _of_participant(room.of_identity(request.identity), request.screen_share)
        return await self._order(ticket, room, "participant", request, parts, AS_SENT)

    async def _track_composite(self, ticket: Ticket, request: protocol.TrackCompositeEgressRequest) -> protocol.EgressInfo:
        room = self._room(ticket, request.room_name)
        _check_outputs(request)
        wanted = [sid for sid in (request.audio_track_id, request.video_track_id) if sid]
        if not wanted:
            raise Invalid("Neither an audio nor a video track is named.", "没有指明要录制的轨道。")
        return await self._order(ticket, room, "track_composite", request, [_part(room, sid) for sid in wanted], AS_SENT)

    async def _track(self, ticket: Ticket, request: protocol.TrackEgressRequest) -> protocol.EgressInfo:
        room = self._room(ticket, request.room_name)
        _check_outputs(request)
        return await self._order(ticket, room, "track", request, [_part(room, request.track_id)], AS_SENT)

    async def _start(self, ticket: Ticket, request: protocol.StartEgressRequest) -> protocol.EgressInfo:
        room = self._room(ticket, request.room_name)
        _check_outputs(request)
        source = request.WhichOneof("source")
        if source == "media":
            return await self._order(ticket, room, "egress", request, _of_media(room, request.media), AS_SENT)
        if source == "template":
            if request.template.custom_base_url:
                raise Unimplemented("custom_base_url")
            return await self._order(ticket, room, "egress", request, _whole(request.template), ALL_TRACKS)
        if source == "web":
            raise Unimplemented("web")
        raise Invalid("The request has no source.", "请求没有指明来源。")

    async def _web(self, ticket: Ticket, request: protocol.WebEgressRequest) -> protocol.EgressInfo:
        _require(ticket)
        raise Unimplemented("web")

    async def _order(
        self, ticket: Ticket, room: Room, kind: str, request: Message, parts: Iterable[Part], details: str
    ) -> protocol.EgressInfo:
        order = EgressOrder(ticket.key, room.name, room.info.sid, kind, _bare(request).SerializeToString(), tuple(parts), details)
        return info(await self._egresses.start(order))

    # ------------------------------------------------------------------------------------------ looking and stopping

    async def _list(self, ticket: Ticket, request: protocol.ListEgressRequest) -> protocol.ListEgressResponse:
        _require(ticket)
        found = await self._egresses.find(id=_id(request.egress_id), room=request.room_name, active=request.active)
        return protocol.ListEgressResponse(items=[info(order) for order in found if self._reaches(ticket, order)])

    async def _stop(self, ticket: Ticket, request: protocol.StopEgressRequest) -> protocol.EgressInfo:
        _require(ticket)
        found = await self._egresses.find(id=_id(request.egress_id) or "-")
        if not found or not self._reaches(ticket, found[0]):
            raise NotFound("There is no such egress.", "没有这个导出录制。")
        if found[0].over:
            raise HubError(
                f"The egress has ended ({found[0].state}).", "该导出录制已结束。", code="failed_precondition", status=412
            )
        return info(await self._egresses.stop(found[0].id))

    def _reaches(self, ticket: Ticket, order: EgressOrder) -> bool:
        return self.rooms.keys.reaches(ticket.key, order.key)

    # ------------------------------------------------------------------------------------------ what happens

    def _changed(self, order: EgressOrder) -> None:
        if self._report is None:
            return
        kind = "egress_ended" if order.over else "egress_started" if order.state == "starting" else "egress_updated"
        room = models.Room(name=order.room, sid=order.room_sid)
        unique = f"{order.id} {order.state}"
        self._report(kind, egress_info=info(order), room=room, key=order.key, unique=unique)

    def heard(self, kind: str, **what: Any) -> None:
        """A fact about a room, as webhooks tell it: its end ends its egresses, and what is to be recorded by itself begins."""
        name = what["room"].name if what.get("room") is not None else ""
        if kind == "room_finished":
            self._egresses.room_ended(name)
            return
        room = self.rooms.rooms.get(name)
        if room is None or not room.egress:
            return
        wanted = rooms_protocol.RoomEgress.FromString(room.egress)
        if kind == "room_started" and wanted.HasField("room"):
            wanted.room.room_name = name
            self._by_itself(room, "room_composite", wanted.room, _whole(wanted.room), ALL_TRACKS)
        elif kind == "participant_joined" and wanted.HasField("participant"):
            identity = what["participant"].identity
            person = room.people.get(room.by_identity.get(identity, ""))
            if person is not None and not person.hidden:
                asked = protocol.ParticipantEgressRequest(room_name=name, identity=identity)
                self._by_itself(room, "participant", asked, _of_participant(person, False), AS_SENT)
        elif kind == "track_published" and wanted.HasField("tracks"):
            sid = what["track"].sid
            if room.find_track(sid) is not None:
                self._by_itself(
                    room, "track", protocol.TrackEgressRequest(room_name=name, track_id=sid), [_part(room, sid)], AS_SENT
                )

    def _by_itself(self, room: Room, kind: str, request: Message, parts: Iterable[Part], details: str) -> None:
        body = _bare(request).SerializeToString()
        order = EgressOrder(room.key, room.name, room.info.sid, kind, body, tuple(parts), details)
        self._tasks.spawn(self._begin(order), "begin")

    async def _begin(self, order: EgressOrder) -> None:
        """Unless it runs already: facts are told again after a restart, and who reconnects publishes again."""
        running = await self._egresses.find(room=order.room, active=True)
        if any((one.kind, one.parts) == (order.kind, order.parts) for one in running):
            return
        try:
            await self._egresses.start(order)
        except HubError as error:
            log.error("room not recorded by itself", room=order.room, why=error.message)


def check_room_egress(wanted: rooms_protocol.RoomEgress) -> None:
    """What a room is to record by itself must be something that is offered. Unimplemented, Invalid."""
    if wanted.HasField("room"):
        _check_outputs(wanted.room)
    if wanted.HasField("participant"):
        _check_outputs(wanted.participant)
    if wanted.HasField("tracks") and wanted.tracks.WhichOneof("output"):
        raise Unimplemented("upload")


def _require(ticket: Ticket) -> None:
    if not tokens.allows(ticket, "roomRecord"):
        raise Forbidden("The token does not allow recording.", "令牌不允许录制。")


def _id(egress: str) -> str:
    return egress.removeprefix(PREFIX)


# ---------------------------------------------------------------------------------------------- requests


def _check_outputs(request: Any) -> None:
    """Files are written; Unimplemented for everything else that is asked for, Invalid when nothing is."""
    names = {field.name for field in request.DESCRIPTOR.fields}
    if "custom_base_url" in names and request.custom_base_url:
        raise Unimplemented("custom_base_url")
    said = request.WhichOneof("output") if "output" in request.DESCRIPTOR.oneofs_by_name else None
    if said in _NOT_OFFERED:
        raise Unimplemented(said)
    files: list[Any] = [request.file] if said == "file" else []
    for name, what in (("stream_outputs", "stream"), ("segment_outputs", "segments"), ("image_outputs", "images")):
        if name in names and len(getattr(request, name)):
            raise Unimplemented(what)
    files += list(request.file_outputs) if "file_outputs" in names else []
    for output in request.outputs if "outputs" in names else []:
        if (kind := output.WhichOneof("config")) != "file":
            raise Unimplemented(kind) if kind in _NOT_OFFERED else Invalid("An output has no file.", "输出没有指明文件。")
        if output.HasField("storage"):
            raise Unimplemented("upload")
        files.append(output.file)
    if "storage" in names and request.HasField("storage"):
        raise Unimplemented("upload")
    for file in files:
        if any(field.name in _UPLOADS and file.HasField(field.name) for field in file.DESCRIPTOR.fields):
            raise Unimplemented("upload")
    if not files:
        raise Invalid("The request has no output.", "请求没有指明输出。")


def _whole(request: Any) -> list[Part]:
    if request.audio_only:
        return [Part(kind="audio")]
    return [Part(kind="video")] if request.video_only else []


def _part(room: Room, sid: str) -> Part:
    """The logical track: it goes on when its publisher comes back with another sid. NotFound."""
    found = room.find_track(sid)
    if found is None:
        raise NotFound(f"There is no track {sid[:64]} in the room.", "会商中没有这一路音视频。")
    return _logical(*found)


def _logical(person: Participant, track: Track) -> Part:
    source = SOURCE_NAMES.get(track.info.source, "")
    return Part(person.identity, source, track.kind, "" if source else track.sid)


def _of_participant(person: Participant, screen: bool) -> list[Part]:
    video, audio = ("screen_share", "screen_share_audio") if screen else ("camera", "microphone")
    return [Part(person.identity, video, "video"), Part(person.identity, audio, "audio")]


def _of_media(room: Room, media: Any) -> list[Part]:
    parts: list[Part] = []
    match media.WhichOneof("video"):
        case "video_track_id":
            parts.append(_part(room, media.video_track_id))
        case "participant_video":
            person = room.of_identity(media.participant_video.identity)
            screen = media.participant_video.prefer_screen_share and any(
                SOURCE_NAMES.get(track.info.source) == "screen_share" for track in person.tracks.values()
            )
            parts.append(_of_participant(person, screen)[0])
    if media.HasField("audio"):
        if media.audio.capture_all or not media.audio.routes:
            parts.append(Part(kind="audio"))
        for route in media.audio.routes:
            parts += _of_route(room, route)
    if not parts:
        raise Invalid("The media source names neither video nor audio.", "没有指明要录制的音视频。")
    return parts


def _of_route(room: Room, route: Any) -> list[Part]:
    match route.WhichOneof("match"):
        case "track_id":
            return [_part(room, route.track_id)]
        case "participant_identity":
            return [Part(room.of_identity(route.participant_identity).identity, kind="audio")]
        case "participant_kind":
            return [Part(one.identity, kind="audio") for one in room.people.values() if one.info.kind == route.participant_kind]
    return []


def _bare(request: Message) -> Message:
    """Without what may hold credentials."""
    bare = type(request)()
    bare.CopyFrom(request)
    for name in ("webhooks", "storage"):
        if name in request.DESCRIPTOR.fields_by_name:
            bare.ClearField(name)
    return bare


# ---------------------------------------------------------------------------------------------- answers


def info(order: EgressOrder) -> protocol.EgressInfo:
    """As LiveKit shows it; times in ns."""
    shown = protocol.EgressInfo(
        egress_id=PREFIX + order.id,
        room_id=order.room_sid,
        room_name=order.room,
        source_type=protocol.EgressSourceType.EGRESS_SOURCE_TYPE_SDK,
        status=_STATES[order.state],
        started_at=order.started_at,
        ended_at=order.ended_at,
        updated_at=order.updated_at,
        error=order.error,
        details=order.details,
    )
    if (kind := _REQUESTS.get(order.kind)) is not None:
        getattr(shown, order.kind).CopyFrom(kind.FromString(order.request))
    for file in order.files:
        shown.file_results.add(
            filename=file.name,
            started_at=file.started_at,
            ended_at=file.started_at + file.duration,
            duration=file.duration,
            size=file.size,
            location=file.name,
        )
    if shown.file_results:
        shown.file.CopyFrom(shown.file_results[0])
    return shown
