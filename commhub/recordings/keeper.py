"""Keeps recordings as long as they must be kept, and no longer: holds, deletion by two people, retention.

Every step is one transaction with its audit row and its event. A deletion is decided by its transaction: from then on there is a
tombstone, and nobody sees the recording any more. Files and keys are the recorder's to take away; it is told as often as needed,
also by a hub that was started again in between.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.errors import Conflict, Forbidden, NotFound
from commhub.events import Events
from commhub.media.messages import Forget, Forgotten, Message
from commhub.media.messages.recording import shard_of
from commhub.model import HUB, ULID_PATTERN, Actor, By, Label, new_id, utc_ns
from commhub.recordings import index, keeping_rows
from commhub.recordings.keeping import DAY, HOUR, RIGHTS, STEPS, Act, State, Terms
from commhub.recordings.keeping_rows import NOT_ASKED, KeptRecording
from commhub.settings import RecordingsSettings
from commhub.store import Reading, Store, Transaction, tables
from commhub.store.repeats import Once, remember, repeated
from commhub.tasks import Tasks
from commhub.views import Page, Recording

log = logs.get(__name__)

SWEEP = 60.0  # seconds between two looks at what is due
AT_ONCE = 200  # recordings of each kind in one look
_r, _k, _h = tables.recordings.c, tables.recording_keeping.c, tables.recording_holds.c
_p, _c, _w = tables.recording_checkpoints.c, tables.consultations.c, tables.recorded_rooms.c


def terms_of(said: RecordingsSettings) -> Terms:
    """As they are set."""
    days = {"public": said.public_days, "internal": said.internal_days, "sensitive": said.sensitive_days}
    return Terms(days, said.notice_days * DAY, int(said.request_hours * HOUR))


class Keeper:
    """:meth:`linked`, :meth:`unlinked` and :meth:`receive` are fed by the recorders' links. ``wall`` is UTC ns."""

    def __init__(
        self, store: Store, events: Events, terms: Terms | None = None, *, shards: int = 1, wall: Callable[[], int] = utc_ns
    ) -> None:
        self._store, self._events, self._shards, self._wall = store, events, shards, wall
        self.terms = terms or Terms()
        self._tells: dict[int, Callable[[Message], None]] = {}
        self._tasks = Tasks("keeper")

    def start(self) -> None:
        self._tasks.spawn(self._run(), "sweep")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- by permission

    async def detail(self, reader: Actor, recording: str, english: bool = False) -> KeptRecording:
        async with self._store.reading() as reading:
            row = await self._seen(reading, reader, recording, "recording.view")
            held = await keeping_rows.holds(reading, recording)
        return KeptRecording(
            recording=index.shown(row, english, self.terms),
            holds=held,
            acts=[act.value for act in RIGHTS if self._could(reader, row, act)],  # type: ignore[misc]
        )

    async def asked(self, reader: Actor, english: bool = False) -> Page[Recording]:
        """Deletions that wait for somebody's confirmation, those first that lapse first."""
        query = index.query().where(index.visible(reader, "recording.delete"), _k.state == State.ASKED)
        async with self._store.reading() as reading:
            rows = await reading.all(query.order_by(_k.lapses_at, _r.id).limit(AT_ONCE))
        return Page(items=[index.shown(row, english, self.terms) for row in rows])

    async def hold(self, actor: Actor, recording: str, reason: str, once: Once | None = None) -> None:
        """A legal hold: until it is lifted nothing deletes the recording. Several stand side by side."""
        async with self._store.transaction() as transaction:
            if await repeated(transaction, actor.id, once) is not None:
                return
            row = await self._mine(transaction, actor, recording, Act.HOLD)
            await keeping_rows.move(transaction, row, Act.HOLD, expires_at=0, **NOT_ASKED)
            made = new_id()
            await transaction.insert(tables.recording_holds, {
                "id": made, "recording_id": recording, "at": self._wall(), "by_id": actor.id, "by_name": actor.name,
                "reason": reason, "lifted_at": 0, "lifted_by": None, "lifted_name": "", "lifted_reason": "",
            })  # fmt: skip
            await remember(transaction, actor.id, once, made)
            await self._tell(transaction, actor, recording, "held", "hold", reason)

    async def lift(self, actor: Actor, recording: str, hold: str, reason: str) -> None:
        """That one; others go on."""
        async with self._store.transaction() as transaction:
            row = await self._mine(transaction, actor, recording, Act.LIFT)
            lifted = {"lifted_at": self._wall(), "lifted_by": actor.id, "lifted_name": actor.name, "lifted_reason": reason}
            mine = sa.update(tables.recording_holds).where(_h.id == hold, _h.recording_id == recording, _h.lifted_at == 0)
            if not await transaction.run(mine.values(lifted)):
                raise NotFound("There is no such hold, or it was lifted.", "没有这项保全，或已解除。")
            if not await keeping_rows.standing(transaction, recording):
                await keeping_rows.move(transaction, row, Act.LIFT)
            await self._tell(transaction, actor, recording, "released", "release", reason)

    async def ask(self, actor: Actor, recording: str, reason: str, once: Once | None = None) -> None:
        """The first of two people; nothing is deleted until another one confirms."""
        async with self._store.transaction() as transaction:
            if await repeated(transaction, actor.id, once) is not None:
                return
            row = await self._mine(transaction, actor, recording, Act.ASK)
            now = self._wall()
            await keeping_rows.move(
                transaction, row, Act.ASK, running=await _running(transaction, row), expires_at=0, asked_by=actor.id,
                asked_name=actor.name, asked_at=now, asked_reason=reason, lapses_at=now + self.terms.patience,
            )  # fmt: skip
            await remember(transaction, actor.id, once, recording)
            await self._tell(transaction, actor, recording, "deletion_asked", "ask_deletion", reason)

    async def confirm(self, actor: Actor, recording: str, rev: int) -> None:
        """The second one: from now on there is a tombstone. Who tries it alone stands in the audit."""
        try:
            await self._confirm(actor, recording, rev)
        except Forbidden:
            async with self._store.transaction() as transaction:
                await audit.record(transaction, actor, "recording.confirm_deletion", recording, result="denied")
            raise

    async def _confirm(self, actor: Actor, recording: str, rev: int) -> None:
        async with self._store.transaction() as transaction:
            row = await self._mine(transaction, actor, recording, Act.CONFIRM)
            _fresh(row, rev)
            if row.keeping_lapses_at and row.keeping_lapses_at <= self._wall():
                raise Conflict("The request has lapsed: ask again.", "删除申请已过期，请重新申请。", code="lapsed")
            running = await _running(transaction, row)
            await self._delete(transaction, actor, row, Act.CONFIRM, row.keeping_asked_reason, running=running)

    async def refuse(self, actor: Actor, recording: str, rev: int, reason: str) -> None:
        """By somebody who might have confirmed, or withdrawn by who asked."""
        async with self._store.transaction() as transaction:
            row = await self._seen(transaction, actor, recording, "recording.view")
            if row.keeping_asked_by != actor.id or keeping_rows.state(row) is not State.ASKED:
                row = await self._mine(transaction, actor, recording, Act.REFUSE)
            _fresh(row, rev)
            await keeping_rows.move(transaction, row, Act.REFUSE, **NOT_ASKED)
            await self._tell(transaction, actor, recording, "deletion_refused", "refuse_deletion", reason)

    # ---- by the hub

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except SQLAlchemyError:
                log.exception("retention not seen to")
            await asyncio.sleep(SWEEP)

    async def look(self) -> None:
        """Once over all that is due: lapsed questions, announcements, ends of retention, what is not taken away yet."""
        now = self._wall()
        await self._each(_k.state == State.ASKED, _k.lapses_at <= now, act=self._lapse)
        await self._each(_k.state == State.EXPIRING, act=self._relent)
        for label, days in self.terms.days.items():
            if days:
                due = now + self.terms.notice - (self.terms.until(label, 1) or 0)
                kept = sa.or_(_k.state.is_(None), _k.state == State.KEPT)
                await self._each(kept, _r.label == label, _r.ended_at <= due, _r.state != "recording", act=self._announce)
        await self._each(_k.state == State.EXPIRING, _k.expires_at <= now, act=self._expire)
        for shard in list(self._tells):
            await self._push_all(shard)

    async def _each(self, *conditions: Any, act: Callable[[Transaction, sa.Row[Any]], Awaitable[None]]) -> None:
        """``act`` on each in a transaction of its own, read again there."""
        async with self._store.reading() as reading:
            found = await reading.all(index.query().where(*conditions).order_by(_r.id).limit(AT_ONCE))
        for one in found:
            async with self._store.transaction() as transaction:
                row = await transaction.first(index.query().where(*conditions, _r.id == one.id))
                if row is not None:
                    await act(transaction, row)

    async def _lapse(self, transaction: Transaction, row: sa.Row[Any]) -> None:
        await keeping_rows.move(transaction, row, Act.LAPSE, **NOT_ASKED)
        await self._tell(transaction, HUB, row.id, "deletion_lapsed", "lapse_deletion", row.keeping_asked_reason)

    async def _relent(self, transaction: Transaction, row: sa.Row[Any]) -> None:
        if self.terms.relents(row.label, row.ended_at, row.keeping_expires_at):
            await keeping_rows.move(transaction, row, Act.RELENT, expires_at=0)
            await index.listed(transaction, self._events, row.id)

    async def _announce(self, transaction: Transaction, row: sa.Row[Any]) -> None:
        expires = self.terms.announces(row.label, row.ended_at, self._wall())
        if expires is not None and not await _running(transaction, row):
            await keeping_rows.move(transaction, row, Act.ANNOUNCE, expires_at=expires)
            await self._tell(transaction, HUB, row.id, "expiring", "announce", "")

    async def _expire(self, transaction: Transaction, row: sa.Row[Any]) -> None:
        await self._delete(transaction, HUB, row, Act.EXPIRE, "")

    async def _delete(
        self, transaction: Transaction, by: Actor | By, row: sa.Row[Any], act: Act, reason: str, *, running: bool = False
    ) -> None:
        """The tombstone: what was recorded is nobody's any more, and what proves it stays."""
        mine = _p.session == row.id
        last = await transaction.first(sa.select(_p.head).where(mine).order_by(_p.number.desc()).limit(1))
        count = await transaction.value(sa.select(sa.func.count()).select_from(tables.recording_checkpoints).where(mine))
        await keeping_rows.move(
            transaction, row, act, running=running, by=by.id or "", deleted_at=self._wall(), deleted_by=by.id,
            deleted_name=by.name, why="retention" if act is Act.EXPIRE else "people", head=last.head if last else "",
            checkpoints=count or 0, bytes=row.bytes,
        )  # fmt: skip
        await transaction.run(sa.update(tables.recordings).where(_r.id == row.id).values(people="[]", bytes=0))
        done = "expire" if act is Act.EXPIRE else "confirm_deletion"
        await self._tell(transaction, by, row.id, "deleted", done, reason)
        transaction.after(lambda: self._push(row.id))
        log.info("recording deleted", session=row.id, why=act.value)

    # ---- the recorder

    def linked(self, snapshot: Message, tell: Callable[[Message], None], shard: int = 0) -> None:
        self._tells[shard] = tell
        self._tasks.spawn(self._push_all(shard), "push")

    def unlinked(self, shard: int = 0) -> None:
        self._tells.pop(shard, None)

    def receive(self, message: Message) -> None:
        if isinstance(message, Forgotten):
            self._tasks.spawn(self._removed(message.session), "removed")

    def _push(self, recording: str) -> None:
        """What is not taken away now is as soon as its recorder is there."""
        tell = self._tells.get(shard_of(recording, self._shards))
        if tell is not None:
            tell(Forget(recording))

    async def _push_all(self, shard: int) -> None:
        async with self._store.reading() as reading:
            rows = await reading.all(sa.select(_k.recording_id).where(_k.state == State.DELETING).limit(AT_ONCE))
        for row in rows:
            if shard_of(row.recording_id, self._shards) == shard:
                self._push(row.recording_id)

    async def _removed(self, recording: str) -> None:
        try:
            async with self._store.transaction() as transaction:
                row = await transaction.first(index.query().where(_r.id == recording))
                if row is None or keeping_rows.state(row) is not State.DELETING:
                    return
                await keeping_rows.move(transaction, row, Act.REMOVED, removed_at=self._wall())
                await self._tell(transaction, HUB, recording, "removed", "remove", "")
        except SQLAlchemyError:
            log.exception("removal not written", session=recording)  # the next look asks for it once more

    # ---- rows

    async def _seen(self, reading: Reading, reader: Actor, recording: str, permission: str) -> sa.Row[Any]:
        row = None
        if re.fullmatch(ULID_PATTERN, recording):
            row = await reading.first(index.query().where(_r.id == recording, index.visible(reader, permission)))
        if row is None:
            raise NotFound("There is no such recording.", "没有这个录制。")
        return row

    async def _mine(self, transaction: Transaction, actor: Actor, recording: str, act: Act) -> sa.Row[Any]:
        row = await self._seen(transaction, actor, recording, "recording.view")
        if not actor.may(RIGHTS[act], org=row.org_id, label=row.label):
            raise Forbidden("You do not have the permission for this.", "没有此项权限。")
        return row

    def _could(self, reader: Actor, row: sa.Row[Any], act: Act) -> bool:
        now = keeping_rows.state(row)
        if (now, act) not in STEPS:
            return False
        mine = row.keeping_asked_by == reader.id
        if act is Act.REFUSE and mine:
            return True
        if act is Act.CONFIRM and mine:
            return False
        return reader.may(RIGHTS[act], org=row.org_id, label=row.label) and not (act is Act.ASK and row.state == "recording")

    async def _tell(self, transaction: Transaction, by: Actor | By, recording: str, event: str, done: str, reason: str) -> None:
        """The audit row and the event of a step."""
        row = await transaction.first(index.query().where(_r.id == recording))
        assert row is not None
        about = " · ".join(filter(None, (row.title, row.code, reason)))
        await audit.record(transaction, by, f"recording.{done}", recording, object=about)
        shown = index.shown(row, terms=self.terms)
        await self._events.emit(
            transaction, f"recording.{event}", subject=recording, org=row.org_id, label=Label(row.label), by=by,
            rev=shown.keeping.rev, data={"recording": shown.model_dump(mode="json"), "reason": reason},
        )  # fmt: skip


def _fresh(row: sa.Row[Any], rev: int) -> None:
    if rev != (row.keeping_rev or 0):
        raise Conflict("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。", code="stale")


async def _running(reading: Reading, row: sa.Row[Any]) -> bool:
    """Is it being recorded, or may it go on as the same?"""
    if row.state == "recording":
        return True
    consultation = sa.select(_c.id).where(_c.recording_id == row.id, _c.state == "live", _c.recording_state != "off")
    room = sa.select(_w.subject).where(_w.session_id == row.id)
    return await reading.first(consultation) is not None or await reading.first(room) is not None
