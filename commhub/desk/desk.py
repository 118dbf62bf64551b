"""All of it, joined."""

from __future__ import annotations

from commhub.auth import Auth
from commhub.conference import Conference
from commhub.control import Control
from commhub.desk.card import Cards
from commhub.desk.playbacks import Playbacks
from commhub.desk.rounds import Rounds
from commhub.desk.voices import Voices
from commhub.desk.walls import Walls
from commhub.desk.watching import Watching
from commhub.directory import Directory
from commhub.events import Events
from commhub.feeds import Feeds
from commhub.rooms import InternalKey, Rooms
from commhub.store import Store


class Desk:
    def __init__(
        self,
        store: Store,
        auth: Auth,
        events: Events,
        directory: Directory,
        feeds: Feeds,
        conference: Conference,
        key: InternalKey,
        rooms: Rooms,
    ) -> None:
        self.walls = Walls(store, auth, directory, feeds, conference, key)
        devices = feeds.bridge("gb28181")
        self.control = Control(store, events, directory, devices)
        self.cards = Cards(store, directory, feeds)
        self.playbacks = Playbacks(store, self.control, devices, feeds, conference, self.walls, rooms)
        self.voices = Voices(store, events, self.control, devices, conference, self.walls, feeds.worker_of)
        self.rounds = Rounds(store)
        self.watching = Watching(store, feeds, self.walls)

    def start(self) -> None:
        self.walls.start()
        self.playbacks.start()
        self.voices.start()

    async def close(self) -> None:
        await self.control.close()
        await self.playbacks.close()
        await self.voices.close()
        await self.walls.close_tasks()
