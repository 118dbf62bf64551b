"""The contract between senders, receivers and the hub, on one page.

Whatever sends media is a :class:`Source`, whatever receives it is a :class:`Sink`: a browser's track, a camera, a phone leg
and a recorder are all these two. Inside a media worker both are called directly; a bridge or a recorder in another
process is the same thing behind :mod:`commhub.media.link`. The hub commands rooms through :class:`Engine`.

Two gates decide everything about who gets what: ``Open(track)`` and ``Allow(subscriber, track)``
(:mod:`commhub.media.messages`). Lobby, floor, whisper, grades and revocation use nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from commhub.media import messages
from commhub.media.messages import Answer, Codec, Message, Offer, Restart


class Source(Protocol):
    """Sends one medium. ``codec`` never changes: another codec is another Source of the same logical track."""

    kind: str
    codec: Codec

    def want_key_frame(self) -> None:
        """A receiver cannot go on without one. Throttled by whoever implements it."""


class Sink(Protocol):
    """Receives everything of a room: facts as they happen, RTP in batches. Never blocks the caller."""

    def tell(self, message: Message) -> None:
        """A fact (``SinkPeer``, ``SinkTrack``, ``SinkData`` …). May not be dropped."""

    def feed(self, handle: int, packet: bytes | bytearray | memoryview, at: int) -> None:
        """One plain RTP packet of the track that ``SinkTrack.handle`` opened, with its ingress time (UTC ns)."""

    def flush(self) -> None:
        """End of a run of packets: what is buffered may leave now."""


EngineListener = Callable[[Message], None]


class Engine(Protocol):
    """Rooms, whoever runs them: our own media workers or a LiveKit cluster.

    A room is placed on a worker by ``OpenRoom`` and stays there. Commands for one room keep their order.
    """

    def tell(self, message: Message) -> None:
        """A command about a room (it carries ``room``). Lost when the worker is down: the listener hears ``lost``."""

    async def offer(self, offer: Offer | Restart) -> Answer:
        """Negotiate. HubError ``bad_sdp`` for what cannot be read, Unavailable while the worker is down."""

    def worker_of(self, room: str) -> str:
        """The worker's name; '' when the room is nowhere."""

    def full(self, room: str) -> bool:
        """Is there too much to do where the room is (or, for one that is nowhere yet, everywhere) to let more people in?"""

    async def stats(self, room: str) -> messages.RoomStats | None:
        """How everybody in the room sends and receives, and when each was last heard; None while it runs nowhere."""

    def on_event(self, listener: EngineListener) -> None:
        """Events of all rooms (``PeerConnected``, ``TrackBound``, ``Speakers`` …), in order per room."""

    def on_worker(
        self,
        found: Callable[[messages.WorkerSnapshot], None],
        lost: Callable[[str, list[str]], None],
        ready: Callable[[str], None],
    ) -> None:
        """``found(snapshot)`` when a worker with running rooms was (re)linked by a new hub, ``lost(worker, rooms)``
        when it died with these rooms on it, ``ready(worker)`` when it can take rooms (again)."""


__all__ = ["Answer", "Codec", "Engine", "EngineListener", "Message", "Offer", "Restart", "Sink", "Source", "messages"]
