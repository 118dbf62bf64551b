"""All of it, joined."""

from __future__ import annotations

import asyncio
from pathlib import Path

from commhub.auth import Auth
from commhub.conference import Conference
from commhub.control import Control
from commhub.desk.card import Cards
from commhub.desk.download_views import Bounds
from commhub.desk.downloads import Downloads
from commhub.desk.playbacks import Playbacks
from commhub.desk.rounds import Rounds
from commhub.desk.snapshots import Snapshots, Taking
from commhub.desk.uploads import Uploads
from commhub.desk.voices import Voices
from commhub.desk.walls import Walls
from commhub.desk.watching import Watching
from commhub.directory import Directory
from commhub.events import Events
from commhub.feeds import Feeds
from commhub.rooms import InternalKey, Rooms
from commhub.store import Store
from commhub.tasks import Tasks

SETTLE = 15.0  # seconds after the start, until rooms of before have been found


class Desk:
    """``folder`` keeps snapshots, ``taking`` takes them; ``downloads`` says where they are kept, and how many."""

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
        folder: Path,
        taking: Taking,
        downloads: tuple[Path, Bounds] | None = None,
        *,
        upload_origin: str = "",
        snapshot_days: float = 0,
    ) -> None:
        self.walls = Walls(store, auth, directory, feeds, conference, key)
        devices = feeds.bridge("gb28181")
        self.control = Control(store, events, directory, devices)
        self.cards = Cards(store, directory, feeds)
        self.playbacks = Playbacks(store, auth, directory, self.control, devices, feeds, conference, self.walls, rooms)
        self.voices = Voices(store, events, self.control, devices, conference, self.walls, feeds.worker_of)
        self.uploads = Uploads(devices, upload_origin)
        self.snapshots = Snapshots(
            store, events, directory, feeds, conference, key, folder, taking, self.uploads, snapshot_days
        )  # fmt: skip
        kept, bounds = downloads or (folder.parent / "downloads", Bounds())
        self.downloads = Downloads(store, events, directory, self.control, devices, kept, bounds)
        self.rounds = Rounds(store)
        self._tasks = Tasks("desk")
        self.watching = Watching(store, feeds, self.walls)

    def start(self) -> None:
        self.walls.start()
        self._tasks.spawn(self._settle(), "settle")
        self.playbacks.start()
        self.voices.start()
        self.downloads.start()
        self.snapshots.album.start()

    async def _settle(self) -> None:
        await asyncio.sleep(SETTLE)
        await self.snapshots.close_left()

    async def close(self) -> None:
        await self._tasks.close()
        await self.control.close()
        await self.playbacks.close()
        await self.voices.close()
        await self.downloads.close()
        await self.snapshots.album.close()
        await self.walls.close_tasks()
