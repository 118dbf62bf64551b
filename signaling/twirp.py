"""LiveKit's RoomService over Twirp: ``POST /twirp/livekit.RoomService/<Method>``, protobuf or JSON.

The token says what its holder may (``roomCreate``, ``roomList``, ``roomAdmin`` of one room); its key says which rooms it
reaches. A room that the key does not reach looks as if it did not exist. Errors are Twirp's ``{code, msg, meta}``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from livekit.protocol import models
from livekit.protocol import room as service

from commhub.conference import Ticket
from commhub.errors import Forbidden, HubError, Invalid, NotFound
from signaling import tokens
from signaling.rooms import NO_ROOM, Rooms
from signaling.server import CORS, bearer
from signaling.session import Room

MAX_BODY = 1024 * 1024
PREFIX = "/twirp/livekit.RoomService"

_CODES = {
    400: "invalid_argument",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    409: "failed_precondition",
    412: "failed_precondition",
    429: "resource_exhausted",
    501: "unimplemented",
    503: "unavailable",
}
_STATUS = {409: 412}  # Twirp's status of failed_precondition

Request = TypeVar("Request", bound=Message)
Handler = Callable[[Ticket, Any], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class Method:
    request: type[Message]
    handler: Handler


class RoomService:
    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self._methods = {
            "CreateRoom": Method(service.CreateRoomRequest, self._create_room),
            "ListRooms": Method(service.ListRoomsRequest, self._list_rooms),
            "DeleteRoom": Method(service.DeleteRoomRequest, self._delete_room),
            "ListParticipants": Method(service.ListParticipantsRequest, self._list_participants),
            "GetParticipant": Method(service.RoomParticipantIdentity, self._get_participant),
            "RemoveParticipant": Method(service.RoomParticipantIdentity, self._remove_participant),
            "MutePublishedTrack": Method(service.MuteRoomTrackRequest, self._mute_track),
            "UpdateParticipant": Method(service.UpdateParticipantRequest, self._update_participant),
            "UpdateSubscriptions": Method(service.UpdateSubscriptionsRequest, self._update_subscriptions),
            "UpdateRoomMetadata": Method(service.UpdateRoomMetadataRequest, self._update_metadata),
            "SendData": Method(service.SendDataRequest, self._send_data),
        }

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(PREFIX + "/{method}", self._call),
            web.options(PREFIX + "/{method}", _preflight),
        ]

    # ------------------------------------------------------------------------------------------ Twirp

    async def _call(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        json = request.content_type == "application/json"
        try:
            if (method := self._methods.get(name)) is None:
                if name in service.DESCRIPTOR.services_by_name["RoomService"].methods_by_name:
                    raise HubError(f"{name} is not offered.", "不支持此操作。", code="unimplemented", status=501)
                return _error(404, "bad_route", f"There is no method {name[:64]}.")
            if not json and request.content_type != "application/protobuf":
                return _error(404, "bad_route", "The content type is neither application/protobuf nor application/json.")
            ticket = tokens.verify(bearer(request), self.rooms.keys, self.rooms.now())
            if (body := await _body(request)) is None:
                return _error(413, "resource_exhausted", "The request is longer than 1 MiB.")
            answer = await method.handler(ticket, _parse(method.request, body, json))
        except HubError as error:
            return _error(_STATUS.get(error.status, error.status), _CODES.get(error.status, "internal"), error.message)
        if json:
            text = json_format.MessageToJson(
                answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=None
            )
            return web.Response(text=text, content_type="application/json", headers=CORS)
        return web.Response(body=answer.SerializeToString(), content_type="application/protobuf", headers=CORS)

    # ------------------------------------------------------------------------------------------ who may

    async def _room(self, ticket: Ticket, name: str, action: str) -> Room:
        """The room an admin's ticket is for. What happens to a consultation from outside leaves an audit row."""
        tokens.require_admin(ticket, name)
        room = self.rooms.find(name)
        if not self.rooms.keys.reaches(ticket.key, room.key):
            raise NotFound(NO_ROOM)
        await self._audit(ticket, room, action)
        return self.rooms.find(name)

    async def _audit(self, ticket: Ticket, room: Room, action: str) -> None:
        if room.kept and ticket.key != self.rooms.terms.hub_key:
            await self.rooms.host.used_key(ticket.key, room.name, action)

    # ------------------------------------------------------------------------------------------ rooms

    async def _create_room(self, ticket: Ticket, request: service.CreateRoomRequest) -> models.Room:
        if not tokens.allows(ticket, "roomCreate"):
            raise Forbidden("The token does not allow creating rooms.")
        if not request.name or len(request.name) > tokens.MAX_IDENTITY:
            raise Invalid("The room's name is empty or too long.")
        if len(request.metadata.encode()) > tokens.MAX_TEXT:
            raise Invalid("The room's metadata is too long.")
        return _shown(self.rooms.create(request, ticket.key))

    async def _list_rooms(self, ticket: Ticket, request: service.ListRoomsRequest) -> service.ListRoomsResponse:
        if not tokens.allows(ticket, "roomList"):
            raise Forbidden("The token does not allow listing rooms.")
        reached = [room for room in self.rooms.rooms.values() if self.rooms.keys.reaches(ticket.key, room.key)]
        if request.names:
            reached = [room for room in reached if room.name in request.names]
        return service.ListRoomsResponse(rooms=[_shown(room.info) for room in reached])

    async def _delete_room(self, ticket: Ticket, request: service.DeleteRoomRequest) -> service.DeleteRoomResponse:
        if not tokens.allows(ticket, "roomCreate"):
            raise Forbidden("The token does not allow deleting rooms.")
        room = self.rooms.find(request.room)
        if not self.rooms.keys.reaches(ticket.key, room.key):
            raise NotFound(NO_ROOM)
        await self._audit(ticket, room, "DeleteRoom")
        self.rooms.delete(request.room)
        return service.DeleteRoomResponse()

    async def _update_metadata(self, ticket: Ticket, request: service.UpdateRoomMetadataRequest) -> models.Room:
        room = await self._room(ticket, request.room, "UpdateRoomMetadata")
        if len(request.metadata.encode()) > tokens.MAX_TEXT:
            raise Invalid("The room's metadata is too long.")
        self.rooms.act(room.name, room.set_metadata(request.metadata))
        return _shown(room.info)

    async def _send_data(self, ticket: Ticket, request: service.SendDataRequest) -> service.SendDataResponse:
        room = await self._room(ticket, request.room, "SendData")
        packet = models.DataPacket(
            kind=request.kind,
            destination_identities=request.destination_identities,
            user=models.UserPacket(
                payload=request.data,
                destination_sids=request.destination_sids,
                destination_identities=request.destination_identities,
                nonce=request.nonce,
            ),
        )
        if request.HasField("topic"):
            packet.user.topic = request.topic
        reliable = request.kind == models.DataPacket.RELIABLE
        outs = room.send_data(packet.SerializeToString(), reliable, request.destination_sids, request.destination_identities)
        self.rooms.act(room.name, outs)
        return service.SendDataResponse()

    # ------------------------------------------------------------------------------------------ participants

    async def _list_participants(
        self, ticket: Ticket, request: service.ListParticipantsRequest
    ) -> service.ListParticipantsResponse:
        room = await self._room(ticket, request.room, "ListParticipants")
        shown = [person.shown() for person in room.people.values() if not person.replaced]
        return service.ListParticipantsResponse(participants=shown)

    async def _get_participant(self, ticket: Ticket, request: service.RoomParticipantIdentity) -> models.ParticipantInfo:
        room = await self._room(ticket, request.room, "GetParticipant")
        return room.of_identity(request.identity).shown()

    async def _remove_participant(
        self, ticket: Ticket, request: service.RoomParticipantIdentity
    ) -> service.RemoveParticipantResponse:
        room = await self._room(ticket, request.room, "RemoveParticipant")
        await self.rooms.remove(room.name, request.identity)
        return service.RemoveParticipantResponse()

    async def _mute_track(self, ticket: Ticket, request: service.MuteRoomTrackRequest) -> service.MuteRoomTrackResponse:
        room = await self._room(ticket, request.room, "MutePublishedTrack")
        if not request.muted:
            raise HubError("remote unmute not enabled", "不能远程取消静音。", code="failed_precondition", status=412)
        tracks, outs = room.mute(request.identity, lambda track: track.sid == request.track_sid, self.rooms.now())
        self.rooms.act(room.name, outs)
        return service.MuteRoomTrackResponse(track=tracks[0].info)

    async def _update_participant(self, ticket: Ticket, request: service.UpdateParticipantRequest) -> models.ParticipantInfo:
        room = await self._room(ticket, request.room, "UpdateParticipant")
        info, outs = room.update(
            request.identity,
            self.rooms.now(),
            name=request.name,
            metadata=request.metadata,
            attributes=dict(request.attributes),
            permission=request.permission if request.HasField("permission") else None,
        )
        self.rooms.act(room.name, outs)
        return info

    async def _update_subscriptions(
        self, ticket: Ticket, request: service.UpdateSubscriptionsRequest
    ) -> service.UpdateSubscriptionsResponse:
        room = await self._room(ticket, request.room, "UpdateSubscriptions")
        named = [sid for entry in request.participant_tracks for sid in entry.track_sids]
        outs = room.subscribe(request.identity, [*request.track_sids, *named], request.subscribe)
        self.rooms.act(room.name, outs)
        return service.UpdateSubscriptionsResponse()


async def _body(request: web.Request) -> bytes | None:
    """None when it is too long; the size is checked before and while it is read."""
    if request.content_length is not None and request.content_length > MAX_BODY:
        return None
    body = bytearray()
    async for part in request.content.iter_chunked(65536):
        body += part
        if len(body) > MAX_BODY:
            return None
    return bytes(body)


def _parse(kind: type[Request], body: bytes, json: bool) -> Request:
    message = kind()
    try:
        if json:
            json_format.Parse(body or b"{}", message, ignore_unknown_fields=True)
        else:
            message.ParseFromString(body)
    except (json_format.ParseError, DecodeError, ValueError, RecursionError):
        raise Invalid("The request cannot be read.") from None
    return message


def _shown(info: models.Room) -> models.Room:
    """A copy without credentials: LiveKit's own answer has the TURN password in it."""
    shown = models.Room()
    shown.CopyFrom(info)
    shown.turn_password = ""
    return shown


def _error(status: int, code: str, text: str) -> web.Response:
    return web.json_response({"code": code, "msg": text, "meta": {}}, status=status, headers=CORS)


async def _preflight(request: web.Request) -> web.Response:
    return web.Response(status=204, headers=CORS)
