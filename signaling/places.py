"""Where rooms run: placed on a media worker once there is one, found again by a new hub, placed anew when their worker dies.

What that means to a room's own state is :mod:`signaling.placement`'s.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from commhub import log as logs
from commhub.errors import NotFound, Unavailable
from commhub.media import messages as media
from signaling import session
from signaling.session import Room

if TYPE_CHECKING:
    from signaling.rooms import Rooms

log = logs.get(__name__)

NO_ROOM = "requested room does not exist"


class Places:
    """``workers``: how many media workers are awaited at start before rooms are placed, at most ``settle`` seconds: a restarted
    hub must hear of running rooms first. :meth:`wait` takes at most ``patience`` seconds."""

    def __init__(self, rooms: Rooms, *, workers: int, settle: float, patience: float) -> None:
        self._rooms, self._engine = rooms, rooms.engine
        self._workers, self._settle, self._patience = workers, settle, patience
        self._ready: set[str] = set()
        self._settled = asyncio.Event()
        self._changed = asyncio.Event()  # replaced at every change of placement
        self._engine.on_worker(self._found, self._lost, self._worker_ready)

    @property
    def settled(self) -> bool:
        """Whatever was running when the hub started has been heard of."""
        return self._settled.is_set()

    async def wait_settled(self) -> None:
        await self._settled.wait()

    async def settle_late(self) -> None:
        """Some worker does not come: the hub begins without it."""
        await asyncio.sleep(self._settle)
        self._settled.set()
        self._place_all()

    def place(self, room: Room) -> None:
        """Now, if that can be; else as soon as a worker says that it is ready."""
        if room.placed or room.closed or not self._ready or not self._settled.is_set():
            return
        self._rooms.run(room, room.place(self._rooms.now()))
        if not self._engine.worker_of(room.name):
            room.placed = False  # no worker was linked just then; one of them will say that it is ready
            return
        self._pulse()

    async def wait(self, room: Room) -> None:
        """Until the room is placed. NotFound when it ends meanwhile, Unavailable when no worker takes it in time."""
        end = asyncio.get_running_loop().time() + self._patience
        while not room.placed:
            if room.closed:
                raise NotFound(NO_ROOM, "会商不存在或已结束。")
            left = end - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._changed.wait(), max(left, 0))
            except TimeoutError:
                raise Unavailable("The media service is being restarted.", "媒体服务正在重启，请稍候。") from None

    def _pulse(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _place_all(self) -> None:
        for room in list(self._rooms.rooms.values()):
            self.place(room)

    # ---- workers

    def _worker_ready(self, worker: str) -> None:
        self._ready.add(worker)
        if len(self._ready) >= self._workers:
            self._settled.set()
        self._place_all()

    def _found(self, snapshot: media.WorkerSnapshot) -> None:
        """A worker with running rooms, seen by a hub that is new or was cut off from it."""
        rooms, now = self._rooms, self._rooms.now()
        for state in snapshot.rooms:
            known = rooms.rooms.get(state.room)
            if known is not None and known.placed and self._engine.worker_of(state.room) != snapshot.worker:
                continue  # it has gone on elsewhere
            found = session.room_of(state, rooms.terms, now)
            if known is None:
                if found is None:
                    continue  # nobody is in it; the hub opens it again if it still means it
                known = rooms.rooms[state.room] = found
            elif found is not None and not known.people:
                known.info.CopyFrom(found.info)
                known.terms = found.terms
            rooms.run(known, known.restore(state, now))
            rooms.witnesses.found(known)
            rooms.forwards.found(known)
            log.info("room found again", room=state.room, worker=snapshot.worker, people=len(known.people))
        self._pulse()

    def _lost(self, worker: str, names: list[str]) -> None:
        self._ready.discard(worker)
        for name in names:
            if (room := self._rooms.rooms.get(name)) is not None:
                for sid in room.people:
                    self._rooms.calls.gone(sid)
                log.warning("room lost its worker", room=name, worker=worker, people=len(room.people))
                self._rooms.run(room, room.lost(self._rooms.now()))
                self.place(room)
