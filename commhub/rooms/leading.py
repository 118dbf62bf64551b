"""Conference control while it goes on: what a chair decides becomes a record, an audit row and an event in one transaction, and
after the commit gates of the engine.

The steps themselves are tables without I/O (``steps``, ``raised``, ``lobby``). Gates can always be told again from the records:
a restarted hub says them before the first worker tells who is there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub import log as logs
from commhub.auth import Auth
from commhub.conference import Conference
from commhub.errors import HubError, NotFound, Unfit
from commhub.events import Audience
from commhub.model import Actor, By, new_id, utc_ns
from commhub.rooms import gates, picture, raised, rules, steps
from commhub.rooms.hearing import Hearing
from commhub.rooms.picture import member_of
from commhub.rooms.rooms import Rooms
from commhub.store import Store, Transaction, consultations, controls, tables
from commhub.store.consultations import Consultation
from commhub.store.controls import Control, Hand, Layout, Order
from commhub.views import Consultation as ConsultationView
from commhub.views import May, WaitingList

log = logs.get(__name__)

Step = Callable[[Control, Consultation], Control]


@dataclass(frozen=True, slots=True)
class Word:
    """What is done: the event that tells it (``consultation.<event>``), how the audit names it, whom or what it touched."""

    event: str
    verb: str
    object: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class Leading:
    """``clock`` is UTC ns."""

    def __init__(
        self,
        store: Store,
        auth: Auth,
        rooms: Rooms,
        conference: Conference,
        hearing: Hearing,
        clock: Callable[[], int] = utc_ns,
    ) -> None:
        self.store, self.auth, self.rooms, self.now = store, auth, rooms, clock
        self._conference, self._hearing = conference, hearing
        rooms.closed = self.forget
        #: Live ones about which a chair has decided anything, as they are written.
        self.led: dict[str, Consultation] = {}
        self._said: dict[str, tuple[frozenset[str] | None, frozenset[str] | None, tuple[Any, ...]]] = {}
        self._before: dict[str, set[str]] = {}  # who was in a room when the hub ended, until workers have told

    async def start(self) -> None:
        """What is decided holds before anybody is known to be there; by attendance the chair is, with nobody's gap."""
        a = tables.attendance.c
        async with self.store.reading() as reading:
            found = await consultations.find(
                reading, tables.consultations.c.state == "live", tables.consultations.c.control.is_not(None), limit=10_000
            )
            rows = await reading.all(sa.select(a.consultation_id, a.identity).where(a.left_at.is_(None)))
        for row in rows:
            self._before.setdefault(row.consultation_id, set()).add(row.identity)
        for record in found:
            self.learn(record)

    def settled(self) -> None:
        """Workers have told who is there: what was written before counts no more."""
        self._before.clear()
        for room in list(self.led):
            self.gate(room)

    # ---- gates

    def learn(self, record: Consultation) -> None:
        """The newest word about it, right after it was written."""
        if not record.live:
            self.forget(record.id)
            return
        self.led[record.id] = record
        self.gate(record.id)

    def forget(self, room: str) -> None:
        """It is over; its gates are the house's own matter."""
        self.led.pop(room, None)
        self._said.pop(room, None)

    def gate(self, room: str) -> None:
        """Say who is heard, if it is not what was said last."""
        record = self.led.get(room)
        if record is None:
            return
        there = self.rooms.identities(room) | self._before.get(room, set())
        control = record.control
        muted, sole = gates.muted(control, record.chairs, there), gates.broadcast(control, there)
        cameras = [one.identity for one in self._conference.present(room) if one.kind == "camera"] if control.sides else []
        sides = (control.sides, *sorted(cameras))
        before = self._said.get(room, (None, None, ((),)))
        self._said[room] = (muted, sole, sides)
        # Who is to be heard first, so that nobody is heard in between who is not to be.
        if before[0] != muted:
            self._hearing.only(room, gates.MUTE, muted)
        if before[1] != sole:
            self._hearing.only(room, gates.BROADCAST, sole)
        if before[2] != sides:
            self._hearing.apart(room, gates.SIDE, gates.apart(control, cameras))

    def here(self, record: Consultation, *, connected: bool = False) -> set[str]:
        """The people and other participants in the room, by person where they are one."""
        there = self._conference.present(record.id, unseen=True, connected=connected)
        return {member_of(one.identity) if one.kind == "person" else one.identity for one in there if one.kind != "camera"}

    # ---- one change

    async def change(
        self, consultation: str, actor: Actor, what: May, word: Word, step: Step, rev: int | None = None
    ) -> Consultation:
        """One decision of who may ``what``. Conflict ``stale`` when ``rev`` is not the newest. Nothing is written when it
        changes nothing."""
        async with self.store.transaction() as transaction:
            record = await self.rooms.controllable(transaction, consultation, actor, what)
            steps.at(record.control, rev)
            after = step(record.control, record)
            if after == record.control:
                return record
            return await self.write(transaction, record, steps.decided(record.control, after), actor, word)

    async def write(
        self, transaction: Transaction, record: Consultation, after: Control, by: Actor | By, word: Word
    ) -> Consultation:
        await self.rooms.edit(transaction, record.id, control=controls.written(after))
        await audit.record(transaction, by, f"consultation.{word.verb}", record.id, object=word.object)
        told = await self.rooms.announce(transaction, f"consultation.{word.event}", record.id, by, word.data)
        if told.control.waiting != record.control.waiting:
            await self.tell_waiting(transaction, told, by)
        transaction.after(lambda: self.learn(told))
        return told

    async def tell_waiting(self, transaction: Transaction, record: Consultation, by: Actor | By | None) -> None:
        """Who waits is for those who chair alone."""
        shown = [one.model_dump(mode="json") for one in picture.waiting(record)]
        audience = Audience(sorted(record.chairs))
        await self.rooms.tell(transaction, "consultation.waiting", record, by, audience, {"waiting": shown})

    def view(self, record: Consultation, actor: Actor) -> ConsultationView:
        return self.rooms.view(record, actor)

    async def _silence(self, record: Consultation, people: Iterable[str]) -> None:
        """Their microphones show as muted; the gates do not depend on it."""
        for identity in sorted(gates.named(people, self.rooms.identities(record.id))):
            with contextlib.suppress(HubError):
                await self._conference.mute(record.id, identity, "microphone", True)

    def named(self, record: Consultation, person: str) -> str:
        """Somebody in the room, for the audit; NotFound when he is not there."""
        for one in self._conference.present(record.id):
            if person in (one.identity, member_of(one.identity)) and one.kind != "camera":
                return one.name
        raise NotFound("There is nobody of that identity in the room.", "会商中没有这个成员。")

    # ---- who chairs

    async def hand_over(self, consultation: str, actor: Actor, person: str, rev: int | None) -> ConsultationView:
        """Also to somebody who is not there yet, as long as he may come in."""
        name = await self._able(consultation, actor, [person])
        word = Word("chair", "chair", name, {"chair": person})

        def step(now: Control, record: Consultation) -> Control:
            return steps.hand_over(now, record.chair, person)

        return self.view(await self.change(consultation, actor, "chair", word, step, rev), actor)

    async def co_chairs(self, consultation: str, actor: Actor, people: list[str], rev: int | None) -> ConsultationView:
        names = await self._able(consultation, actor, people)
        word = Word("chair", "co_chairs", names, {"co_chairs": people})

        def step(now: Control, record: Consultation) -> Control:
            return steps.co_chairs(now, record.chair, people)

        return self.view(await self.change(consultation, actor, "chair", word, step, rev), actor)

    async def _able(self, consultation: str, actor: Actor, people: list[str]) -> str:
        """Their names. Unfit when one may not come in, or is not allowed to lead."""
        record = await self.rooms.in_charge(consultation, actor, "chair")
        names = []
        for person in dict.fromkeys(people):
            one = await self.auth.actor(person)
            if one is None or not rules.may_enter(record, one) or not one.may(rules.LEAD):
                raise Unfit(
                    "people", "Only who may come in can chair it.", "只有可入会的人员才能担任主持人。", code="may_not_chair"
                )
            names.append(one.name)
        return ", ".join(names)

    # ---- who is heard

    async def mute(self, consultation: str, actor: Actor, muted: bool, unmute: bool, rev: int | None) -> ConsultationView:
        word = Word("muted", "mute_all" if muted else "unmute_all", "" if not muted or unmute else "no self-unmute")
        record = await self.change(consultation, actor, "lead", word, lambda now, _: steps.mute(now, muted, unmute), rev)
        if muted:
            await self._silence(record, self.here(record) - record.chairs)
        return self.view(record, actor)

    async def allow(self, consultation: str, actor: Actor, person: str) -> ConsultationView:
        record = await self.rooms.in_charge(consultation, actor, "lead")
        word = Word("speaker", "allow_to_speak", self.named(record, person), {"person": person, "allowed": True})
        step = lambda now, _: raised.down(steps.allow(now, person), person)  # noqa: E731
        return self.view(await self.change(consultation, actor, "lead", word, step), actor)

    async def disallow(self, consultation: str, actor: Actor, person: str) -> None:
        word = Word("speaker", "end_speaking", person, {"person": person, "allowed": False})
        record = await self.change(consultation, actor, "lead", word, lambda now, _: steps.disallow(now, person))
        await self._silence(record, [person])

    async def broadcast(self, consultation: str, actor: Actor, person: str | None, rev: int | None) -> ConsultationView:
        record = await self.rooms.in_charge(consultation, actor, "lead")
        name = self.named(record, person) if person else ""
        word = Word("broadcast", "broadcast", name, {"person": person})
        step = lambda now, _: steps.broadcast(now, person)  # noqa: E731
        return self.view(await self.change(consultation, actor, "lead", word, step, rev), actor)

    async def stage(self, consultation: str, actor: Actor, layout: Layout, spotlight: str, rev: int | None) -> ConsultationView:
        """``spotlight``: anybody's or any camera's identity in the room, "" nobody's."""
        record = await self.rooms.in_charge(consultation, actor, "lead")
        if spotlight and spotlight not in {one.identity for one in self._conference.present(record.id)}:
            raise NotFound("There is nobody of that identity in the room.", "会商中没有这个成员。")
        word = Word("stage", "stage", f"{layout} {spotlight}".strip())
        step = lambda now, _: steps.stage(now, layout, spotlight)  # noqa: E731
        return self.view(await self.change(consultation, actor, "lead", word, step, rev), actor)

    # ---- hands

    async def raise_hand(self, consultation: str, actor: Actor) -> ConsultationView:
        """Of somebody who is in the room."""
        async with self.store.transaction() as transaction:
            record = rules.live(await self.rooms.visible(transaction, consultation, actor))
            if actor.id not in self.here(record):
                raise NotFound("You are not in the room.", "你不在会商中。")
            hand = Hand(actor.id, actor.name, actor.org_name, actor.level, self.now())
            after = raised.up(record.control, hand)
            word = Word("hand", "raise_hand", actor.name, {"person": actor.id, "up": True})
            if after != record.control:
                record = await self.write(transaction, record, after, actor, word)
        return self.view(record, actor)

    async def lower_own(self, consultation: str, actor: Actor) -> None:
        async with self.store.transaction() as transaction:
            record = rules.live(await self.rooms.visible(transaction, consultation, actor))
            after = raised.down(record.control, actor.id)
            word = Word("hand", "lower_hand", actor.name, {"person": actor.id, "up": False})
            if after != record.control:
                await self.write(transaction, record, after, actor, word)

    async def lower(self, consultation: str, actor: Actor, person: str | None) -> None:
        """None: all hands."""
        word = Word("hand", "lower_hand", person or "all", {"person": person, "up": False})
        await self.change(consultation, actor, "lead", word, lambda now, _: raised.lower(now, person))

    async def call_on(self, consultation: str, actor: Actor, person: str) -> ConsultationView:
        word = Word("hand", "call_on", person, {"person": person, "up": False, "called": True})
        step = lambda now, _: raised.call_on(now, person)  # noqa: E731
        return self.view(await self.change(consultation, actor, "lead", word, step), actor)

    async def sort(self, consultation: str, actor: Actor, order: Order, rev: int | None) -> ConsultationView:
        word = Word("hand", "order_hands", order)
        return self.view(await self.change(consultation, actor, "lead", word, lambda now, _: raised.sort(now, order), rev), actor)

    # ---- apart

    async def side(self, consultation: str, actor: Actor, title: str, people: list[str], listen: bool) -> ConsultationView:
        record = await self.rooms.in_charge(consultation, actor, "lead")
        names = ", ".join(self.named(record, person) for person in people)
        id, at = new_id(), self.now()
        word = Word("side", "side", f"{title}: {names}", {"side": id, "people": people})
        step = lambda now, _: steps.side(now, id, title, people, listen, at)  # noqa: E731
        return self.view(await self.change(consultation, actor, "lead", word, step), actor)

    async def end_side(self, consultation: str, actor: Actor, side: str) -> None:
        word = Word("side", "side_end", side, {"side": side})
        await self.change(consultation, actor, "lead", word, lambda now, _: steps.end_side(now, side))

    # ---- the end

    async def plan_end(self, consultation: str, actor: Actor, ends_at: int | None, rev: int | None) -> ConsultationView:
        at = self.now()
        word = Word("planned_end", "planned_end", str(ends_at or ""))
        step = lambda now, _: steps.plan_end(now, ends_at, at)  # noqa: E731
        return self.view(await self.change(consultation, actor, "lead", word, step, rev), actor)

    async def extend(self, consultation: str, actor: Actor, minutes: int) -> ConsultationView:
        at = self.now()
        word = Word("planned_end", "extend", f"{minutes} min", {"minutes": minutes})
        step = lambda now, _: steps.extend(now, minutes, at)  # noqa: E731
        return self.view(await self.change(consultation, actor, "lead", word, step), actor)

    # ---- who waits

    async def waiting(self, consultation: str, actor: Actor) -> WaitingList:
        return WaitingList(items=picture.waiting(await self.rooms.in_charge(consultation, actor, "lead")))
