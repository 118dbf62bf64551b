"""The hub's end of the media workers: dials every one, places rooms, routes commands by room, sees workers die."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec

from commhub import log as logs
from commhub.errors import HubError, PeerError, Unavailable
from commhub.media import EngineListener, messages
from commhub.media.link import Link, dial
from commhub.media.messages import (
    Answer,
    AskStats,
    Counters,
    Draining,
    Hello,
    Load,
    Message,
    Offer,
    Restart,
    RoomStats,
    WorkerSnapshot,
)
from commhub.media.overload import Level
from commhub.tasks import Tasks

log = logs.get(__name__)

P = ParamSpec("P")

REDIAL = 0.02  # seconds; who was in a call waits for this too
STATS_WITHIN = 3.0  # seconds a worker may take to look at a room
GREETING = 5.0  # seconds a worker may take for its snapshot


@dataclass(frozen=True, slots=True)
class WorkerLoad:
    """A worker as it was last heard. ``lag`` and ``waited``: the worst second's, as in :class:`~commhub.media.messages.Load`."""

    linked: bool
    draining: bool
    level: Level
    lag: float  # seconds
    waited: float  # seconds
    rooms: int
    peers: int


class _Worker:
    """One worker as the hub sees it. ``rooms``: room → how many peers it was given."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.link: Link | None = None
        self.pid = 0
        self.rooms: dict[str, int] = {}
        self.draining = False
        self.load = Load(0, 0.0, 0.0)
        self.counters: dict[str, float] = {}

    @property
    def open(self) -> bool:
        """May rooms be placed on it?"""
        return self.link is not None and not self.draining

    @property
    def level(self) -> Level:
        return Level(min(max(self.load.level, 0), Level.FULL))

    @property
    def rank(self) -> tuple[int, int, int]:
        """The lowest gets the next room."""
        return self.level, sum(self.rooms.values()), len(self.rooms)


class Workers:
    """Implements :class:`commhub.media.Engine`. ``epoch`` is greater than that of every hub before this one."""

    def __init__(self, run_dir: Path, names: Sequence[str], epoch: int, *, redial: float = REDIAL) -> None:
        self._run_dir, self._epoch, self._redial = run_dir, epoch, redial
        self._workers = {name: _Worker(name) for name in names}
        self._homes: dict[str, _Worker] = {}  # room → worker
        self._listeners: list[EngineListener] = []
        self._found: list[Callable[[WorkerSnapshot], None]] = []
        self._lost: list[Callable[[str, list[str]], None]] = []
        self._ready: list[Callable[[str], None]] = []
        self._tasks = Tasks("media workers")

    async def start(self) -> None:
        for worker in self._workers.values():
            self._tasks.spawn(self._keep(worker), worker.name)

    async def close(self) -> None:
        """The rooms go on at their workers."""
        await self._tasks.close()
        for worker in self._workers.values():
            if worker.link is not None:
                worker.link.close()

    def health(self) -> dict[str, bool]:
        """Name → is it linked?"""
        return {worker.name: worker.link is not None for worker in self._workers.values()}

    def loads(self) -> dict[str, WorkerLoad]:
        """Every worker by name, for whoever measures."""
        return {
            one.name: WorkerLoad(
                one.link is not None,
                one.draining,
                one.level,
                one.load.lag,
                one.load.waited,
                len(one.rooms),
                sum(one.rooms.values()),
            )
            for one in self._workers.values()
        }

    def counters(self) -> dict[str, dict[str, float]]:
        """What every linked worker counted, by its name, as it last said."""
        return {one.name: one.counters for one in self._workers.values() if one.link is not None}

    async def stats(self, room: str) -> RoomStats | None:
        """How everybody in the room sends and receives; None while it runs nowhere."""
        worker = self._homes.get(room)
        if worker is None or worker.link is None:
            return None
        try:
            answer = await worker.link.ask(AskStats(room), STATS_WITHIN)
        except HubError:
            return None  # it is moving, or the worker is busy: the next question finds it
        return answer if isinstance(answer, RoomStats) else None

    # ---- Engine

    def on_event(self, listener: EngineListener) -> None:
        self._listeners.append(listener)

    def on_worker(
        self,
        found: Callable[[WorkerSnapshot], None],
        lost: Callable[[str, list[str]], None],
        ready: Callable[[str], None],
    ) -> None:
        self._found.append(found)
        self._lost.append(lost)
        self._ready.append(ready)

    def worker_of(self, room: str) -> str:
        worker = self._homes.get(room)
        return worker.name if worker is not None else ""

    def full(self, room: str) -> bool:
        home = self._homes.get(room)
        if home is not None:
            return home.level is Level.FULL
        usable = [worker for worker in self._workers.values() if worker.open]
        return bool(usable) and all(worker.level is Level.FULL for worker in usable)

    def tell(self, message: Message) -> None:
        room = getattr(message, "room", None)
        if room is None:  # about a Source, wherever it is
            for one in self._workers.values():
                if one.link is not None:
                    one.link.tell(message)
            return
        worker = self._homes.get(room)
        if isinstance(message, messages.OpenRoom) and worker is None:
            worker = self._place(room, message.beside)
        if worker is None or worker.link is None:
            return
        if isinstance(message, messages.AddPeer):
            worker.rooms[room] += 1
        elif isinstance(message, messages.RemovePeer):
            worker.rooms[room] = max(0, worker.rooms[room] - 1)
        elif isinstance(message, messages.MovePeer):
            worker.rooms[room] = max(0, worker.rooms[room] - 1)
            worker.rooms[message.to] = worker.rooms.get(message.to, 0) + 1
        worker.link.tell(message)
        if isinstance(message, messages.CloseRoom):
            worker.rooms.pop(room, None)
            self._homes.pop(room, None)

    def _place(self, room: str, beside: str) -> _Worker | None:
        """Where ``beside`` is, if it is anywhere; else on the worker with the least to do, then the fewest participants; nowhere
        while none is linked that stays (``ready`` tells when)."""
        usable = [worker for worker in self._workers.values() if worker.open]
        if not usable:
            return None
        neighbour = self._homes.get(beside)
        worker = neighbour if neighbour in usable else min(usable, key=lambda one: one.rank)
        worker.rooms[room] = 0
        self._homes[room] = worker
        return worker

    async def offer(self, offer: Offer | Restart) -> Answer:
        worker = self._homes.get(offer.room)
        if worker is None or worker.link is None:
            raise Unavailable("The media service is being restarted.", "媒体服务正在重启，请稍候。")
        answer = await worker.link.ask(offer)
        if not isinstance(answer, Answer):
            raise HubError("The media worker answered something else.", "媒体进程的应答不正确。")
        return answer

    # ---- links

    async def _keep(self, worker: _Worker) -> None:
        while True:
            try:
                await self._once(worker)
                continue  # dialled again at once: the process may be well, and only its link cut
            except (OSError, TimeoutError):
                pass  # not there yet, or being restarted
            except (HubError, PeerError) as error:
                if (suppressed := logs.limited((worker.name, str(error)), 60)) is not None:
                    log.warning("media worker refuses", worker=worker.name, reason=str(error), suppressed=suppressed)
            self._dead(worker)
            await asyncio.sleep(self._redial)

    async def _once(self, worker: _Worker) -> None:
        """One life of the link; returns when it has ended."""
        early: list[Message] = []

        def handle(link: Link, message: Message) -> None:
            if worker.link is link:
                self._heard(worker, message)
            else:
                early.append(message)  # read together with the snapshot, which must be handed on first

        link, reading = await dial(self._run_dir, worker.name, handle)
        try:
            snapshot = await link.ask(Hello(role="hub", name="hub", epoch=self._epoch), GREETING)
            if not isinstance(snapshot, WorkerSnapshot):
                raise PeerError("The media worker answered Hello with something else.")
            if link.pid != worker.pid:
                self._dead(worker)
            worker.link, worker.pid = link, link.pid
            self._take(worker, snapshot)
            for message in early:
                self._heard(worker, message)
            # A worker that the kernel ends closes its sockets: this is how its death is heard, at once.
            await reading
        finally:
            worker.link = None
            link.close()
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await reading

    def _take(self, worker: _Worker, snapshot: WorkerSnapshot) -> None:
        log.info("media worker linked", worker=worker.name, rooms=len(snapshot.rooms), engine=snapshot.engine)
        for state in snapshot.rooms:
            if state.room not in self._homes:
                self._homes[state.room] = worker
                worker.rooms[state.room] = len(state.peers)
        if snapshot.rooms:
            for found in self._found:
                self._call(found, snapshot)
        for ready in self._ready:
            self._call(ready, worker.name)
        # What nobody claimed has gone on elsewhere meanwhile, or the hub no longer means it.
        for state in snapshot.rooms:
            if self._homes.get(state.room) is not worker and worker.link is not None:
                worker.link.tell(messages.CloseRoom(state.room))

    def _dead(self, worker: _Worker) -> None:
        """The process whose rooms these were is gone."""
        if not worker.pid:
            return
        worker.pid, worker.load = 0, Load(0, 0.0, 0.0)
        drained, worker.draining = worker.draining, False
        if drained and not worker.rooms:
            log.info("media worker ended", worker=worker.name)
            return
        log.warning("media worker lost", worker=worker.name, rooms=len(worker.rooms))
        self._leave(worker)

    def _leave(self, worker: _Worker) -> list[str]:
        """Its rooms are nowhere; whoever listens places them anew."""
        rooms = list(worker.rooms)
        worker.rooms.clear()
        for room in rooms:
            self._homes.pop(room, None)
        for lost in self._lost:
            self._call(lost, worker.name, rooms)
        return rooms

    def _drain(self, worker: _Worker) -> None:
        """It ends, and lives long enough for its rooms to go on elsewhere: on another worker, or on its next life."""
        if worker.draining:
            return
        worker.draining = True
        rooms = self._leave(worker)
        log.info("media worker drains", worker=worker.name, rooms=len(rooms))
        for room in rooms:
            if worker.link is not None:
                worker.link.tell(messages.CloseRoom(room, "moved"))

    def _heard(self, worker: _Worker, message: Message) -> None:
        if isinstance(message, Load):
            worker.load = message
        elif isinstance(message, Counters):
            worker.counters = message.values
        elif isinstance(message, Draining):
            self._drain(worker)
        elif (room := getattr(message, "room", None)) is None or self._homes.get(room) is worker:
            # Not what a worker says about rooms that have gone on elsewhere.
            self._event(message)

    def _event(self, message: Message) -> None:
        for listener in self._listeners:
            self._call(listener, message)

    def _call(self, callback: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except Exception:  # one listener's fault is not the others'
            log.exception("listener failed", callback=getattr(callback, "__qualname__", ""))
