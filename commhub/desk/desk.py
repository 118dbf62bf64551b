"""All of it, joined."""

from __future__ import annotations

from commhub.auth import Auth
from commhub.conference import Conference
from commhub.control import Control
from commhub.desk.card import Cards
from commhub.desk.walls import Walls
from commhub.desk.watching import Watching
from commhub.directory import Directory
from commhub.events import Events
from commhub.feeds import Feeds
from commhub.rooms import InternalKey
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
    ) -> None:
        self.walls = Walls(store, auth, directory, feeds, conference, key)
        self.control = Control(store, events, directory, feeds.bridge("gb28181"))
        self.cards = Cards(store, directory, feeds)
        self.watching = Watching(store, feeds, self.walls)

    def start(self) -> None:
        self.walls.start()

    async def close(self) -> None:
        await self.control.close()
        await self.walls.close_tasks()
