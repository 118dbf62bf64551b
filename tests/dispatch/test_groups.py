"""Forced verbs on the calls of groups: who comes in, who goes, who is told, and what the policy does not know there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub.conference import Presence
from commhub.dispatch import Aim, Dispatch, Order, Verb
from commhub.errors import Conflict, Forbidden
from commhub.groups import Pictures, Wanted
from commhub.store import tables
from tests.support import until
from tests.support.consultations import heard
from tests.support.hubs import KEY, Hub, running, ticket_of
from tests.support.telephones import Telephone, telephone


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with running(tmp_path) as hub:
        yield hub


class Net:
    """A group of the district and its street that is called; a city dispatcher (level 3) who is in none of it."""

    def __init__(self, hub: Hub, boss: Telephone, one: Telephone, other: Telephone) -> None:
        self.hub, self.boss, self.one, self.other = hub, boss, one, other
        self.group = ""

    async def make(self, **more: Any) -> str:
        members = [self.one.actor.id, self.other.actor.id]
        wanted = Wanted("防汛一组", "temporary", members=members, org=self.one.actor.org, **more)
        return await self.hub.parts.groups.create(self.one.actor, wanted)

    async def call(self, group: str = "") -> str:
        self.group = group or await self.make()
        await self.hub.parts.groups.call(self.one.actor, self.group)
        for phone in (self.one, self.other):
            await self.enter(phone)
        return self.group

    async def enter(self, phone: Telephone, group: str = "") -> None:
        """As its page does when it is told to."""
        room = group or self.group
        joining = await self.hub.parts.groups.join(phone.actor, room, phone.told, "ws://hub")
        ticket = ticket_of(joining.token)
        await self.hub.door.admit(ticket)
        await self.hub.conference.enter(room, ticket.identity, ticket.name, "person")

    async def force(self, verb: Verb, target: Telephone | None = None, **more: Any) -> Any:
        aim = Aim((target or self.other).actor.id, group=more.pop("group", self.group))
        order = Order(verb, aim, self.boss.id, more.pop("reason", "核实情况"), **more)
        return await self.hub.parts.dispatch.force(self.boss.actor, order, "ws://hub")

    async def floor(self, phone: Telephone, action: Any = "request", reason: str = "") -> Any:
        return await self.hub.parts.groups.floor(phone.actor, self.group, action, phone.id, reason)

    @property
    def there(self) -> set[str]:
        return set(self.hub.conference.rooms.get(self.group, {}))


@pytest.fixture
async def net(hub: Hub) -> Net:
    boss = await telephone(hub, "dispatcher")
    return Net(hub, boss, await telephone(hub, "binjiang"), await telephone(hub, "street"))


async def actions(hub: Hub) -> list[str]:
    a = tables.audit.c
    async with hub.parts.store.reading() as reading:
        query = sa.select(a.action).where(sa.or_(a.action.like("call.%"), a.action == "group.end")).order_by(a.seq)
        return [row.action for row in await reading.all(query)]


async def test_a_monitor_hears_the_group_unseen_and_all_are_told(net: Net, hub: Hub) -> None:
    group, events = await net.call(), heard(hub)
    done = await net.force(Verb.MONITOR)
    assert (done.act.line.kind, done.act.line.id, done.act.line.title) == ("group", group, "防汛一组")
    assert {one.id for one in done.act.told} == {net.one.actor.id, net.other.actor.id}
    ticket = ticket_of(done.joining.token)
    assert (ticket.grants["hidden"], ticket.grants["canPublish"]) == (True, False)
    await hub.door.admit(ticket)
    there = Presence(ticket.identity, ticket.name)
    hub.conference.watching.setdefault(group, {})[ticket.identity] = there
    await hub.door.joined(group, there)
    assert {one.id for one in (await Pictures(hub.parts.store, hub.parts.groups).one(group, net.one.actor)).members} == {
        net.one.actor.id, net.other.actor.id,
    }  # fmt: skip
    (began,) = [one for one in events if one.event.type == "dispatch.began"]
    assert set(began.audience.people) == {net.boss.actor.id, net.one.actor.id, net.other.actor.id}
    apart = hub.conference.apart[group]
    assert apart is not None
    assert not apart(net.one.id, ticket.identity)

    await hub.conference.leave(group, net.one.id)
    await until(lambda: (hub.conference.apart[group] or apart)(net.other.id, ticket.identity), what="one who is alone")
    await hub.parts.groups.end(net.one.actor, group)
    await until(lambda: hub.parts.dispatch.listening.of(net.boss.actor.id) == [], what="the end with the call")
    assert await actions(hub) == ["call.monitor", "group.end", "call.monitor_end"]


async def test_who_barges_in_talks_by_the_rules_of_the_floor_until_the_call_ends(net: Net, hub: Hub) -> None:
    group = await net.call()
    await net.floor(net.one)
    events = heard(hub)
    done = await net.force(Verb.BARGE)
    assert done.act.end == "done"
    await until(lambda: net.boss.verbs(group) == ["join"])
    assert net.boss.heard[-1]["data"]["talks"] is True
    await net.enter(net.boss)
    assert {one.event.type for one in events if one.event.type.startswith("dispatch.")} == {"dispatch.done"}
    pictures = Pictures(hub.parts.store, hub.parts.groups)
    mine = await pictures.one(group, net.boss.actor)
    assert (mine.affiliated, mine.talks) == (True, True)
    assert {(one.id, one.present) for one in mine.members} >= {(net.boss.actor.id, True)}
    assert (await net.floor(net.boss)).you == "queued"
    assert (await net.floor(net.boss, "override", "先说")).you == "granted"
    assert hub.conference.speakers[group] == frozenset({net.boss.id})
    with pytest.raises(Conflict) as mine_own:
        await net.force(Verb.RELEASE)
    assert mine_own.value.code == "own_line"

    await hub.parts.groups.unaffiliate(net.boss.actor, group)  # and goes again
    await until(lambda: net.boss.verbs(group)[-1] == "leave")
    assert net.boss.actor.id not in hub.parts.groups.live.lines[group].people


async def test_released_for_everybody(net: Net, hub: Hub) -> None:
    group, events = await net.call(), heard(hub)
    await net.force(Verb.MONITOR)
    done = await net.force(Verb.RELEASE)
    assert (done.act.end, group in hub.conference.rooms) == ("done", False)
    phones = net.one, net.other
    await until(lambda: all(phone.verbs(group)[-1] == "leave" for phone in phones))
    assert {phone.heard[-1]["reason"] for phone in phones} == {"released"}
    ended = next(one for one in events if one.event.type == "group.ended")
    assert ended.event.data["reason"] == "released"
    await until(lambda: hub.parts.dispatch.listening.of(net.boss.actor.id) == [])
    assert [one for one in await actions(hub) if one != "call.monitor_end"] == ["call.monitor", "call.release", "group.end"]


async def test_one_is_put_out_and_comes_back_with_the_next_call_or_an_emergency(net: Net, hub: Hub) -> None:
    group = await net.call()
    done = await net.force(Verb.RELEASE, only=True)
    assert done.act.end == "put_out"
    assert net.there == {net.one.id}
    await until(lambda: net.other.verbs(group)[-1] == "leave")
    shown = await Pictures(hub.parts.store, hub.parts.groups).one(group, net.one.actor)
    assert {one.id: one.reach for one in shown.members}[net.other.actor.id] == "put_out"
    with pytest.raises(Conflict) as refused:
        await net.enter(net.other)
    assert refused.value.code == "put_out"
    await hub.parts.groups.affiliate(net.other.actor, group, net.other.told, selected=False)
    assert net.other.verbs(group) == ["join", "leave"]

    await hub.parts.groups.emergency(net.one.actor, group, "call", net.one.told, "着火")
    await until(lambda: net.other.verbs(group)[-1] == "join")
    await net.enter(net.other)
    for only in (False, True):
        with pytest.raises(Conflict) as urgent:
            await net.force(Verb.RELEASE, only=only)
        assert urgent.value.code == "emergency"
    await net.force(Verb.MONITOR)


@pytest.mark.parametrize("verb", [Verb.WHISPER, Verb.TAKEOVER, Verb.PREEMPT])
async def test_what_a_floor_does_not_know(net: Net, hub: Hub, verb: Verb) -> None:
    await net.call()
    with pytest.raises(Forbidden) as refused:
        await net.force(verb)
    assert refused.value.code == "line_kind"
    allowed = await hub.parts.dispatch.allowed(net.boss.actor, Aim(net.other.actor.id), english=False)
    assert allowed.line is not None
    assert (allowed.line.kind, allowed.line.title) == ("group", "防汛一组")
    assert {one.verb for one in allowed.verbs if one.allowed} == {"monitor", "barge", "release"}


async def test_only_a_group_is_released_for_one(net: Net, hub: Hub) -> None:
    made = await net.one.call("sun-wanqing")
    await net.one.enter(made.id)
    await net.other.answer(made.id)
    aim = Aim(net.other.actor.id, call=made.id)
    with pytest.raises(Forbidden) as refused:
        await hub.parts.dispatch.force(net.boss.actor, Order(Verb.RELEASE, aim, net.boss.id, "核实", only=True), "ws://hub")
    assert refused.value.code == "line_kind"


async def test_patched_groups_are_one_line(net: Net, hub: Hub) -> None:
    """Whoever listens in one of them hears both, so all are told; what ends one ends both."""
    third = await telephone(hub, "water")
    p = tables.people.c
    async with hub.parts.store.transaction() as transaction:
        await transaction.run(sa.update(tables.people).where(p.id == third.actor.id).values(level=6))
    first = await net.make()
    wanted = Wanted("应急组", "temporary", members=[third.actor.id], org=third.actor.org)
    second = await hub.parts.groups.create(net.boss.actor, wanted)
    patch = await hub.parts.groups.create(net.boss.actor, Wanted("联合", "patched", org=hub.ids["city"], groups=[first, second]))
    await net.call(first)
    await net.enter(third, second)
    done = await net.force(Verb.MONITOR, group=patch)
    assert {one.id for one in done.act.told} == {net.one.actor.id, net.other.actor.id, third.actor.id}
    out = await net.force(Verb.RELEASE, third, group=patch, only=True)
    assert out.act.end == "put_out"
    assert set(hub.conference.rooms[second]) == set()
    assert net.there == {net.one.id, net.other.id}
    await net.force(Verb.RELEASE, group=patch)
    assert {first, second} & set(hub.conference.rooms) == set()


@pytest.mark.parametrize(
    ("verb", "only"), [(Verb.MONITOR, False), (Verb.BARGE, False), (Verb.RELEASE, False), (Verb.RELEASE, True)]
)
async def test_nothing_is_done_that_is_not_written(
    net: Net, hub: Hub, monkeypatch: pytest.MonkeyPatch, verb: Verb, only: bool
) -> None:
    group, events = await net.call(), heard(hub)
    there, said = net.there, [len(phone.heard) for phone in (net.boss, net.one, net.other)]

    async def full(*_: object, **__: object) -> None:
        raise SQLAlchemyError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(audit, "record", full)
        with pytest.raises(SQLAlchemyError):
            await net.force(verb, only=only)
    await asyncio.sleep(0.05)
    assert net.there == there
    line = hub.parts.groups.live.lines[group]
    assert (set(line.people), line.out) == ({net.one.actor.id, net.other.actor.id}, set())
    assert [len(phone.heard) for phone in (net.boss, net.one, net.other)] == said
    assert hub.parts.dispatch.listening.of(net.boss.actor.id) == []
    assert not [one for one in events if one.event.type.startswith("dispatch.")]
    async with hub.parts.store.reading() as reading:
        assert await reading.all(sa.select(tables.dispatch_acts)) == []


async def test_a_restarted_hub_knows_who_was_forced_in_and_out(net: Net, hub: Hub) -> None:
    group, parts = await net.call(), hub.parts
    await net.force(Verb.BARGE)
    await net.force(Verb.RELEASE, only=True)
    line = parts.groups.live.lines[group]
    line.record = (await parts.groups.registry.live())[0]
    line.guests.clear()
    line.out.clear()
    await parts.groups._compose(line)
    await parts.dispatch.close()
    again = Dispatch(
        parts.store, parts.auth, parts.events, hub.conference, parts.rooms.hearing, KEY, parts.terminals, parts.calls,
        parts.rooms, parts.groups,
    )  # fmt: skip
    await again.start()
    try:
        assert (set(line.guests), line.out) == ({net.boss.actor.id}, {net.other.actor.id})
        assert set(line.people) == {net.one.actor.id, net.boss.actor.id}
    finally:
        await again.close()
