"""Calls from their records' side: what terminals and rooms are told, who may, and what a restarted hub makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub.calls import Calls, Wish
from commhub.calls.asked import Asked
from commhub.conference import Ticket
from commhub.errors import Conflict, Forbidden, NotFound, NotNow, Unfit
from commhub.rooms import Hearing
from commhub.store import tables
from commhub.store.repeats import Once
from tests.support import until
from tests.support.consultations import heard
from tests.support.hubs import KEY, Hub, running
from tests.support.telephones import Telephone, states, telephone


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with running(tmp_path) as hub:
        yield hub


async def live(hub: Hub, call: str) -> Any:
    await asyncio.sleep(0)
    return hub.parts.calls.live.get(call)


async def ended(hub: Hub, call: str) -> None:
    await until(lambda: call not in hub.parts.calls.live, what="the end of the call")


async def pair(hub: Hub) -> tuple[Telephone, Telephone, str]:
    """The dispatcher talks to somebody of the emergency office."""
    caller, called = await telephone(hub, "dispatcher"), await telephone(hub, "emergency")
    made = await caller.call("chen-zhixing")
    await caller.enter(made.id)
    await called.answer(made.id)
    return caller, called, made.id


async def test_it_rings_is_answered_and_over(hub: Hub) -> None:
    events = heard(hub)
    caller, called = await telephone(hub, "dispatcher"), await telephone(hub, "emergency")
    made = await caller.call("chen-zhixing")
    assert (made.state, made.room, made.may) == ("ringing", made.id, ["hangup", "join", "add", "hold"])
    ring = await called.rings(made.id)
    assert (ring["by"]["name"], ring["auto"], ring["data"]["call"]["id"]) == ("周明远", False, made.id)
    await until(lambda: [leg.state for leg in hub.parts.calls.live[made.id].legs] == ["answered", "ringing"])
    assert (caller.presence, called.presence) == ("busy", "ringing")
    await caller.enter(made.id)
    answered = await called.act("answer", made.id)
    await called.enter(made.id)
    assert (answered.state, called.presence) == ("active", "busy")
    over = await caller.act("hangup", made.id)
    assert (over.state, over.end, states(over)) == ("ended", "hangup", {"周明远": "hangup", "陈知行": "hangup"})
    assert over.may == ["redial"]
    assert made.id not in hub.conference.rooms
    await until(lambda: called.verbs(made.id)[-1] == "leave")
    assert (called.heard[-1]["reason"], caller.presence, called.presence) == ("hangup", "idle", "idle")
    kinds = [one.event.type for one in events]
    assert kinds == ["call.created", "call.ringing", "call.answered", "call.ended"]
    assert {person for one in events for person in one.audience.people} == {caller.actor.id, called.actor.id}
    assert [one.event.rev for one in events] == [1, 2, 3, 4]
    async with hub.parts.store.reading() as reading:
        a = tables.audit.c
        rows = await reading.all(sa.select(a.action, a.actor_name).where(a.action.like("call.%")).order_by(a.id))
    assert [tuple(row) for row in rows] == [("call.make", "周明远"), ("call.answer", "陈知行"), ("call.hangup", "周明远")]


async def test_one_person_with_two_terminals(hub: Hub) -> None:
    caller, desk, mobile = await telephone(hub, "dispatcher"), await telephone(hub, "water"), await telephone(hub, "water")
    made = await caller.call("li-sihan")
    await desk.rings(made.id)
    await mobile.answer(made.id)
    await until(lambda: desk.verbs(made.id) == ["ring", "leave"])
    assert (desk.heard[-1]["reason"], desk.presence) == ("answered_elsewhere", "idle")
    with pytest.raises(NotNow):
        await desk.act("answer", made.id)


@pytest.mark.parametrize(
    ("how", "end"),
    [
        ({"refuses": "busy"}, "busy"),
        ({"refuses": "none of your business"}, "declined"),
        ({"dnd": True}, "dnd"),
        (None, "unreachable"),
    ],
)
async def test_why_nobody_answered(hub: Hub, how: dict[str, Any] | None, end: str) -> None:
    caller = await telephone(hub, "dispatcher")
    if how is not None:
        dnd = how.pop("dnd", False)
        called = await telephone(hub, "emergency", **how)
        if dnd:
            await called.dnd()
    made = await caller.call("chen-zhixing")
    await ended(hub, made.id)
    over = await hub.parts.calls.find(made.id, caller.actor)
    assert (over.end, states(over)) == (end, {"周明远": end, "陈知行": end})


async def test_a_terminal_that_says_nothing_is_shown_so(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    caller, called = await telephone(hub, "dispatcher"), await telephone(hub, "emergency", deaf=True)
    instruct = hub.parts.terminals.instruct

    async def impatient(terminal: str, said: Any, within: float = 0.05) -> Any:
        return await instruct(terminal, said, 0.05)

    monkeypatch.setattr(hub.parts.terminals, "instruct", impatient)
    made = await caller.call("chen-zhixing")
    await until(lambda: hub.parts.calls.live[made.id].legs[1].silent)
    assert hub.parts.calls.live[made.id].legs[1].state == "inviting"
    assert states(await called.act("answer", made.id))["陈知行"] == "answered"


async def test_who_is_held_is_kept_apart_until_it_goes_on(hub: Hub) -> None:
    caller, called, call = await pair(hub)
    held = await caller.act("hold", call)
    apart = hub.conference.apart[call]
    assert apart is not None
    assert apart(caller.id, called.id)
    assert apart(called.id, caller.id)
    assert held.may == ["hangup", "join", "add", "resume", "transfer"]
    with pytest.raises(NotNow) as refused:
        await caller.act("hold", call)
    assert refused.value.allowed == held.may
    with pytest.raises(Conflict) as stale:
        await caller.act("resume", call, rev=held.rev - 1)
    assert stale.value.code == "stale"
    await caller.act("resume", call, rev=held.rev)
    assert hub.conference.apart[call] is None


async def test_a_blind_transfer(hub: Hub) -> None:
    caller, called, call = await pair(hub)
    with pytest.raises(Conflict) as unreached:
        await hub.parts.calls.transfer(call, caller.actor, caller.id, Asked("person", hub.ids["li-sihan"]))
    assert unreached.value.code == "not_reached"
    third = await telephone(hub, "water")
    moved = await hub.parts.calls.transfer(call, caller.actor, caller.id, Asked("person", hub.ids["li-sihan"]))
    assert (moved.state, states(moved)["周明远"], caller.presence) == ("active", "transferred", "idle")
    assert set(hub.conference.rooms[call]) == {called.id}
    await third.answer(call)
    assert set(hub.conference.rooms[call]) == {called.id, third.id}
    with pytest.raises(NotNow):
        await hub.parts.calls.join(call, caller.actor, caller.id, "ws://hub")


async def test_two_who_put_somebody_out_at_once_put_them_out_once(hub: Hub) -> None:
    """Whoever is transferred is put out, and the sweep finds them in the room meanwhile."""
    caller, called, call = await pair(hub)
    assert called.id in hub.conference.rooms[call]
    gone: list[str] = []
    left = hub.conference.leave

    async def leave(room: str, identity: str, reason: str = "CLIENT_INITIATED") -> None:
        gone.append(identity)
        await left(room, identity, reason)

    hub.conference.leave = leave  # type: ignore[method-assign]
    await asyncio.gather(*(hub.parts.calls.lodging._ringing.put_out(call, caller.id) for _ in range(3)))
    assert gone == [caller.id]


async def test_a_transfer_in_vain_rings_at_who_transferred(hub: Hub) -> None:
    caller, _called, call = await pair(hub)
    third, fourth = await telephone(hub, "water"), await telephone(hub, "admin")
    await hub.parts.calls.transfer(call, caller.actor, caller.id, Asked("person", hub.ids["li-sihan"]))
    other = await caller.call("wu-chengze")  # meanwhile he talks to somebody else
    await caller.enter(other.id)
    await fourth.answer(other.id)
    await third.rings(call)
    calls = await again(hub)  # what is to be done in vain outlives a hub
    try:
        await calls.act("decline", call, third.actor, third.id)
        await until(lambda: [one["reason"] for one in caller.heard if one["verb"] == "ring"] == ["recall"])
        view = await calls.find(call, caller.actor)
        assert [(leg.end, leg.waiting) for leg in view.legs if leg.person.id == caller.actor.id] == [
            ("transferred", False),
            (None, True),
        ]
        await calls.act("answer", call, caller.actor, caller.id)
        assert (await calls.find(other.id, caller.actor)).legs[0].state == "held"
        assert len(calls.live[call].active) == 2
        async with hub.parts.store.reading() as reading:
            rows = await reading.all(sa.select(tables.audit.c.action).where(tables.audit.c.subject == call))
        assert "call.recall" in {row.action for row in rows}
    finally:
        await calls.close()


async def test_an_attended_transfer(hub: Hub) -> None:
    caller, called, call = await pair(hub)
    third = await telephone(hub, "water")
    second = await caller.call("li-sihan")
    assert hub.parts.calls.live[call].held == {caller.id}
    await caller.enter(second.id)
    await third.answer(second.id)
    done = await hub.parts.calls.connect(call, caller.actor, caller.id, second.id)
    assert states(done) == {"周明远": "transferred", "陈知行": "answered", "李思涵": "answered"}
    await until(lambda: "join" in third.verbs(call))
    told = next(one for one in third.heard if one["verb"] == "join")
    assert (told["room"], told["auto"], bool(told["token"])) == (call, True, True)
    assert states(await hub.parts.calls.find(second.id, caller.actor)) == {"周明远": "transferred", "李思涵": "transferred"}
    assert (second.id in hub.conference.rooms, hub.conference.apart[call]) == (False, None)
    await third.enter(call)
    assert set(hub.conference.rooms[call]) == {called.id, third.id}


async def test_a_conference_and_who_leaves_it(hub: Hub) -> None:
    caller, called, call = await pair(hub)
    third = await telephone(hub, "water")
    more = await hub.parts.calls.add(call, caller.actor, caller.id, [Asked("org", hub.ids["water"])])
    assert (more.kind, more.parties[-1].kind, more.parties[-1].name) == ("conference", "org", "水务局")
    await third.answer(call)
    with pytest.raises(Conflict) as there:
        await hub.parts.calls.add(call, caller.actor, caller.id, [Asked("person", hub.ids["li-sihan"])])
    assert there.value.code == "already"
    await called.act("hangup", call)
    assert set(hub.conference.rooms[call]) == {caller.id, third.id}
    assert (await third.act("hangup", call)).state == "ended"


async def test_an_emergency_preempts_and_the_other_is_told_why(hub: Hub) -> None:
    caller, called, call = await pair(hub)
    chief = await telephone(hub, "admin")
    alarm = await chief.call("chen-zhixing", emergency=True)
    await called.rings(alarm.id)
    over = await hub.parts.calls.find(call, caller.actor)
    assert (over.end, states(over)) == ("preempted", {"周明远": "preempted", "陈知行": "preempted"})
    await until(lambda: caller.verbs(call)[-1:] == ["leave"])
    assert (caller.heard[-1]["reason"], caller.heard[-1]["data"]["by"]) == ("preempted", chief.actor.id)
    with pytest.raises(Forbidden):
        await called.call("zhou-mingyuan", emergency=True)
    with pytest.raises(Forbidden):
        await called.call("zhou-mingyuan", priority=4)


async def test_who_leaves_the_room_or_never_comes(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commhub.calls.lodging.LEFT_SECONDS", 60)
    monkeypatch.setattr("commhub.calls.lodging.BACK_SECONDS", 0.3)
    caller, called, call = await pair(hub)
    await hub.conference.leave(call, called.id, "CLIENT_INITIATED")
    leg = hub.parts.calls.live[call].at(called.id)
    assert leg is not None
    assert leg.deadline > 0
    await called.enter(call)  # the page was loaded again
    leg = hub.parts.calls.live[call].at(called.id)
    assert leg is not None
    assert leg.deadline == 0
    await hub.conference.leave(call, called.id, "SIGNAL_CLOSE")
    await ended(hub, call)
    assert states(await hub.parts.calls.find(call, caller.actor))["陈知行"] == "lost"


async def test_who_comes_in(hub: Hub) -> None:
    caller, _called, call = await pair(hub)
    stranger = await hub.person("water")
    for identity, key in ((f"{stranger.id}:x", KEY.name), (caller.id, "other")):
        with pytest.raises(Forbidden):
            await hub.door.admit(Ticket(key, identity, room=call, token_id="t"))
    await hub.conference.enter(call, f"{stranger.id}:x", "who walked past the door")
    assert f"{stranger.id}:x" not in hub.conference.rooms[call]


async def test_who_sees_it(hub: Hub) -> None:
    caller, called, call = await pair(hub)
    for account, sees in (("dispatcher", True), ("emergency", True), ("admin", True), ("reviewer", True), ("water", False)):
        reader = await hub.person(account)
        listed = [one.id for one in (await hub.parts.calls.listed(reader)).items]
        assert (call in listed) is sees, account
        if not sees:
            with pytest.raises(NotFound):
                await hub.parts.calls.find(call, reader)
            with pytest.raises(NotFound):
                await hub.parts.calls.act("hangup", call, reader, None)
    admin = await hub.person("admin")
    assert (await hub.parts.calls.listed(admin, mine=True)).items == []
    assert (await hub.parts.calls.find(call, admin)).may == []
    with pytest.raises(NotNow):
        await hub.parts.calls.act("hangup", call, admin, None)
    await called.act("hangup", call)
    second = await caller.call("chen-zhixing")
    page = await hub.parts.calls.listed(caller.actor, limit=1)
    assert [one.id for one in page.items] == [second.id]
    rest = await hub.parts.calls.listed(caller.actor, before=page.next, state="ended")
    assert ([one.id for one in rest.items], rest.next) == ([call], None)


async def test_whom_nobody_can_call(hub: Hub) -> None:
    caller = await telephone(hub, "dispatcher")
    for asked, field in (
        (Asked("person", "01K00000000000000000000000"), "to.0.person"),
        (Asked("person", caller.actor.id), "to.0.person"),
        (Asked("org", hub.ids["weather"]), "to.0.org"),  # nobody there can sign in
        (Asked("seat", "01K00000000000000000000000"), "to.0.seat"),
    ):
        with pytest.raises(Unfit) as refused:
            await hub.parts.calls.create(caller.actor, Wish([asked], caller.id))
        assert refused.value.errors[0]["where"] == field
    street = await telephone(hub, "street")
    async with hub.parts.store.transaction() as transaction:
        o = tables.organisations
        await transaction.run(sa.update(o).where(o.c.id == hub.ids["emergency"]).values(listed=False))
    with pytest.raises(Unfit) as hidden:
        await street.call("chen-zhixing")
    assert hidden.value.errors[0]["where"] == "to.0.person"  # as if there were no such person
    assert (await caller.call("chen-zhixing")).end == "unreachable"  # his branch


async def test_again_and_only_once(hub: Hub) -> None:
    caller, called, call = await pair(hub)
    with pytest.raises(NotNow):
        await hub.parts.calls.redial(call, caller.actor, caller.id)
    await called.act("hangup", call)
    again = await hub.parts.calls.redial(call, called.actor, called.id)
    assert [party.name for party in again.parties] == ["陈知行", "周明远"]
    await called.act("hangup", again.id)
    once, wish = Once("key", "print"), Wish([Asked("person", called.actor.id)], caller.id)
    first = await hub.parts.calls.create(caller.actor, wish, once)
    assert (await hub.parts.calls.create(caller.actor, wish, once)).id == first.id
    assert len(hub.parts.calls.live) == 1


async def test_nothing_happens_without_its_audit_row(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    caller, called, call = await pair(hub)
    events = heard(hub)
    before = hub.parts.calls.live[call]

    async def full(*_: Any, **__: Any) -> None:
        raise SQLAlchemyError("the disk is full")

    monkeypatch.setattr(audit, "record", full)
    for act in (caller.act("hold", call), called.act("hangup", call), caller.call("li-sihan")):
        with pytest.raises(SQLAlchemyError):
            await act
    assert (dict(hub.parts.calls.live), events) == ({call: before}, [])
    assert hub.conference.apart.get(call) is None


async def again(hub: Hub) -> Calls:
    """The hub starts anew: its records and the rooms are there, terminals come back by themselves."""
    await hub.parts.calls.close()
    hub.door.houses.remove(hub.parts.calls.lodging)
    parts = hub.parts
    calls = Calls(
        parts.store, parts.auth, parts.events, hub.conference, Hearing(hub.conference), parts.terminals, KEY
    )  # fmt: skip
    hub.door.houses.append(calls.lodging)
    object.__setattr__(parts, "calls", calls)
    await calls.start()
    return calls


async def test_a_restarted_hub_goes_on_with_who_is_there(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commhub.calls.lodging.BACK_AGAIN_SECONDS", 0.3)
    caller, called, call = await pair(hub)
    await called.act("hold", call)
    admin, water = await telephone(hub, "admin"), await telephone(hub, "water")
    alone = await admin.call("li-sihan")
    await admin.enter(alone.id)
    await water.answer(alone.id)
    del hub.conference.rooms[alone.id][water.id]  # gone while the hub was away
    hub.conference.apart.clear()
    calls = await again(hub)
    try:
        apart = hub.conference.apart[call]
        assert apart is not None
        assert apart(caller.id, called.id)
        await ended(hub, alone.id)
        over = await calls.find(alone.id, water.actor)
        assert states(over) == {"吴承泽": "restart", "李思涵": "restart"}
        assert alone.id not in hub.conference.rooms
        assert states(await calls.find(call, caller.actor)) == {"周明远": "answered", "陈知行": "held"}
        assert (await called.act("resume", call)).state == "active"
    finally:
        await calls.close()


@pytest.mark.parametrize("told", [True, False])
async def test_who_is_there_is_known_by_media_once_workers_have_told(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    """No socket has come back yet: of two, the one that is heard is there. Without a word of workers both are waited for."""
    monkeypatch.setattr("commhub.calls.lodging.BACK_AGAIN_SECONDS", 0.3)
    monkeypatch.setattr("commhub.calls.lodging.RESTART_SECONDS", 8 if told else 1)
    caller, called, call = await pair(hub)
    third = await telephone(hub, "water")
    await hub.parts.calls.add(call, caller.actor, caller.id, [Asked("person", hub.ids["li-sihan"])])
    await third.answer(call)
    hub.conference.away = {caller.id, called.id, third.id}
    hub.conference.unheard = {third.id}
    hub.conference.settled = told
    calls = await again(hub)
    try:
        if told:
            await until(lambda: len(calls.live[call].active) == 2)
            assert states(await calls.find(call, caller.actor))["李思涵"] == "restart"
            assert all(leg.deadline == 0 for leg in calls.live[call].active)
        else:
            await until(lambda: call not in calls.live, what="the end of a call of which nobody says anything")
            assert set(states(await calls.find(call, caller.actor)).values()) == {"restart"}
    finally:
        await calls.close()


async def test_what_rang_when_the_hub_died_rings_again(hub: Hub) -> None:
    caller, called = await telephone(hub, "dispatcher"), await telephone(hub, "emergency")
    made = await caller.call("chen-zhixing")
    await caller.enter(made.id)
    await called.rings(made.id)
    calls = await again(hub)
    try:
        await until(lambda: called.verbs(made.id) == ["ring", "ring"])
        assert (await called.act("answer", made.id)).state == "active"
    finally:
        await calls.close()


async def test_a_room_whose_call_is_over_is_closed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commhub.calls.lodging.SWEEP_SECONDS", 0.2)
    caller, _called, call = await pair(hub)
    people = dict(hub.conference.rooms[call])
    await caller.act("hangup", call)
    hub.conference.rooms |= {call: people, "01K00000000000000000000000": {}}  # the hub died before it was closed
    calls = await again(hub)
    try:
        await until(lambda: call not in hub.conference.rooms, 5)
        assert "01K00000000000000000000000" in hub.conference.rooms  # somebody else's
    finally:
        await calls.close()
