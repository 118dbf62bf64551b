"""The hub's side of the bridge to devices that call in: who may, how they are, what they have, what they raise.

Everything the bridge says is put aside and written by tasks of this module: several facts in one transaction, alarms at once.
What people do goes through :attr:`registry` and is told to the bridge from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.devices.alarms import Alarms
from commhub.devices.codes import clean
from commhub.devices.faults import Faults
from commhub.devices.intake import AT_ONCE, Intake, Progress
from commhub.devices.listing import Listing
from commhub.devices.owners import give
from commhub.devices.registry import Known, Options, Registry, query
from commhub.devices.shapes import Device, DeviceOptions
from commhub.devices.tree import Trees
from commhub.errors import Conflict, Unavailable
from commhub.events import Events
from commhub.guard import Rates
from commhub.media.messages import (
    Admitted,
    AlarmRaised,
    AskDevice,
    CataloguePart,
    ChannelsChanged,
    DeviceSeen,
    DeviceState,
    Message,
    Position,
    WayLearned,
)
from commhub.model import Actor, iso, utc_ns
from commhub.store import Reading, Store, Transaction, tables
from commhub.tasks import Tasks
from commhub.vault import Vault

log = logs.get(__name__)

GATHER = 0.5  # seconds that facts wait for others
STATES_AT_ONCE = 50  # devices of one transaction, each with an event
NEWS = 2.0  # seconds between two news of a device's channels
WATCH = 0.5  # seconds
AWAY = 10.0  # seconds the bridge may be gone before its devices count as gone
POSITIONS_LIMIT = 50_000
ALARMS_LIMIT = 1_000  # that wait to be written
SEEN_RATE, SEEN_BURST = 1.0, 200.0  # unknown devices a second, and at once
BRIDGE_DOWN = ("bridge_down", "设备接入进程正在重启。", "The process that devices call is being restarted.")
_c, _d = tables.cameras.c, tables.devices.c
Ask = Callable[[Message, float], Awaitable[Message]]


async def _nobody(_: Message, __: float) -> Message:
    raise Unavailable("The process that does this is being restarted.", "负责该功能的进程正在重启。")


class Devices:
    """A user of the link to ``bridge-gb28181``. ``ask`` is that link's."""

    def __init__(
        self,
        store: Store,
        events: Events,
        vault: Vault,
        *,
        ask: Ask = _nobody,
        gather: float = GATHER,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._events, self._gather, self._clock = store, events, gather, clock
        self.ask = ask
        self.registry = Registry(store, vault)
        self.trees = Trees(store)
        self.faults = Faults(events)
        self.listing = Listing(store, self.trees, self.faults)
        self.alarms = Alarms(store, events, self.registry)
        self.intake = Intake(store, self.registry)
        self.registry.changed.append(self._changed)
        self._tell: Callable[[Message], None] | None = None
        self._tasks = Tasks("devices")
        self._states: dict[str, DeviceState] = {}
        self._seen: dict[str, DeviceSeen] = {}
        self._ways: dict[str, str] = {}
        self._positions: dict[tuple[str, str], Position] = {}
        self._alarms: asyncio.Queue[AlarmRaised] = asyncio.Queue(ALARMS_LIMIT)
        self._strangers = Rates(SEEN_RATE, SEEN_BURST)
        self._facts = asyncio.Event()
        self._admitting = asyncio.Event()
        self._news: dict[str, float] = {}  # when a device's channels were told of last
        self._late: set[str] = set()  # of which there is more to tell
        self._gone_since: float | None = None
        self._writing = 0

    async def open(self) -> None:
        await self.registry.open()
        self._gone_since = self._clock()

    def start(self) -> None:
        self._tasks.spawn(self._take_in(), "catalogues")
        self._tasks.spawn(self._write_facts(), "facts")
        self._tasks.spawn(self._raise(), "alarms")
        self._tasks.spawn(self._admit(), "admitted")
        self._tasks.spawn(self._watch(), "watch")

    async def close(self) -> None:
        await self._tasks.close()
        await self.trees.close()

    @property
    def waiting(self) -> int:
        """Facts that are not written yet."""
        return (
            self.intake.backlog
            + len(self._states)
            + len(self._seen)
            + len(self._ways)
            + len(self._positions)
            + self._alarms.qsize()
            + self._writing
            + self.intake.waiting.is_set()
        )

    # ---- the link

    def linked(self, snapshot: Message, tell: Callable[[Message], None]) -> None:
        self._tell, self._gone_since = tell, None
        self._admitting.set()

    def unlinked(self) -> None:
        self._tell, self._gone_since = None, self._clock()
        for device in self.intake.broken():
            self.intake.put(CataloguePart(device.code, -1, [], last=True))

    def receive(self, message: Message) -> None:
        if isinstance(message, CataloguePart | ChannelsChanged):
            self.intake.put(message)
        elif isinstance(message, AlarmRaised):
            try:
                self._alarms.put_nowait(message)
            except asyncio.QueueFull:
                self.alarms.dropped += 1
        elif isinstance(message, DeviceState):
            self._states[message.device] = message
        elif isinstance(message, DeviceSeen):
            if self._strangers.take("", self._clock()) == 0:
                self._seen[message.device] = message
        elif isinstance(message, WayLearned):
            self._ways[message.device] = message.way
        elif isinstance(message, Position):
            if len(self._positions) < POSITIONS_LIMIT:
                self._positions[message.device, message.channel] = message
        else:
            return
        self._facts.set()

    def _changed(self, device: Known) -> None:
        """People did something to a device."""
        self.intake.forget(device.id)
        self.trees.forget()
        self._admitting.set()

    async def _admit(self) -> None:
        """Tells the bridge who may register, after every link and every change."""
        while True:
            await self._admitting.wait()
            self._admitting.clear()
            try:
                terms = await self.registry.terms()
            except SQLAlchemyError:
                log.exception("devices not told")
                self._admitting.set()
                await asyncio.sleep(AWAY)
                continue
            if self._tell is not None:
                self._tell(Admitted(terms))

    # ---- by people, beside the registry

    async def refresh(self, by: Actor, device: str) -> None:
        """Ask for the catalogue anew; it comes by itself."""
        async with self._store.transaction() as transaction:
            row = await self.registry.row(transaction, device, by)
            if row.state != "admitted" or not row.online:
                raise Conflict("The device is not online.", "设备不在线。", code="offline")
            await audit.record(transaction, by, "device.list", device, object=f"catalogue {row.code} {row.name}")
        await self.ask(AskDevice(row.code, row.code, "catalogue"), 10.0)

    async def give(self, by: Actor, node: str, org: str | None) -> None:
        """A part of a tree belongs to another organisation."""
        self.intake.forget(await give(self._store, by, node, org))
        self.trees.forget()

    async def shown(self, reading: Reading, device: str, english: bool) -> Device:
        row = await self.registry.row(reading, device)
        return shown(row, (await counts(reading, [row]))[device], english)

    # ---- what the bridge says

    async def _take_in(self) -> None:
        while True:
            await self.intake.waiting.wait()
            if self.intake.backlog < AT_ONCE:
                await asyncio.sleep(self._gather)
            self._writing += 1
            began = self._clock()
            try:
                progress = await self.intake.next()
                if progress is not None:
                    await self._tell_progress(progress)
            except Exception:  # one device's fault is not another's loss
                log.exception("catalogue not written")
            finally:
                self._writing -= 1
            # A catalogue may take its time; people who ask meanwhile may not wait behind it.
            await asyncio.sleep(min(self._gather, self._clock() - began))

    async def _tell_progress(self, progress: Progress) -> None:
        device = progress.device
        if progress.state in ("complete", "incomplete"):
            log.info("catalogue", device=device.code, state=progress.state, received=progress.received)
        elif self._clock() - self._news.get(device.id, -NEWS) < NEWS:
            self._late.add(device.id)  # ``_watch`` tells it
            return
        await self._tell_people(device.id)

    async def _tell_people(self, device: str) -> None:
        self._late.discard(device)
        self._news[device] = self._clock()
        async with self._store.transaction() as transaction:
            await self._told(transaction, device)

    async def _write_facts(self) -> None:
        while True:
            await self._facts.wait()
            await asyncio.sleep(self._gather)
            self._facts.clear()
            while self._states or self._seen or self._ways or self._positions:
                self._writing += 1
                try:
                    await self._write_some()
                except Exception:
                    log.exception("facts of devices not written")
                finally:
                    self._writing -= 1

    async def _write_some(self) -> None:
        states = [self._states.pop(code) for code in list(self._states)[:STATES_AT_ONCE]]
        seen = [self._seen.pop(code) for code in list(self._seen)[:STATES_AT_ONCE]]
        ways, self._ways = self._ways, {}
        positions = [self._positions.pop(key) for key in list(self._positions)[:AT_ONCE]]
        async with self._store.transaction() as transaction:
            for state in states:
                await self._state(transaction, state)
            for message in seen:
                known = await self.registry.seen(transaction, message)
                if known is not None:
                    await self._told(transaction, known.id)
            for code, way in ways.items():
                here = sa.and_(_d.code == code, _d.worked != way[:16])
                if await transaction.run(sa.update(tables.devices).where(here).values(worked=way[:16])):
                    transaction.after(self._admitting.set)
            await _place(transaction, positions)

    async def _state(self, transaction: Transaction, state: DeviceState) -> None:
        device = self.registry.by_code.get(state.device)
        if device is None or device.state != "admitted":
            return
        await self.faults.take(transaction, device.id, device.code, state.faulty)
        before = await self.registry.row(transaction, device.id)
        values = {name: value for name, value in _facts(state).items() if value or name in _ALWAYS}
        changed = {name: value for name, value in values.items() if getattr(before, name) != value}
        if state.online or changed.keys() & {"online"}:
            values["seen_at"] = utc_ns()
        await transaction.run(sa.update(tables.devices).where(_d.id == device.id).values(**values))
        if not changed:
            return
        if "online" in changed:
            await transaction.next("cameras")
            transaction.after(lambda: self.registry.turned(device.id, state.online))
            log.info("device", device=device.code, online=state.online, code=state.code)
        await self._told(transaction, device.id)

    async def _told(self, transaction: Transaction, device: str) -> None:
        """The event: for the organisation's, or when it has none for the city's."""
        row = await transaction.first(query().where(_d.id == device))
        if row is None:
            return
        counted = (await counts(transaction, [row]))[device]
        news = shown(row, counted, english=False).model_dump(mode="json")
        if news["reason"] is not None:
            news["reason"]["text_en"] = row.reason_en
        org = row.org_id
        if org is None:
            o = tables.organisations.c
            org = await transaction.value(sa.select(o.id).where(o.parent_id.is_(None)).order_by(o.position).limit(1))
        await self._events.emit(
            transaction, "device.state", subject=device, org=org or "", label=row.label, data={"device": news}
        )

    async def _raise(self) -> None:
        while True:
            message = await self._alarms.get()
            self._writing += 1
            try:
                await self.alarms.raised(message)
            except Exception:
                log.exception("alarm not written", device=message.device)
            finally:
                self._writing -= 1

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH)
            now = self._clock()
            if self._gone_since is not None and now - self._gone_since >= AWAY:
                self._gone_since = None
                self._lose_all()
            self._news = {device: at for device, at in self._news.items() if now - at < NEWS}
            for device in [one for one in self._late if one not in self._news]:
                try:
                    await self._tell_people(device)
                except SQLAlchemyError:
                    log.exception("state of a device not told")

    def _lose_all(self) -> None:
        """Devices whose bridge is gone for long are not there, as far as anybody knows."""
        code, text_zh, text = BRIDGE_DOWN
        for device in list(self.registry.by_id.values()):
            if device.online:
                self.receive(DeviceState(device=device.code, online=False, code=code, text=text, text_zh=text_zh))


