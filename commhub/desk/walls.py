"""A wall: the cameras that a terminal looks at outside of consultations, in a room of its own.

Nothing here is stored. The room lives at its media worker; a restarted hub finds it there, with its cameras, and takes it up
again (:meth:`Walls.look`). What is to be in it the page says as a whole, as often as it likes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.auth import Auth
from commhub.conference import Conference, Ticket
from commhub.desk.shapes import WallJoining
from commhub.directory import CameraAddress, CameraRecord, Directory
from commhub.errors import Busy, Forbidden, HubError, NotFound
from commhub.feeds import MAIN, SUB, Condition, Feeds, Seats, seat_of
from commhub.model import Actor
from commhub.rooms import InternalKey, member_of
from commhub.store import Store
from commhub.tasks import Tasks

log = logs.get(__name__)

VIEW = "view_"  # begins the names of these rooms; the identity of their one person follows
LIMIT = 50  # cameras: 25 tiles, and the next ones of a round
PER_PERSON = 16  # walls
AWAY = 60.0  # seconds a wall waits for its terminal
TICK = 2.0  # seconds
CHECK = 15.0  # seconds in which a right that was taken away may go unnoticed
PLAYBACK = ":playback"  # ends the identities of recordings

FORBIDDEN = Condition("failed", "forbidden", "You may not open this camera.", "没有打开该摄像机的权限。")
UNKNOWN = Condition("failed", "not_found", "There is no such camera.", "没有这个摄像机。")


@dataclass(slots=True)
class Wall:
    actor: Actor
    room: str
    cameras: dict[str, CameraRecord] = field(default_factory=dict)
    away_since: float | None = None
    checked_at: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # one change after another

    @property
    def identity(self) -> str:
        return self.room.removeprefix(VIEW)


class Walls:
    """``clock`` is monotonic seconds."""

    def __init__(
        self,
        store: Store,
        auth: Auth,
        directory: Directory,
        feeds: Feeds,
        conference: Conference,
        key: InternalKey,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._auth, self._directory, self._feeds, self._conference = store, auth, directory, feeds, conference
        self._key, self._clock, self._seats = key, clock, Seats(conference, feeds)
        self._walls: dict[str, Wall] = {}
        self._tasks = Tasks("walls")
        #: Called with the room of a wall that is over.
        self.closed: list[Callable[[str], None]] = []

    def start(self) -> None:
        self._tasks.spawn(self._watch(), "watch")

    async def close_tasks(self) -> None:
        await self._tasks.close()

    # ---- the terminal

    async def open(self, actor: Actor, terminal: str, origin: str) -> WallJoining:
        """A ticket into the terminal's own room; ``origin`` is the WebSocket origin the page reaches the hub by. Busy when the
        person has too many."""
        wall = await self._wall(actor, terminal)
        wall.away_since = None
        await self._conference.open(wall.room, key=self._key.name)
        # The microphone is for loudspeakers at cameras; there is nobody else in the room to hear it.
        speaks = actor.may("camera.voice")
        token = self._key.ticket(
            wall.room,
            actor,
            wall.identity,
            canSubscribe=True,
            canPublish=speaks,
            canPublishSources=["microphone"] if speaks else [],
            canPublishData=False,
        )
        return WallJoining(url=origin, token=token, room=wall.room, identity=wall.identity)

    async def show(self, actor: Actor, terminal: str, cameras: Sequence[str]) -> dict[str, Condition]:
        """Exactly these are in it from now on; those that may not be are left out, and their condition says why. NotFound
        without a wall."""
        wall = self.of(actor, terminal)
        wall.actor = actor
        async with wall.turn:
            records, refused, addresses = await self._allowed(actor, list(dict.fromkeys(cameras)))
            new = [record for camera, record in records.items() if camera not in wall.cameras]
            gone = [record for camera, record in wall.cameras.items() if camera not in records]
            async with self._store.transaction() as transaction:
                for record in gone:
                    await audit.record(transaction, actor, "camera.close", record.id, object=record.name)
                for record in new:
                    await audit.record(transaction, actor, "camera.open", record.id, object=record.name)
                for camera, condition in refused.items():
                    if condition is FORBIDDEN:
                        await audit.record(transaction, actor, "camera.open", camera, result="denied")
            wall.cameras = records
            for record in gone:
                await self._seats.remove(wall.room, record.id)
            for record in records.values():
                if wall.room not in self._feeds.rooms(record.id):
                    await self._seat(wall, record, addresses.get(record.id))
        return {camera: refused.get(camera) or self._feeds.condition(camera) for camera in cameras}

    async def _seat(self, wall: Wall, record: CameraRecord, address: CameraAddress | None = None) -> None:
        # One large picture is worth the large stream at once; of many the page asks for the one it makes large.
        layers = (SUB,) if len(wall.cameras) > 1 else (MAIN,)
        known = (record, address) if address is not None else None
        await self._seats.add(
            wall.room, record.id, name=record.name, org=record.org.name, audio=record.audio, layers=layers, known=known
        )

    async def shut(self, actor: Actor, terminal: str) -> None:
        """Idempotent."""
        if (wall := self._walls.get(_room(actor.id, terminal))) is not None:
            await self._close(wall)

    def of(self, actor: Actor, terminal: str) -> Wall:
        """NotFound: the page opens it (again) first."""
        wall = self._walls.get(_room(actor.id, terminal))
        if wall is None:
            raise NotFound("This terminal has no view open.", "该终端没有打开的画面，请重新打开。", code="no_view")
        return wall

    def watched(self, room: str) -> Actor | None:
        """Who looks at this wall now; None when nobody does, or it is none."""
        wall = self._walls.get(room)
        return wall.actor if wall is not None and self._there(wall) else None

    async def _wall(self, actor: Actor, terminal: str) -> Wall:
        room = _room(actor.id, terminal)
        wall = self._walls.get(room)
        if wall is None:
            if sum(one.actor.id == actor.id for one in self._walls.values()) >= PER_PERSON:
                raise Busy(f"You have views open at {PER_PERSON} terminals.", f"你已在 {PER_PERSON} 台终端上打开画面。")
            wall = await self._adopt(room, actor) if self._conference.named(room) else Wall(actor, room)
            wall = self._walls.setdefault(room, wall)
        wall.actor = actor
        return wall

    async def _allowed(
        self, actor: Actor, cameras: list[str]
    ) -> tuple[dict[str, CameraRecord], dict[str, Condition], dict[str, CameraAddress | None]]:
        """Asked once for all of them: a wall of 25 opens together, and browsers negotiate it as one."""
        found: dict[str, CameraRecord] = {}
        refused: dict[str, Condition] = {}
        known = await self._directory.cameras_to_open(cameras)
        for camera in cameras:
            if camera not in known:
                refused[camera] = UNKNOWN
                continue
            record = known[camera][0]
            if actor.may("camera.open", org=record.org.id, label=record.label):
                found[camera] = record
            else:
                listed = actor.may("camera.list", org=record.org.id, label=record.label)
                refused[camera] = FORBIDDEN if listed else UNKNOWN
        return found, refused, {camera: known[camera][1] for camera in found}

    # ---- the door

    async def admit(self, ticket: Ticket) -> None:
        """May this ticket into the view room it names? Forbidden."""
        if ticket.key != self._key.name or ticket.room != VIEW + ticket.identity:
            raise Forbidden("A terminal's own view is for that terminal only.", "终端的画面只供该终端使用。")
        actor = await self._auth.actor(member_of(ticket.identity))
        if actor is None or not actor.may("camera.open"):
            raise Forbidden("You may not open cameras.", "没有打开摄像机的权限。")

    # ---- time

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                await self.look()
            except (SQLAlchemyError, HubError):
                log.exception("walls not seen to")

    async def look(self) -> None:
        """Once over all of them: found again, left, or no longer allowed."""
        for room in self._conference.named(VIEW):
            if room not in self._walls:
                await self._find_again(room)
        now = self._clock()
        for wall in list(self._walls.values()):
            if self._there(wall):
                wall.away_since = None
            elif wall.away_since is None:
                wall.away_since = now
            elif now - wall.away_since >= AWAY:
                await self._close(wall)
                continue
            if now - wall.checked_at >= CHECK:
                wall.checked_at = now
                await self._check(wall)

    def _there(self, wall: Wall) -> bool:
        return any(one.identity == wall.identity for one in self._conference.present(wall.room, unseen=True))

    async def _find_again(self, room: str) -> None:
        """A room of before this hub's start."""
        person, _, terminal = room.removeprefix(VIEW).partition(":")
        actor = await self._auth.actor(person)
        if actor is None or not terminal:
            await self._conference.close(room)
            return
        self._walls.setdefault(room, await self._adopt(room, actor))
        log.info("wall found again", room=room)

    async def _adopt(self, room: str, actor: Actor) -> Wall:
        wall = Wall(actor, room)
        await self._conference.open(room, key=self._key.name)
        there = [one.identity for one in self._conference.present(room) if one.kind == "camera"]
        seated = [member_of(identity) for identity in there if identity == seat_of(member_of(identity))]
        wall.cameras, refused, _ = await self._allowed(actor, seated)
        for camera in refused:
            await self._seats.remove(room, camera)
        for record in wall.cameras.values():
            await self._seat(wall, record)
        return wall

    async def _check(self, wall: Wall) -> None:
        """Rights may have been taken away since."""
        actor = await self._auth.actor(wall.actor.id)
        if actor is None or not actor.may("camera.open"):
            await self._close(wall)
            return
        wall.actor = actor
        lost = [one for one in wall.cameras.values() if not actor.may("camera.open", org=one.org.id, label=one.label)]
        async with wall.turn:
            for record in lost:
                wall.cameras.pop(record.id, None)
                await self._seats.remove(wall.room, record.id)

    async def _close(self, wall: Wall) -> None:
        async with wall.turn:
            if self._walls.get(wall.room) is wall:
                del self._walls[wall.room]
            async with self._store.transaction() as transaction:
                for record in wall.cameras.values():
                    await audit.record(transaction, wall.actor, "camera.close", record.id, object=record.name)
            for camera in wall.cameras:
                self._feeds.detach(camera, wall.room)
            await self._conference.close(wall.room)
        for hear in self.closed:
            hear(wall.room)


def _room(person: str, terminal: str) -> str:
    return f"{VIEW}{person}:{terminal}"
