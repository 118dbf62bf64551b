"""Alarms of devices: raised, told to whom they concern, confirmed by people.

The same one again within some seconds is counted with the first. A device that raises more than it should is heard at a
bounded rate; what is beyond is counted too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub import log as logs
from commhub.devices.codes import bounded, clean
from commhub.devices.kinds import said
from commhub.devices.listing import visible
from commhub.devices.registry import Registry
from commhub.devices.shapes import Alarm
from commhub.errors import Forbidden, NotFound
from commhub.events import Events
from commhub.guard import Rates
from commhub.log import limited
from commhub.media.messages import AlarmRaised
from commhub.model import Actor, iso, new_id, utc_ns
from commhub.store import Reading, Store, Transaction, tables

log = logs.get(__name__)

AGAIN = 10 * 1_000_000_000  # ns in which the same alarm is one
RATE, BURST = 1.0, 30.0  # alarms a second of one device, and at once
FAR = 7 * 86_400 * 1_000_000_000  # ns; a device whose clock is further off has none
_a, _c, _d, _o, _p = tables.alarms.c, tables.cameras.c, tables.devices.c, tables.organisations.c, tables.people.c


class Alarms:
    def __init__(self, store: Store, events: Events, registry: Registry, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._events, self._registry, self._clock = store, events, registry, clock
        self._rates = Rates(RATE, BURST)
        self.dropped = 0

    async def raised(self, message: AlarmRaised) -> str | None:
        """Its id; of a repeated one that of the first. None when the device is not admitted, or too loud."""
        device = self._registry.by_code.get(message.device)
        if device is None or device.state != "admitted" or device.org is None:
            return None
        if self._rates.take(device.id, self._clock()) > 0:
            self.dropped += 1
            if limited(("alarms", device.id), 60) is not None:
                log.warning("alarms dropped", device=device.code)
            return None
        now = utc_ns()
        async with self._store.transaction() as transaction:
            camera = await _camera(transaction, device.id, device.code, message.channel)
            same = (
                _a.device_id == device.id,
                _a.channel == clean(message.channel, 40),
                _a.method == bounded(message.method),
                _a.kind == bounded(message.kind),
                _a.last_at > now - AGAIN,
                _a.state == "new",
            )
            first = await transaction.first(sa.select(_a.id).where(*same).order_by(_a.id.desc()).limit(1))
            if first is not None:
                again = {"last_at": now, "repeats": _a.repeats + 1}
                await transaction.run(sa.update(tables.alarms).where(_a.id == first.id).values(again))
                return str(first.id)
            alarm = new_id()
            await transaction.insert(tables.alarms, _row(alarm, message, device.id, now, camera or device))
            await self._tell(transaction, "alarm.raised", alarm)
        return alarm

    async def confirm(self, by: Actor, alarm: str, note: str, english: bool) -> Alarm:
        """Idempotent: the first one counts. NotFound also of one he may not see."""
        async with self._store.transaction() as transaction:
            row = await transaction.first(_query().where(_a.id == alarm))
            if row is None or not by.may("alarm.list", org=row.org_id, label=row.label):
                raise NotFound("There is no such alarm.", "没有这条告警。")
            if not by.may("alarm.confirm", org=row.org_id, label=row.label):
                raise Forbidden("You may not confirm this alarm.", "没有确认该告警的权限。")
            if row.state == "new":
                values = {"state": "confirmed", "confirmed_by": by.id, "confirmed_at": utc_ns(), "note": note}
                await transaction.run(sa.update(tables.alarms).where(_a.id == alarm).values(values))
                where = row.camera_name or row.device_name or row.channel
                await audit.record(
                    transaction, by, "alarm.confirm", alarm, object=f"{said(row.method, row.kind)[1]} {where} {note}".strip()
                )
                await self._tell(transaction, "alarm.confirmed", alarm, by)
                row = await transaction.first(_query().where(_a.id == alarm))
                assert row is not None
        return _shown(row, english)

    async def listed(
        self, reader: Actor, english: bool, *, open_only: bool, camera: str | None, before: str | None, limit: int
    ) -> tuple[list[Alarm], str | None]:
        """Newest first."""
        conditions = [visible(reader, _a.org_id, _a.label, "alarm.list")]
        if open_only:
            conditions.append(_a.state == "new")
        if camera:
            conditions.append(_a.camera_id == camera)
        if before:
            conditions.append(_a.id < before)
        async with self._store.reading() as reading:
            rows = await reading.all(_query().where(*conditions).order_by(_a.id.desc()).limit(limit + 1))
        return [_shown(row, english) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None

    async def _tell(self, transaction: Transaction, type: str, alarm: str, by: Actor | None = None) -> None:
        row = await transaction.first(_query().where(_a.id == alarm))
        assert row is not None
        news = _shown(row, english=False).model_dump(mode="json") | {"text_en": _shown(row, english=True).text}
        await self._events.emit(transaction, type, subject=alarm, org=row.org_id, label=row.label, data={"alarm": news}, by=by)


async def _camera(reading: Reading, device: str, code: str, channel: str) -> sa.Row[Any] | None:
    """Whose alarm it is. One that a device raises about itself is its camera's when it has just one."""
    columns = sa.select(_c.id, _c.org_id.label("org"), _c.label)
    found = await reading.first(columns.where(_c.key == f"{code}/{channel}"))
    if found is None:
        mine = await reading.all(columns.where(_c.device_id == device, _c.gone.is_(False)).limit(2))
        found = mine[0] if len(mine) == 1 else None
    return found


