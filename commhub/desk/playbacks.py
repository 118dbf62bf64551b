"""Recordings that lie on devices: searched, and played into a wall or a consultation.

A playback is a participant of its own, named after its camera. Nothing is stored: a hub that restarts takes playbacks of
before out of the rooms it finds; the page starts them again where they were.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.conference import CameraSeat, Conference
from commhub.control import Control, Devices
from commhub.desk.walls import PLAYBACK, Walls
from commhub.directory import CameraRecord
from commhub.errors import Busy, HubError, Invalid, NotFound
from commhub.feeds import Feeds
from commhub.media.messages import Replay
from commhub.model import Actor, iso, new_id
from commhub.rooms import Rooms
from commhub.store import Store
from commhub.tasks import Tasks
from commhub.views import CameraState, Time, View

log = logs.get(__name__)

SEARCH_LIMIT = timedelta(days=31)
SEARCH_SECONDS = 20.0  # that a device may take
PER_PERSON = 4
TICK = 2.0  # seconds
FIRST = 15  # looks after the start at all rooms: those of before are found one after another
ITEMS = 5_000  # recordings in one answer
Kind = Literal["time", "alarm", "manual"]
Action = Literal["play", "pause", "seek", "speed"]
BOUNDS: dict[Action, tuple[float, float]] = {"play": (0, 0), "pause": (0, 0), "seek": (0, 31 * 86400), "speed": (0.25, 8)}


class Recorded(View):
    """One recording on the device; ``size`` in octets, null when it does not say."""

    start: Time
    end: Time
    kind: Kind
    size: int | None


class RecordedList(View):
    """``complete`` is false when the device did not tell all of them."""

    items: list[Recorded]
    complete: bool


class PlaybackView(View):
    id: str
    identity: str
    state: CameraState


@dataclass(frozen=True, slots=True)
class _Playback:
    id: str
    camera: CameraRecord
    room: str
    person: str

    @property
    def identity(self) -> str:
        return self.id + PLAYBACK


class Playbacks:
    def __init__(
        self,
        store: Store,
        control: Control,
        devices: Devices,
        feeds: Feeds,
        conference: Conference,
        walls: Walls,
        rooms: Rooms,
    ) -> None:
        self._store, self._control, self._devices, self._feeds = store, control, devices, feeds
        self._conference, self._walls, self._rooms = conference, walls, rooms
        self._running: dict[str, _Playback] = {}
        self._looks = 0
        self._tasks = Tasks("playbacks")
        walls.closed.append(self._room_closed)

    def start(self) -> None:
        self._tasks.spawn(self._watch(), "watch")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- searching

    async def recordings(self, actor: Actor, camera: str, start: datetime, end: datetime) -> RecordedList:
        """What the device has of this time. Its refusal, or Unavailable."""
        _check(start, end)
        record = await self._control.reachable(actor, camera, "camera.playback")
        values = {"start": str(_ns(start)), "end": str(_ns(end)), "kind": "all"}
        answer = await self._control.ask(record, "records", values, SEARCH_SECONDS)
        found = [one for item in answer.items[:ITEMS] if (one := _recorded(item)) is not None]
        whole = answer.complete and len(answer.items) <= ITEMS
        return RecordedList(items=sorted(found, key=lambda one: one.start), complete=whole)

    # ---- playing

    async def play(
        self, actor: Actor, camera: str, start: datetime, end: datetime, *, terminal: str = "", consultation: str = ""
    ) -> PlaybackView:
        """Into the actor's own wall, or into a consultation where he may bring cameras."""
        _check(start, end)
        record = await self._control.reachable(actor, camera, "camera.playback")
        if sum(one.person == actor.id for one in self._running.values()) >= PER_PERSON:
            raise Busy(f"You play {PER_PERSON} recordings already.", f"最多同时回放 {PER_PERSON} 路录像。")
        room = self._walls.of(actor, terminal).room if terminal else consultation
        async with self._store.transaction() as transaction:
            if consultation:
                await self._rooms.bringing(transaction, consultation, actor, camera)
            period = f"{start.astimezone():%Y-%m-%d %H:%M:%S} – {end.astimezone():%Y-%m-%d %H:%M:%S}"
            await audit.record(transaction, actor, "camera.playback", record.id, object=f"{record.name} {period}")
        made = _Playback(new_id(), record, room, actor.id)
        self._running[made.id] = made
        seat = CameraSeat(made.id, made.identity, f"{record.name} 回放", record.org.name, record.audio)
        try:
            await self._conference.add_camera(room, seat)
            await self._feeds.show(made.id, camera, room, int(start.timestamp()), int(end.timestamp()))
        except (HubError, ValueError):
            await self._end(made)
            raise
        return self._view(made)

    async def steer(self, actor: Actor, playback: str, action: Action, value: float) -> None:
        """Seconds from the beginning for ``seek``, 0.25 to 8 for ``speed``. What the device refuses is the error's sentence."""
        made = self._of(actor, playback)
        low, high = BOUNDS[action]
        if not low <= value <= high:
            raise Invalid(f"The value must be from {low:g} to {high:g}.", f"数值须在 {low:g} 到 {high:g} 之间。")
        if not actor.may("camera.playback", org=made.camera.org.id, label=made.camera.label):
            raise NotFound("There is no such playback.", "没有这个回放。")
        await self._devices.ask(Replay(made.id, action, value))

    async def stop(self, actor: Actor, playback: str) -> None:
        """Idempotent."""
        made = self._running.get(playback)
        if made is not None and made.person == actor.id:
            await self._end(made)

    def _of(self, actor: Actor, playback: str) -> _Playback:
        made = self._running.get(playback)
        if made is None or made.person != actor.id:
            raise NotFound("There is no such playback.", "没有这个回放。")
        return made

    def _view(self, made: _Playback) -> PlaybackView:
        state = self._feeds.condition(made.id).state
        return PlaybackView.model_validate({"id": made.id, "identity": made.identity, "state": state})

    # ---- ending

    def _room_closed(self, room: str) -> None:
        for made in [one for one in self._running.values() if one.room == room]:
            del self._running[made.id]
            self._feeds.detach(made.id, room)

    async def _end(self, made: _Playback) -> None:
        self._running.pop(made.id, None)
        self._feeds.detach(made.id, made.room)
        with contextlib.suppress(NotFound):
            await self._conference.remove_camera(made.room, made.identity)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                await self.look()
            except (HubError, SQLAlchemyError):
                log.exception("playbacks not seen to")

    async def look(self) -> None:
        """Once: playbacks whose participant was taken out end, participants nobody knows go."""
        self._looks += 1
        rooms = set(self._conference.named("")) if self._looks <= FIRST else {one.room for one in self._running.values()}
        known = {(one.room, one.identity) for one in self._running.values()}
        there: set[tuple[str, str]] = set()
        for room in rooms:
            for one in self._conference.present(room):
                if one.kind == "camera" and one.identity.endswith(PLAYBACK):
                    there.add((room, one.identity))
        for room, identity in there - known:
            with contextlib.suppress(NotFound):
                await self._conference.remove_camera(room, identity)
        for made in list(self._running.values()):
            if (made.room, made.identity) in known - there:
                await self._end(made)


def _check(start: datetime, end: datetime) -> None:
    if not timedelta(0) < end - start <= SEARCH_LIMIT:
        raise Invalid("The time must end after it begins, within 31 days.", "时间段须有先后，且不超过 31 天。")
    if start.timestamp() < 0:
        raise Invalid("The time is before 1970.", "时间早于 1970 年。")


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000_000)


def _recorded(item: dict[str, str]) -> Recorded | None:
    """None for what cannot be read: one strange entry does not hide the others."""
    try:
        start, end = int(item["start"]), int(item["end"])
        if not 0 <= start <= end < 1 << 62:
            return None
        size = item.get("size", "")
        return Recorded.model_validate(
            {
                "start": iso(start),
                "end": iso(end),
                "kind": item.get("kind") if item.get("kind") in ("alarm", "manual") else "time",
                "size": int(size) if size.isascii() and size.isdigit() and len(size) < 19 else None,
            }
        )
    except (KeyError, ValueError):
        return None
