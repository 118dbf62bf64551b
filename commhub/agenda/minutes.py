"""纪要: the minutes of one occurrence. Every revision is kept; whoever is in charge signs one off, and it is the last."""

from __future__ import annotations

import html

import sqlalchemy as sa

from commhub import audit
from commhub.agenda import records, rules
from commhub.agenda.agenda import Agenda
from commhub.agenda.records import Record, Said
from commhub.agenda.series import NS, local
from commhub.agenda.shapes import Minutes
from commhub.errors import Conflict, NotFound
from commhub.model import Actor, iso, utc_ns
from commhub.store import Reading, Store, Transaction, tables

_t = tables.agenda_minutes.c
_TABLE = tables.agenda_minutes


class Writing:
    def __init__(self, store: Store, agenda: Agenda) -> None:
        self._store, self._agenda = store, agenda

    async def look(self, reader: Actor, item: str, at: int, rev: int | None = None) -> Minutes:
        """The newest revision, or that one."""
        await self._agenda.found(item, reader, at)
        async with self._store.reading() as reading:
            return await _minutes(reading, item, at, rev)

    async def write(self, actor: Actor, item: str, at: int, rev: int, text: str) -> Minutes:
        """``rev`` is the one it was read at, 0 before the first. Conflict ``stale``, ``signed``."""
        async with self._store.transaction() as transaction:
            before = await self._changeable(transaction, actor, item, at, rev)
            row = {"item_id": item, "at": at, "rev": before.rev + 1, "text": text, "written_by": actor.id}
            await transaction.insert(_TABLE, {**row, "written_at": utc_ns()})
            told = {"at": at // NS, "rev": before.rev + 1}
            await self._agenda.say(transaction, "agenda.minutes", item, actor, told)
            await audit.record(transaction, actor, rules.EDIT, item, object=f"minutes {iso(at)} {before.rev + 1}")
            return await _minutes(transaction, item, at)

    async def sign(self, actor: Actor, item: str, at: int, rev: int) -> Minutes:
        async with self._store.transaction() as transaction:
            before = await self._changeable(transaction, actor, item, at, rev)
            if not before.rev:
                raise Conflict("There are no minutes yet.", "还没有纪要。", code="empty")
            mine = (_t.item_id == item, _t.at == at, _t.rev == rev)
            await transaction.run(sa.update(_TABLE).where(*mine).values(signed_by=actor.id, signed_at=utc_ns()))
            told = {"at": at // NS, "rev": rev, "signed": True}
            await self._agenda.say(transaction, "agenda.minutes", item, actor, told)
            await audit.record(transaction, actor, rules.EDIT, item, object=f"sign minutes {iso(at)} {rev}")
            return await _minutes(transaction, item, at)

    async def page(self, reader: Actor, item: str, at: int) -> tuple[Record, Said, Minutes]:
        record, said = await self._agenda.found(item, reader, at)
        assert said is not None
        return record, said, await self.look(reader, item, at)

    async def _changeable(self, transaction: Transaction, actor: Actor, item: str, at: int, rev: int) -> Minutes:
        record = rules.editable(await records.one(transaction, item), actor)
        if record.occurrence(at) is None:
            raise NotFound("It does not take place then.", "该时间没有这场会商。")
        before = await _minutes(transaction, item, at)
        if before.signed_by is not None:
            raise Conflict("The minutes are signed off.", "纪要已签发，不能再修改。", code="signed")
        if before.rev != rev:
            raise Conflict("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。", code="stale")
        return before


async def _minutes(reading: Reading, item: str, at: int, rev: int | None = None) -> Minutes:
    rows = await reading.all(sa.select(_TABLE).where(_t.item_id == item, _t.at == at).order_by(_t.rev))
    shown = rows[-1:] if rev is None else [row for row in rows if row.rev == rev]
    if not shown:
        if rev:
            raise NotFound("There is no such revision.", "没有这个版本。")
        return Minutes(rev=0, text="", written_by=None, written_at=None, signed_by=None, signed_at=None, revisions=[])
    (row,) = shown
    people = await records.members(reading, [one for one in (row.written_by, row.signed_by) if one])
    return Minutes(
        rev=row.rev,
        text=row.text,
        written_by=people.get(row.written_by),
        written_at=iso(row.written_at),
        signed_by=people.get(row.signed_by or ""),
        signed_at=iso(row.signed_at) if row.signed_at else None,
        revisions=[iso(one.written_at) for one in rows],
    )


def text(record: Record, said: Said, minutes: Minutes) -> str:
    """As a file of plain text."""
    return "\n".join([*_head(record, said, minutes), "", minutes.text, ""])


def page(record: Record, said: Said, minutes: Minutes) -> str:
    """As a page to be printed: everything in it is text."""
    head = "".join(f"<p>{html.escape(line)}</p>" for line in _head(record, said, minutes)[1:])
    body = "".join(f"<p>{html.escape(line) or '&nbsp;'}</p>" for line in minutes.text.splitlines())
    title = html.escape(record.title)
    return (
        f'<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{title} 会商纪要</title></head>'
        f"<body><h1>{title} 会商纪要</h1>{head}<hr>{body}</body></html>"
    )


def _head(record: Record, said: Said, minutes: Minutes) -> list[str]:
    begin, end = local(said.start), local(said.start + said.length)
    signed = f"{minutes.signed_by.name}（{minutes.signed_by.org_name}）" if minutes.signed_by else "未签发"
    invited = [*(one.name for one in record.organisations), *(f"{one.name}（{one.org_name}）" for one in record.people)]
    return [
        f"{record.title} 会商纪要",
        f"时间：{begin:%Y-%m-%d %H:%M}—{end:%H:%M}",
        f"主持：{record.host.name}（{record.host.org_name}）",
        f"受邀：{'、'.join(invited) or '无'}",
        f"版本：{minutes.rev}　签发：{signed}",
    ]
