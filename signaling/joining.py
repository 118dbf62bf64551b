"""How long joining takes, for whoever measures. No I/O and no clock."""

from __future__ import annotations

from collections.abc import Callable

from commhub.media import messages as media
from commhub.media.messages import Message

KEPT = 4_096  # who joins and never has media is forgotten, the oldest first

#: ``(stage, seconds)``: ``connected`` (ICE and DTLS are done), ``media`` (the first packet of a track came).
Observe = Callable[[str, float], None]


class JoinTimes:
    """``now`` as in :class:`signaling.rooms.Rooms`."""

    def __init__(self, observe: Observe, now: Callable[[], float]) -> None:
        self._observe, self._now = observe, now
        self._connecting: dict[str, float] = {}
        self._silent: dict[str, float] = {}

    def began(self, sid: str, since: float) -> None:
        """This participant's request came at ``since``."""
        for waiting in (self._connecting, self._silent):
            waiting[sid] = since
            if len(waiting) > KEPT:
                del waiting[next(iter(waiting))]

    def heard(self, message: Message) -> None:
        """An event of the engine."""
        if isinstance(message, media.PeerConnected):
            self._tell(self._connecting, message.peer, "connected")
        elif isinstance(message, media.TrackLive):
            self._tell(self._silent, message.peer, "media")
        elif isinstance(message, media.PeerLost):
            self._connecting.pop(message.peer, None)
            self._silent.pop(message.peer, None)

    def _tell(self, waiting: dict[str, float], sid: str, stage: str) -> None:
        since = waiting.pop(sid, None)
        if since is not None:
            self._observe(stage, max(0.0, self._now() - since))
