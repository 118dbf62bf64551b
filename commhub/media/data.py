"""Data packets (``livekit.DataPacket``): who sent it is written by the server, whom it is for is honoured. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import DecodeError
from livekit.protocol import models

#: What participants may say to each other. Speakers and metrics come from the server or go to it.
_FORWARDED = frozenset(
    {
        "user",
        "sip_dtmf",
        "transcription",
        "chat_message",
        "rpc_request",
        "rpc_ack",
        "rpc_response",
        "stream_header",
        "stream_chunk",
        "stream_trailer",
        "encrypted_packet",
    }
)
MAX_DESTINATIONS = 1_000
#: How the identity begins under which the hub itself calls a participant (RPC).
HUB_CALLER = "commhub-rpc-"
_REPLIES = ("rpc_ack", "rpc_response", "stream_header", "stream_chunk", "stream_trailer")


@dataclass(frozen=True, slots=True)
class Stamped:
    """``identities`` and ``sids`` are whom it is for; both empty: everybody else in the room."""

    packet: bytes
    sequence: int
    identities: frozenset[str]
    sids: frozenset[str]
    reply: bool = False  # to a call of the hub: nobody else's

    @property
    def directed(self) -> bool:
        return bool(self.identities or self.sids)


def stamp(data: bytes, sid: str, identity: str, *, reliable: bool, hidden: bool = False) -> Stamped:
    """A participant's packet as others get it. ``sequence`` stays. ValueError when it cannot be read or is not for others."""
    packet = models.DataPacket()
    try:
        packet.ParseFromString(data)
    except DecodeError:
        raise ValueError("A data packet is not a livekit.DataPacket.") from None
    if packet.WhichOneof("value") not in _FORWARDED:
        raise ValueError("A data packet carries nothing that participants may send.")
    identities, sids = set(packet.destination_identities), set[str]()
    packet.kind = models.DataPacket.RELIABLE if reliable else models.DataPacket.LOSSY
    packet.participant_sid, packet.participant_identity = ("", "") if hidden else (sid, identity)
    if packet.WhichOneof("value") == "user":
        # Clients before protocol 12 write and read these inside.
        user = packet.user
        sids.update(user.destination_sids)
        identities.update(user.destination_identities)
        user.participant_sid, user.participant_identity = packet.participant_sid, packet.participant_identity
    if len(identities) + len(sids) > MAX_DESTINATIONS:
        raise ValueError("A data packet has too many destinations.")
    reply = packet.WhichOneof("value") in _REPLIES and any(identity.startswith(HUB_CALLER) for identity in identities)
    return Stamped(packet.SerializeToString(), packet.sequence, frozenset(identities), frozenset(sids), reply)
