"""Level × scope × role × verb through the routes: what is refused and what is done is what is written out here once more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from commhub.dispatch.policy import Verb
from commhub.model import new_id
from commhub.store import tables
from tests.support.hubs import Browser, Hub, serving
from tests.support.telephones import Telephone, telephone

#: Who asks (role; city, at level 5), by account of the sample city that gets that level.
ROLES = {"participant": "emergency", "dispatcher": "water", "reviewer": "reviewer", "admin": "admin"}
LEVELS = {"above": 8, "equal": 5, "below": 2}  # of the target
SCOPES = ("own", "branch", "outside")


def expected(role: str, level: str, scope: str) -> int:
    """Independent of the table: a role that may, strictly above, within the reach of that role."""
    if role not in ("dispatcher", "admin"):
        return 403
    return 201 if level == "above" and scope != "outside" else 403


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def place(hub: Hub, person: str, org: str, level: int) -> None:
    p = tables.people.c
    async with hub.parts.store.transaction() as transaction:
        await transaction.run(sa.update(tables.people).where(p.id == person).values(level=level, org_id=org))


async def asker(hub: Hub, role: str) -> str:
    """A person of the district of Binjiang with this role there."""
    actor = await hub.person(ROLES[role])
    g = tables.grants.c
    async with hub.parts.store.transaction() as transaction:
        await transaction.run(sa.delete(tables.grants).where(g.person_id == actor.id))
        await transaction.insert(tables.grants, {"person_id": actor.id, "role": role, "org_id": hub.ids["binjiang"]})
    await place(hub, actor.id, hub.ids["binjiang"], 5)
    return str(actor.id)


async def line(one: Telephone, other: Telephone, key: str) -> str:
    made = await one.call(key)
    await one.enter(made.id)
    await other.answer(made.id)
    return made.id


async def force(page: Browser, verb: str, **more: object) -> tuple[int, dict[str, object]]:
    status, answer = await page.call("POST", f"/dispatch/{verb}", {"terminal": new_id(), "reason": "核实情况", **more})
    return status, answer


@pytest.mark.parametrize("role", list(ROLES))
async def test_the_matrix(hub: Hub, role: str) -> None:
    await asker(hub, role)
    target, third = await telephone(hub, "street"), await telephone(hub, "dispatcher")
    places = {"own": hub.ids["binjiang"], "branch": hub.ids["qingshiqiao"], "outside": hub.ids["water"]}
    await place(hub, third.actor.id, hub.ids["police"], 5)
    asked = done = 0
    call = ""
    async with hub.browser(ROLES[role]) as page:
        for scope in SCOPES:
            for level, number in LEVELS.items():
                await place(hub, target.actor.id, places[scope], number)
                for verb in Verb:
                    call = call or await line(third, target, hub_key(hub, target))
                    want = expected(role, level, scope)
                    priority = {"priority": 9} if verb is Verb.PREEMPT else {}
                    status, answer = await force(page, verb, person=target.actor.id, call=call, **priority)
                    where = (role, scope, level, verb, answer)
                    assert status == want if want == 201 else status in (403, 404), where
                    asked += 1
                    if status == 201:
                        done += 1
                        await over(hub)
                        call = ""
                    else:
                        assert hub.parts.calls.live[call].state == "active", where
                        if role in ("dispatcher", "admin"):
                            assert answer["code"] in ("level", "outside_scope", "not_found"), where
    assert (asked, done) == (54, 12 if role in ("dispatcher", "admin") else 0)


def hub_key(hub: Hub, phone: Telephone) -> str:
    return next(key for key, id in hub.ids.items() if id == phone.actor.id)


async def over(hub: Hub) -> None:
    """Whatever is left of it."""
    for act in list(hub.parts.dispatch.listening.of("")):
        await hub.parts.dispatch.listening.over(act)
    for call in list(hub.parts.calls.live.values()):
        for leg in call.active[:1]:
            actor = await hub.parts.auth.actor(leg.person)
            assert actor is not None
            await hub.parts.calls.act("hangup", call.id, actor, leg.terminal)


async def test_a_higher_one_on_the_line_protects_it(hub: Hub) -> None:
    await asker(hub, "dispatcher")
    target, third = await telephone(hub, "street"), await telephone(hub, "dispatcher")
    await place(hub, target.actor.id, hub.ids["binjiang"], 8)
    async with hub.browser("water") as page:
        for level, want in ((4, 403), (5, 201)):
            await place(hub, third.actor.id, hub.ids["police"], level)
            call = ""
            for verb in Verb:
                call = call or await line(third, target, hub_key(hub, target))
                status, answer = await force(page, verb, person=target.actor.id, call=call)
                assert status == want, (level, verb, answer)
                assert want == 201 or answer["code"] == "others_above"
                if want == 201:
                    await over(hub)
                    call = ""
            await over(hub)


async def test_strangers_get_the_shape_of_what_is_not_there(hub: Hub) -> None:
    """Of a call between two people of another branch nobody learns that it is there, nor on which line somebody is."""
    await asker(hub, "dispatcher")
    one, other = await telephone(hub, "street"), await telephone(hub, "dispatcher")
    for phone in (one, other):
        await place(hub, phone.actor.id, hub.ids["water"], 8)
    call = await line(other, one, hub_key(hub, one))
    nothing = {"person": one.actor.id, "call": "01K00000000000000000000000"}
    async with hub.browser("water") as page:
        for verb in Verb:
            there = await force(page, verb, person=one.actor.id, call=call)
            missing = await force(page, verb, **nothing)
            assert there == missing, verb
            assert there[0] == 404
            busy = await force(page, verb, person=one.actor.id)
            assert (busy[0], busy[1]["code"]) == (403, "outside_scope")
        query = f"?person={one.actor.id}"
        seen = await page.ok("GET", f"/dispatch/allowed{query}")
        assert seen["line"] is None
        assert {verb["verb"]: (verb["emergency"], verb["told"]) for verb in seen["verbs"] if verb["allowed"]} == {
            "preempt": (True, [])
        }
        assert (await page.call("GET", f"/dispatch/allowed{query}&call={call}"))[0] == 404
        unknown = await force(page, "monitor", person="01K00000000000000000000000")
        assert unknown[1]["code"] == "not_found"
        assert (await page.call("DELETE", "/dispatch/01K00000000000000000000000", {}))[0] == 404
