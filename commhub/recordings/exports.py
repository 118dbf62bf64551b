"""Exports of recordings as jobs: asked for, approved where the label wants it, made by the recorder, fetched by who asked.

What is wanted and how far it is stands in the database. The recorder goes on without a hub; a restarted one of either is told
again, and an export is known by its id. Its file has the name of who asked for it burnt in: nobody else fetches it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import access, audit
from commhub import log as logs
from commhub.archive import Archive, Reader
from commhub.errors import Busy, Conflict, Forbidden, HubError, Invalid, NotFound, Unavailable
from commhub.events import Audience, Events
from commhub.log import Limiter
from commhub.media.messages import Export, ExportState, Message, StopExport
from commhub.media.messages.recording import shard_of
from commhub.model import ULID_PATTERN, Actor, By, Label, new_id, utc_ns
from commhub.recordings import index, keeping_rows
from commhub.recordings.export_files import MIMES, Files
from commhub.recordings.export_rows import ExportView, approves, file_name, fresh, query, shown, visible
from commhub.recordings.exporting import OPEN, PENDING, Act, Refused, State, first, step
from commhub.recordings.keeping import GONE
from commhub.store import Reading, Store, Transaction, tables
from commhub.store.repeats import Once, remember, repeated
from commhub.tasks import Tasks
from commhub.views import Page

log = logs.get(__name__)

PER_PERSON = 10  # that are not over
TICK = 2.0  # seconds
SWEEP = 60.0
STEP = 10.0  # per cent between two events
FETCHED = 600.0  # seconds in which parts of a file are the same act
_NS = 1_000_000_000
_x, _r = tables.recording_exports.c, tables.recordings.c
Tell = Callable[[Message], None]

_SENTENCES = {
    "same_person": ("An export is approved by somebody else than who asked for it.", "导出须由申请人以外的另一人批准。"),
    "not_asked": ("The export does not wait for an approval.", "该导出不在待批准状态。"),
    "over": ("The export is over already.", "该导出已经结束。"),
}


@dataclass(frozen=True, slots=True)
class Terms:
    """``approval``: labels. ``limit`` bytes of one, ``total`` of all; ``free`` are left on the disk. ``patience``: how long one
    that has to be approved waits for it."""

    approval: frozenset[str] = frozenset({"sensitive"})
    keep: timedelta = timedelta(days=7)
    patience: timedelta = timedelta(hours=72)
    limit: int = 16 << 30
    total: int = 200 << 30
    free: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for."""

    kind: str
    from_ms: int = 0
    to_ms: int = 0
    layout: str = "grid"
    tracks: Sequence[str] = ()
    chat: bool = False
    grounds: str = ""