def _row(alarm: str, message: AlarmRaised, device: str, now: int, owner: Any) -> dict[str, Any]:
    """``owner`` is the camera, or the device: it has an organisation and a label."""
    at = message.at if abs(message.at - now) < FAR else now
    placed = message.longitude is not None and message.latitude is not None
    placed = placed and abs(message.longitude or 0) <= 180 and abs(message.latitude or 0) <= 90
    placed = placed and (message.longitude, message.latitude) != (0, 0)
    return {
        "id": alarm,
        "device_id": device,
        "camera_id": owner.id if owner.id != device else None,
        "channel": clean(message.channel, 40),
        "org_id": owner.org,
        "label": owner.label,
        "level": message.priority if 1 <= message.priority <= 4 else 4,
        "method": bounded(message.method),
        "kind": bounded(message.kind),
        "description": clean(message.description, 500),
        "at": at,
        "last_at": now,
        "repeats": 0,
        "longitude": message.longitude if placed else None,
        "latitude": message.latitude if placed else None,
        "state": "new",
        "confirmed_by": None,
        "confirmed_at": None,
        "note": "",
    }


def _query() -> sa.Select[Any]:
    owner = tables.organisations.alias("owner")
    return (
        sa.select(
            tables.alarms,
            _c.name.label("camera_name"),
            owner.c.name.label("camera_org"),
            _d.name.label("device_name"),
            _d.code.label("device_code"),
            _p.name.label("confirmer"),
        )
        .select_from(tables.alarms)
        .outerjoin(tables.cameras, _c.id == _a.camera_id)
        .outerjoin(owner, owner.c.id == _c.org_id)
        .outerjoin(tables.devices, _d.id == _a.device_id)
        .outerjoin(tables.people, _p.id == _a.confirmed_by)
    )


def _shown(row: sa.Row[Any], english: bool) -> Alarm:
    kind, chinese, plain = said(row.method, row.kind)
    camera = None
    if row.camera_id is not None and row.camera_name is not None:
        camera = {"id": row.camera_id, "name": row.camera_name, "org_name": row.camera_org or ""}
    position = None if row.longitude is None else {"longitude": row.longitude, "latitude": row.latitude}
    return Alarm.model_validate(
        {
            "id": row.id,
            "camera": camera,
            "device": {"id": row.device_id, "name": row.device_name or row.device_code or row.channel},
            "level": row.level,
            "kind": kind,
            "text": row.description or (plain if english else chinese),
            "at": iso(row.at),
            "state": row.state,
            "repeats": row.repeats,
            "confirmed_by": {"name": row.confirmer or ""} if row.confirmed_by else None,
            "confirmed_at": iso(row.confirmed_at) if row.confirmed_at else None,
            "note": row.note,
            "position": position,
        }
    )
