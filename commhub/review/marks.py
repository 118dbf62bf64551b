"""Marks and comments of those who review. They stand in the store, not in the sealed journal: what was recorded stays as it was,
and what is said of it later is another matter. Each change has its audit row and its event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub.errors import Conflict, Forbidden, Invalid, NotFound
from commhub.events import Audience, Events
from commhub.model import Actor, Label, iso, new_id, utc_ns
from commhub.recordings import Review
from commhub.review import shapes, words
from commhub.store import Reading, Store, Transaction, tables
from commhub.store.repeats import Once, remember, repeated

LIMIT = 5_000  # of one recording
LONGEST_MS = 31 * 86_400_000
_m, _s = tables.recording_marks.c, tables.recording_reviews.c


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody wants a mark to be."""

    kind: shapes.MarkKind
    at_ms: int
    until_ms: int | None
    title: str
    text: str


class Marks:
    def __init__(self, store: Store, events: Events, review: Review) -> None:
        self._store, self._events, self._review = store, events, review

    async def of(self, reader: Actor, recording: str) -> shapes.Marks:
        async with self._store.reading() as reading:
            await self._review.found(reading, reader, recording)
            mine = sa.select(tables.recording_marks).where(_m.recording_id == recording)
            rows = await reading.all(mine.order_by(_m.at_ms, _m.id).limit(LIMIT))
            number = await rev(reading, recording)
        return shapes.Marks(items=[_shown(row, reader) for row in rows], rev=number)

    async def add(self, by: Actor, recording: str, said: Said, once: Once | None = None) -> shapes.Mark:
        async with self._store.transaction() as transaction:
            row = await self._review.found(transaction, by, recording, "recording.mark")
            _check(said)
            if (before := await repeated(transaction, by.id, once)) is not None:
                return _shown(await _one(transaction, recording, before), by)
            count = sa.select(sa.func.count()).select_from(tables.recording_marks).where(_m.recording_id == recording)
            if await transaction.value(count) >= LIMIT:
                raise Conflict(f"A recording has at most {LIMIT} marks.", f"一个录制最多 {LIMIT} 个标记。", code="too_many")
            id, now = new_id(), utc_ns()
            made = {
                "id": id, "recording_id": recording, **_values(said), "by_id": by.id, "by_name": by.name, "by_org": by.org_name,
                "made_at": now, "changed_at": now, "rev": 1,
            }  # fmt: skip
            await transaction.insert(tables.recording_marks, made)
            await remember(transaction, by.id, once, id)
            return await self._told(transaction, by, row, id, "added")

    async def change(self, by: Actor, recording: str, mark: str, expected: int, changes: dict[str, Any]) -> shapes.Mark:
        """``changes`` of the fields of :class:`Said`. Conflict when it is not at the revision ``expected``."""
        async with self._store.transaction() as transaction:
            row = await self._review.found(transaction, by, recording, "recording.mark")
            old = await _one(transaction, recording, mark)
            if old.by_id != by.id:
                raise Forbidden("Only who made a mark may change it.", "只能修改自己添加的标记。")
            if old.rev != expected:
                raise Conflict("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。", code="stale")
            before = {"kind": old.kind, "at_ms": old.at_ms, "until_ms": old.until_ms, "title": old.title, "text": old.text}
            said = Said(**(before | changes))
            _check(said)
            new = {**_values(said), "changed_at": utc_ns(), "rev": old.rev + 1}
            await transaction.run(sa.update(tables.recording_marks).where(_m.id == mark).values(new))
            await words.forget(transaction, mark=mark)
            return await self._told(transaction, by, row, mark, "changed")

    async def remove(self, by: Actor, recording: str, mark: str) -> None:
        """By who made it, or by whoever may look into the audit there."""
        async with self._store.transaction() as transaction:
            row = await self._review.found(transaction, by, recording, "recording.mark")
            old = await _one(transaction, recording, mark)
            if old.by_id != by.id and not by.may("audit.view", org=row.org_id, label=row.label):
                raise Forbidden("Only who made a mark may delete it.", "只能删除自己添加的标记。")
            await transaction.run(sa.delete(tables.recording_marks).where(_m.id == mark))
            await words.forget(transaction, mark=mark)
            await _changed(transaction, recording)
            await audit.record(transaction, by, "recording.mark", recording, object=f"删除标记：{old.title}（{old.by_name}）")
            await self._emit(transaction, by, row, {"what": "removed", "mark_id": mark})

    async def _told(self, transaction: Transaction, by: Actor, row: sa.Row[Any], mark: str, what: str) -> shapes.Mark:
        """Its words, audit row and event."""
        new = await _one(transaction, row.id, mark)
        text = words.Text(row.id, "mark", new.kind, new.at_ms, new.by_name, f"{new.title}\n{new.text}".strip(), mark)
        await words.add(transaction, [text])
        await _changed(transaction, row.id)
        said = {"added": "添加", "changed": "修改"}[what]
        await audit.record(transaction, by, "recording.mark", row.id, object=f"{said}标记：{new.title}")
        shown = _shown(new, by)
        plain = shown.model_dump(mode="json", exclude={"may_change"})
        await self._emit(transaction, by, row, {"what": what, "mark_id": mark, "mark": plain})
        return shown

    async def _emit(self, transaction: Transaction, by: Actor, row: sa.Row[Any], data: dict[str, Any]) -> None:
        await self._events.emit(
            transaction, "recording.marked", subject=row.id, org=row.org_id, label=Label(row.label), data=data, by=by,
            audience=Audience(),
        )  # fmt: skip


async def rev(reading: Reading, recording: str) -> int:
    """Grows with every change of a recording's marks."""
    return int(await reading.value(sa.select(_s.marks_rev).where(_s.recording_id == recording)) or 0)


async def _changed(transaction: Transaction, recording: str) -> None:
    await words.begin(transaction, recording)
    mine = _s.recording_id == recording
    await transaction.run(sa.update(tables.recording_reviews).where(mine).values(marks_rev=_s.marks_rev + 1))


async def _one(reading: Reading, recording: str, mark: str) -> sa.Row[Any]:
    row = await reading.first(sa.select(tables.recording_marks).where(_m.id == mark, _m.recording_id == recording))
    if row is None:
        raise NotFound("There is no such mark.", "没有这个标记。")
    return row


def _check(said: Said) -> None:
    if said.until_ms is not None and said.until_ms < said.at_ms:
        raise Invalid("A mark ends before it begins.", "标记的结束时间早于开始时间。")
    if not said.title and not said.text:
        raise Invalid("A mark has a title or a text.", "标记须有标题或内容。")


def _values(said: Said) -> dict[str, Any]:
    return {
        "kind": said.kind, "at_ms": said.at_ms, "until_ms": said.until_ms, "title": said.title, "text": said.text,
    }  # fmt: skip


def _shown(row: sa.Row[Any], reader: Actor) -> shapes.Mark:
    return shapes.Mark(
        id=row.id, kind=row.kind, at_ms=row.at_ms, until_ms=row.until_ms, title=row.title, text=row.text, by_id=row.by_id,
        by_name=row.by_name, by_org=row.by_org, made_at=iso(row.made_at), changed_at=iso(row.changed_at), rev=row.rev,
        may_change=row.by_id == reader.id,
    )  # fmt: skip
