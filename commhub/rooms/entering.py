"""The door of a consultation with a lobby: who comes gets a ticket, or waits; the chair lets in, refuses, sends back.

Whoever waits has no media connection and no token, so nothing can reach them; the door (``Door.admit``) says the same to every
client, whoever made it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from commhub import audit
from commhub.conference import Ticket
from commhub.errors import Conflict, NotNow
from commhub.events import Audience
from commhub.model import Actor, By
from commhub.rooms import gates, lobby, rules, steps
from commhub.rooms.leading import Leading, Word
from commhub.rooms.rooms import Rooms
from commhub.store import Transaction, consultations, controls, tables
from commhub.store.consultations import Consultation
from commhub.store.controls import Control, LobbyMode, Waiting
from commhub.views import Consultation as ConsultationView
from commhub.views import Joining, RecordingLight

_DARK = RecordingLight(state="off", since=None, reason=None, reason_en=None)


class Entering:
    """``clock`` is monotonic seconds."""

    def __init__(self, leading: Leading, rooms: Rooms, clock: Callable[[], float] = time.monotonic) -> None:
        self._leading, self._rooms, self._clock = leading, rooms, clock
        self._heard: dict[tuple[str, str], float] = {}  # when somebody who waits was last heard of

    async def join(self, consultation: str, actor: Actor, terminal: str, origin: str) -> Joining:
        """A ticket, or the word that he waits; asking again keeps the place."""
        try:
            return await self._rooms.join(consultation, actor, terminal, origin)
        except Conflict as conflict:
            if conflict.code != "waiting":
                raise
        self._heard[consultation, actor.id] = self._clock()
        async with self._leading.store.transaction() as transaction:
            record = rules.live(await self._rooms.visible(transaction, consultation, actor))
            if rules.must_wait(record, actor):
                who = Waiting(actor.id, actor.name, actor.post, actor.org, actor.org_name, actor.level, self._leading.now())
                await self._knock(transaction, record, who, actor)
                return Joining(state="waiting", url="", token="", room="", identity=f"{actor.id}:{terminal}", recording=_DARK)
        return await self._rooms.join(consultation, actor, terminal, origin)  # let in just now

    async def knocked(self, record: Consultation, ticket: Ticket) -> None:
        """Somebody with an API key's token: no person of the directory, known by identity."""
        if lobby.refusal(record.control, ticket.identity) is not None:
            return
        self._heard[record.id, ticket.identity] = self._clock()
        async with self._leading.store.transaction() as transaction:
            now = await consultations.one(transaction, record.id)
            if now is not None and now.live and rules.stranger_waits(now, ticket.identity):
                name = ticket.name or ticket.identity
                who = Waiting(ticket.identity, name, org_name=ticket.key, since=self._leading.now())
                await self._knock(transaction, now, who, By(ticket.key, f"key:{ticket.key}"))

    async def _knock(self, transaction: Transaction, record: Consultation, who: Waiting, by: Actor | By) -> None:
        after = lobby.knock(record.control, who)
        if after == record.control:
            return
        await audit.record(transaction, by, "consultation.wait", record.id, object=who.name)
        await self._keep(transaction, record, after, by)

    async def _keep(self, transaction: Transaction, record: Consultation, after: Control, by: Actor | By | None) -> None:
        """Who waits is no news for those inside: the consultation's revision stays."""
        c = tables.consultations
        await transaction.run(c.update().where(c.c.id == record.id).values(control=controls.written(after)))
        told = await consultations.one(transaction, record.id)
        assert told is not None
        await self._leading.tell_waiting(transaction, told, by)
        transaction.after(lambda: self._leading.learn(told))

    async def give_up(self, consultation: str, actor: Actor) -> None:
        """Waits no more, by himself."""
        async with self._leading.store.transaction() as transaction:
            record = rules.live(await self._rooms.visible(transaction, consultation, actor))
            await self._leave(transaction, record, [actor.id], actor)

    async def _leave(self, transaction: Transaction, record: Consultation, people: list[str], by: Actor | By | None) -> None:
        after = lobby.leave(record.control, people)
        if after != record.control:
            await self._keep(transaction, record, after, by)

    async def forget_silent(self, record: Consultation) -> None:
        """Those of whom nothing has been heard for a while wait no more. After a restart everybody gets that while anew."""
        now, silent = self._clock(), []
        for one in record.control.waiting:
            if now - self._heard.setdefault((record.id, one.person), now) > lobby.KEPT_SECONDS:
                silent.append(one.person)
        if silent:
            async with self._leading.store.transaction() as transaction:
                newest = await consultations.one(transaction, record.id)
                if newest is not None and newest.live:
                    await self._leave(transaction, newest, silent, None)
            for person in silent:
                self._heard.pop((record.id, person), None)

    # ---- what the chair does

    async def set_mode(self, consultation: str, actor: Actor, mode: LobbyMode, rev: int | None) -> ConsultationView:
        def step(now: Control, record: Consultation) -> Control:
            return lobby.set_mode(now, mode, self._leading.here(record))

        word = Word("lobby", "lobby", mode, {"lobby": mode})
        return self._leading.view(await self._leading.change(consultation, actor, "lead", word, step, rev), actor)

    async def admit(
        self, consultation: str, actor: Actor, people: list[str], posts: list[str], orgs: list[str], everybody: bool
    ) -> ConsultationView:
        within = lambda org: any(actor.tree.covers(one, org) for one in orgs)  # noqa: E731
        async with self._leading.store.transaction() as transaction:
            record = await self._rooms.controllable(transaction, consultation, actor, "lead")
            after, entering = lobby.admit(record.control, people, posts, within, everybody)
            names = {one.person: one.name for one in record.control.waiting}
            word = Word("admitted", "admit", ", ".join(names.get(one, one) for one in entering), {"people": entering})
            if after != record.control:
                record = await self._leading.write(transaction, record, after, actor, word)
        return self._leading.view(record, actor)

    async def refuse(self, consultation: str, actor: Actor, person: str, reason: str) -> None:
        async with self._leading.store.transaction() as transaction:
            record = await self._rooms.controllable(transaction, consultation, actor, "lead")
            after = lobby.refuse(record.control, person, reason)
            name = next(one.name for one in record.control.waiting if one.person == person)
            await audit.record(transaction, actor, "consultation.refuse", record.id, object=f"{name}: {reason}".strip(": "))
            await self._rooms.tell(
                transaction, "consultation.refused", record, None, Audience([person]), {"people": [person], "reason": reason}
            )
            await self._keep(transaction, record, after, actor)

    async def send_back(self, consultation: str, actor: Actor, person: str) -> None:
        """Somebody in the room, to the lobby. His token is dead."""
        one = await self._leading.auth.actor(person)
        async with self._leading.store.transaction() as transaction:
            record = await self._rooms.controllable(transaction, consultation, actor, "lead")
            after = lobby.send_back(record.control, person)
            name = self._leading.named(record, person)
            if one is not None and not rules.must_wait(replace(record, control=after), one):
                raise NotNow(
                    "Who chairs or oversees the consultation does not wait.", "主持人和主管人员不受等候室限制。",
                    allowed=steps.allowed(record.control),
                )  # fmt: skip
            word = Word("returned", "return", name, {"people": [person]})
            record = await self._leading.write(transaction, record, after, actor, word)
            told = {"people": [person]}
            await self._rooms.tell(transaction, "consultation.returned", record, None, Audience([person]), told)
        for identity in sorted(gates.named([person], self._rooms.identities(consultation))):
            await self._rooms.put_out(consultation, identity)
