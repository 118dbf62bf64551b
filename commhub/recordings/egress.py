"""What API keys order to be recorded (LiveKit's Egress): a recording of a room, or of parts of it, of its own.

The order is in the database and outlives everything; the recorder is told as often as needed (``Record`` is idempotent). It
ends when it is stopped, when whom it is about has left, or when the room is over. In a consultation it is a recording of that
consultation, too: listed under its label, with an audit row, and with the light on.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.archive import MANIFEST_LIMIT, Archive
from commhub.conference import EGRESS_OVER, Conference, EgressFile, EgressOrder, Part
from commhub.errors import Busy, NotFound
from commhub.events import Events
from commhub.media import Engine
from commhub.media.messages import Message, Pick, Record, RecordSnapshot, SessionState, StopRecord
from commhub.model import By, new_id, utc_ns
from commhub.recordings import index
from commhub.recordings.following import Following
from commhub.store import Reading, Store, Transaction, consultations, tables
from commhub.tasks import Tasks

log = logs.get(__name__)

TICK = 0.5  # seconds
PATIENCE = 20.0  # seconds whom it is about may be away, or the room be on no worker
MAX_RUNNING = 200
MAX_LISTED = 1000
PREFIX: Final = "EG_"
_MS = 1_000_000
_e = tables.egresses.c


@dataclass(slots=True)
class _Running:
    order: EgressOrder
    consultation: str | None
    worker: str = ""  # the one the recorder was told
    gone_since: float | None = None

    @property
    def room(self) -> str:
        return self.order.room

    def told(self, worker: str) -> Record | None:
        order = self.order
        if order.state == "ending":
            return None
        only = [Pick(part.identity, part.source, part.kind, part.track) for part in order.parts]
        about = {"egress": PREFIX + order.id, "consultation": self.consultation or "", "kind": order.kind}
        return Record(session=order.id, room=order.room, worker=worker, title=order.room, about=about, only=only)


class _Segment(msgspec.Struct):
    file: str
    start_ms: int
    duration_ms: int
    bytes: int


class _Track(msgspec.Struct):
    id: str
    segments: list[_Segment]


class _Manifest(msgspec.Struct):
    started_at: int = 0
    tracks: list[_Track] = []


_decode = msgspec.json.Decoder(_Manifest).decode


def _ignore(order: EgressOrder) -> None:
    pass


class RoomEgress:
    """Implements :class:`commhub.conference.Egresses`. :meth:`linked`, :meth:`unlinked` and :meth:`receive` are fed by the
    recorder's link, beside :class:`~commhub.recordings.sessions.Recordings`. ``archive`` has what was recorded."""

    def __init__(
        self,
        store: Store,
        events: Events,
        conference: Conference,
        engine: Engine,
        archive: Archive,
        *,
        clock: Callable[[], float] = time.monotonic,
        shards: int = 1,
    ) -> None:
        self._store, self._events, self._conference, self._engine = store, events, conference, engine
        self._archive, self._clock = archive, clock
        self._running: dict[str, _Running] = {}
        self._following = Following(engine, self._running, shards)
        self._said: asyncio.Queue[SessionState] = asyncio.Queue()
        self._tasks = Tasks("egress")
        self.changed: Callable[[EgressOrder], None] = _ignore
        #: Conflict where the organisation's room for recordings is used up.
        self.admits: Callable[[Reading, str], Awaitable[None]] | None = None

    async def open(self) -> None:
        """What was running; before the recorder is linked."""
        async with self._store.reading() as reading:
            rows = await reading.all(sa.select(tables.egresses).where(_e.state.not_in(EGRESS_OVER)))
        for row in rows:
            self._running[row.id] = _Running(_order(row), row.consultation_id)

    def start_tasks(self) -> None:
        self._tasks.spawn(self._watch(), "watch")
        self._tasks.spawn(self._take_in(), "states")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- orders

    async def start(self, order: EgressOrder) -> EgressOrder:
        self._following.require()
        if len(self._running) >= MAX_RUNNING:
            raise Busy("As many egresses run as may.", "正在进行的导出录制已达上限。")
        now = utc_ns()
        order = replace(order, id=new_id(), state="starting", started_at=now, updated_at=now)
        async with self._store.transaction() as transaction:
            record = await consultations.one(transaction, order.room)
            consultation = record.id if record is not None and record.live else None
            if record is not None and consultation is not None and self.admits is not None:
                await self.admits(transaction, record.org_id)
            values = {
                **{name: getattr(order, name) for name in ("id", "key", "room", "room_sid", "kind", "request", "state", "error")},
                **{name: getattr(order, name) for name in ("details", "started_at", "ended_at", "updated_at")},
                "parts": json.dumps([asdict(part) for part in order.parts], ensure_ascii=False),
                "files": "[]",
                "consultation_id": consultation,
            }
            await transaction.insert(tables.egresses, values)
            if record is not None and consultation is not None:
                await index.add(transaction, order.id, index.Filed.consulted(record), now)
                await index.listed(transaction, self._events, order.id)
                await audit.record(transaction, _by(order.key), "egress.start", record.id, object=_about(order, record.title))
            transaction.after(lambda: self._begin(order, consultation))
        log.info("egress ordered", egress=order.id, room=order.room, kind=order.kind)
        return order

    def _begin(self, order: EgressOrder, consultation: str | None) -> None:
        self._running[order.id] = _Running(order, consultation)
        self._light(order, True)  # the light first: nobody is recorded unawares
        self._following.reconcile()
        self.changed(order)

    async def stop(self, id: str) -> EgressOrder:
        running = self._running.get(id)
        if running is None:
            found = await self.find(id=id)
            if not found:
                raise NotFound("There is no such egress.", "没有这个导出录制。")
            return found[0]
        if running.order.state != "ending":
            await self._turn(running, "ending", actor=_by(running.order.key))
            self._tell_stop(running)
        return running.order

    def _tell_stop(self, running: _Running) -> None:
        self._following.tell(StopRecord(session=running.order.id, reason="stopped"))

    async def find(self, *, id: str = "", room: str = "", active: bool = False) -> list[EgressOrder]:
        query = sa.select(tables.egresses).order_by(_e.id.desc()).limit(MAX_LISTED)
        if id:
            query = query.where(_e.id == id)
        if room:
            query = query.where(_e.room == room)
        if active:
            query = query.where(_e.state.not_in(EGRESS_OVER))
        async with self._store.reading() as reading:
            orders = [_order(row) for row in await reading.all(query)]
        return [await self._with_files(order) for order in orders]

    async def _with_files(self, order: EgressOrder) -> EgressOrder:
        return order if order.over else replace(order, files=await asyncio.to_thread(self._files, order.id))

    def room_ended(self, room: str) -> None:
        for running in self._running.values():
            if running.order.room == room:
                running.gone_since = float("-inf")

    # ---- the recorder

    def linked(self, snapshot: Message, tell: Callable[[Message], None], shard: int = 0) -> None:
        self._following.linked(tell, shard)
        known = {state.session: state for state in snapshot.sessions} if isinstance(snapshot, RecordSnapshot) else {}
        for running in [one for one in self._running.values() if self._following.mine(one.order.id, shard)]:
            if (state := known.get(running.order.id)) is not None:
                self._said.put_nowait(state)
            elif running.order.state == "ending":
                self._said.put_nowait(SessionState(running.order.id, running.order.room, "failed", "not_found"))
        for state in known.values():
            if "egress" in state.about and state.state == "recording" and state.session not in self._running:
                tell(StopRecord(session=state.session, reason="not_wanted"))
        self._following.reconcile()

    def unlinked(self, shard: int = 0) -> None:
        self._following.unlinked(shard)

    def receive(self, message: Message) -> None:
        if isinstance(message, SessionState) and message.session in self._running:
            self._said.put_nowait(message)

    async def _take_in(self) -> None:
        while True:
            said = await self._said.get()
            while True:
                try:
                    await self._take(said)
                    break
                except SQLAlchemyError:
                    log.exception("egress not written", egress=said.session)
                    await asyncio.sleep(2)

    async def _take(self, said: SessionState) -> None:
        running = self._running.get(said.session)
        if running is None:
            return
        ending = running.order.state == "ending"
        if said.state == "recording":
            if ending:
                self._tell_stop(running)
            elif running.order.state == "starting":
                await self._turn(running, "active")
        elif said.state == "failed":
            never = not said.bytes and not said.tracks
            state = "aborted" if ending and never else "limit_reached" if said.code == "disk_full" and not never else "failed"
            await self._turn(running, state, error=said.text or "Nothing was recorded.")
        elif ending or (said.state == "complete" and said.code != "shutdown"):
            nothing = not said.tracks and not said.bytes
            await self._turn(running, "aborted" if nothing else "complete", error="Nothing was recorded." if nothing else "")
        else:
            running.worker = ""  # it was interrupted: told again, it goes on
            self._following.reconcile()

    async def _turn(self, running: _Running, state: str, *, error: str = "", actor: By | None = None) -> None:
        order, now = running.order, utc_ns()
        order = replace(order, state=state, error=error or order.error, updated_at=now)
        if order.over:
            files = await asyncio.to_thread(self._files, order.id)
            order = replace(order, ended_at=now, files=files)
        values: dict[str, Any] = {name: getattr(order, name) for name in ("state", "error", "updated_at", "ended_at")}
        values["files"] = json.dumps([asdict(file) for file in order.files])
        async with self._store.transaction() as transaction:
            await transaction.run(sa.update(tables.egresses).where(_e.id == order.id).values(values))
            if actor is not None and running.consultation is not None:
                await self._audit_stop(transaction, running, actor)
        running.order = order
        if order.over:
            self._running.pop(order.id, None)
            self._light(order, False)
            log.info("egress ended", egress=order.id, state=state, files=len(order.files))
        self.changed(order)

    async def _audit_stop(self, transaction: Transaction, running: _Running, actor: By) -> None:
        record = await consultations.one(transaction, running.consultation or "")
        title = record.title if record is not None else ""
        await audit.record(transaction, actor, "egress.stop", running.order.room, object=_about(running.order, title))

    def _light(self, order: EgressOrder, on: bool) -> None:
        self._conference.set_recording(order.room, on, by=order.id)

    def _files(self, session: str) -> tuple[EgressFile, ...]:
        """From the recorder's manifest, which is rewritten every few seconds."""
        try:
            manifest = _decode(self._archive.read(session, "manifest.json", MANIFEST_LIMIT))
        except (OSError, ValueError):
            return ()
        return tuple(
            EgressFile(
                f"{session}/tracks/{track.id}/{segment.file}",
                (manifest.started_at + segment.start_ms) * _MS,
                segment.duration_ms * _MS,
                segment.bytes,
            )
            for track in manifest.tracks
            for segment in track.segments
        )

    # ---- who it is about

    async def _watch(self) -> None:
        for running in self._running.values():
            self._light(running.order, True)  # a restarted hub
        while True:
            await asyncio.sleep(TICK)
            self._following.reconcile()
            for running in [one for one in self._running.values() if one.order.state != "ending" and self._gone(one)]:
                try:
                    await self.stop(running.order.id)
                except SQLAlchemyError:
                    log.exception("egress not stopped", egress=running.order.id)

    def _gone(self, running: _Running) -> bool:
        """Has everybody it is about left for good, or is the room over?"""
        order, now = running.order, self._clock()
        named = {part.identity for part in order.parts}
        here = bool(self._engine.worker_of(order.room))
        if here and named and "" not in named:
            here = any(one.identity in named for one in self._conference.present(order.room))
        if here and running.gone_since != float("-inf"):
            running.gone_since = None
            return False
        if running.gone_since is None:
            running.gone_since = now
        return now - running.gone_since >= PATIENCE


def _order(row: sa.Row[Any]) -> EgressOrder:
    return EgressOrder(
        **{name: row._mapping[name] for name in ("key", "room", "room_sid", "kind", "request", "details", "id", "state")},
        **{name: row._mapping[name] for name in ("error", "started_at", "ended_at", "updated_at")},
        parts=tuple(Part(**part) for part in json.loads(row.parts)),
        files=tuple(EgressFile(**file) for file in json.loads(row.files)),
    )


def _by(key: str) -> By:
    return By(f"API key {key}", key)


def _about(order: EgressOrder, title: str) -> str:
    named = ", ".join(" ".join(filter(None, (part.identity, part.source, part.kind))) for part in order.parts)
    return f"{title} ({order.kind}{': ' + named if named else ''})"