class Exports:
    """``folder`` keeps the files, ``archive`` knows how. A user of the recorders' links, sharded as they are."""

    def __init__(
        self, store: Store, events: Events, folder: Path, terms: Terms, archive: Archive, *, shards: int = 1
    ) -> None:  # fmt: skip
        self._store, self._events, self._terms, self._shards = store, events, terms, shards
        self.files = Files(folder, archive)
        self._compared = False  # with how sessions are kept, once
        self._tells: dict[int, Tell] = {}
        self._told: set[str] = set()  # orders that the recorder of today knows
        self._newest: dict[str, ExportState] = {}  # not written yet
        self._percent: dict[str, float] = {}
        self._shown_percent: dict[str, float] = {}  # as the last event said
        self._changed = asyncio.Event()
        self._fetched = Limiter()
        self._tasks = Tasks("exports")

    def start(self) -> None:
        self._tasks.spawn(self._run(), "run")
        self._tasks.spawn(self._sweeping(), "sweep")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- people

    async def ask(
        self, actor: Actor, recording: str, wanted: Wanted, once: Once | None = None, english: bool = False
    ) -> ExportView:
        if wanted.to_ms and wanted.to_ms - wanted.from_ms < 100:
            raise Invalid("The clip must end after it begins.", "片段的结束时间须晚于开始时间。")
        if await asyncio.to_thread(self.files.used) >= self._terms.total:
            raise Unavailable(
                "There is no more room for exports: remove old ones.", "导出空间已满，请先删除旧的导出。", code="full", status=507
            )
        async with self._store.transaction() as transaction:
            if (known := await repeated(transaction, actor.id, once)) is not None:
                return self._shown(await self._row(transaction, known), actor, english)
            row = await self._recording(transaction, actor, recording, "recording.export")
            mine = sa.select(sa.func.count()).where(_x.person_id == actor.id, _x.state.in_(PENDING))
            if (await transaction.value(mine) or 0) >= PER_PERSON:
                raise Busy(f"You have {PER_PERSON} exports that are not over.", f"每人最多同时有 {PER_PERSON} 个未完成的导出。")
            made, state = new_id(), first(row.label, self._terms.approval)
            await transaction.insert(tables.recording_exports, {
                **fresh(), "id": made, "recording_id": recording, "person_id": actor.id, "person_name": actor.name,
                "person_org": actor.org_name, "kind": wanted.kind, "from_ms": wanted.from_ms, "to_ms": wanted.to_ms,
                "layout": wanted.layout, "tracks": json.dumps(list(wanted.tracks)), "chat": wanted.chat,
                "grounds": wanted.grounds, "state": state, "made_at": utc_ns(),
            })  # fmt: skip
            await remember(transaction, actor.id, once, made)
            fresh_row = await self._row(transaction, made)
            await self._write_down(transaction, actor, fresh_row, f"{state}: {wanted.grounds}".rstrip(": "))
            await self._tell(transaction, fresh_row, actor)
        self._changed.set()
        return self._shown(fresh_row, actor, english)

    async def _write_down(self, transaction: Transaction, actor: Actor, row: sa.Row[Any], what: str) -> None:
        """The audit's row and the access log's."""
        about = f"{row.title} {row.kind} {row.from_ms}–{row.to_ms} {row.id} {what}"
        await audit.record(transaction, actor, "recording.export", row.recording_id, object=about)
        await access.record(
            transaction, actor, "export", recording=row.recording_id, org=row.org_id, title=row.title, at_ms=row.from_ms,
            detail=f"{row.kind} {row.from_ms}–{row.to_ms} {row.id} {what}",
        )  # fmt: skip

    async def listed(
        self, reader: Actor, *, recording: str | None = None, waiting: bool = False, before: str | None = None, limit: int = 50,
        english: bool = False,
    ) -> Page[ExportView]:  # fmt: skip
        """Newest first. ``waiting``: those that the reader may approve. NotFound for a ``recording`` that there is not."""
        conditions: list[sa.ColumnElement[bool]] = [visible(reader, "recording.export", "recording.approve")]
        if recording is not None:
            conditions.append(_x.recording_id == recording)
        if waiting:
            conditions += [_x.state == State.ASKED, _x.person_id != reader.id, visible(reader, "recording.approve")]
        if before:
            conditions.append(_x.id < before)
        async with self._store.reading() as reading:
            if recording is not None:
                await self._recording(reading, reader, recording, "recording.export", "recording.approve")
            rows = await reading.all(query().where(*conditions).order_by(_x.id.desc()).limit(limit + 1))
        items = [self._shown(row, reader, english) for row in rows[:limit]]
        return Page(items=items, next=items[-1].id if len(rows) > limit else None)

    async def one(self, reader: Actor, recording: str, export: str, english: bool = False) -> ExportView:
        async with self._store.reading() as reading:
            row = await self._seen(reading, reader, recording, export)
            await self._there(reading, recording)
        return self._shown(row, reader, english)

    async def decide(
        self, actor: Actor, recording: str, export: str, rev: int, *, approve: bool, reason: str = "", english: bool = False
    ) -> ExportView:
        async with self._store.transaction() as transaction:
            row = await self._seen(transaction, actor, recording, export)
            if not approves(row, actor):
                raise Forbidden("You may not approve exports of this recording.", "您无权批准该录制的导出。")
            if row.rev != rev:
                raise Conflict("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。", code="stale")
            await self._there(transaction, row.recording_id)
            act = Act.APPROVE if approve else Act.REFUSE
            values = {"decided_by": actor.id, "decided_name": actor.name, "decided_at": utc_ns(), "decided_reason": reason}
            row = await self._step(transaction, row, act, by=actor, **values)
            await audit.record(
                transaction, actor, "recording.approve", recording,
                object=f"{row.title} {row.kind} {row.id} {act}: {row.person_name} {reason}".rstrip(),
            )  # fmt: skip
        self._changed.set()
        return self._shown(row, actor, english)

    async def cancel(self, actor: Actor, recording: str, export: str) -> None:
        """By who asked, or who approves there: it ends, and there is nothing of it any more."""
        async with self._store.transaction() as transaction:
            row = await self._seen(transaction, actor, recording, export)
            if row.person_id != actor.id and not approves(row, actor):
                raise Forbidden("This is somebody else's export.", "这是他人的导出。")
            row = await self._step(transaction, row, Act.CANCEL, by=actor)
            await self._write_down(transaction, actor, row, str(row.state))
        await self._away(row.recording_id, export)

    async def file(self, reader: Actor, recording: str, export: str, *, begins: bool) -> tuple[Reader, str, str]:
        """The file (whoever asks closes it), its content type and what to call it; asked for each range. ``begins``: this one
        begins a download, which is audited and in the access log."""
        async with self._store.reading() as reading:
            row = await self._seen(reading, reader, recording, export)
            await self._there(reading, recording)
        if row.person_id != reader.id:
            raise Forbidden("An export is fetched by who asked for it: their name is in it.", "导出文件只能由申请人本人下载。")
        if row.state != State.DONE:
            raise Conflict("There is no file of this export.", "该导出没有可下载的文件。", code="not_ready")
        try:
            file = await asyncio.to_thread(self.files.open, recording, export, row.file, row.size)
        except (OSError, ValueError) as error:
            log.warning("an export cannot be read", export=export, error=str(error))
            raise NotFound("The file is gone.", "文件已不存在。") from None
        try:
            if self._fetched((reader.id, export), FETCHED) is not None or begins:
                async with self._store.transaction() as transaction:
                    await self._write_down(transaction, reader, row, f"fetched sha256:{row.sha256}")
        except BaseException:
            file.close()
            raise
        return file, MIMES[row.file], file_name(row)

    # ---- rows

    async def _recording(self, reading: Reading, actor: Actor, recording: str, *permissions: str) -> sa.Row[Any]:
        """Where the actor has one of these; of one that was deleted nothing is said any more."""
        row = None
        if re.fullmatch(ULID_PATTERN, recording):
            row = await reading.first(index.query().where(_r.id == recording, visible(actor, *permissions)))
        if row is None:
            raise NotFound("There is no such recording.", "没有这个录制。")
        keeping_rows.require_there(row)
        return row

    async def _there(self, reading: Reading, recording: str) -> None:
        row = await reading.first(index.query().where(_r.id == recording))
        if row is not None:
            keeping_rows.require_there(row)

    async def _seen(self, reading: Reading, reader: Actor, recording: str, export: str) -> sa.Row[Any]:
        mine = (_x.id == export, _x.recording_id == recording, visible(reader, "recording.export", "recording.approve"))
        row = await reading.first(query().where(*mine))
        if row is None:
            raise NotFound("There is no such export.", "没有这个导出。")
        return row

    async def _row(self, reading: Reading, export: str) -> sa.Row[Any]:
        row = await reading.first(query().where(_x.id == export))
        assert row is not None
        return row

    def _shown(self, row: sa.Row[Any], reader: Actor | None, english: bool = False) -> ExportView:
        return shown(row, reader, self._terms.keep, english, self._percent.get(row.id, 0.0))

    async def _step(
        self, transaction: Transaction, row: sa.Row[Any], act: Act, *, by: Actor | None = None, **values: Any
    ) -> sa.Row[Any]:
        """One step of the table, with its event. Forbidden, Conflict."""
        try:
            state = step(State(row.state), act, asked_by=row.person_id, by=by.id if by is not None else "")
        except Refused as refused:
            error = Forbidden if refused.code == "same_person" else Conflict
            raise error(*_SENTENCES[refused.code], code=refused.code) from None
        if state not in PENDING and state != row.state:
            values["over_at"] = utc_ns()
        values |= {"state": state, "rev": row.rev + 1}
        await transaction.run(sa.update(tables.recording_exports).where(_x.id == row.id).values(values))
        row = await self._row(transaction, row.id)
        await self._tell(transaction, row, by)
        return row

    async def _tell(self, transaction: Transaction, row: sa.Row[Any], by: Actor | None = None) -> None:
        self._shown_percent[row.id] = row.percent
        about = self._shown(row, None).model_dump(mode="json")
        about["reason"] = {"code": row.code or "note", "text": row.text_zh, "text_en": row.text} if row.text else None
        await self._events.emit(
            transaction, "recording.export", subject=row.recording_id, org=row.org_id, label=Label(row.label),
            audience=Audience([row.person_id]), by=By(by.name, by.id) if by is not None else None, data={"export": about},
        )  # fmt: skip

    # ---- the recorders

    def linked(self, snapshot: Message, tell: Tell, shard: int = 0) -> None:
        """It may be another one, which knows of nothing."""
        self._tells[shard] = tell
        self._told.clear()
        self._changed.set()

    def unlinked(self, shard: int = 0) -> None:
        self._tells.pop(shard, None)
        self._told.clear()

    def receive(self, message: Message) -> None:
        if isinstance(message, ExportState):
            self._newest[message.export] = message
            self._changed.set()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self.look()
            except (SQLAlchemyError, HubError):
                log.exception("exports not seen to")
                await asyncio.sleep(TICK)

    async def look(self) -> None:
        """Once: writes what the recorders have told, tells them what is to be made."""
        for export, state in list(self._newest.items()):
            await self._take(state)
            if self._newest.get(export) is state:
                del self._newest[export]
        if not self._tells:
            return
        async with self._store.reading() as reading:
            rows = await reading.all(query().where(_x.state.in_(OPEN)).order_by(_x.id))
        for row in rows:
            tell = self._tells.get(shard_of(row.recording_id, self._shards))
            if tell is not None and row.id not in self._told:
                self._told.add(row.id)
                tell(self._order(row))

    def _order(self, row: sa.Row[Any]) -> Export:
        return Export(
            export=row.id, session=row.recording_id, kind=row.kind, from_ms=row.from_ms, to_ms=row.to_ms, layout=row.layout,
            tracks=json.loads(row.tracks), chat=row.chat, by=" ".join(filter(None, (row.person_name, row.person_org))),
            at=row.made_at, limit=self._terms.limit, free=self._terms.free,
        )  # fmt: skip

    async def _take(self, said: ExportState) -> None:
        async with self._store.transaction() as transaction:
            row = await transaction.first(query().where(_x.id == said.export))
            if row is None or State(row.state) not in OPEN:
                if row is None or row.state != State.DONE:
                    transaction.after(lambda: self._stop_everywhere(said.export))
                return
            if said.state == "done":
                values: dict[str, Any] = {"file": said.file, "size": said.size, "sha256": said.sha256, "percent": 100.0}
                await self._step(transaction, row, Act.MAKE, text=said.text, text_zh=said.text_zh, **values)
            elif said.state == "failed":
                await self._step(transaction, row, Act.FAIL, code=said.code, text=said.text, text_zh=said.text_zh)
            elif said.state == "running":
                await self._progress(transaction, row, said)
        if said.state in ("done", "failed"):
            self._forget(said.export)

    async def _progress(self, transaction: Transaction, row: sa.Row[Any], said: ExportState) -> None:
        self._percent[row.id] = said.percent
        if row.state == State.WAITING or said.began > row.begun or said.percent < row.percent:
            begun = max(said.began, row.begun + (row.state == State.RUNNING), 1)
            await self._step(transaction, row, Act.BEGIN, percent=said.percent, begun=begun)
        elif said.percent - self._shown_percent.get(row.id, 0.0) >= STEP:
            await transaction.run(sa.update(tables.recording_exports).where(_x.id == row.id).values(percent=said.percent))
            await self._tell(transaction, await self._row(transaction, row.id))

    def _stop_everywhere(self, export: str) -> None:
        for tell in self._tells.values():
            tell(StopExport(export))

    def _forget(self, export: str) -> None:
        for kept in (self._percent, self._shown_percent):
            kept.pop(export, None)
        self._told.discard(export)

    async def _away(self, recording: str, export: str) -> None:
        self._stop_everywhere(export)
        self._forget(export)
        await asyncio.to_thread(self.files.remove, export)

    # ---- keeping

    async def _sweeping(self) -> None:
        while True:
            try:
                await self.sweep(utc_ns())
            except SQLAlchemyError:
                log.exception("old exports not taken away")
            await asyncio.sleep(SWEEP)

    async def sweep(self, now: int) -> None:
        """Takes away what was kept long enough, what nobody approved, what was made of recordings that are deleted, and files
        of no export; once also what lies plain and should not."""
        kept, waited = (now - int(span.total_seconds() * _NS) for span in (self._terms.keep, self._terms.patience))
        k = tables.recording_keeping.c
        gone = sa.select(k.recording_id).where(k.state.in_(GONE))
        over = sa.or_(
            sa.and_(_x.state == State.DONE, _x.over_at < kept),
            sa.and_(_x.state == State.ASKED, _x.made_at < waited),
            sa.and_(_x.state.in_([*PENDING, State.DONE]), _x.recording_id.in_(gone)),
        )
        if not self._compared:
            plain = await self._plain()
            over, self._compared = sa.or_(over, _x.id.in_(plain)), not plain
        async with self._store.transaction() as transaction:
            rows: list[Any] = [
                await self._step(transaction, row, Act.EXPIRE) for row in await transaction.all(query().where(over).limit(100))
            ]
        for row in rows:
            await self._away(row.recording_id, row.id)
        async with self._store.reading() as reading:
            known = {row.id for row in await reading.all(sa.select(_x.id).where(_x.state.in_([*OPEN, State.DONE])))}
        swept = await asyncio.to_thread(self.files.sweep, known)
        if rows or swept:
            log.info("exports taken away", exports=len(rows), folders=swept)

    async def _plain(self) -> list[str]:
        async with self._store.reading() as reading:
            rows = await reading.all(sa.select(_x.id, _x.recording_id, _x.file).where(_x.state == State.DONE))

        def look() -> list[str]:
            return [row.id for row in rows if self.files.plain(row.recording_id, row.id, row.file)]

        return await asyncio.to_thread(look)
