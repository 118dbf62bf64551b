"""Who watches a camera: people at their walls, and consultations."""

from __future__ import annotations

from commhub.desk.shapes import Viewer
from commhub.desk.walls import VIEW, Walls
from commhub.feeds import Feeds
from commhub.model import Actor
from commhub.rooms.rules import may_see
from commhub.store import Store, consultations, tables


class Watching:
    def __init__(self, store: Store, feeds: Feeds, walls: Walls) -> None:
        self._store, self._feeds, self._walls = store, feeds, walls

    async def viewers(self, camera: str, reader: Actor) -> list[Viewer]:
        """Consultations first. Of those that the reader may not see neither title nor number."""
        rooms = sorted(self._feeds.rooms(camera))
        wanted = [room for room in rooms if not room.startswith(VIEW)]
        async with self._store.reading() as reading:
            found = await consultations.find(reading, tables.consultations.c.id.in_(wanted)) if wanted else []
        viewers = [
            Viewer(name=record.title, org_name=record.host.org_name, where=record.code)
            if may_see(record, reader)
            else Viewer(name="会商", org_name=record.host.org_name, where="")
            for record in found
        ]
        people = [actor for room in rooms if (actor := self._walls.watched(room)) is not None]
        return viewers + [Viewer(name=one.name, org_name=one.org_name, where="") for one in people]
