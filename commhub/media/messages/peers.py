"""What is done with participants beyond one room, and what they say to the hub itself."""

from __future__ import annotations

from commhub.media.messages.common import BaseMessage


class MovePeer(BaseMessage, frozen=True):
    """Hub → worker: the peer goes on in the room ``to`` of the same worker, with its transports, tracks and data channels. It
    keeps its sid and its tracks' sids; it receives nothing of the old room any more and nothing yet of the new one."""

    room: str
    peer: str
    to: str


class Relay(BaseMessage, frozen=True):
    """Hub → worker: push the peer's tracks as the Source ``source`` to these workers (their names; its own counts too), each
    track a stream named by its sid. Idempotent: the last one counts; no workers end it. It ends with the peer."""

    room: str
    peer: str
    source: str
    workers: list[str]


class Replied(BaseMessage, frozen=True):
    """Worker → hub: the peer's answer to a call of the hub, a serialised ``livekit.DataPacket``."""

    room: str
    peer: str
    packet: bytes
