"""Scheduled consultations: made, changed, moved, cancelled, answered. A change is one transaction: record, audit row, event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from commhub import audit
from commhub.agenda import records, rules, series
from commhub.agenda.ics import Entry, Moved, calendar
from commhub.agenda.records import Record, Said
from commhub.agenda.series import NS
from commhub.agenda.shapes import Agenda as AgendaView
from commhub.agenda.shapes import AgendaItem, Clash, Clashes, Material, Occurrence, Repeats, Reply, ReplyOf
from commhub.directory import reach
from commhub.errors import Conflict, Forbidden, Invalid, NotFound, Unfit
from commhub.events import Audience, Events
from commhub.model import Actor, By, Label, iso, new_id, utc_ns
from commhub.store import Reading, Store, Transaction, tables
from commhub.store.repeats import Once, remember, repeated
from commhub.views import Member

MINUTE = 60 * NS
SHOWN = 50  # occurrences of one item
AHEAD = 400 * 86_400 * NS
LONGEST = 92 * 86_400 * NS  # that a listing covers
_i, _r, _m, _c = records.i, tables.agenda_replies.c, tables.agenda_materials.c, records.c
_p, _o = tables.people.c, tables.organisations.c


@dataclass(frozen=True, slots=True)
class Wanted:
    """``start`` UTC ns."""

    title: str
    start: int
    minutes: int
    label: Label = Label.INTERNAL
    notes: str = ""
    repeats: Repeats = field(default_factory=Repeats)
    begins: Literal["self", "chair"] = "chair"
    early_minutes: int = 10
    record: bool = False
    organisations: Sequence[str] = ()
    people: Sequence[str] = ()


class Agenda:
    def __init__(self, store: Store, events: Events) -> None:
        self._store, self._events = store, events

    # ---- seeing

    async def between(self, reader: Actor, after: int, before: int) -> AgendaView:
        """Occurrences that take place meanwhile, in order. Invalid when that is too long."""
        if not 0 < before - after <= LONGEST:
            raise Invalid("The time is at most 92 days.", "查询时间最长 92 天。")
        async with self._store.reading() as reading:
            conditions = [records.visible_to(reader), sa.not_(_i.cancelled), _i.starts_at < before]
            # A moved one may take place before its series begins, or after it is over.
            moved = sa.select(_c.item_id).where(_c.start < before, _c.start + _c.length > after)
            found = await records.find(reading, records.visible_to(reader), sa.not_(_i.cancelled), _i.id.in_(moved))
            found += [
                one
                for one in await records.find(reading, *conditions, _i.over_at > after)
                if one.id not in {other.id for other in found}
            ]
            mine = await _own_replies(reading, reader.id, [one.id for one in found])
        shown = [occurrence(one, said, mine) for one in found for said in one.occurrences(after, before) if not said.cancelled]
        return AgendaView(items=sorted(shown, key=lambda one: (one.starts_at, one.item_id)))

    async def one(self, item: str, reader: Actor) -> AgendaItem:
        async with self._store.reading() as reading:
            return await self._view(reading, rules.visible(await records.one(reading, item), reader), reader)

    async def found(self, item: str, reader: Actor, at: int | None = None) -> tuple[Record, Said | None]:
        """And one of its occurrences. NotFound."""
        async with self._store.reading() as reading:
            record = rules.visible(await records.one(reading, item), reader)
        return record, _said(record, at) if at is not None else None

    async def _view(self, reading: Reading, record: Record, reader: Actor) -> AgendaItem:
        now = utc_ns()
        mine = await _own_replies(reading, reader.id, [record.id])
        coming = record.occurrences(now - 30 * 86_400 * NS, now + AHEAD)[:SHOWN] or record.occurrences(0, now)[-SHOWN:]
        rows = await reading.all(sa.select(tables.agenda_replies).where(_r.item_id == record.id).order_by(_r.replied_at))
        files = await materials(reading, _m.item_id == record.id)
        people = await records.members(reading, [row.person_id for row in rows])
        able: list[Any] = ["edit", "start"] if rules.may_edit(record, reader) and not record.cancelled else []
        able += ["reply"] if record.concerns(reader) and reader.id != record.host.id and not record.cancelled else []
        return AgendaItem(
            id=record.id,
            title=record.title,
            notes=record.notes,
            org=record.org,
            label=Label(record.label),
            host=record.host,
            starts_at=iso(record.starts_at),
            minutes=records.minutes(record.length),
            repeats=records.repeats(record.rule),
            begins="self" if record.begins == "self" else "chair",
            early_minutes=records.minutes(record.early),
            record=record.record,
            cancelled=record.cancelled,
            rev=record.rev,
            organisations=list(record.organisations),
            people=list(record.people),
            occurrences=[occurrence(record, said, mine) for said in coming],
            replies=[
                ReplyOf(
                    person=people[row.person_id],
                    reply=row.reply,
                    comment=row.comment,
                    at=row.at // NS or None,
                    replied_at=iso(row.replied_at),
                )
                for row in rows
                if row.person_id in people
            ],
            materials=files,
            may=able,
        )

    async def clashes(self, reader: Actor, start: int, minutes: int, people: Sequence[str], without: str = "") -> Clashes:
        """Of ``people``, who is invited by name to something else at that time."""
        end = start + minutes * MINUTE
        v = records.v
        busy = sa.select(v.item_id).where(v.kind == "person", v.target_id.in_(list(people)))
        async with self._store.reading() as reading:
            conditions = [sa.not_(_i.cancelled), _i.over_at > start, _i.id != without]
            found = await records.find(reading, *conditions, sa.or_(_i.id.in_(busy), _i.host_id.in_(list(people))))
            known = await records.members(reading, people)
        clashes = []
        for record in found:
            for said in record.occurrences(start, end):
                if said.cancelled or not series.overlaps((start, end), (said.start, said.start + said.length)):
                    continue
                seen = record.concerns(reader) or rules.oversees(record, reader)
                times = {"starts_at": iso(said.start), "ends_at": iso(said.start + said.length)}
                clashes += [
                    Clash(person=known[one], title=record.title if seen else None, **times)
                    for one in people
                    if one in known and (one == record.host.id or any(one == other.id for other in record.people))
                ]
        return Clashes(items=clashes)

    async def ics(self, reader: Actor, item: str, origin: str) -> bytes:
        record, _ = await self.found(item, reader)
        off = tuple(
            Moved(one.at, one.start, one.start + one.length, one.cancelled)
            for one in record.said.values()
            if one.cancelled or one.start != one.at or one.length != record.length
        )
        entry = Entry(
            f"{record.id}@commhub", record.title, record.notes, f"{origin}/consultations?agenda={record.id}", record.host.name,
            record.starts_at, record.starts_at + record.length, record.rule, record.rev, record.changed_at, record.cancelled, off,
        )  # fmt: skip
        return calendar([entry])

    # ---- changing

    async def create(self, actor: Actor, wanted: Wanted, once: Once | None = None) -> AgendaItem:
        if wanted.record and not actor.may("recording.control"):
            raise Forbidden("You may not record.", "没有录制权限。")
        if not actor.may(rules.EDIT, "consultation.create", org=actor.org, label=wanted.label):
            raise Forbidden("You may not schedule consultations of this grade here.", "没有预约该密级会商的权限。")
        async with self._store.transaction() as transaction:
            if made := await repeated(transaction, actor.id, once):
                return await self._view(transaction, rules.visible(await records.one(transaction, made), actor), actor)
            item, now = new_id(), utc_ns()
            values = await self._values(transaction, actor, wanted)
            row = {"id": item, "org_id": actor.org, "label": str(wanted.label), "host_id": actor.id, "created_at": now}
            await transaction.insert(tables.agenda_items, {**row, **values, "changed_at": now, "rev": 1})
            await self._invite(transaction, item, wanted)
            await remember(transaction, actor.id, once, item)
            record = await self.say(transaction, "agenda.created", item, actor)
            await audit.record(transaction, actor, rules.EDIT, item, object=wanted.title)
            return await self._view(transaction, record, actor)

    async def change(self, actor: Actor, item: str, rev: int, wanted: Wanted) -> AgendaItem:
        """All of it anew but its grade. What was said of single occurrences falls away when they are no longer when they were."""
        async with self._store.transaction() as transaction:
            record = rules.editable(await records.one(transaction, item), actor)
            rules.stale(record, rev)
            values = await self._values(transaction, actor, replace(wanted, label=Label(record.label)), record)
            await transaction.run(
                sa.update(tables.agenda_items).where(_i.id == item).values(**values, changed_at=utc_ns(), rev=rev + 1)
            )
            rule = records.rule_of(wanted.repeats, _until(wanted.repeats))
            gone = [at for at, one in record.said.items() if one.state == "planned" and not series.has(wanted.start, rule, at)]
            await transaction.run(
                sa.delete(tables.agenda_occurrences).where(_c.item_id == item, _c.at.in_(gone), _c.state == "planned")
            )
            await transaction.run(sa.delete(tables.agenda_invited).where(records.v.item_id == item))
            await self._invite(transaction, item, wanted)
            changed = await self.say(transaction, "agenda.changed", item, actor)
            await audit.record(transaction, actor, rules.EDIT, item, object=wanted.title)
            return await self._view(transaction, changed, actor)

    async def cancel(self, actor: Actor, item: str, reason: str) -> None:
        async with self._store.transaction() as transaction:
            record = rules.editable(await records.one(transaction, item), actor)
            values = {"cancelled": True, "changed_at": utc_ns(), "rev": record.rev + 1}
            await transaction.run(sa.update(tables.agenda_items).where(_i.id == item).values(**values))
            await self.say(transaction, "agenda.cancelled", item, actor, {"reason": reason})
            await audit.record(transaction, actor, rules.EDIT, item, object=f"cancel {reason}".strip())

    async def change_one(
        self, actor: Actor, item: str, at: int, rev: int, *, start: int | None, minutes: int | None, cancelled: bool | None
    ) -> AgendaItem:
        """One occurrence takes place at another time, or not at all."""
        async with self._store.transaction() as transaction:
            record = rules.editable(await records.one(transaction, item), actor)
            rules.stale(record, rev)
            said = _said(record, at)
            if said.state != "planned":
                raise Conflict("It has begun already.", "该场会商已开始。", code="begun")
            if start is not None and start < utc_ns():
                raise Unfit("body.starts_at", "It cannot be moved into the past.", "不能改到过去的时间。", code="past")
            length = minutes * MINUTE if minutes is not None else said.length
            now = replace(
                said,
                start=start if start is not None else said.start,
                length=length,
                cancelled=said.cancelled if cancelled is None else cancelled,
            )
            await write(transaction, item, now)
            # Whoever was reminded of the old time is reminded of the new one.
            d = tables.agenda_reminders.c
            if now.start != said.start:
                await transaction.run(sa.delete(tables.agenda_reminders).where(d.item_id == item, d.at == at))
            over = records.over_at(record.starts_at, record.length, record.rule, [*record.said.values(), now])
            values = {"over_at": over, "changed_at": utc_ns(), "rev": record.rev + 1}
            await transaction.run(sa.update(tables.agenda_items).where(_i.id == item).values(**values))
            changed = await self.say(transaction, "agenda.changed", item, actor, {"at": at // NS})
            done = "cancel" if now.cancelled else f"move {iso(now.start)}"
            await audit.record(transaction, actor, rules.EDIT, item, object=f"{iso(at)} {done}")
            return await self._view(transaction, changed, actor)

    async def reply(self, actor: Actor, item: str, at: int, reply: Reply, comment: str) -> AgendaItem:
        """``at`` 0: to all of them."""
        async with self._store.transaction() as transaction:
            record = rules.visible(await records.one(transaction, item), actor)
            if not record.concerns(actor) or actor.id == record.host.id:
                raise Forbidden("You are not invited to it.", "你未被邀请参加该会商。", code="not_invited")
            if record.cancelled:
                raise Conflict("It was cancelled.", "预约已取消。", code="cancelled")
            if at:
                _said(record, at)
            mine = (_r.item_id == item, _r.at == at, _r.person_id == actor.id)
            await transaction.run(sa.delete(tables.agenda_replies).where(*mine))
            row = {"item_id": item, "at": at, "person_id": actor.id, "reply": reply, "comment": comment, "replied_at": utc_ns()}
            await transaction.insert(tables.agenda_replies, row)
            told = {"person": actor.id, "name": actor.name, "reply": reply, "comment": comment, "at": at // NS}
            await self.say(transaction, "agenda.replied", item, actor, told)
            await audit.record(transaction, actor, "agenda.reply", item, object=f"{reply} {comment}".strip())
            return await self._view(transaction, record, actor)

    # ---- inside

    async def _values(
        self, transaction: Transaction, actor: Actor, wanted: Wanted, before: Record | None = None
    ) -> dict[str, Any]:
        if wanted.start < utc_ns() - MINUTE and (before is None or before.starts_at != wanted.start):
            raise Unfit("body.starts_at", "It begins in the past.", "开始时间已过。", code="past")
        until = _until(wanted.repeats)
        if until and until < wanted.start:
            raise Unfit("body.repeats.until", "It ends before it begins.", "截止时间早于开始时间。", code="until")
        if any(not 0 <= day <= 6 for day in wanted.repeats.days):
            raise Unfit("body.repeats.days", "Days are 0 (Monday) to 6.", "星期须为 0 到 6。", code="days")
        rule, length = records.rule_of(wanted.repeats, until), wanted.minutes * MINUTE
        for name, ids, table in (
            ("organisations", wanted.organisations, tables.organisations),
            ("people", wanted.people, tables.people),
        ):
            within = table.c.org_id if table is tables.people else table.c.id
            query = sa.select(table.c.id).where(table.c.id.in_(list(ids)), reach.knows(actor, within))
            there = {row.id for row in await transaction.all(query)} if ids else set()
            if missing := [one for one in ids if one not in there]:
                raise Unfit(f"body.{name}", f"There is no {missing[0]}.", "邀请对象不存在。", code="unknown")
        return {
            "title": wanted.title, "notes": wanted.notes, "starts_at": wanted.start, "length": length,
            "rule": records.rule_text(rule), "begins": wanted.begins, "early_ms": wanted.early_minutes * 60_000,
            "record": wanted.record, "over_at": records.over_at(wanted.start, length, rule),
        }  # fmt: skip

    async def _invite(self, transaction: Transaction, item: str, wanted: Wanted) -> None:
        rows = [{"item_id": item, "kind": "org", "target_id": one} for one in dict.fromkeys(wanted.organisations)]
        rows += [{"item_id": item, "kind": "person", "target_id": one} for one in dict.fromkeys(wanted.people)]
        await transaction.insert(tables.agenda_invited, *rows)

    async def say(
        self,
        transaction: Transaction,
        type: str,
        item: str,
        by: Actor | By | None,
        data: dict[str, Any] | None = None,
        audience: Audience | None = None,
    ) -> Record:
        """The event of a change, for whom it concerns unless ``audience`` says for whom. Returns the record as it is now."""
        record = await records.one(transaction, item)
        assert record is not None
        about = {"id": record.id, "title": record.title, "starts_at": iso(record.starts_at), "cancelled": record.cancelled}
        await self._events.emit(
            transaction,
            type,
            subject=item,
            org=record.org.id,
            label=record.label,
            rev=record.rev,
            by=by,
            audience=audience if audience is not None else rules.audience(record),
            data={"item": about, **(data or {})},
        )
        return record


def _said(record: Record, at: int) -> Said:
    found = record.occurrence(at)
    if found is None:
        raise NotFound("It does not take place then.", "该时间没有这场会商。")
    return found


async def write(transaction: Transaction, item: str, said: Said) -> None:
    await transaction.run(sa.delete(tables.agenda_occurrences).where(_c.item_id == item, _c.at == said.at))
    row = {
        "item_id": item, "at": said.at, "start": said.start, "length": said.length, "cancelled": said.cancelled,
        "state": said.state, "consultation_id": said.consultation,
    }  # fmt: skip
    await transaction.insert(tables.agenda_occurrences, row)


def occurrence(record: Record, said: Said, mine: dict[tuple[str, int], str]) -> Occurrence:
    """``mine``: the reader's replies by item and start; of the whole series under 0."""
    reply = mine.get((record.id, said.at)) or mine.get((record.id, 0))
    return Occurrence.model_validate(
        {
            "item_id": record.id,
            "at": said.at // NS,
            "title": record.title,
            "starts_at": iso(said.start),
            "ends_at": iso(said.start + said.length),
            "enters_at": iso(said.start - record.early),
            "label": record.label,
            "host": record.host,
            "cancelled": said.cancelled or record.cancelled,
            "moved": said.start != said.at,
            "series": record.rule.frequency != "once",
            "state": said.state,
            "consultation_id": said.consultation,
            "reply": reply,
        }
    )


