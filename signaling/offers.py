"""Clients' offers on their way to the engine: beside everything else, one after another for each participant."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from msgspec.structs import replace

from commhub import log as logs
from commhub.errors import HubError
from commhub.media import Engine
from commhub.media import messages as media
from commhub.tasks import Tasks
from signaling.outs import Out
from signaling.session import Room

log = logs.get(__name__)

MAX_PENDING = 16


class Home(Protocol):
    engine: Engine

    def room_of(self, sid: str, name: str) -> Room | None:
        """Where somebody is who was in the room ``name`` when they said it."""

    def run(self, room: Room, outs: list[Out]) -> None: ...
    def misbehaved(self, name: str, sid: str) -> None: ...


class Offers:
    def __init__(self, home: Home, tasks: Tasks) -> None:
        self._home, self._tasks = home, tasks
        self._waiting: dict[str, deque[media.Offer]] = {}

    def add(self, offer: media.Offer) -> None:
        waiting = self._waiting.get(offer.peer)
        if waiting is None:
            self._waiting[offer.peer] = deque([offer])
            self._tasks.spawn(self._negotiate(offer.peer), f"offer {offer.peer}")
        elif len(waiting) < MAX_PENDING:
            waiting.append(offer)
        else:
            self._home.misbehaved(offer.room, offer.peer)

    async def _negotiate(self, peer: str) -> None:
        waiting = self._waiting[peer]
        try:
            while waiting:
                offer = waiting[0]
                if (room := self._home.room_of(peer, offer.room)) is None:
                    return
                try:
                    answer = await self._home.engine.offer(replace(offer, room=room.name))
                except HubError as error:
                    if error.code == "bad_sdp" and peer in room.people:
                        if (suppressed := logs.limited("bad offer", 60)) is not None:
                            log.warning("bad offer", room=room.name, peer=peer, why=error.message, suppressed=suppressed)
                        self._home.misbehaved(room.name, peer)
                    # Otherwise the worker is gone or the peer is: whoever told that has told the client.
                    return
                waiting.popleft()
                if (room := self._home.room_of(peer, offer.room)) is not None:
                    self._home.run(room, room.answered(peer, answer))
        finally:
            del self._waiting[peer]
