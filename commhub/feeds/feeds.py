"""Cameras in use: their state, which rooms they are in, and when their bridge pulls them.

A camera is pulled once, however many rooms and viewers it has, and only while one of its workers says that somebody takes
it; of its streams (main, sub) only those that somebody takes. Nothing here is stored: rooms attach their cameras again after
a restart of the hub, and every change of what is wanted is told to the bridge as a whole (``Pull`` is idempotent), so that a
restarted bridge or worker needs no history.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from sqlalchemy.exc import SQLAlchemyError

from commhub import log as logs
from commhub.directory import CameraAddress, CameraRecord, Directory
from commhub.events import Audience, Events
from commhub.feeds.bridge import KINDS, Bridge, kind_of
from commhub.feeds.condition import BRIDGE_GONE, STATES, Condition, codec_of
from commhub.feeds.plays import Plays
from commhub.feeds.taken import MAIN, Taken
from commhub.media import Engine
from commhub.media.messages import Demand, Message, PlayReport, Pull, SourceState, Standing
from commhub.media.messages.sources import PLAIN
from commhub.model import iso, utc_ns
from commhub.store import Store
from commhub.tasks import Tasks

log = logs.get(__name__)

TICK = 0.5  # seconds
WRITE = 5.0  # seconds between two writes of what worked
SETTLE = 10.0  # seconds after the start, until whoever had opened a camera has been found again


@dataclass(slots=True)
class _Feed:
    camera: CameraRecord
    address: CameraAddress
    shown: str = ""  # the playback whose Source it is; of a live camera nothing
    rooms: dict[str, tuple[str, ...]] = field(default_factory=dict)  # with the layers expected to be watched there
    condition: Condition = field(default_factory=Condition)
    taken: Taken = field(default_factory=Taken)
    told: Pull | None = None
    standing: Standing | None = None  # of a playback
    at: float = 0.0  # where a playback begins, for a bridge that has not opened it yet
    paused: bool = False  # whether it stands still there

    @property
    def source(self) -> str:
        return self.shown or self.camera.id


@dataclass(frozen=True, slots=True)
class _News:
    source: str
    camera: CameraRecord
    condition: Condition
    standing: Standing | None
    rooms: set[str]


class Feeds:
    """:meth:`bridge` gives the users of the links to the bridges."""

    def __init__(
        self, store: Store, events: Events, directory: Directory, engine: Engine, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._events, self._directory, self._engine, self._clock = store, events, directory, engine, clock
        self._feeds: dict[str, _Feed] = {}
        self._bridges = {kind: Bridge(kind, self) for kind in KINDS}
        self._settled_at = clock() + SETTLE
        self.plays = Plays(store)
        self._tasks = Tasks("feeds")
        self._news: asyncio.Queue[_News] = asyncio.Queue()
        #: Whom the state of a camera concerns by name; set by ``rooms``.
        self.audience: Callable[[set[str]], Awaitable[Audience]] | None = None
        #: Hears every change of state: the Source, and how it is now.
        self.listeners: list[Callable[[str, Condition], None]] = []
        engine.on_event(self._worker_said)
        engine.on_worker(lambda snapshot: self.reconcile(), self._worker_lost, lambda worker: self.reconcile())

    def start(self) -> None:
        self._tasks.spawn(self._watch(), "watch")
        self._tasks.spawn(self._write(), "write")
        self._tasks.spawn(self._remember(), "plays")

    async def close(self) -> None:
        await self._tasks.close()

    def bridge(self, kind: str) -> Bridge:
        """``rtsp`` or ``gb28181``."""
        return self._bridges[kind]

    # ---- rooms

    async def attach(
        self, camera: str, room: str, layers: tuple[str, ...] = (MAIN,), known: tuple[CameraRecord, CameraAddress] | None = None
    ) -> None:
        """The camera is in this room from now on (idempotent). It counts as wanted until its worker says otherwise; ``layers``
        are what will probably be watched there. ``known``: what the directory has just said of it."""
        record, address = known or (await self._directory.camera(camera), await self._directory.address(camera))
        self._attach(self._feeds.setdefault(camera, _Feed(record, address)), record, address, room, layers)

    async def show(self, playback: str, camera: str, room: str, start: int, end: int) -> None:
        """A recording on the camera's device, from ``start`` to ``end`` (unix seconds), as a Source of its own in this room."""
        record, address = await self._directory.camera(camera), await self._directory.address(camera)
        address = replace(address, url=f"{address.url}?from={start}&to={end}")
        self._attach(self._feeds.setdefault(playback, _Feed(record, address, playback)), record, address, room, (MAIN,))

    def _attach(self, feed: _Feed, record: CameraRecord, address: CameraAddress, room: str, layers: tuple[str, ...]) -> None:
        feed.camera, feed.address = record, address
        new = room not in feed.rooms
        feed.rooms[room] = layers
        if new:
            feed.taken.expect(self._engine.worker_of(room), layers, self._clock())
        bridge = self._bridge(feed)
        if not bridge.up:
            self._turn(feed, BRIDGE_GONE)
        elif (state := bridge.strangers.pop(feed.source, None)) is not None:
            self.heard(state)  # opened by the hub before this one
        self.reconcile()

    def detach(self, source: str, room: str) -> None:
        feed = self._feeds.get(source)
        if feed is not None:
            feed.rooms.pop(room, None)
            self.reconcile()

    def retry(self, camera: str) -> bool:
        """Open it anew, now. False when nobody has it open."""
        feed = self._feeds.get(camera)
        if feed is None or feed.told is None or not feed.told.workers:
            return False
        self._bridge(feed).tell(Pull(source=feed.source, url="", workers=[]))
        feed.told = None
        self._turn(feed, Condition("connecting"))
        self.reconcile()
        return True

    def condition(self, source: str) -> Condition:
        feed = self._feeds.get(source)
        return feed.condition if feed is not None else Condition()

    def standing(self, playback: str) -> Standing | None:
        feed = self._feeds.get(playback)
        return feed.standing if feed is not None else None

    def counts(self) -> dict[str, int]:
        """State → cameras in rooms, recordings of them too."""
        states = [feed.condition.state for feed in self._feeds.values()]
        return {state: states.count(state) for state in STATES}

    def rooms(self, source: str) -> set[str]:
        feed = self._feeds.get(source)
        return set(feed.rooms) if feed is not None else set()

    def worker_of(self, room: str) -> str:
        return self._engine.worker_of(room)

    def pulled(self, source: str) -> str:
        """A worker to which it is pulled now; '' when to none."""
        feed = self._feeds.get(source)
        return feed.told.workers[0] if feed is not None and feed.told is not None and feed.told.workers else ""

    # ---- the bridges

    def known(self, source: str) -> bool:
        return source in self._feeds

    def came(self, bridge: Bridge) -> None:
        """Its link is up: say everything again."""
        for feed in self._feeds.values():
            if self._bridge(feed) is bridge:
                feed.told = None
        self.reconcile()

    def went(self, bridge: Bridge) -> None:
        for feed in self._feeds.values():
            if self._bridge(feed) is bridge:
                feed.told = None
                _interrupt(feed)
                if feed.rooms and feed.condition.state != "idle":
                    self._turn(feed, BRIDGE_GONE)

    def heard(self, message: Message) -> None:
        """What a bridge says."""
        if isinstance(message, PlayReport) and message.source in self._feeds:
            self.plays.heard(message)
        if isinstance(message, SourceState) and message.state in STATES:
            feed = self._feeds.get(message.source)
            if feed is not None:
                codec = codec_of(message.streams)
                condition = Condition(message.state, message.code, message.text, message.text_zh, codec)
                self._turn(feed, condition, message.standing)

    def _bridge(self, feed: _Feed) -> Bridge:
        return self._bridges[kind_of(feed.address.url)]

    # ---- the workers

    def _worker_said(self, message: Message) -> None:
        if isinstance(message, Demand) and (feed := self._feeds.get(message.source)) is not None:
            workers = [message.worker] if message.worker else self._workers(feed)
            for worker in workers:
                layers = message.layers if message.wanted else ()
                feed.taken.said(worker, layers, self._expected(feed, worker), self._clock())
            self.reconcile()

    def _worker_lost(self, worker: str, rooms: list[str]) -> None:
        for feed in self._feeds.values():
            feed.taken.forget(worker)
        self.reconcile()

    def _workers(self, feed: _Feed) -> list[str]:
        return sorted({worker for room in feed.rooms if (worker := self._engine.worker_of(room))})

    def _expected(self, feed: _Feed, worker: str) -> set[str]:
        mine = (layers for room, layers in feed.rooms.items() if self._engine.worker_of(room) == worker)
        return {layer for layers in mine for layer in layers} or {MAIN}

    # ---- what should be so

    def reconcile(self) -> None:
        """Tell the bridges what has changed about what is wanted. Cheap, and right at any time."""
        now = self._clock()
        for source, feed in list(self._feeds.items()):
            pull, bridge = self._wanted(feed, now), self._bridge(feed)
            if bridge.up and pull != feed.told:
                pulled = feed.told is not None and feed.told.workers
                if pull.workers or pulled:
                    bridge.tell(pull)
                if pulled and not pull.workers:
                    _interrupt(feed)
                feed.told = pull
            if not feed.rooms and feed.condition.state == "idle" and not pull.workers:
                del self._feeds[source]
            elif not pull.workers and bridge.up and feed.condition.state != "idle" and not feed.rooms:
                self._turn(feed, Condition())
        if now >= self._settled_at:
            for bridge in self._bridges.values():
                bridge.end_strangers()

    def _wanted(self, feed: _Feed, now: float) -> Pull:
        takes = {one: feed.taken.layers(one, self._expected(feed, one), now) for one in self._workers(feed)}
        # A recording goes on while nobody looks: opened anew it would begin from the beginning.
        workers = [worker for worker, layers in takes.items() if layers or feed.shown]
        address = feed.address
        return Pull(
            source=feed.source,
            url=address.url,
            user=address.user,
            password=address.password,
            transport=address.transport,
            sub_url="" if feed.shown else address.sub_url,
            workers=workers,
            layers=self._layers(feed, takes),
            at=feed.at,
            paused=feed.paused,
        )

    def _layers(self, feed: _Feed, takes: dict[str, set[str]]) -> tuple[str, ...]:
        """One that has a single stream is never asked for another."""
        wanted = {layer for layers in takes.values() for layer in layers}
        if not feed.camera.sub:
            wanted = {MAIN} | {MAIN + PLAIN for layer in wanted if layer.endswith(PLAIN)}
        return tuple(sorted(wanted)) or (MAIN,)

    async def _watch(self) -> None:
        # Rooms move between workers and graces run out; both are seen here at the latest.
        while True:
            await asyncio.sleep(TICK)
            self.reconcile()

    # ---- telling people

    def _turn(self, feed: _Feed, condition: Condition, standing: Standing | None = None) -> None:
        """``standing``: None leaves it as it was."""
        same = (condition.state, condition.code) == (feed.condition.state, feed.condition.code)
        moved = standing is not None and standing != feed.standing
        feed.condition = condition
        feed.standing = standing or feed.standing
        if condition.state == "live" and not feed.shown:
            self.plays.worked(feed.camera.id, utc_ns())
        if not same or moved:
            self._news.put_nowait(_News(feed.source, feed.camera, condition, feed.standing, set(feed.rooms)))
        if not same:
            log.info("camera", camera=feed.camera.id, playback=feed.shown, state=condition.state, code=condition.code)
            for hear in self.listeners:
                hear(feed.source, condition)

    async def _write(self) -> None:
        while True:
            news = await self._news.get()
            try:
                await self._tell_people(news)
            except SQLAlchemyError:
                log.exception("camera state not written", camera=news.camera.id)

    async def _tell_people(self, news: _News) -> None:
        camera, playback = news.camera, news.source != news.camera.id
        audience = await self.audience(news.rooms) if self.audience is not None else Audience()
        async with self._store.transaction() as transaction:
            await self._events.emit(
                transaction,
                "playback.state" if playback else "camera.state",
                subject=news.source,
                org=camera.org.id,
                label=camera.label,
                audience=audience,
                data={"playback" if playback else "camera": _told(news)},
            )

    async def _remember(self) -> None:
        while True:
            await asyncio.sleep(WRITE)
            try:
                await self.plays.write()
            except SQLAlchemyError:
                log.exception("successes not written")


def _told(news: _News) -> dict[str, object]:
    condition = news.condition
    reason = {"code": condition.code, "text": condition.text_zh, "text_en": condition.text} if condition.code else None
    about: dict[str, object] = {"id": news.source, "name": news.camera.name, "state": condition.state, "reason": reason}
    if news.source == news.camera.id:
        return about
    return {**about, "camera_id": news.camera.id, "position": position(news.standing)}


def _interrupt(feed: _Feed) -> None:
    """Of a playback that is no longer pulled: where it goes on when it is again."""
    if feed.standing is not None:
        feed.standing = stopped(feed.standing, utc_ns())
        feed.at, feed.paused = feed.standing.at, feed.standing.paused


def stopped(standing: Standing, now: int) -> Standing:
    """Where it was when nothing came any more."""
    passed = (now - standing.as_of) / 1e9 * standing.speed if standing.playing else 0.0
    return Standing(at=standing.at + max(0.0, passed), as_of=now, paused=standing.paused)


def position(standing: Standing | None) -> dict[str, object] | None:
    """As pages are told it."""
    if standing is None:
        return None
    return {"at": standing.at, "as_of": iso(standing.as_of), "speed": standing.speed, "playing": standing.playing}