async def materials(reading: Reading, *conditions: sa.ColumnElement[bool]) -> list[Material]:
    query = (
        sa.select(tables.agenda_materials, _p.name.label("by_name"), _o.name.label("by_org"))
        .join(tables.people, _p.id == _m.added_by)
        .join(tables.organisations, _o.id == _p.org_id)
    )
    return [
        Material(
            id=row.id,
            name=row.name,
            type=row.type,
            size=row.size,
            digest=row.digest,
            added_by=Member(id=row.added_by, name=row.by_name, org_name=row.by_org),
            added_at=iso(row.added_at),
        )
        for row in await reading.all(query.where(*conditions).order_by(_m.added_at))
    ]


async def _own_replies(reading: Reading, person: str, items: Sequence[str]) -> dict[tuple[str, int], str]:
    query = sa.select(tables.agenda_replies).where(_r.person_id == person, _r.item_id.in_(list(items)))
    return {(row.item_id, row.at): row.reply for row in await reading.all(query)}


def moment(text: str, field: str) -> int:
    """ISO 8601 with its offset, as UTC ns. Unfit."""
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        said = None
    if said is None or said.tzinfo is None or not 0 < said.timestamp() < 4e9:
        raise Unfit(field, "The time must be ISO 8601 with its offset.", "时间须为带时区的 ISO 8601。", code="time")
    return int(said.timestamp()) * NS


def _until(repeats: Repeats) -> int:
    return moment(repeats.until, "body.repeats.until") if repeats.until else 0
