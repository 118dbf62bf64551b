"""What is being recorded: started and stopped by permission, kept going whatever restarts.

The wish to record is in the consultation's record; the recorder is told as often as needed (``Record`` is idempotent). A session
goes on as the same when its recorder was restarted (it repairs what it finds first) and when its room moved to another worker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.conference import Conference
from commhub.errors import Conflict
from commhub.events import Events, Published
from commhub.feeds import Feeds
from commhub.media import Engine
from commhub.media.messages import Mark, Message, Record, RecordSnapshot, SessionState, Space, StopRecord
from commhub.model import HUB, Actor, By, new_id, utc_ns
from commhub.recordings import facts, index, policy
from commhub.recordings.following import Following
from commhub.recordings.wishes import Wishes
from commhub.rooms import Rooms
from commhub.store import Store, Transaction, consultations, tables
from commhub.store.consultations import Consultation
from commhub.tasks import Tasks
from commhub.views import Consultation as ConsultationView

log = logs.get(__name__)

TICK = 0.5  # seconds
PATIENCE = 15.0  # seconds without the recorder's word after which people are told that nothing is recorded
RUNNING: Final = ("recording", "paused")
NO_REASON: Final = {"recording_reason": None, "recording_reason_en": None}
LATE = ("录制进程未应答，恢复后将继续录制。", "The recorder does not answer; recording goes on once it is back.")
_c, _r = tables.consultations.c, tables.recordings.c


@dataclass(slots=True)
class _Session:
    id: str
    room: str
    record: Record  # without worker
    since: float  # when it was begun, or its recorder lost
    worker: str = ""  # the one the recorder was told
    confirmed: bool = False
    over: bool = False  # the recorder says that it ended; another takes its place
    full: bool = False  # it ended for want of room on the disk, and goes on when there is some

    def told(self, worker: str) -> Record | None:
        return None if self.over else msgspec.structs.replace(self.record, worker=worker)


def _over(state: SessionState) -> bool:
    """Did it end for good? What was cut off goes on when it is ordered again."""
    return state.state == "failed" or (state.state == "complete" and state.code != "shutdown")


def _full(state: SessionState) -> bool:
    return state.state == "failed" and state.code == "disk_full"


class Recordings:
    """:meth:`linked`, :meth:`unlinked` and :meth:`receive` are fed by the recorders' links; what is recorded without being asked
    for is in ``wishes``. ``others`` says whether a session is somebody else's (a call's, a camera's)."""

    def __init__(
        self,
        store: Store,
        events: Events,
        rooms: Rooms,
        feeds: Feeds,
        conference: Conference,
        engine: Engine,
        *,
        clock: Callable[[], float] = time.monotonic,
        shards: int = 1,
        wishes: Wishes | None = None,
    ) -> None:
        self._store, self._events, self._rooms, self._feeds = store, events, rooms, feeds
        self._conference, self._clock = conference, clock
        self._sessions: dict[str, _Session] = {}
        self._following = Following(engine, self._sessions, shards)
        self.wishes = wishes or Wishes(store, policy.Rules())
        self.others: Callable[[str], bool] = lambda session: False
        self._said: asyncio.Queue[SessionState | tuple[int, dict[str, SessionState]]] = asyncio.Queue()
        self._tasks = Tasks("recordings")
        self._beginning: set[str] = set()  # rooms whose first session is being begun
        events.listen(self._happened)

    async def open(self) -> None:
        """What the records say is being recorded; before the recorder is linked."""
        async with self._store.reading() as reading:
            live = await consultations.find(reading, _c.state == "live", _c.recording_id.is_not(None), limit=10_000)
        for record in live:
            failed = record.recording_state == "failed" and record.recording_wanted  # the recorder may be back, or have room
            if (record.recording_state in RUNNING or failed) and record.recording_id is not None:
                self._take_on(record, record.recording_id)

    def start_tasks(self) -> None:
        self._tasks.spawn(self._watch(), "watch")
        self._tasks.spawn(self._take_in(), "index")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- by permission

    async def start(self, consultation: str, actor: Actor, incident: str | None = None) -> ConsultationView:
        """Unavailable while the recorder is not there; Conflict where it must not be recorded."""
        async with self._store.transaction() as transaction:
            record = await self._rooms.controllable(transaction, consultation, actor, "record")
            policy.check(self._mode(record.id, record.label), "start")
            if incident is not None:
                wish = await self.wishes.read(transaction, "consultation", consultation)
                await self.wishes.write(transaction, wish, incident=incident)
            if record.recording_state in RUNNING:
                if incident is not None and record.recording_id is not None:
                    await index.tie(transaction, self._events, record.recording_id, incident)
                return self._rooms.view(record, actor)
            self._following.require()
            await self.wishes.admit(transaction, self._mode(record.id, record.label), record.org_id)
            record = await self._begin(transaction, record, actor)
        return self._rooms.view(record, actor)

    async def pause(self, consultation: str, actor: Actor, paused: bool) -> ConsultationView:
        """Off the record, or on it again. Conflict when nothing is being recorded."""
        async with self._store.transaction() as transaction:
            record = await self._rooms.controllable(transaction, consultation, actor, "record")
            session = record.recording_id
            if record.recording_state not in RUNNING or session is None:
                raise Conflict("Nothing is being recorded.", "当前没有录制。", code="not_recording")
            policy.check(self._mode(record.id, record.label), "pause" if paused else "resume")
            if (record.recording_state == "paused") == paused:
                return self._rooms.view(record, actor)
            await self._rooms.edit(transaction, consultation, recording_state="paused" if paused else "recording")
            await audit.record(
                transaction, actor, f"recording.{'pause' if paused else 'resume'}", consultation, object=record.title
            )
            transaction.after(lambda: self._hold(session, paused))
            event = f"consultation.recording_{'paused' if paused else 'resumed'}"
            record = await self._rooms.announce(transaction, event, consultation, actor, {"recording_id": session})
        self._light(record)
        return self._rooms.view(record, actor)

    def wants(self, consultation: str, label: str, wanted: bool, recording: str | None) -> bool:
        """Is it to be recorded as soon as somebody is there? ``wanted`` by hand; ``recording``: the last one there was, so that
        what was stopped by hand is told from what nobody spoke about."""
        said: policy.Said = "on" if wanted else "off" if recording else ""
        return policy.outcome(self._mode(consultation, label), said, False, True) == "recording"

    def _mode(self, consultation: str, label: str) -> policy.Mode:
        return self.wishes.ruling("consultation", consultation, label).mode

    def _hold(self, session: str, paused: bool) -> None:
        """The recorder is told at once; as soon as it is back when it is away."""
        found = self._sessions.get(session)
        if found is not None:
            found.record = msgspec.structs.replace(found.record, paused=paused)
            found.worker = ""
            self._following.reconcile()

    async def stop(self, consultation: str, actor: Actor) -> ConsultationView:
        async with self._store.transaction() as transaction:
            record = await self._rooms.controllable(transaction, consultation, actor, "record")
            if record.recording_state == "off" and not record.recording_wanted:
                return self._rooms.view(record, actor)
            policy.check(self._mode(record.id, record.label), "stop")
            off = {"recording_state": "off", "recording_since": None, "recording_wanted": False}
            await self._rooms.edit(transaction, consultation, **off, **NO_REASON)
            await audit.record(transaction, actor, "recording.stop", consultation, object=record.title)
            data = {"recording_id": record.recording_id}
            record = await self._rooms.announce(transaction, "consultation.recording_stopped", consultation, actor, data)
        self._conference.set_recording(consultation, False)
        return self._rooms.view(record, actor)

    async def stop_empty(self, consultation: str, empty: Callable[[], bool]) -> None:
        """The hub itself stops recording an empty room; who comes next starts it again, for it is still wanted."""
        async with self._store.transaction() as transaction:
            record = await consultations.one(transaction, consultation)
            if record is None or not record.live or record.recording_state not in RUNNING or not empty():
                return
            await self._rooms.edit(transaction, consultation, recording_state="off", recording_since=None)
            await audit.record(transaction, HUB, "recording.stop", consultation, object=record.title)
            data = {"recording_id": record.recording_id, "reason": "empty"}
            await self._rooms.announce(transaction, "consultation.recording_stopped", consultation, HUB, data)
        self._conference.set_recording(consultation, False)

    async def _begin(self, transaction: Transaction, record: Consultation, by: Actor | By) -> Consultation:
        session, at = new_id(), utc_ns()
        incident = self.wishes.of("consultation", record.id).incident
        await index.add(transaction, session, index.Filed.consulted(record, incident), at)
        on = {
            "recording_state": "recording",
            "recording_since": at,
            **NO_REASON,
            "recording_id": session,
            "recording_wanted": True,
        }
        await self._rooms.edit(transaction, record.id, **on)
        await audit.record(transaction, by, "recording.start", record.id, object=record.title)
        # Before the event, which is the session's first mark.
        began = await consultations.one(transaction, record.id)
        assert began is not None
        transaction.after(lambda: self._take_on(began, session, new=True))
        await index.listed(transaction, self._events, session)
        return await self._rooms.announce(transaction, "consultation.recording_started", record.id, by, {"recording_id": session})

    def _light(self, record: Consultation) -> None:
        self._conference.set_recording(record.id, record.recording_state == "recording")

    def _take_on(self, record: Consultation, session: str, new: bool = False) -> None:
        about = {
            "consultation": record.id,
            "code": record.code,
            "title": record.title,
            "label": str(record.label),
            "org": record.org_id,
            "org_name": record.host.org_name,
        }
        paused = record.recording_state == "paused"
        wish = self.wishes.of("consultation", record.id)
        if wish.incident:
            about["incident"] = wish.incident
        told = Record(
            session=session, room=record.id, worker="", title=record.title, about=about, paused=paused, layers=wish.layers,
            evidence=self._mode(record.id, record.label) == "always",
        )  # fmt: skip
        self._sessions[session] = _Session(session, record.id, told, self._clock())
        if new:  # the light first: nobody is recorded unawares
            self._conference.set_recording(record.id, True)
        self._following.reconcile()
        if new:
            host = {"id": record.host.id, "name": record.host.name, "org_name": record.host.org_name}
            self._mark(session, "consultation.created", record.created_at, {"title": record.title, "host": host})

    # ---- the recorder

    def linked(self, snapshot: Message, tell: Callable[[Message], None], shard: int = 0) -> None:
        self._following.linked(tell, shard)
        known = {state.session: state for state in snapshot.sessions} if isinstance(snapshot, RecordSnapshot) else {}
        for session in self._of(shard):
            state = known.get(session.id)
            session.confirmed = state is not None and state.state == "recording"
            session.over = state is not None and _over(state)
            session.full = state is not None and _full(state)
        self._said.put_nowait((shard, known))
        self._following.reconcile()

    def _of(self, shard: int) -> list[_Session]:
        return [one for one in self._sessions.values() if self._following.mine(one.id, shard)]

    def unlinked(self, shard: int = 0) -> None:
        self._following.unlinked(shard)
        for session in self._of(shard):
            session.confirmed, session.since = False, self._clock()

    def receive(self, message: Message) -> None:
        if isinstance(message, SessionState):
            self._said.put_nowait(message)
        elif isinstance(message, Space) and message.level != "full":
            self._go_on()

    def _go_on(self) -> None:
        """There is room on the disk: what ended for want of it goes on as the same recording."""
        waiting = [one for one in self._sessions.values() if one.full]
        for session in waiting:
            session.full = session.over = False
            session.worker, session.since = "", self._clock()
        if waiting:
            self._following.reconcile()

    async def _take_in(self) -> None:
        while True:
            said = await self._said.get()
            while True:
                try:
                    await (self._take(said) if isinstance(said, SessionState) else self._take_all(*said))
                    break
                except SQLAlchemyError:
                    # A disk that is full now may not be later; the order of what was said is kept.
                    log.exception("recordings not indexed")
                    await asyncio.sleep(2)
            self._said.task_done()

    async def _take_all(self, shard: int, known: dict[str, SessionState]) -> None:
        """All the recorder has, on a new link: what the index does not know yet, and what it calls running and is not there."""
        async with self._store.reading() as reading:
            rows = await reading.all(sa.select(_r.id, _r.state, _r.duration_ms).where(_r.id.in_(known)))
            lost = await reading.all(sa.select(_r.id).where(_r.state == "recording", _r.id.not_in(known)))
        settled = {row.id for row in rows if (row.state, row.duration_ms) == (known[row.id].state, known[row.id].duration_ms)}
        for state in known.values():
            if state.session not in settled or state.session in self._sessions:
                await self._take(state)
        for row in lost:
            if row.id in self._sessions or self.others(row.id) or not self._following.mine(row.id, shard):
                continue
            async with self._store.transaction() as transaction:
                reasons = {"reason": "Nothing was recorded.", "reason_zh": "没有录到内容。"}
                gone = sa.update(tables.recordings).where(_r.id == row.id).values(state="failed", ended_at=utc_ns(), **reasons)
                await transaction.run(gone)
                await index.listed(transaction, self._events, row.id)

    async def _take(self, state: SessionState) -> None:
        session = self._sessions.get(state.session)
        ordered = "egress" in state.about  # by an API key: beside the consultation's own
        if state.state == "recording" and session is None and not (ordered or self.others(state.session)):
            self._following.tell(StopRecord(session=state.session, reason="not_wanted"))
        async with self._store.transaction() as transaction:
            record = await consultations.one(transaction, state.about.get("consultation") or state.room)
            if ordered and record is None:
                return
            await index.take_in(transaction, self._events, state, record)
            if session is None or record is None:
                return
            if state.state == "recording":
                session.confirmed = True
                record = await self._resumed(transaction, session, record)
            elif _full(state):
                session.full = session.over = True
                record = await self._failed(transaction, session, record, (state.text_zh, state.text), give_up=False)
            elif state.state == "failed":
                self._sessions.pop(session.id, None)
                reasons = (state.text_zh or state.text or state.code, state.text or state.code)
                record = await self._failed(transaction, session, record, reasons, give_up=True)
            elif _over(state):
                self._sessions.pop(session.id, None)
                if record.live and record.recording_id == session.id:
                    record = await self._begin(transaction, record, HUB)
            elif not session.confirmed:
                session.worker = ""  # repaired: told again, it goes on
        self._light(record)

    async def _resumed(self, transaction: Transaction, session: _Session, record: Consultation) -> Consultation:
        if record.recording_id != session.id or record.recording_state != "failed":
            return record
        await self._rooms.edit(transaction, record.id, recording_state="recording", **NO_REASON)
        data = {"recording_id": session.id}
        return await self._rooms.announce(transaction, "consultation.recording_started", record.id, None, data)

    async def _failed(
        self, transaction: Transaction, session: _Session, record: Consultation, reasons: tuple[str, str], *, give_up: bool
    ) -> Consultation:
        """``reasons``: Chinese and English."""
        if not record.live or record.recording_id != session.id or record.recording_state != "recording":
            return record
        reason, english = reasons
        values: dict[str, object] = {"recording_state": "failed", "recording_reason": reason, "recording_reason_en": english}
        if give_up:
            values |= {"recording_wanted": False, "recording_since": None}
        await self._rooms.edit(transaction, record.id, **values)
        data = {"recording_id": session.id, "reason": reason, "reason_en": english}
        return await self._rooms.announce(transaction, "consultation.recording_failed", record.id, None, data)

    async def _not_begun(self, transaction: Transaction, record: Consultation, full: Conflict) -> None:
        """It was wanted from the beginning, and there is no room for it: everybody sees that it is not recorded, and why."""
        values = {"recording_state": "failed", "recording_reason": full.message_zh, "recording_reason_en": full.message}
        await self._rooms.edit(transaction, record.id, **values, recording_wanted=False)
        data = {"recording_id": record.recording_id, "reason": full.message_zh, "reason_en": full.message}
        await self._rooms.announce(transaction, "consultation.recording_failed", record.id, None, data)

    # ---- a recorder that does not answer

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._following.reconcile()
            late = [
                session
                for session in self._sessions.values()
                if not session.confirmed and not session.over and self._clock() - session.since > PATIENCE
            ]
            for session in late:
                session.since = float("inf")  # once
                await self._say_late(session)

    async def _say_late(self, session: _Session) -> None:
        try:
            async with self._store.transaction() as transaction:
                record = await consultations.one(transaction, session.room)
                if record is None:
                    return
                record = await self._failed(transaction, session, record, LATE, give_up=False)
            self._light(record)
        except SQLAlchemyError:
            log.exception("recording failure not written", session=session.id)

    # ---- what happens in consultations

    def _happened(self, published: Published) -> None:
        event = published.event
        if self._sessions:
            rooms = facts.rooms(published, self._feeds.rooms)
            for session in self._sessions.values():
                if session.room in rooms:
                    self._mark(session.id, event.type, published.at, facts.data(published))
        if not event.type.startswith("consultation."):
            return
        if event.type in ("consultation.ended", "consultation.recording_stopped"):
            reason = "ended" if event.type == "consultation.ended" else "stopped"
            self._end(event.subject, event.data.get("reason", reason))
        if event.type == "consultation.joined" and event.data["consultation"]["recording"]["state"] == "off":
            self.begin_wanted(event.subject)

    def _mark(self, session: str, event: str, at: int, data: dict[str, object]) -> None:
        self._following.tell(Mark(session=session, event=event, at=at, data=data))

    def _end(self, room: str, reason: str) -> None:
        for session in [one for one in self._sessions.values() if one.room == room]:
            del self._sessions[session.id]
            self._following.tell(StopRecord(session=session.id, reason=reason))

    def begin_wanted(self, room: str) -> None:
        """Somebody is there: it is recorded from now on if it should be (asked once more before it begins)."""
        if room not in self._beginning:
            self._beginning.add(room)
            self._tasks.spawn(self._begin_wanted(room), "begin")

    async def _begin_wanted(self, room: str) -> None:
        """It was created with recording: the first who joins starts it. So does who finds it empty and stopped for that."""
        try:
            async with self._store.transaction() as transaction:
                record = await consultations.one(transaction, room)
                if record is None or not record.live or record.recording_state != "off":
                    return
                if not self.wants(room, record.label, record.recording_wanted, record.recording_id):
                    return
                try:
                    await self.wishes.admit(transaction, self._mode(room, record.label), record.org_id)
                except Conflict as full:
                    await self._not_begun(transaction, record, full)
                    return
                # At first by the host, who wanted it; later it is the hub that goes on.
                await self._begin(transaction, record, HUB if record.recording_id else By(record.host.name, record.host.id))
        finally:
            self._beginning.discard(room)
