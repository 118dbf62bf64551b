"""All of scheduled consultations, joined."""

from __future__ import annotations

from pathlib import Path

from commhub.agenda.agenda import Agenda
from commhub.agenda.attendance import Attending
from commhub.agenda.beginning import Beginning
from commhub.agenda.materials import Materials, Room
from commhub.agenda.minutes import Writing
from commhub.auth import Auth
from commhub.events import Events
from commhub.rooms import Rooms
from commhub.store import Store


class Scheduled:
    """``folder`` is where materials are."""

    def __init__(self, store: Store, auth: Auth, events: Events, rooms: Rooms, folder: Path, room: Room | None = None) -> None:
        self.agenda = Agenda(store, events)
        self.beginning = Beginning(store, auth, events, rooms, self.agenda)
        self.materials = Materials(store, self.agenda, folder, room)
        self.attending = Attending(store, self.agenda)
        self.writing = Writing(store, self.agenda)

    async def start(self) -> None:
        await self.beginning.start()

    async def close(self) -> None:
        await self.beginning.close()