#: What an empty word of a device says, too.
_ALWAYS = ("online", "reason_code", "reason", "reason_en")


def _facts(state: DeviceState) -> dict[str, Any]:
    return {
        "online": state.online,
        "address": clean(state.address, 100),
        "transport": clean(state.transport, 8),
        "version": clean(state.version, 16),
        "manufacturer": clean(state.manufacturer, 100),
        "model": clean(state.model, 100),
        "firmware": clean(state.firmware, 100),
        "heartbeat": round(state.heartbeat, 1),
        "reason_code": clean(state.code, 40),
        "reason": clean(state.text_zh, 500),
        "reason_en": clean(state.text, 500),
    }


async def _place(transaction: Transaction, positions: list[Position]) -> None:
    rows = [
        {"this": f"{one.device}/{one.channel}", "longitude": one.longitude, "latitude": one.latitude}
        for one in positions
        if abs(one.longitude) <= 180 and abs(one.latitude) <= 90
    ]
    if rows:
        await transaction.connection.execute(sa.update(tables.cameras).where(_c.key == sa.bindparam("this")), rows)


async def counts(reading: Reading, rows: list[sa.Row[Any]]) -> dict[str, tuple[int, int]]:
    """Device → its channels, and those that are online."""
    online = sa.func.sum(sa.case((_c.online, 1), else_=0))
    found = await reading.all(
        sa.select(_c.device_id, sa.func.count().label("total"), online.label("online"))
        .where(_c.device_id.in_([row.id for row in rows]), _c.gone.is_(False))
        .group_by(_c.device_id)
    )
    told = {row.device_id: (int(row.total), int(row.online)) for row in found}
    return {row.id: (told.get(row.id, (0, 0))[0], told.get(row.id, (0, 0))[1] if row.online else 0) for row in rows}


