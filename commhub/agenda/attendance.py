"""签到: who was there, by organisation: by entering, or signed in by hand.

Who waits in the lobby of the consultation is told nobody's name: they see themselves alone, and hear of nobody who signs in.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub.agenda import records, rules
from commhub.agenda.agenda import Agenda
from commhub.agenda.records import Record, Said
from commhub.agenda.series import NS, local
from commhub.agenda.shapes import Attendance, Attendee, OrgAttendance
from commhub.errors import Conflict, Forbidden, NotFound
from commhub.model import Actor, iso, utc_ns
from commhub.rooms import rules as lobby
from commhub.store import Reading, Store, consultations, tables
from commhub.store.consultations import Consultation
from commhub.views import Member, OrgName

_s, _a = tables.agenda_signed.c, tables.attendance.c
_p, _o = tables.people.c, tables.organisations.c
HEADINGS = ("单位", "姓名", "签到", "时间", "离开时间", "备注")
HOW = {"entered": "入会签到", "signed": "人工签到", "absent": "缺席"}


class Attending:
    def __init__(self, store: Store, agenda: Agenda) -> None:
        self._store, self._agenda = store, agenda

    async def look(self, reader: Actor, item: str, at: int) -> Attendance:
        record, said = await self._agenda.found(item, reader, at)
        assert said is not None
        async with self._store.reading() as reading:
            return await _attendance(reading, record, said, reader)

    async def sign(self, actor: Actor, item: str, at: int, person: str) -> Attendance:
        """Of themselves, once people may enter; of others whoever is in charge. Again is nothing."""
        async with self._store.transaction() as transaction:
            record = rules.visible(await records.one(transaction, item), actor)
            said = record.occurrence(at)
            if said is None:
                raise NotFound("It does not take place then.", "该时间没有这场会商。")
            if person != actor.id and not rules.may_edit(record, actor):
                raise Forbidden("Only who is in charge signs others in.", "只有发起人可以代签到。")
            if not record.concerns(actor) and person == actor.id:
                raise Forbidden("You are not invited to it.", "你未被邀请参加该会商。", code="not_invited")
            if record.cancelled or said.cancelled:
                raise Conflict("It was cancelled.", "预约已取消。", code="cancelled")
            if utc_ns() < said.start - record.early:
                raise Conflict("It is too early.", "尚未到签到时间。", code="too_early")
            known = await records.members(transaction, [person])
            if person not in known:
                raise NotFound("There is no such person.", "没有这个人员。")
            mine = (_s.item_id == item, _s.at == at, _s.person_id == person)
            if await transaction.first(sa.select(_s.person_id).where(*mine)) is None:
                row = {"item_id": item, "at": at, "person_id": person, "signed_at": utc_ns(), "signed_by": actor.id}
                await transaction.insert(tables.agenda_signed, row)
                told = {"at": at // NS, "person": person, "name": known[person].name}
                there = await _consultation(transaction, said)
                within = lobby.inside(there) if there is not None and there.live else None
                await self._agenda.say(transaction, "agenda.signed", item, actor, told, within)
                await audit.record(transaction, actor, "agenda.reply", item, object=f"{iso(at)} {known[person].name}")
            return await _attendance(transaction, record, said, actor)


async def _consultation(reading: Reading, said: Said) -> Consultation | None:
    return await consultations.one(reading, said.consultation) if said.consultation is not None else None


async def _attendance(reading: Reading, record: Record, said: Said, reader: Actor) -> Attendance:
    there = await _consultation(reading, said)
    waits = there is not None and there.live and lobby.must_wait(there, reader)
    entered: dict[str, list[int]] = {}
    if said.consultation is not None:
        rows = await reading.all(
            sa.select(_a.person_id, _a.joined_at, _a.left_at).where(
                _a.consultation_id == said.consultation, _a.person_id.is_not(None)
            )
        )
        for row in rows:
            began, left = entered.get(row.person_id, [row.joined_at, 0])
            entered[row.person_id] = [min(began, row.joined_at), max(left, row.left_at or 0)]
    signed = {
        row.person_id: row.signed_at
        for row in await reading.all(sa.select(tables.agenda_signed).where(_s.item_id == record.id, _s.at == said.at))
    }
    named = {record.host.id, *(one.id for one in record.people)}
    orgs = {one.id: one.name for one in record.organisations}
    shown_to = {reader.id} if waits else named | set(entered) | set(signed)
    people = await _people(reading, sorted(shown_to))
    grouped: dict[str, list[Attendee]] = defaultdict(list)
    if waits:
        orgs = {}
    for row in people:
        orgs.setdefault(row.org_id, row.org_name)
        at, left = entered.get(row.id, [signed.get(row.id, 0), 0])
        how = "entered" if row.id in entered else "signed" if row.id in signed else "absent"
        guest = row.id not in named and row.org_id not in {one.id for one in record.organisations}
        person = Member(id=row.id, name=row.name, org_name=row.org_name)
        times = {"at": iso(at) if at else None, "left_at": iso(left) if left else None}
        one = {"person": person, "org_id": row.org_id, "how": how, "guest": guest, **times}
        grouped[row.org_id].append(Attendee.model_validate(one))
    shown = [
        OrgAttendance(
            org=OrgName(id=org, name=name), present=sum(one.how != "absent" for one in grouped[org]), people=grouped[org]
        )
        for org, name in orgs.items()
    ]
    present = sum(one.present for one in shown)
    return Attendance(organisations=shown, present=present, invited=len(named) + len(record.organisations))


async def _people(reading: Reading, people: Sequence[str]) -> Sequence[Any]:
    query = sa.select(_p.id, _p.name, _p.org_id, _o.name.label("org_name")).join_from(
        tables.people, tables.organisations, _o.id == _p.org_id
    )
    return await reading.all(query.where(_p.id.in_(list(people))).order_by(_p.level, _p.id)) if people else []


def sheet(attendance: Attendance) -> bytes:
    """CSV in UTF-8 with a mark that Excel knows; cells that a spreadsheet would take for a formula are shown as they are."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADINGS)
    for org in attendance.organisations:
        for one in org.people:
            row = (
                org.org.name,
                one.person.name,
                HOW[one.how],
                _shown(one.at),
                _shown(one.left_at),
                "未受邀" if one.guest else "",
            )
            writer.writerow([f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell for cell in row])
        if not org.people:
            writer.writerow((org.org.name, "", "无人参会", "", "", ""))
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _shown(at: str | None) -> str:
    return "" if at is None else f"{local(int(datetime.fromisoformat(at).timestamp()) * NS):%Y-%m-%d %H:%M:%S}"
