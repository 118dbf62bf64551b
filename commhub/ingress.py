"""Ways into a room that API keys made (LiveKit's Ingress): who may publish by a stream key, and cameras pulled for a room.

A stream key is kept as its hash, to find it, and sealed, to show it to the key that owns it. An RTSP address is pulled by the
same bridge as the city's cameras, within ``bridges.allow``, from when it is made until it is deleted, disabled, or its
participant is removed; while it lives, a participant of kind INGRESS is in the room.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.conference import INGRESS, CameraSeat, Conference, IngressState, IngressWay
from commhub.errors import Busy, HubError, NotFound
from commhub.media import Engine
from commhub.media.messages import BridgeSnapshot, Demand, Message, Pull, SourceState
from commhub.media.messages.sources import PLAIN
from commhub.model import By, new_id, utc_ns
from commhub.store import Store, Transaction, consultations, tables
from commhub.tasks import Tasks
from commhub.vault import Vault

log = logs.get(__name__)

TICK = 0.5  # seconds
GRACE = 10.0  # seconds a picture may be away before its participant goes
MAX_WAYS = 2000  # of one API key
_i = tables.ingresses.c
_BRIDGE_GONE = IngressState("buffering", "The process that opens cameras is being restarted.")
_ABOUT = ("title", "identity", "name", "metadata", "enabled")


@dataclass(slots=True)
class _Pulled:
    """An RTSP address that is wanted."""

    way: IngressWay
    told: Pull | None = None
    state: IngressState = field(default_factory=lambda: IngressState("buffering"))
    seat: CameraSeat | None = None  # in the room
    silent_since: float | None = None
    plain: bool = False  # somebody in the room needs it as H.264


def _ignore(way: IngressWay, state: IngressState) -> None:
    pass


class RoomIngress:
    """Implements :class:`commhub.conference.Ingresses`. :meth:`linked`, :meth:`unlinked` and :meth:`receive` are fed by the
    bridge's link, beside :class:`commhub.feeds.Feeds`."""

    def __init__(
        self, store: Store, vault: Vault, conference: Conference, engine: Engine, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._vault, self._conference, self._engine = store, vault, conference, engine
        self._clock = clock
        self._pulled: dict[str, _Pulled] = {}
        self._over: dict[str, IngressState] = {}  # what became of those that are pulled no longer
        self._tell: Callable[[Message], None] | None = None
        self._tasks = Tasks("ingress")
        self.changed: Callable[[IngressWay, IngressState], None] = _ignore
        engine.on_event(self._worker_said)

    async def open(self) -> None:
        """What is to be pulled; before the bridge is linked."""
        for way in await self.find():
            self._pull(way)

    def start_tasks(self) -> None:
        self._tasks.spawn(self._watch(), "watch")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- records

    async def create(self, way: IngressWay) -> IngressWay:
        way = replace(way, id=new_id(), stream_key=secrets.token_urlsafe(24), updated_at=utc_ns())
        async with self._store.transaction() as transaction:
            query = sa.select(sa.func.count()).select_from(tables.ingresses).where(_i.key == way.key)
            if int(await transaction.value(query) or 0) >= MAX_WAYS:
                raise Busy("This API key has made as many ingresses as it may.", "该密钥的接入数已达上限。")
            await transaction.insert(tables.ingresses, self._row(way))
            await self._audit(transaction, way, "ingress.create")
        log.info("ingress made", ingress=way.id, kind=way.kind, room=way.room)
        self._pull(way)
        return way

    async def update(self, way: IngressWay) -> IngressWay:
        way = replace(way, updated_at=utc_ns())
        async with self._store.transaction() as transaction:
            await transaction.run(sa.update(tables.ingresses).where(_i.id == way.id).values(self._row(way)))
            await self._audit(transaction, way, "ingress.update")
        self._over.pop(way.id, None)
        await self._forget(way.id)
        self._pull(way)
        return way

    async def delete(self, way: IngressWay) -> None:
        async with self._store.transaction() as transaction:
            await transaction.run(sa.delete(tables.ingresses).where(_i.id == way.id))
            await self._audit(transaction, way, "ingress.delete")
        await self._forget(way.id)
        self._over.pop(way.id, None)

    async def find(self, *, id: str = "", room: str = "") -> list[IngressWay]:
        query = sa.select(tables.ingresses).order_by(_i.id)
        if id:
            query = query.where(_i.id == id)
        if room:
            query = query.where(_i.room == room)
        async with self._store.reading() as reading:
            rows = await reading.all(query)
        return [way for row in rows if (way := self._way(row)) is not None]

    async def by_stream_key(self, stream_key: str) -> IngressWay | None:
        async with self._store.reading() as reading:
            row = await reading.first(sa.select(tables.ingresses).where(_i.key_hash == _hash(stream_key)))
        return None if row is None else self._way(row)

    def state(self, way: IngressWay) -> IngressState:
        pulled = self._pulled.get(way.id)
        return pulled.state if pulled is not None else self._over.get(way.id, IngressState())

    def _row(self, way: IngressWay) -> dict[str, Any]:
        secret = json.dumps({"stream_key": way.stream_key, "url": way.url, "user": way.user, "password": way.password})
        return {
            "id": way.id,
            "key": way.key,
            "kind": way.kind,
            "key_hash": _hash(way.stream_key),
            "sealed": self._vault.seal(secret, way.id),
            "room": way.room,
            "about": json.dumps({name: getattr(way, name) for name in _ABOUT}, ensure_ascii=False),
            "options": way.options,
            "updated_at": way.updated_at,
        }

    def _way(self, row: sa.Row[Any]) -> IngressWay | None:
        try:
            secret = json.loads(self._vault.unseal(row.sealed, row.id))
        except ValueError:
            log.error("ingress cannot be opened with this hub's key", ingress=row.id)
            return None
        columns = {name: row._mapping[name] for name in ("id", "key", "kind", "room", "options", "updated_at")}
        return IngressWay(**columns, **secret, **json.loads(row.about))

    async def _audit(self, transaction: Transaction, way: IngressWay, action: str) -> None:
        record = await consultations.one(transaction, way.room)
        title = f" → {record.title}" if record is not None else ""
        subject = record.id if record is not None else way.id
        by = By(f"API key {way.key}", way.key)
        await audit.record(transaction, by, action, subject, object=f"{way.kind} {way.title or way.identity}{title}")

    # ---- pulling

    def _pull(self, way: IngressWay) -> None:
        if way.kind == "url" and way.enabled:
            pulled = self._pulled[way.id] = _Pulled(way)
            if self._tell is None:
                pulled.state = _BRIDGE_GONE
            self.changed(way, pulled.state)

    async def _forget(self, id: str) -> None:
        pulled = self._pulled.pop(id, None)
        if pulled is None:
            return
        if pulled.told is not None and self._tell is not None:
            self._tell(Pull(source=INGRESS + id, url="", workers=[]))
        await self._leave(pulled)
        self.changed(pulled.way, IngressState())

    async def _leave(self, pulled: _Pulled) -> None:
        if pulled.seat is not None:
            seat, pulled.seat = pulled.seat, None
            try:
                await self._conference.remove_camera(pulled.way.room, seat.identity)
            except NotFound:
                pass  # the room has ended

    async def end(self, room: str, identity: str = "") -> None:
        """The room is over, or somebody removed the participant: it does not come back by itself."""
        for id, pulled in list(self._pulled.items()):
            if pulled.way.room == room and (not identity or (pulled.seat is not None and pulled.seat.identity == identity)):
                pulled.seat = None
                await self._finish(id, pulled, "The room is over." if not identity else "The participant was removed.")

    async def _finish(self, id: str, pulled: _Pulled, why: str) -> None:
        way = replace(pulled.way, enabled=False, updated_at=utc_ns())
        async with self._store.transaction() as transaction:
            await transaction.run(sa.update(tables.ingresses).where(_i.id == id).values(self._row(way)))
        await self._forget(id)
        self._over[id] = IngressState("complete", why)
        log.info("ingress ended", ingress=id, why=why)

    def linked(self, snapshot: Message, tell: Callable[[Message], None]) -> None:
        self._tell = tell
        for pulled in self._pulled.values():
            pulled.told = None
        if isinstance(snapshot, BridgeSnapshot):
            for state in snapshot.sources:
                if state.source.startswith(INGRESS) and state.source.removeprefix(INGRESS) not in self._pulled:
                    tell(Pull(source=state.source, url="", workers=[]))
                self.receive(state)

    def unlinked(self) -> None:
        self._tell = None
        for pulled in self._pulled.values():
            pulled.told = None
            self._turn(pulled, _BRIDGE_GONE)

    def receive(self, message: Message) -> None:
        if not isinstance(message, SourceState) or not message.source.startswith(INGRESS):
            return
        pulled = self._pulled.get(message.source.removeprefix(INGRESS))
        if pulled is None:
            return
        kinds = {stream.kind for stream in message.streams}
        if message.state == "live":
            self._turn(pulled, IngressState("publishing", audio="audio" in kinds))
        elif message.state == "failed":
            self._turn(pulled, IngressState("error", message.text or message.code))
        else:
            self._turn(pulled, IngressState("buffering", message.text))

    def _worker_said(self, message: Message) -> None:
        if isinstance(message, Demand) and message.source.startswith(INGRESS):
            pulled = self._pulled.get(message.source.removeprefix(INGRESS))
            if pulled is not None:
                pulled.plain = message.wanted and any(layer.endswith(PLAIN) for layer in message.layers)

    def _turn(self, pulled: _Pulled, state: IngressState) -> None:
        if (state.state, state.error, state.audio) == (pulled.state.state, pulled.state.error, pulled.state.audio):
            return
        before, pulled.state = pulled.state, replace(state, since=utc_ns())
        if state.state != before.state:
            log.info("ingress", ingress=pulled.way.id, state=state.state)
            self.changed(pulled.way, pulled.state)

    async def _watch(self) -> None:
        while True:
            for id, pulled in list(self._pulled.items()):
                try:
                    await self._keep(id, pulled)
                except SQLAlchemyError:
                    log.exception("ingress not written", ingress=id)
            await asyncio.sleep(TICK)

    async def _keep(self, id: str, pulled: _Pulled) -> None:
        """What is wanted and what is there become the same, for one of them."""
        way = pulled.way
        if self._tell is None:
            return
        if not self._conference.reaches(way.room, way.key):
            await self._withhold(pulled)  # another key made the room since, or this one is configured no longer
            return
        worker = self._engine.worker_of(way.room)
        if not worker:
            await self._provide(id, pulled)
            return
        layers = ("main", "main" + PLAIN) if pulled.plain else ("main",)
        wanted = Pull(INGRESS + id, way.url, way.user, way.password, workers=[worker], layers=layers)
        if pulled.told != wanted:
            pulled.told = wanted
            self._tell(wanted)
        if pulled.state.state == "publishing":
            pulled.silent_since = None
            seat = CameraSeat(INGRESS + id, way.identity, way.name, "", pulled.state.audio, kind="ingress", metadata=way.metadata)
            if seat != pulled.seat or not any(one.identity == seat.identity for one in self._conference.present(way.room)):
                pulled.seat = seat
                await self._conference.add_camera(way.room, seat)
        elif pulled.seat is not None:
            pulled.silent_since = self._clock() if pulled.silent_since is None else pulled.silent_since
            if self._clock() - pulled.silent_since >= GRACE:
                await self._leave(pulled)

    async def _withhold(self, pulled: _Pulled) -> None:
        if pulled.told is not None and self._tell is not None:
            self._tell(Pull(source=pulled.told.source, url="", workers=[]))
            pulled.told = None
        await self._leave(pulled)
        self._turn(pulled, IngressState("error", "The API key does not reach this room."))

    async def _provide(self, id: str, pulled: _Pulled) -> None:
        async with self._store.reading() as reading:
            record = await consultations.one(reading, pulled.way.room)
        if record is not None and not record.live:
            await self._finish(id, pulled, "The consultation is over.")
            return
        if record is None:
            try:
                await self._conference.provide(pulled.way.room, key=pulled.way.key)
            except HubError as error:
                self._turn(pulled, IngressState("error", error.message))


def _hash(stream_key: str) -> str:
    return hashlib.sha256(stream_key.encode()).hexdigest()