def shown(row: sa.Row[Any], counted: tuple[int, int], english: bool) -> Device:
    options = msgspec.json.decode(row.options, type=Options)
    reason = None
    if row.reason_code:
        reason = {"code": row.reason_code, "text": (row.reason_en if english else row.reason) or row.reason or row.reason_en}
    return Device.model_validate(
        {
            "id": row.id,
            "code": row.code,
            "name": row.name,
            "org": {"id": row.org_id, "name": row.org_name} if row.org_id else None,
            "label": row.label,
            "state": row.state,
            "online": row.online,
            "address": row.address,
            "transport": row.transport,
            "version": row.version,
            "manufacturer": row.manufacturer,
            "model": row.model,
            "firmware": row.firmware,
            "channels": counted[0],
            "channels_online": counted[1],
            "heartbeat_seconds": row.heartbeat or None,
            "seen_at": iso(row.seen_at) if row.seen_at else None,
            "reason": reason,
            "way": row.way,
            "worked": row.worked,
            "options": DeviceOptions(**msgspec.structs.asdict(options)),
            "catalogue": {
                "state": row.catalogue_state,
                "received": row.catalogue_received,
                "total": row.catalogue_total,
                "at": iso(row.catalogue_at) if row.catalogue_at else None,
            },
        }
    )
