"""Forced verbs from their records' side: what is done to lines, who is told, and that nothing is done that is not written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub.conference import RECORDER, Presence
from commhub.dispatch import Aim, Dispatch, Order, Verb
from commhub.errors import Conflict, Forbidden, NotFound
from commhub.model import Label
from commhub.store import tables
from commhub.store.repeats import Once
from tests.support import until
from tests.support.consultations import heard
from tests.support.hubs import KEY, Hub, running, ticket_of
from tests.support.telephones import Telephone, states, telephone


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with running(tmp_path) as hub:
        yield hub


class Hall:
    """A city dispatcher (level 3), and two people below who talk to each other."""

    def __init__(self, hub: Hub, boss: Telephone, one: Telephone, other: Telephone) -> None:
        self.hub, self.boss, self.one, self.other = hub, boss, one, other

    @property
    def dispatch(self) -> Dispatch:
        return self.hub.parts.dispatch

    async def call(self, **more: Any) -> str:
        made = await self.one.call("sun-wanqing", **more)
        await self.one.enter(made.id)
        await self.other.answer(made.id)
        await self.other.enter(made.id)
        return made.id

    async def consultation(self) -> str:
        """Of the district, its street is in it."""
        host = self.one.actor
        made = await self.hub.parts.rooms.create(
            host, title="排水会商", label=Label.INTERNAL, organisations=[], people=[self.other.actor.id]
        )
        for phone in (self.one, self.other):
            joining = await self.hub.parts.rooms.join(made.id, phone.actor, phone.told, "ws://hub")
            await self.hub.enter({"token": joining.token})
        return made.id

    async def force(self, verb: Verb, target: Telephone | None = None, once: Once | None = None, **more: Any) -> Any:
        line = {key: more.pop(key) for key in ("call", "consultation") if key in more}
        aim = Aim((target or self.other).actor.id, **line)
        order = Order(verb, aim, self.boss.id, more.pop("reason", "核实情况"), **more)
        return await self.dispatch.force(self.boss.actor, order, "ws://hub", once)

    async def listens(self, joining: Any, hidden: bool) -> None:
        ticket = ticket_of(joining.token)
        await self.hub.door.admit(ticket)
        there = Presence(ticket.identity, ticket.name)
        if hidden:
            self.hub.conference.watching.setdefault(joining.room, {})[ticket.identity] = there
            await self.hub.door.joined(joining.room, there)
        else:
            await self.hub.conference.enter(joining.room, ticket.identity, ticket.name)


@pytest.fixture
async def hall(hub: Hub) -> Hall:
    boss = await telephone(hub, "dispatcher")
    return Hall(hub, boss, await telephone(hub, "binjiang"), await telephone(hub, "street"))


async def rows(hub: Hub, action: str = "call.%") -> list[tuple[str, str, str]]:
    a = tables.audit.c
    async with hub.parts.store.reading() as reading:
        query = sa.select(a.action, a.actor_name, a.object).where(a.action.like(action)).order_by(a.seq)
        return [tuple(row) for row in await reading.all(query)]


async def test_a_monitor_is_announced_to_all_on_the_line_and_in_nobodys_list(hall: Hall, hub: Hub) -> None:
    call, events = await hall.call(), heard(hub)
    done = await hall.force(Verb.MONITOR)
    assert (done.act.line.id, done.act.target.name, done.act.ended_at) == (call, hall.other.actor.name, None)
    assert {one.id for one in done.act.told} == {hall.one.actor.id, hall.other.actor.id}
    grants = ticket_of(done.joining.token).grants
    assert (grants["hidden"], grants["canPublish"], grants["canPublishData"]) == (True, False, False)
    await hall.listens(done.joining, hidden=True)
    assert done.joining.identity not in {one.identity for one in hub.conference.present(call)}
    live = hub.parts.calls.live[call]
    assert {leg.terminal for leg in live.legs} == {hall.one.id, hall.other.id}
    (began,) = [one for one in events if one.event.type == "dispatch.began"]
    assert set(began.audience.people) == {hall.boss.actor.id, hall.one.actor.id, hall.other.actor.id}
    assert began.event.data["act"]["reason"] == "核实情况"
    assert [view.id for view in await hall.dispatch.listed(hall.other.actor)] == [done.act.id]
    await hub.parts.calls.lodging._sweep()
    assert done.joining.identity in hub.conference.watching[call]

    await hall.dispatch.end(hall.boss.actor, done.act.id)
    assert done.joining.identity not in hub.conference.watching[call]
    assert await rows(hub, "call.monitor%") == [
        ("call.monitor", "周明远", f"{hall.other.actor.name}: 核实情况"),
        ("call.monitor_end", "周明远", "ended"),
    ]
    with pytest.raises(Forbidden):
        await hub.door.admit(ticket_of(done.joining.token))
    with pytest.raises(NotFound):
        await hall.dispatch.end(hall.boss.actor, done.act.id)


async def test_silence_needs_the_right_and_grounds_and_only_the_audit_knows(hall: Hall, hub: Hub) -> None:
    call = await hall.call()
    with pytest.raises(Forbidden) as refused:
        await hall.force(Verb.MONITOR, silent=True, grounds="security")
    assert refused.value.code == "silent"
    g = tables.grants.c
    async with hub.parts.store.transaction() as transaction:
        await transaction.run(sa.update(tables.grants).where(g.person_id == hall.boss.actor.id).values(role="admin"))
    hall.boss.actor = await hub.person("dispatcher")
    with pytest.raises(Forbidden) as refused:
        await hall.force(Verb.MONITOR, silent=True)
    assert refused.value.code == "grounds"
    events = heard(hub)
    done = await hall.force(Verb.MONITOR, silent=True, grounds="security")
    assert done.act.told == []
    (began,) = [one for one in events if one.event.type == "dispatch.began"]
    assert began.audience.people == [hall.boss.actor.id]
    assert not any(began.concerns(phone.actor) for phone in (hall.one, hall.other))
    assert [view.id for view in await hall.dispatch.listed(hall.other.actor)] == []
    assert (await rows(hub, "call.monitor"))[0][2].endswith("(security)")
    assert call == done.act.line.id


async def test_only_two_who_talk_are_listened_to(hall: Hall, hub: Hub) -> None:
    call = await hall.call()
    done = await hall.force(Verb.MONITOR)
    ear = done.joining.identity

    def hears() -> bool:
        apart = hub.conference.apart[call]
        assert apart is not None
        return not apart(hall.one.id, ear)

    assert hears()
    await hall.other.act("hold", call)
    await until(lambda: not hears(), what="a line on hold is silent")
    await hall.other.act("resume", call)
    await until(hears)
    await hall.one.act("hangup", call)
    await until(lambda: hall.dispatch.listening.of(hall.boss.actor.id) == [], what="the end with the line")
    assert (await rows(hub, "call.monitor_end")) == [("call.monitor_end", "系统", "line_ended")]


async def test_a_whisper_reaches_one_and_no_recorder(hall: Hall, hub: Hub) -> None:
    call = await hall.call()
    done = await hall.force(Verb.WHISPER)
    voice = done.joining.identity
    await hall.listens(done.joining, hidden=False)
    assert ticket_of(done.joining.token).grants["canPublishSources"] == ["microphone"]
    apart = hub.conference.apart[call]
    assert apart is not None
    assert not apart(voice, hall.other.id)
    assert apart(voice, hall.one.id)
    assert apart(voice, RECORDER)
    assert not apart(hall.one.id, RECORDER)
    assert not apart(hall.one.id, voice)
    assert {leg.terminal for leg in hub.parts.calls.live[call].active} == {hall.one.id, hall.other.id}
    monitor = await hall.force(Verb.MONITOR)  # instead of the whisper: nobody is on a line twice
    assert [act.id for act in hall.dispatch.listening.of(hall.boss.actor.id)] == [monitor.act.id]
    assert voice not in hub.conference.rooms[call]


async def test_who_leaves_or_never_comes_listens_no_more(hall: Hall, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    call = await hall.call()
    done = await hall.force(Verb.WHISPER)
    await hall.listens(done.joining, hidden=False)
    await hub.conference.leave(call, done.joining.identity)
    await until(lambda: hall.dispatch.listening.get(done.act.id) is None, what="the end")
    monkeypatch.setattr("commhub.dispatch.listening.COME_SECONDS", 0.1)
    again = await hall.force(Verb.MONITOR)
    await until(lambda: hall.dispatch.listening.get(again.act.id) is None, what="the end of what never began")
    assert hub.conference.apart[call] is None


async def test_barged_in_released_and_taken_over(hall: Hall, hub: Hub) -> None:
    call = await hall.call()
    listened = await hall.force(Verb.MONITOR)
    done = await hall.force(Verb.BARGE)
    assert states(done.call) == {hall.one.actor.name: "answered", hall.other.actor.name: "answered", "周明远": "answered"}
    assert hall.dispatch.listening.get(listened.act.id) is None
    await until(lambda: "join" in hall.boss.verbs(call))
    await hall.boss.enter(call)
    with pytest.raises(Conflict) as mine:
        await hall.force(Verb.RELEASE)
    assert mine.value.code == "own_line"
    await hall.boss.act("hangup", call)

    taken = await hall.force(Verb.TAKEOVER, call=call)
    assert states(taken.call) == {hall.one.actor.name: "answered", hall.other.actor.name: "taken_over", "周明远": "answered"}
    await until(lambda: hall.other.verbs(call)[-1] == "leave")
    assert (hall.other.heard[-1]["reason"], hall.other.heard[-1]["data"]["by"]) == ("taken_over", hall.boss.actor.id)
    await hall.boss.act("hangup", call)

    call, events = await hall.call(), heard(hub)
    over = await hall.force(Verb.RELEASE, target=hall.one)
    assert (over.call.state, over.call.end, over.act.end) == ("ended", "released", "done")
    assert [one.event.type for one in events if one.event.type.startswith("dispatch.")] == ["dispatch.done"]
    assert call not in hub.conference.rooms
    names = ["call.barge", "call.takeover", "call.release"]
    assert [(row[0], row[2]) for row in await rows(hub) if row[0] in names] == [(name, "核实情况") for name in names]


async def test_a_higher_priority_frees_a_target_a_tie_does_not(hall: Hall, hub: Hub) -> None:
    call = await hall.call()
    with pytest.raises(Conflict) as tie:
        await hall.force(Verb.PREEMPT, priority=3)
    assert tie.value.code == "tie"
    done = await hall.force(Verb.PREEMPT, priority=4)
    assert (done.act.line.id, done.call.priority, {one.id for one in done.act.told}) == (
        call, 4, {hall.one.actor.id, hall.other.actor.id},
    )  # fmt: skip
    await hall.other.rings(done.call.id)
    await until(lambda: hall.one.verbs(call)[-1:] == ["leave"])
    assert (hall.one.heard[-1]["reason"], hall.one.heard[-1]["data"]["by"]) == ("preempted", hall.boss.actor.id)
    assert call not in hub.parts.calls.live


async def test_an_emergency_tells_the_others_who_and_why_in_the_same_transaction(hall: Hall, hub: Hub) -> None:
    call, events = await hall.call(priority=3), heard(hub)
    made = await hall.boss.call("sun-wanqing", emergency=True)
    (told,) = [one for one in events if one.event.type == "dispatch.done"]
    act = told.event.data["act"]
    assert (act["verb"], act["line"]["id"], act["reason"], act["actor"]["name"]) == ("preempt", call, "紧急呼叫", "周明远")
    assert set(told.audience.people) == {hall.boss.actor.id, hall.one.actor.id, hall.other.actor.id}
    assert made.state == "ringing"


async def test_verbs_on_a_consultation(hall: Hall, hub: Hub) -> None:
    room = await hall.consultation()
    done = await hall.force(Verb.MONITOR, consultation=room)
    await hall.listens(done.joining, hidden=True)
    attended = sa.select(tables.attendance.c.identity).where(tables.attendance.c.consultation_id == room)
    async with hub.parts.store.reading() as reading:
        assert {row.identity for row in await reading.all(attended)} == {hall.one.id, hall.other.id}
    record = await hub.parts.rooms.find(room, hall.one.actor)
    assert {one.identity for one in hub.parts.rooms.present(record)} == {hall.one.id, hall.other.id}
    with pytest.raises(Conflict) as host:
        await hall.force(Verb.TAKEOVER, target=hall.one, consultation=room)
    assert host.value.code == "host"
    await hub.parts.rooms.change(room, hall.one.actor, record.rev, locked=True)

    await hall.force(Verb.TAKEOVER, consultation=room)
    assert hall.other.id not in hub.conference.rooms[room]
    joining = await hub.parts.rooms.join(room, hall.boss.actor, hall.boss.told, "ws://hub")  # the lock does not hold them
    await hub.enter({"token": joining.token})
    with pytest.raises(Forbidden):
        await hub.parts.rooms.join(room, hall.other.actor, hall.other.told, "ws://hub")
    assert hall.dispatch.listening.of(hall.boss.actor.id) == []
    await hub.conference.leave(room, hall.boss.id)

    events = heard(hub)
    await hall.force(Verb.RELEASE, target=hall.one, consultation=room)
    ended = next(one for one in events if one.event.type == "consultation.ended")
    assert ended.event.data["reason"] == "released"
    assert room not in hub.conference.rooms


async def test_preempted_out_of_a_consultation(hall: Hall, hub: Hub) -> None:
    room = await hall.consultation()
    done = await hall.force(Verb.PREEMPT, priority=4)
    assert done.act.line.kind == "consultation"
    await hall.other.rings(done.call.id)
    await until(lambda: "leave" in hall.other.verbs(room))
    assert set(hub.conference.rooms[room]) == {hall.one.id}


async def test_a_plain_emergency_call_rings_beside_a_consultation(hall: Hall, hub: Hub) -> None:
    """Nobody is put out of a consultation by a call: that is a verb with a reason. Who answers is in both until one is left."""
    room = await hall.consultation()
    await hall.other.dnd()
    made = await hall.boss.call("sun-wanqing", emergency=True)
    ring = await hall.other.rings(made.id)
    assert ring["data"]["call"]["emergency"] is True
    await hall.boss.enter(made.id)
    await hall.other.answer(made.id)
    assert set(hub.conference.rooms[room]) == {hall.one.id, hall.other.id}
    assert set(hub.conference.rooms[made.id]) == {hall.boss.id, hall.other.id}
    assert "leave" not in hall.other.verbs(room)
    await hall.boss.act("hangup", made.id)
    await hall.force(Verb.PREEMPT, emergency=True)
    await until(lambda: set(hub.conference.rooms[room]) == {hall.one.id})


async def test_the_same_order_twice_is_one(hall: Hall, hub: Hub) -> None:
    await hall.call()
    once = Once("K", "F")
    first = await hall.force(Verb.MONITOR, once=once)
    again = await hall.force(Verb.MONITOR, once=once)
    assert (again.act, again.joining.identity) == (first.act, first.joining.identity)
    assert len(await rows(hub, "call.monitor")) == 1


@pytest.mark.parametrize("kind", ["call", "consultation"])
@pytest.mark.parametrize("verb", list(Verb))
async def test_nothing_is_done_that_the_audit_does_not_have(
    hall: Hall, hub: Hub, verb: Verb, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await (hall.call() if kind == "call" else hall.consultation())
    before, said = dict(hub.parts.calls.live), [len(phone.heard) for phone in (hall.boss, hall.one, hall.other)]
    events, there = heard(hub), {room: set(people) for room, people in hub.conference.rooms.items()}

    async def full(*_: object, **__: object) -> None:
        raise SQLAlchemyError("disk full")

    monkeypatch.setattr(audit, "record", full)
    with pytest.raises(SQLAlchemyError):
        await hall.force(verb, priority=9)
    await asyncio.sleep(0.05)
    assert hub.parts.calls.live == before
    assert {room: set(people) for room, people in hub.conference.rooms.items()} == there
    assert [len(phone.heard) for phone in (hall.boss, hall.one, hall.other)] == said
    assert hall.dispatch.listening.of(hall.boss.actor.id) == []
    assert not [one for one in events if one.event.type.startswith("dispatch.")]
    async with hub.parts.store.reading() as reading:
        assert await reading.all(sa.select(tables.dispatch_acts)) == []
    assert (await hub.parts.rooms.find(line, hall.one.actor)).live if kind == "consultation" else True


async def test_an_act_does_not_end_without_its_row(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    await hall.call()
    done = await hall.force(Verb.MONITOR)

    async def full(*_: object, **__: object) -> None:
        raise SQLAlchemyError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(audit, "record", full)
        with pytest.raises(SQLAlchemyError):
            await hall.dispatch.end(hall.boss.actor, done.act.id)
    assert hall.dispatch.listening.get(done.act.id) is not None


async def test_a_restarted_hub_goes_on_with_who_listens(hall: Hall, hub: Hub) -> None:
    call = await hall.call()
    done = await hall.force(Verb.WHISPER)
    await hall.dispatch.close()
    hub.conference.apart.clear()
    parts = hub.parts
    again = Dispatch(
        parts.store,
        parts.auth,
        parts.events,
        hub.conference,
        parts.rooms.hearing,
        KEY,
        parts.terminals,
        parts.calls,
        parts.rooms,
        parts.groups,
    )
    await again.start()
    try:
        apart = hub.conference.apart[call]
        assert apart is not None
        assert apart(done.joining.identity, hall.one.id)
        assert not apart(done.joining.identity, hall.other.id)
        assert [act.id for act in again.listening.of(hall.boss.actor.id)] == [done.act.id]
        await again.listening.admit(ticket_of(done.joining.token))
    finally:
        await again.close()


async def test_a_consultation_whose_people_are_still_to_come_back_is_listened_to_on(hall: Hall, hub: Hub) -> None:
    """A restarted hub knows of nobody for a while."""
    room = await hall.consultation()
    done = await hall.force(Verb.MONITOR, consultation=room)
    people = dict(hub.conference.rooms[room])
    hub.conference.rooms[room].clear()
    await asyncio.sleep(1.2)
    assert hall.dispatch.listening.get(done.act.id) is not None
    apart = hub.conference.apart[room]
    assert apart is not None
    assert apart(hall.one.id, done.joining.identity)
    hub.conference.rooms[room].update(people)
    await until(lambda: not (hub.conference.apart[room] or apart)(hall.one.id, done.joining.identity))
