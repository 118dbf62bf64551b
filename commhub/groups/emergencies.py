"""Emergency calls and alarms: raised by a member, answered by who is in charge, further up the tree while nobody answers, and
over when somebody entitled says so."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub.errors import Conflict, Forbidden, NotFound
from commhub.groups import records, rules
from commhub.groups.records import Record
from commhub.groups.registry import Registry
from commhub.groups.shapes import Emergency, EmergencyKind, Speaker
from commhub.model import HUB, Actor, iso, new_id, utc_ns
from commhub.store import Reading, Store, Transaction, tables

_e, _p, _o, _g = records.e, tables.people.c, tables.organisations.c, tables.groups.c


class Emergencies:
    """``patience`` in seconds: unanswered for so long, one goes to the organisation above; 0: it does not."""

    def __init__(self, store: Store, registry: Registry, patience: float) -> None:
        self._store, self._registry, self._patience = store, registry, patience

    async def active(self, *groups: str) -> list[Emergency]:
        """Those that are not over, oldest first."""
        async with self._store.reading() as reading:
            return await _found(reading, _e.cancelled_at == 0, *([_e.group_id.in_(groups)] if groups else []))

    async def listed(self, reader: Actor) -> list[Emergency]:
        seen = {one.id for one in await self._registry.listed(reader)}
        return [one for one in await self.active() if one.group_id in seen]

    async def raise_(self, actor: Actor, record: Record, kind: EmergencyKind, terminal: str, reason: str) -> Emergency:
        """Idempotent while theirs is not over; an alarm becomes a call."""
        async with self._store.transaction() as transaction:
            mine = [_e.group_id == record.id, _e.person_id == actor.id, _e.cancelled_at == 0, _e.kind == kind]
            if known := await _found(transaction, *mine):
                return known[0]
            at, id = utc_ns(), new_id()
            await transaction.insert(
                tables.group_emergencies,
                {
                    "id": id, "group_id": record.id, "kind": kind, "person_id": actor.id, "terminal": terminal,
                    "reason": reason[:200], "at": at, "org_id": record.org, "step": 0, "due_at": self._due(at),
                },
            )  # fmt: skip
            (made,) = await _found(transaction, _e.id == id)
            await self._say(transaction, "group.emergency", record, actor, made)
            await audit.record(transaction, actor, "group.emergency", record.id, object=f"{kind} {reason}".strip())
        return made

    async def acknowledge(self, actor: Actor, emergency: str) -> Emergency:
        """Idempotent. Somebody has it in hand: it goes no further up. It is not over by that."""
        async with self._store.transaction() as transaction:
            record, known = await self._entitled(transaction, actor, emergency)
            if known.acknowledged_at is None:
                values = {"acknowledged_by": actor.id, "acknowledged_at": utc_ns(), "due_at": 0}
                await transaction.run(sa.update(tables.group_emergencies).where(_e.id == emergency).values(**values))
                (known,) = await _found(transaction, _e.id == emergency)
                await self._say(transaction, "group.emergency_acknowledged", record, actor, known)
                await audit.record(transaction, actor, "group.acknowledge", record.id, object=known.id)
        return known

    async def cancel(self, actor: Actor, group: str, reason: str) -> Record:
        """All of the group's. Conflict when there is none."""
        async with self._store.transaction() as transaction:
            record = rules.visible(await records.one(transaction, group), actor)
            if not rules.oversees(record, actor, rules.CALM):
                raise Forbidden("Only who is in charge may cancel an emergency.", "只有主管调度员可以解除紧急状态。")
            known = await _found(transaction, _e.group_id == group, _e.cancelled_at == 0)
            if not known:
                raise Conflict("There is no emergency in this group.", "该群组没有紧急状态。", code="no_emergency")
            values = {"cancelled_by": actor.id, "cancelled_at": utc_ns(), "due_at": 0}
            mine = sa.update(tables.group_emergencies).where(_e.group_id == group, _e.cancelled_at == 0)
            await transaction.run(mine.values(**values))
            for one in known:
                await self._say(transaction, "group.emergency_cancelled", record, actor, one, reason=reason)
            await audit.record(transaction, actor, "group.calm", group, object=reason)
        return record

    async def escalate(self) -> int:
        """Those that nobody has answered in time go one organisation further up; how many."""
        now = utc_ns()
        async with self._store.reading() as reading:
            due = await reading.first(sa.select(_e.id).where(_e.due_at > 0, _e.due_at <= now).limit(1))
        if due is None:
            return 0
        async with self._store.transaction() as transaction:
            known = await _found(transaction, _e.due_at > 0, _e.due_at <= now)
            tree = await records.tree(transaction)
            for one in known:
                record = await records.one(transaction, one.group_id)
                org = await transaction.value(sa.select(_e.org_id).where(_e.id == one.id))
                above = [*tree.above(org)][1:2]
                up: str = (above or [org])[0]
                values = {"step": one.step + 1, "org_id": up, "due_at": self._due(now) if above else 0}
                await transaction.run(sa.update(tables.group_emergencies).where(_e.id == one.id).values(**values))
                if record is not None:
                    told = one.model_copy(update={"step": one.step + 1})
                    await self._say(transaction, "group.emergency_escalated", record, HUB, told, org=up)
        return len(known)

    def _due(self, at: int) -> int:
        return at + int(self._patience * 1e9) if self._patience else 0

    async def _entitled(self, transaction: Transaction, actor: Actor, emergency: str) -> tuple[Record, Emergency]:
        """Who is in charge of the group, or of the organisation it has gone up to."""
        known = await _found(transaction, _e.id == emergency)
        record = await records.one(transaction, known[0].group_id) if known else None
        if record is None:
            raise NotFound("There is no such emergency.", "没有这个紧急事件。")
        org = await transaction.value(sa.select(_e.org_id).where(_e.id == emergency))
        if not actor.may(rules.CALM, org=org, label=record.label):
            if not (rules.concerns(record, actor) or rules.oversees(record, actor)):
                raise NotFound("There is no such emergency.", "没有这个紧急事件。")
            if not rules.oversees(record, actor, rules.CALM):
                raise Forbidden("Only who is in charge may answer an emergency.", "只有主管调度员可以处理紧急事件。")
        if known[0].cancelled_at is not None:
            raise Conflict("The emergency is over.", "紧急事件已解除。", code="over")
        return record, known[0]

    async def _say(
        self, transaction: Transaction, type: str, record: Record, by: Any, one: Emergency, *, org: str = "", reason: str = ""
    ) -> None:
        data = one.model_dump() | ({"reason": reason} if reason else {})
        await self._registry.say(transaction, type, record.id, by, data, org=org)


async def _found(reading: Reading, *conditions: sa.ColumnElement[bool]) -> list[Emergency]:
    query = (
        sa.select(tables.group_emergencies, _p.name, _p.level, _o.name.label("org_name"), _g.name.label("group_name"))
        .join(tables.people, _p.id == _e.person_id)
        .join(tables.organisations, _o.id == _p.org_id)
        .join(tables.groups, _g.id == _e.group_id)
    )
    return [
        Emergency(
            id=row.id,
            kind=row.kind,
            group_id=row.group_id,
            group_name=row.group_name,
            person=Speaker(id=row.person_id, name=row.name, org_name=row.org_name, level=row.level, emergency=True),
            reason=row.reason,
            at=iso(row.at),
            step=row.step,
            acknowledged_by=row.acknowledged_by,
            acknowledged_at=iso(row.acknowledged_at) if row.acknowledged_at else None,
            cancelled_at=iso(row.cancelled_at) if row.cancelled_at else None,
        )
        for row in await reading.all(query.where(*conditions).order_by(_e.at).limit(500))
    ]
