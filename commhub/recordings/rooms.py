"""Recordings of rooms that are no consultations: calls, groups, single cameras. Begun, ended and kept going by one comparison.

What is to be recorded (:mod:`policy`, :mod:`wishes`) and where there is something to record (:class:`~subjects.Recordable`) is
compared with what runs, twice a second and whenever somebody said something. So a restarted hub, a policy that was changed, a
call that ends and a disk that has space again are one and the same case.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.conference import Conference
from commhub.errors import Conflict, Forbidden, HubError, NotFound
from commhub.events import Audience, Events, Published
from commhub.media import Engine
from commhub.media.messages import Mark, Message, Record, RecordSnapshot, SessionState, Space, StopRecord
from commhub.model import HUB, Actor, By, Label, iso, new_id, utc_ns
from commhub.recordings import facts, index, policy
from commhub.recordings.following import Following
from commhub.recordings.shapes import RecordedRoom, RecordingPolicies, RecordingPolicy, RecordingRules, Shown
from commhub.recordings.subjects import Recordable, Subject, may_rule
from commhub.recordings.wishes import Wish, Wishes
from commhub.store import Reading, Store, Transaction, tables
from commhub.tasks import Tasks

log = logs.get(__name__)

TICK = 0.5  # seconds
PATIENCE = 15.0  # seconds without the recorder's word after which people are told that nothing is recorded
RETRY = 10.0  # seconds after a recording that the recorder could not go on with
_STALE = ("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。")
LATE = ("录制进程未应答，恢复后将继续录制。", "The recorder does not answer; recording goes on once it is back.")


@dataclass(slots=True)
class _Running:
    subject: Subject
    record: Record  # without worker
    since: float  # when it was begun, or its recorder lost
    worker: str = ""  # the one the recorder was told
    confirmed: bool = False
    late: bool = False  # people were told that nothing is recorded

    @property
    def room(self) -> str:
        return self.subject.room

    def told(self, worker: str) -> Record | None:
        return msgspec.structs.replace(self.record, worker=worker)


class RoomRecordings:
    """``kinds`` are what can be recorded, consultations among them for their policies. :meth:`linked`, :meth:`unlinked` and
    :meth:`receive` are fed by the recorders' links; the index of recordings is kept by
    :class:`~commhub.recordings.sessions.Recordings`. ``of_camera`` says in which rooms a camera is."""

    def __init__(
        self, store: Store, events: Events, conference: Conference, engine: Engine, wishes: Wishes, kinds: Iterable[Recordable],
        of_camera: Callable[[str], set[str]], *, clock: Callable[[], float] = time.monotonic, shards: int = 1,
    ) -> None:  # fmt: skip
        self._store, self._events, self._conference, self._clock = store, events, conference, clock
        self._wishes, self._of_camera = wishes, of_camera
        self._kinds = {kind.kind: kind for kind in kinds}
        self._running: dict[str, _Running] = {}  # by session
        self._by_subject: dict[str, str] = {}
        self._not_before: dict[str, float] = {}  # subjects whose recording failed
        self._following = Following(engine, self._running, shards)
        self._turn = asyncio.Lock()  # one change after another
        self._tasks = Tasks("recorded rooms")
        events.listen(self._happened)

    def follows(self, session: str) -> bool:
        return session in self._running

    async def open(self) -> None:
        """What was being recorded; before the recorder is linked."""
        for wish in [one for one in self._wishes.every() if one.session]:
            async with self._store.reading() as reading:
                subject = await self._kinds[wish.kind].find(reading, wish.subject)
            if subject is None:
                async with self._store.transaction() as transaction:
                    await self._wishes.write(transaction, wish, session="", said="")
                continue
            await self._take_on(subject, wish)

    def start_tasks(self) -> None:
        self._tasks.spawn(self._watch(), "watch")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- by permission

    async def listed(self, actor: Actor) -> list[RecordedRoom]:
        """What is being recorded now, as far as they may know."""
        return [
            self._view(one.subject, self._wishes.of(one.subject.kind, one.subject.id))
            for one in self._running.values()
            if self._kinds[one.subject.kind].sees(one.subject, actor)
        ]

    async def find(self, kind: policy.Kind, id: str, actor: Actor) -> RecordedRoom:
        async with self._store.reading() as reading:
            subject = await self._visible(reading, kind, id, actor)
        return self._view(subject, self._wishes.of(kind, id))

    async def act(self, kind: policy.Kind, id: str, actor: Actor, act: policy.Act, incident: str | None = None) -> RecordedRoom:
        """By hand. NotFound, Forbidden; Conflict where the mode refuses it, where there is nothing to record, or it is not being
        recorded; Unavailable while no recorder is there."""
        async with self._turn:
            async with self._store.transaction() as transaction:
                subject = await self._visible(transaction, kind, id, actor)
                if not self._kinds[kind].controls(subject, actor):
                    raise Forbidden("You may not record this.", "没有录制权限。")
                wish = await self._wishes.read(transaction, kind, id)
                mode = self._wishes.rules.ruling(kind, subject.label, wish.mode).mode
                policy.check(mode, act)
                if act == "start":
                    self._following.require()
                    if not self._here(subject):
                        raise Conflict("There is nothing to record now.", "当前没有可录制的内容。", code="not_live")
                    if not wish.session:
                        await self._wishes.admit(transaction, mode, subject.org)
                elif not wish.session and (act != "stop" or wish.said != "on"):
                    raise Conflict("Nothing is being recorded.", "当前没有录制。", code="not_recording")
                changed = _changed(mode, act)
                if incident is not None:
                    changed["incident"] = incident
                wish = await self._compare(transaction, subject, wish, changed, actor)
            return self._view(subject, wish)

    async def rule(
        self, kind: policy.Kind, id: str, actor: Actor, rev: int | None, mode: policy.Mode | None, layers: policy.Layers
    ) -> RecordingPolicy:
        """Its own policy; ``mode`` None takes it away. NotFound, Forbidden, Conflict ``stale``."""
        async with self._turn:
            async with self._store.transaction() as transaction:
                subject = await self._visible(transaction, kind, id, actor)
                if not may_rule(subject, actor):
                    raise Forbidden("You may not say what is always recorded.", "没有设置录制策略的权限。")
                wish = await self._wishes.read(transaction, kind, id)
                if rev is not None and rev != wish.rev:
                    raise Conflict(*_STALE, code="stale")
                about = f"{subject.title} {mode or '-'} {layers}".strip()
                await audit.record(transaction, actor, "recording.policy", id, object=about)
                data = {"kind": kind, "mode": mode, "layers": layers, "title": subject.title}
                await self._emit(transaction, "recording.policy", subject, actor, data)
                wish = await self._compare(transaction, subject, wish, {"mode": mode, "layers": layers}, actor)
            return self._policy(subject, wish)

    async def counts(self, kind: policy.Kind, id: str, actor: Actor) -> RecordingPolicy:
        """What counts of it, whether it has one of its own or not. NotFound, Forbidden."""
        async with self._store.reading() as reading:
            subject = await self._visible(reading, kind, id, actor)
        if not may_rule(subject, actor):
            raise Forbidden("You may not say what is always recorded.", "没有设置录制策略的权限。")
        return self._policy(subject, self._wishes.of(kind, id))

    async def policies(self, actor: Actor) -> RecordingPolicies:
        """All of those that rooms have of their own, of which they may know, and what counts of the others."""
        found = []
        async with self._store.reading() as reading:
            for wish in [one for one in self._wishes.every() if one.mode is not None or one.layers]:
                subject = await self._kinds[wish.kind].find(reading, wish.subject)
                if subject is not None and may_rule(subject, actor):
                    found.append(self._policy(subject, wish))
        rules = self._wishes.rules
        kinds = {kind: rules.of(kind) for kind in policy.KINDS}
        labels = [label for label in Label if label in rules.labels]
        return RecordingPolicies(items=found, rules=RecordingRules(labels=labels, kinds=kinds, layers=rules.layers))

    async def tie(self, actor: Actor, recording: str, incident: str) -> None:
        """The recording belongs to that incident from now on ('': to none). NotFound, Forbidden."""
        async with self._store.transaction() as transaction:
            row = await transaction.first(index.query().where(tables.recordings.c.id == recording))
            either = ("recording.list", "recording.control")
            if row is None or not any(actor.may(one, org=row.org_id, label=row.label) for one in either):
                raise NotFound("There is no such recording.", "没有这个录制。")
            if not actor.may("recording.control", org=row.org_id, label=row.label):
                raise Forbidden("You may not say to what a recording belongs.", "没有修改录制归属的权限。")
            await audit.record(transaction, actor, "recording.tie", recording, object=incident)
            await index.tie(transaction, self._events, recording, incident)

    async def _visible(self, reading: Reading, kind: policy.Kind, id: str, actor: Actor) -> Subject:
        subject = await self._kinds[kind].find(reading, id)
        if subject is None or not self._kinds[kind].sees(subject, actor):
            raise NotFound("There is nothing of this kind to be recorded.", "没有这个可录制的对象。")
        return subject

    def _policy(self, subject: Subject, wish: Wish) -> RecordingPolicy:
        ruling = self._wishes.rules.ruling(subject.kind, subject.label, wish.mode)
        return RecordingPolicy(
            kind=subject.kind, subject=subject.id, title=subject.title, label=subject.label, mode=wish.mode, layers=wish.layers,
            effective=ruling.mode, why=ruling.why, rev=wish.rev,
        )  # fmt: skip

    def _view(self, subject: Subject, wish: Wish) -> RecordedRoom:
        ruling = self._wishes.rules.ruling(subject.kind, subject.label, wish.mode)
        running = self._running.get(wish.session)
        state: Shown = "off" if not wish.session else "paused" if wish.paused else "recording"
        if running is not None and running.late:
            state = "failed"
        return RecordedRoom(
            kind=subject.kind, subject=subject.id, title=subject.title, state=state,
            mode=ruling.mode, why=ruling.why, recording_id=wish.session or None, incident=wish.incident or None,
            since=iso(wish.since) if wish.session else None,
        )  # fmt: skip

    # ---- the one comparison

    def _here(self, subject: Subject) -> bool:
        known = (subject.id,)
        return any(id == subject.id for id, _ in self._kinds[subject.kind].going_on(known))

    async def _compare(
        self, transaction: Transaction, subject: Subject, wish: Wish, changed: dict[str, Any], by: Actor | By
    ) -> Wish:
        """Begin, end, pause or leave as it is; ``changed`` is what was said."""
        after = replace(wish, **changed)
        here = self._here(subject)
        mode = self._wishes.rules.ruling(subject.kind, subject.label, after.mode).mode
        if subject.kind == "consultation":
            return await self._wishes.write(transaction, wish, **changed)
        wanted = policy.outcome(mode, after.said, after.paused, here)
        if wanted == "off":
            return await self._stop(transaction, subject, wish, changed, by, "ended" if not here else "stopped")
        if not wish.session:
            return await self._begin(transaction, subject, wish, changed, by)
        if wanted == "recording" and after.paused:  # it is always recorded from now on
            changed = {**changed, "paused": False}
        written = await self._wishes.write(transaction, wish, **changed)
        if written.incident != wish.incident:
            await index.tie(transaction, self._events, wish.session, written.incident)
        if written.paused != wish.paused:
            await self._said(transaction, subject, by, "paused" if written.paused else "recording", wish.session)
            await audit.record(
                transaction, by, f"recording.{'pause' if written.paused else 'resume'}", subject.id, object=subject.title
            )
            transaction.after(lambda: self._hold(wish.session, written.paused))
        return written

    async def _begin(
        self, transaction: Transaction, subject: Subject, wish: Wish, changed: dict[str, Any], by: Actor | By
    ) -> Wish:
        session, at = new_id(), utc_ns()
        written = await self._wishes.write(transaction, wish, **{**changed, "session": session, "paused": False})
        await index.add(transaction, session, index.Filed.of(subject, written.incident), at)
        await audit.record(transaction, by, "recording.start", subject.id, object=subject.title)
        await index.listed(transaction, self._events, session)
        transaction.after(lambda: self._soon(subject, written))
        await self._said(transaction, subject, by, "recording", session)
        return written

    async def _stop(
        self, transaction: Transaction, subject: Subject, wish: Wish, changed: dict[str, Any], by: Actor | By, reason: str
    ) -> Wish:
        if reason == "ended":  # what was said by hand was said of this call
            changed = {**changed, "said": "", "paused": False, "incident": ""}
        written = await self._wishes.write(transaction, wish, **{**changed, "session": "", "paused": False})
        if wish.session:
            await audit.record(transaction, by, "recording.stop", subject.id, object=subject.title)
            await self._said(transaction, subject, by, "off", wish.session, reason=reason)
            transaction.after(lambda: self._end(wish.session, reason))
        return written

    async def _said(
        self, transaction: Transaction, subject: Subject, by: Actor | By | None, state: str, session: str, **more: str
    ) -> None:
        data = {"state": state, "recording_id": session, "title": subject.title, **more}
        await self._emit(transaction, f"{subject.kind}.recording", subject, by, data)

    async def _emit(
        self, transaction: Transaction, type: str, subject: Subject, by: Actor | By | None, data: dict[str, Any]
    ) -> None:
        await self._events.emit(
            transaction, type, subject=subject.id, org=subject.org, label=Label(subject.label), by=by, data=data,
            audience=Audience(list(subject.people)),
        )  # fmt: skip

    def _soon(self, subject: Subject, wish: Wish) -> None:
        """The light first: nobody is recorded unawares."""
        self._note(subject, wish)
        self._light(wish.session)
        self._following.reconcile()
        self._tasks.spawn(self._take_on(subject, wish), "begin")

    def _note(self, subject: Subject, wish: Wish) -> None:
        about = {
            "kind": subject.kind, "subject": subject.id, "title": subject.title, "label": str(subject.label), "org": subject.org,
            "incident": wish.incident, "code": subject.code,
        }  # fmt: skip
        record = Record(
            session=wish.session, room=subject.room, worker="", title=subject.title, about=about, paused=wish.paused,
            layers=wish.layers, evidence=self._wishes.rules.ruling(subject.kind, subject.label, wish.mode).mode == "always",
        )  # fmt: skip
        self._running[wish.session] = _Running(subject, record, self._clock())
        self._by_subject[subject.id] = wish.session

    async def _take_on(self, subject: Subject, wish: Wish) -> None:
        if wish.session not in self._running:
            self._note(subject, wish)
        try:
            await self._kinds[subject.kind].open(subject)
        except HubError as error:
            log.error("room not opened to be recorded", kind=subject.kind, subject=subject.id, reason=error.message)
        self._light(wish.session)
        self._following.reconcile()

    def _hold(self, session: str, paused: bool) -> None:
        running = self._running.get(session)
        if running is not None:
            running.record = msgspec.structs.replace(running.record, paused=paused)
            running.worker = ""
            self._light(session)
            self._following.reconcile()

    def _light(self, session: str) -> None:
        if (running := self._running.get(session)) is not None:
            self._conference.set_recording(running.room, not (running.record.paused or running.late), by=session)

    def _end(self, session: str, reason: str) -> None:
        running = self._running.pop(session, None)
        if running is None:
            return
        self._by_subject.pop(running.subject.id, None)
        self._conference.set_recording(running.room, False, by=session)
        self._following.tell(StopRecord(session=session, reason=reason))
        self._tasks.spawn(self._kinds[running.subject.kind].close(running.subject), "close")

    # ---- time

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                await self.look()
            except SQLAlchemyError:
                log.exception("recorded rooms not looked at")

    async def look(self) -> None:
        """Once over all there is."""
        now = self._clock()
        self._following.reconcile()
        for kind in [kind for kind in self._kinds if kind != "consultation"]:
            await self._look_at(kind, now)
        for session, running in list(self._running.items()):
            if not running.confirmed and not running.late and now - running.since > PATIENCE:
                await self._tell_late(session, running, True)

    async def _look_at(self, kind: policy.Kind, now: float) -> None:
        known = self._wishes.known(kind)
        seen = dict(self._kinds[kind].going_on(known))
        for id, label in seen.items():
            wish = self._wishes.of(kind, id)
            mode = self._wishes.rules.ruling(kind, label, wish.mode).mode
            if (policy.outcome(mode, wish.said, wish.paused, True) != "off") != bool(wish.session):
                await self._see_to(kind, id, now)
        for id in known:
            wish = self._wishes.of(kind, id)
            if id not in seen and (wish.session or wish.said):
                await self._see_to(kind, id, now)

    async def _see_to(self, kind: policy.Kind, id: str, now: float) -> None:
        if now < self._not_before.get(id, 0.0) and id not in self._by_subject:
            return
        async with self._turn, self._store.transaction() as transaction:
            wish = await self._wishes.read(transaction, kind, id)
            subject = await self._kinds[kind].find(transaction, id)
            if subject is None:
                gone = self._running.get(wish.session)
                if gone is not None:
                    await self._stop(transaction, gone.subject, wish, {"mode": None, "layers": ""}, HUB, "ended")
                elif not wish.empty:
                    await self._wishes.write(transaction, wish, mode=None, layers="", said="", session="", incident="")
                return
            await self._compare(transaction, subject, wish, {}, HUB)

    async def _tell_late(self, session: str, running: _Running, late: bool) -> None:
        running.late = late
        self._light(session)
        reasons = {"reason": LATE[0], "reason_en": LATE[1]} if late else {}
        async with self._store.transaction() as transaction:
            await self._said(transaction, running.subject, None, "failed" if late else "recording", session, **reasons)

    # ---- the recorder

    def linked(self, snapshot: Message, tell: Callable[[Message], None], shard: int = 0) -> None:
        self._following.linked(tell, shard)
        for state in snapshot.sessions if isinstance(snapshot, RecordSnapshot) else ():
            self.receive(state)
        self._following.reconcile()

    def unlinked(self, shard: int = 0) -> None:
        self._following.unlinked(shard)
        for session, running in self._running.items():
            if self._following.mine(session, shard):
                running.confirmed, running.since = False, self._clock()

    def receive(self, message: Message) -> None:
        if isinstance(message, Space) and message.level != "full":
            self._not_before = {id: at for id, at in self._not_before.items() if at != math.inf}
        if not isinstance(message, SessionState) or (running := self._running.get(message.session)) is None:
            return
        if message.state == "recording":
            running.confirmed = True
            if running.late:
                self._tasks.spawn(self._tell_late(message.session, running, False), "say")
        elif message.state == "failed" or (message.state == "complete" and message.code != "shutdown"):
            # The wish stands: another recording takes its place, after a failure not at once.
            if message.state == "failed":
                pause = math.inf if message.code == "disk_full" else RETRY  # until there is room
                self._not_before[running.subject.id] = self._clock() + pause
            reasons = {"reason": message.text_zh or message.code, "reason_en": message.text or message.code}
            self._tasks.spawn(self._over(running, message.session, message.state, reasons), "over")
        elif not running.confirmed:
            running.worker = ""  # repaired: told again, it goes on
            self._following.reconcile()

    async def _over(self, running: _Running, session: str, state: str, reasons: dict[str, str]) -> None:
        subject = running.subject
        async with self._turn:
            async with self._store.transaction() as transaction:
                wish = await self._wishes.read(transaction, subject.kind, subject.id)
                if wish.session != session:
                    return
                await self._wishes.write(transaction, wish, session="")
                await self._said(transaction, subject, None, "failed" if state == "failed" else "off", session, **reasons)
            self._running.pop(session, None)
            self._by_subject.pop(subject.id, None)
            self._conference.set_recording(subject.room, False, by=session)

    def _happened(self, published: Published) -> None:
        if not self._running:
            return
        rooms = facts.rooms(published, self._of_camera)
        for session, running in self._running.items():
            if running.subject.id in rooms or running.room in rooms:
                said = facts.data(published)
                self._following.tell(Mark(session=session, event=published.event.type, at=published.at, data=said))


def _changed(mode: policy.Mode, act: policy.Act) -> dict[str, Any]:
    """What is kept of what was said. Where recording begins by itself, stopping it by hand has to be remembered."""
    if act == "stop":
        return {"said": "off" if mode == "start" else "", "paused": False, "incident": ""}
    return {"paused": act == "pause"} if act != "start" else {"said": "on", "paused": False}
