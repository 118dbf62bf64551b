"""Cameras in use: their state, which rooms they are in, and when the bridge pulls them.

A camera is pulled once, however many rooms and viewers it has, and only while one of its workers says that somebody takes
it. Nothing here is stored: rooms attach their cameras again after a restart of the hub, and every change of what is
wanted is told to the bridge as a whole (``Pull`` is idempotent), so that a restarted bridge or worker needs no history.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from commhub import log as logs
from commhub.conference import INGRESS
from commhub.directory import CameraAddress, CameraRecord, Directory
from commhub.events import Audience, Events
from commhub.media import Engine
from commhub.media.messages import BridgeSnapshot, Demand, Message, Pull, SourceState
from commhub.store import Store
from commhub.tasks import Tasks

log = logs.get(__name__)

GRACE = 10.0  # seconds a camera is pulled after the last viewer has gone: people switch back and forth
TICK = 0.5  # seconds
STATES = ("idle", "connecting", "live", "failed")


@dataclass(frozen=True, slots=True)
class Condition:
    """``text`` and ``text_zh`` say why, when it is not as it should be."""

    state: str = "idle"
    code: str = ""
    text: str = ""
    text_zh: str = ""


BRIDGE_GONE = Condition(
    "connecting", "bridge_down", "The process that opens cameras is being restarted.", "摄像机接入进程正在重启。"
)


@dataclass(slots=True)
class _Feed:
    camera: CameraRecord
    address: CameraAddress
    rooms: set[str] = field(default_factory=set)
    condition: Condition = field(default_factory=Condition)
    #: Worker → since when nobody takes it there. One that has said nothing wants it.
    unwanted: dict[str, float] = field(default_factory=dict)
    told: Pull | None = None


class Feeds:
    """``tell`` sends to the bridge; :meth:`linked`, :meth:`unlinked` and :meth:`receive` are fed by its link."""

    def __init__(
        self, store: Store, events: Events, directory: Directory, engine: Engine, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._events, self._directory, self._engine, self._clock = store, events, directory, engine, clock
        self._feeds: dict[str, _Feed] = {}
        self._tell: Callable[[Message], None] | None = None
        self._tasks = Tasks("feeds")
        self._news: asyncio.Queue[tuple[CameraRecord, Condition, set[str]]] = asyncio.Queue()
        #: Whom the state of a camera concerns by name; set by ``rooms``.
        self.audience: Callable[[set[str]], Awaitable[Audience]] | None = None
        engine.on_event(self._heard)
        engine.on_worker(lambda snapshot: self.reconcile(), self._worker_lost, lambda worker: self.reconcile())

    def start(self) -> None:
        self._tasks.spawn(self._watch(), "watch")
        self._tasks.spawn(self._write(), "write")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- rooms

    async def attach(self, camera: str, room: str) -> None:
        """The camera is in this room from now on (idempotent). It counts as wanted until its worker says otherwise."""
        record, address = await self._directory.camera(camera), await self._directory.address(camera)
        feed = self._feeds.setdefault(camera, _Feed(record, address))
        feed.camera, feed.address = record, address
        if room not in feed.rooms:
            feed.rooms.add(room)
            feed.unwanted.pop(self._engine.worker_of(room), None)
        if self._tell is None:
            self._turn(feed, BRIDGE_GONE)
        self.reconcile()

    def detach(self, camera: str, room: str) -> None:
        feed = self._feeds.get(camera)
        if feed is not None:
            feed.rooms.discard(room)
            self.reconcile()

    def condition(self, camera: str) -> Condition:
        feed = self._feeds.get(camera)
        return feed.condition if feed is not None else Condition()

    def counts(self) -> dict[str, int]:
        """State → cameras in consultations."""
        states = [feed.condition.state for feed in self._feeds.values()]
        return {state: states.count(state) for state in STATES}

    def rooms(self, camera: str) -> set[str]:
        feed = self._feeds.get(camera)
        return set(feed.rooms) if feed is not None else set()

    # ---- the bridge

    def linked(self, snapshot: Message, tell: Callable[[Message], None]) -> None:
        """A link to the bridge is up: say everything again, and end what it still pulls for nobody."""
        self._tell = tell
        for feed in self._feeds.values():
            feed.told = None
        if isinstance(snapshot, BridgeSnapshot):
            for state in snapshot.sources:
                self.receive(state)
                if state.source not in self._feeds and not state.source.startswith(INGRESS):
                    tell(Pull(source=state.source, url="", workers=[]))
        self.reconcile()

    def unlinked(self) -> None:
        self._tell = None
        for feed in self._feeds.values():
            feed.told = None
            if feed.rooms and feed.condition.state != "idle":
                self._turn(feed, BRIDGE_GONE)

    def receive(self, message: Message) -> None:
        if not isinstance(message, SourceState) or message.state not in STATES:
            return
        feed = self._feeds.get(message.source)
        if feed is not None:
            self._turn(feed, Condition(message.state, message.code, message.text, message.text_zh))

    # ---- the workers

    def _heard(self, message: Message) -> None:
        if isinstance(message, Demand) and (feed := self._feeds.get(message.source)) is not None:
            workers = [message.worker] if message.worker else self._workers(feed)
            for worker in workers:
                if message.wanted:
                    feed.unwanted.pop(worker, None)
                else:
                    feed.unwanted.setdefault(worker, self._clock())
            self.reconcile()

    def _worker_lost(self, worker: str, rooms: list[str]) -> None:
        for feed in self._feeds.values():
            feed.unwanted.pop(worker, None)
        self.reconcile()

    def _workers(self, feed: _Feed) -> list[str]:
        return sorted({worker for room in feed.rooms if (worker := self._engine.worker_of(room))})

    # ---- what should be so

    def reconcile(self) -> None:
        """Tell the bridge what has changed about what is wanted. Cheap, and right at any time."""
        now = self._clock()
        for camera, feed in list(self._feeds.items()):
            pull = self._wanted(feed, now)
            if self._tell is not None and pull != feed.told:
                if pull.workers or (feed.told is not None and feed.told.workers):
                    self._tell(pull)
                feed.told = pull
            if not feed.rooms and feed.condition.state == "idle" and not pull.workers:
                del self._feeds[camera]
            elif not pull.workers and self._tell is not None and feed.condition.state != "idle" and not feed.rooms:
                self._turn(feed, Condition())

    def _wanted(self, feed: _Feed, now: float) -> Pull:
        workers = [worker for worker in self._workers(feed) if now - feed.unwanted.get(worker, now) < GRACE]
        address = feed.address
        return Pull(
            source=feed.camera.id,
            url=address.url,
            user=address.user,
            password=address.password,
            transport=address.transport,
            workers=workers,
        )

    async def _watch(self) -> None:
        # Rooms move between workers and graces run out; both are seen here at the latest.
        while True:
            await asyncio.sleep(TICK)
            self.reconcile()

    # ---- telling people

    def _turn(self, feed: _Feed, condition: Condition) -> None:
        same = (condition.state, condition.code) == (feed.condition.state, feed.condition.code)
        feed.condition = condition
        if not same:
            log.info("camera", camera=feed.camera.id, state=condition.state, code=condition.code)
            self._news.put_nowait((feed.camera, condition, set(feed.rooms)))

    async def _write(self) -> None:
        while True:
            camera, condition, rooms = await self._news.get()
            try:
                audience = await self.audience(rooms) if self.audience is not None else Audience()
                async with self._store.transaction() as transaction:
                    await self._events.emit(
                        transaction,
                        "camera.state",
                        subject=camera.id,
                        org=camera.org.id,
                        label=camera.label,
                        audience=audience,
                        data={"camera": _news(camera, condition)},
                    )
            except SQLAlchemyError:
                log.exception("camera state not written", camera=camera.id)


def _news(camera: CameraRecord, condition: Condition) -> dict[str, object]:
    reason = {"code": condition.code, "text": condition.text_zh, "text_en": condition.text} if condition.code else None
    return {"id": camera.id, "name": camera.name, "state": condition.state, "reason": reason}
