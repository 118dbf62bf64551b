"""LiveKit's RoomService: rooms and participants for servers and admin tools.

The token says what its holder may (``roomCreate``, ``roomList``, ``roomAdmin`` of one room); its key says which rooms it
reaches. A room that the key does not reach looks as if it did not exist.
"""

from __future__ import annotations

from livekit.protocol import agent_dispatch, models
from livekit.protocol import room as protocol

from commhub.conference import Ticket
from commhub.errors import Forbidden, HubError, Invalid, NotFound
from signaling import rpc, tokens
from signaling.egress import check_room_egress
from signaling.places import NO_ROOM
from signaling.rooms import Rooms
from signaling.session import Room
from signaling.twirp import Service

MAX_DATA = 60_000  # what goes into one message of a data channel, with its envelope


class RoomService:
    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms

    def services(self) -> list[Service]:
        """RoomService; and AgentDispatchService, of which LiveKit's tools ask for the list: it is empty."""
        dispatch = agent_dispatch.DESCRIPTOR.services_by_name["AgentDispatchService"]
        return [self._service(), Service(dispatch, {"ListDispatch": self._list_dispatch})]

    def _service(self) -> Service:
        return Service(
            protocol.DESCRIPTOR.services_by_name["RoomService"],
            {
                "CreateRoom": self._create_room,
                "ListRooms": self._list_rooms,
                "DeleteRoom": self._delete_room,
                "ListParticipants": self._list_participants,
                "GetParticipant": self._get_participant,
                "RemoveParticipant": self._remove_participant,
                "MutePublishedTrack": self._mute_track,
                "UpdateParticipant": self._update_participant,
                "UpdateSubscriptions": self._update_subscriptions,
                "UpdateRoomMetadata": self._update_metadata,
                "SendData": self._send_data,
                "ForwardParticipant": self._forward,
                "MoveParticipant": self._move,
                "PerformRpc": self._perform_rpc,
            },
        )

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

    async def _create_room(self, ticket: Ticket, request: protocol.CreateRoomRequest) -> models.Room:
        if not tokens.allows(ticket, "roomCreate"):
            raise Forbidden("The token does not allow creating rooms.")
        if not request.name or len(request.name) > tokens.MAX_IDENTITY:
            raise Invalid("The room's name is empty or too long.")
        if len(request.metadata.encode()) > tokens.MAX_TEXT:
            raise Invalid("The room's metadata is too long.")
        check_room_egress(request.egress)
        return _shown(self.rooms.create(request, ticket.key))

    async def _list_rooms(self, ticket: Ticket, request: protocol.ListRoomsRequest) -> protocol.ListRoomsResponse:
        if not tokens.allows(ticket, "roomList"):
            raise Forbidden("The token does not allow listing rooms.")
        reached = [room for room in self.rooms.rooms.values() if self.rooms.keys.reaches(ticket.key, room.key)]
        if request.names:
            reached = [room for room in reached if room.name in request.names]
        return protocol.ListRoomsResponse(rooms=[_shown(room.info) for room in reached])

    async def _delete_room(self, ticket: Ticket, request: protocol.DeleteRoomRequest) -> protocol.DeleteRoomResponse:
        if not tokens.allows(ticket, "roomCreate"):
            raise Forbidden("The token does not allow deleting rooms.")
        room = self.rooms.find(request.room)
        if not self.rooms.keys.reaches(ticket.key, room.key):
            raise NotFound(NO_ROOM)
        await self._audit(ticket, room, "DeleteRoom")
        await self.rooms.delete(request.room)
        return protocol.DeleteRoomResponse()

    async def _update_metadata(self, ticket: Ticket, request: protocol.UpdateRoomMetadataRequest) -> models.Room:
        room = await self._room(ticket, request.room, "UpdateRoomMetadata")
        if len(request.metadata.encode()) > tokens.MAX_TEXT:
            raise Invalid("The room's metadata is too long.")
        self.rooms.act(room.name, room.set_metadata(request.metadata))
        return _shown(room.info)

    async def _perform_rpc(self, ticket: Ticket, request: protocol.PerformRpcRequest) -> protocol.PerformRpcResponse:
        room = await self._room(ticket, request.room, "PerformRpc")
        if not request.destination_identity:
            raise Invalid("destination identity is required", "缺少对方身份。")
        if not request.method or len(request.method.encode()) > rpc.MAX_METHOD:
            raise Invalid("The method is empty or longer than 64 bytes.", "方法名为空或超过 64 字节。")
        timeout = request.response_timeout_ms / 1000
        payload = await self.rooms.call(room.name, request.destination_identity, request.method, request.payload, timeout)
        return protocol.PerformRpcResponse(payload=payload)

    async def _send_data(self, ticket: Ticket, request: protocol.SendDataRequest) -> protocol.SendDataResponse:
        room = await self._room(ticket, request.room, "SendData")
        if len(request.nonce) not in (0, 16):
            raise Invalid("The nonce is 16 bytes long, or absent.", "nonce 应为 16 字节或不填。")
        if len(request.data) > MAX_DATA:
            raise Invalid("The data is longer than 64 KiB less its envelope.", "数据过长。")
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
        return protocol.SendDataResponse()

    async def _list_dispatch(
        self, ticket: Ticket, request: agent_dispatch.ListAgentDispatchRequest
    ) -> agent_dispatch.ListAgentDispatchResponse:
        await self._room(ticket, request.room, "ListDispatch")
        return agent_dispatch.ListAgentDispatchResponse()

    # ------------------------------------------------------------------------------------------ participants

    async def _list_participants(
        self, ticket: Ticket, request: protocol.ListParticipantsRequest
    ) -> protocol.ListParticipantsResponse:
        room = await self._room(ticket, request.room, "ListParticipants")
        shown = [person.shown() for person in room.people.values() if not (person.replaced or person.unlisted)]
        return protocol.ListParticipantsResponse(participants=shown)

    async def _get_participant(self, ticket: Ticket, request: protocol.RoomParticipantIdentity) -> models.ParticipantInfo:
        room = await self._room(ticket, request.room, "GetParticipant")
        if (person := room.of_identity(request.identity)).unlisted:
            raise NotFound("The participant is not in the room.", "该参会者不在会商中。")
        return person.shown()

    async def _remove_participant(
        self, ticket: Ticket, request: protocol.RoomParticipantIdentity
    ) -> protocol.RemoveParticipantResponse:
        room = await self._room(ticket, request.room, "RemoveParticipant")
        before = max(0, request.revoke_token_ts)
        await self.rooms.remove(room.name, request.identity, before=float(before))
        return protocol.RemoveParticipantResponse()

    async def _mute_track(self, ticket: Ticket, request: protocol.MuteRoomTrackRequest) -> protocol.MuteRoomTrackResponse:
        room = await self._room(ticket, request.room, "MutePublishedTrack")
        if not (request.muted or self.rooms.terms.remote_unmute):
            raise HubError("remote unmute not enabled", "不能远程取消静音。", code="failed_precondition", status=412)
        now = self.rooms.now()
        tracks, outs = room.mute(request.identity, lambda track: track.sid == request.track_sid, now, muted=request.muted)
        self.rooms.act(room.name, outs)
        return protocol.MuteRoomTrackResponse(track=tracks[0].info)

    async def _update_participant(self, ticket: Ticket, request: protocol.UpdateParticipantRequest) -> models.ParticipantInfo:
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

    async def _move(self, ticket: Ticket, request: protocol.MoveParticipantRequest) -> protocol.MoveParticipantResponse:
        room = await self._room(ticket, request.room, "MoveParticipant")
        await self._destination(ticket, request, "MoveParticipant")
        await self.rooms.between.move(room.name, request.identity, request.destination_room, ticket.key)
        return protocol.MoveParticipantResponse()

    async def _forward(self, ticket: Ticket, request: protocol.ForwardParticipantRequest) -> protocol.ForwardParticipantResponse:
        room = await self._room(ticket, request.room, "ForwardParticipant")
        await self._destination(ticket, request, "ForwardParticipant")
        await self.rooms.between.forward(room.name, request.identity, request.destination_room, ticket.key)
        return protocol.ForwardParticipantResponse()

    async def _destination(
        self, ticket: Ticket, request: protocol.MoveParticipantRequest | protocol.ForwardParticipantRequest, action: str
    ) -> None:
        """The token has to name the destination too, as LiveKit wants it."""
        if not request.destination_room or ticket.grants.get("destinationRoom") != request.destination_room:
            raise Forbidden("The token is for another destination room.", "令牌属于另一个目标会商。")
        if request.destination_room == request.room:
            raise Invalid("destination room cannot be the same as source room", "目标会商与原会商相同。")
        room = self.rooms.rooms.get(request.destination_room)
        if room is not None and self.rooms.keys.reaches(ticket.key, room.key):  # else it is refused, and nothing happens there
            await self._audit(ticket, room, action)

    async def _update_subscriptions(
        self, ticket: Ticket, request: protocol.UpdateSubscriptionsRequest
    ) -> protocol.UpdateSubscriptionsResponse:
        room = await self._room(ticket, request.room, "UpdateSubscriptions")
        named = [sid for entry in request.participant_tracks for sid in entry.track_sids]
        outs = room.subscribe(request.identity, [*request.track_sids, *named], request.subscribe)
        self.rooms.act(room.name, outs)
        return protocol.UpdateSubscriptionsResponse()


def _shown(info: models.Room) -> models.Room:
    """A copy without credentials: LiveKit's own answer has the TURN password in it."""
    shown = models.Room()
    shown.CopyFrom(info)
    shown.turn_password = ""
    return shown
