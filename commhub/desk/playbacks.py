"""Recordings that lie on devices: searched, and played into a wall or a consultation.

A playback is a participant of its own, named after its camera. Nothing is stored: what it plays, and for whom, is in its seat,
which the room's worker keeps. A hub that restarts finds it there and goes on with it; the bridge has never stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from msgspec import Struct
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.auth import Auth
from commhub.conference import CameraSeat, Conference
from commhub.control import Control, Devices
from commhub.desk.walls import PLAYBACK, VIEW, Walls
from commhub.directory import CameraRecord, Directory
from commhub.errors import Busy, HubError, Invalid, NotFound
from commhub.feeds import Feeds, position
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
FIRST = 30.0  # seconds after the start in which all rooms are looked at: those of before are found one after another
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


class Standing(View):
    """At ``as_of`` it shows what lies ``at`` seconds after its start, and goes on at ``speed`` if it is ``playing``."""

    at: float
    as_of: Time
    speed: float
    playing: bool


class PlaybackView(View):
    """``position`` is null before the first picture."""

    id: str
    identity: str
    camera_id: str
    start: Time
    end: Time
    state: CameraState
    position: Standing | None


class PlaybackList(View):
    items: list[PlaybackView]


class _Asked(Struct, frozen=True):
    """What a seat says of its playback. ``start`` and ``end`` are Unix seconds."""

    camera: str
    person: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Playback:
    id: str
    camera: CameraRecord
    room: str
    asked: _Asked

    @property
    def person(self) -> str:
        return self.asked.person

    @property
    def identity(self) -> str:
        return self.id + PLAYBACK


class Playbacks:
    def __init__(
        self,
        store: Store,
        auth: Auth,
        directory: Directory,
        control: Control,
        devices: Devices,
        feeds: Feeds,
        conference: Conference,
        walls: Walls,
        rooms: Rooms,
    ) -> None:
        self._store, self._auth, self._directory = store, auth, directory
        self._control, self._devices, self._feeds = control, devices, feeds
        self._conference, self._walls, self._rooms = conference, walls, rooms
        self._running: dict[str, _Playback] = {}
        self._began = time.monotonic()
        self._turn = asyncio.Lock()  # one look after another
        self._tasks = Tasks("playbacks")
        walls.closed.append(self._room_closed)

    def start(self) -> None:
        self._tasks.spawn(self._watch(), "watch")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- searching

    async def recordings(
        self, actor: Actor, camera: str, start: datetime, end: datetime, kind: Kind | Literal["all"] = "all"
    ) -> RecordedList:
        """What the device has of this time and kind. Its refusal, or Unavailable."""
        _check(start, end)
        record = await self._control.reachable(actor, camera, "camera.playback")
        values = {"start": str(_ns(start)), "end": str(_ns(end)), "kind": kind}
        answer = await self._control.ask(record, "records", values, SEARCH_SECONDS)
        found = [one for item in answer.items[:ITEMS] if (one := _recorded(item)) is not None and kind in ("all", one.kind)]
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
        asked = _Asked(camera, actor.id, int(start.timestamp()), int(end.timestamp()))
        made = _Playback(new_id(), record, room, asked)
        self._running[made.id] = made
        said = msgspec.json.encode(asked).decode()
        seat = CameraSeat(made.id, made.identity, f"{record.name} 回放", record.org.name, record.audio, record=said)
        try:
            await self._conference.add_camera(room, seat)
            await self._feeds.show(made.id, camera, room, asked.start, asked.end)
        except (HubError, ValueError):
            await self._end(made)
            raise
        return self._view(made)

    async def mine(self, actor: Actor, terminal: str = "") -> PlaybackList:
        """What the actor plays, the newest first; ``terminal``: in the wall of that one."""
        await self._settle()
        room = f"{VIEW}{actor.id}:{terminal}" if terminal else ""
        own = [one for one in self._running.values() if one.person == actor.id and room in ("", one.room)]
        return PlaybackList(items=[self._view(one) for one in sorted(own, key=lambda one: one.id, reverse=True)])

    async def steer(self, actor: Actor, playback: str, action: Action, value: float) -> None:
        """Seconds from the beginning for ``seek``, 0.25 to 8 for ``speed``. What the device refuses is the error's sentence."""
        await self._settle()
        made = self._of(actor, playback)
        low, high = BOUNDS[action]
        if not low <= value <= high:
            raise Invalid(f"The value must be from {low:g} to {high:g}.", f"数值须在 {low:g} 到 {high:g} 之间。")
        if not actor.may("camera.playback", org=made.camera.org.id, label=made.camera.label):
            raise NotFound("There is no such playback.", "没有这个回放。")
        await self._devices.ask(Replay(made.id, action, value))

    async def stop(self, actor: Actor, playback: str) -> None:
        """Idempotent."""
        await self._settle()
        made = self._running.get(playback)
        if made is not None and made.person == actor.id:
            await self._end(made)

    def _of(self, actor: Actor, playback: str) -> _Playback:
        made = self._running.get(playback)
        if made is None or made.person != actor.id:
            raise NotFound("There is no such playback.", "没有这个回放。")
        return made

    def _view(self, made: _Playback) -> PlaybackView:
        asked = made.asked
        return PlaybackView.model_validate(
            {
                "id": made.id,
                "identity": made.identity,
                "camera_id": made.camera.id,
                "start": iso(asked.start * 1_000_000_000),
                "end": iso(asked.end * 1_000_000_000),
                "state": self._feeds.condition(made.id).state,
                "position": position(self._feeds.standing(made.id)),
            }
        )

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

    async def _settle(self) -> None:
        """Those of before a restart are found before somebody is told that there are none."""
        if self._young:
            await self.look()

    @property
    def _young(self) -> bool:
        return time.monotonic() - self._began < FIRST

    async def look(self) -> None:
        """Once: playbacks whose participant was taken out end; those of before this hub's start are taken up again."""
        async with self._turn:
            await self._look()

    async def _look(self) -> None:
        rooms = set(self._conference.named("")) if self._young else {one.room for one in self._running.values()}
        known = {(one.room, one.identity) for one in self._running.values()}
        there: set[tuple[str, str]] = set()
        for room in rooms:
            for seat in self._conference.camera_seats(room):
                if seat.identity.endswith(PLAYBACK):
                    there.add((room, seat.identity))
                    if (room, seat.identity) not in known and not await self._adopt(room, seat):
                        with contextlib.suppress(NotFound):
                            await self._conference.remove_camera(room, seat.identity)
        for made in list(self._running.values()):
            if (made.room, made.identity) in known - there:
                await self._end(made)

    async def _adopt(self, room: str, seat: CameraSeat) -> bool:
        """Whether it goes on: whoever plays it may still do so."""
        try:
            asked = msgspec.json.decode(seat.record, type=_Asked)
            record = await self._directory.camera(asked.camera)
        except (msgspec.DecodeError, NotFound):
            return False
        actor = await self._auth.actor(asked.person)
        if actor is None or not actor.may("camera.playback", org=record.org.id, label=record.label):
            return False
        made = _Playback(seat.source, record, room, asked)
        self._running[made.id] = made
        await self._feeds.show(made.id, asked.camera, room, asked.start, asked.end)
        log.info("playback found again", playback=made.id, room=room)
        return True


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
