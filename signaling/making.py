"""What a room is to be like, as a request or a token says it. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping

from livekit.protocol import room as service

from signaling import messages, tokens
from signaling.session import Room


def requested(room: Room, request: service.CreateRoomRequest) -> Room:
    """Zeros leave what the hub's terms say. Node, preset, tags, agents, playout delay and sync_streams change nothing here."""
    room.info.metadata = request.metadata
    room.info.empty_timeout = request.empty_timeout or room.info.empty_timeout
    room.info.departure_timeout = request.departure_timeout or room.info.departure_timeout
    room.info.max_participants = request.max_participants or room.info.max_participants
    room.egress = request.egress.SerializeToString()
    return room


def configured(room: Room, config: Mapping[str, object]) -> Room:
    """``roomConfig`` of the token that makes the room: only plain numbers and texts are taken from it."""

    def number(*names: str) -> int | None:
        for name in names:
            value = config.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
                return value
        return None

    room.info.empty_timeout = number("emptyTimeout", "empty_timeout") or room.info.empty_timeout
    room.info.departure_timeout = number("departureTimeout", "departure_timeout") or room.info.departure_timeout
    room.info.max_participants = number("maxParticipants", "max_participants") or room.info.max_participants
    room.egress = messages.room_egress(config.get("egress"))
    metadata = config.get("metadata")
    if isinstance(metadata, str):
        room.info.metadata = metadata[: tokens.MAX_TEXT]
    return room
