"""Level × scope × role × verb on the calls of groups, through the routes; and the answers to who may not know of a group."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commhub.dispatch.policy import Verb
from commhub.groups import Wanted
from tests.dispatch.test_matrix import LEVELS, ROLES, SCOPES, asker, expected, force, place
from tests.support.hubs import Hub, serving, ticket_of
from tests.support.telephones import Telephone, telephone

#: What is asked of a group's call: the verb, and what else the order says.
ORDERS: list[tuple[Verb, dict[str, object]]] = [*((verb, {}) for verb in Verb), (Verb.RELEASE, {"only": True})]
MEANT = {Verb.MONITOR, Verb.BARGE, Verb.RELEASE}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def called(hub: Hub, *phones: Telephone) -> str:
    """By somebody whom nobody asks about: a call of the city's, with these in it."""
    groups, maker = hub.parts.groups, await hub.person("dispatcher")
    wanted = Wanted("防汛一组", "temporary", members=[phone.actor.id for phone in phones], org=hub.ids["city"])
    group = await groups.create(maker, wanted)
    await groups.call(maker, group)
    for phone in phones:
        joining = await groups.join(phone.actor, group, phone.told, "ws://hub")
        ticket = ticket_of(joining.token)
        await hub.door.admit(ticket)
        await hub.conference.enter(group, ticket.identity, ticket.name, "person")
    return group


async def over(hub: Hub) -> None:
    for act in list(hub.parts.dispatch.listening._running.values()):
        await hub.parts.dispatch.listening.over(act.act)
    for line in list(hub.parts.groups.live.lines):
        await hub.parts.groups.remove(await hub.person("dispatcher"), line)


@pytest.mark.parametrize("role", list(ROLES))
async def test_the_matrix(hub: Hub, role: str) -> None:
    await asker(hub, role)
    target, third = await telephone(hub, "street"), await telephone(hub, "dispatcher")
    places = {"own": hub.ids["binjiang"], "branch": hub.ids["qingshiqiao"], "outside": hub.ids["water"]}
    await place(hub, third.actor.id, hub.ids["police"], 5)
    done, group = 0, ""
    async with hub.browser(ROLES[role]) as page:
        for scope in SCOPES:
            for level, number in LEVELS.items():
                await place(hub, target.actor.id, places[scope], number)
                for verb, more in ORDERS:
                    group = group or await called(hub, target, third)
                    want = expected(role, level, scope) if verb in MEANT else 403
                    status, answer = await force(page, verb, person=target.actor.id, group=group, **more)
                    where = (role, scope, level, verb, more, answer)
                    assert status == want if want == 201 else status in (403, 404), where
                    if status == 201:
                        done += 1
                        await over(hub)
                        group = ""
                    else:
                        assert set(hub.conference.rooms[group]) == {target.id, third.id}, where
    assert done == (8 if role in ("dispatcher", "admin") else 0)


async def test_a_higher_one_in_the_group_protects_it(hub: Hub) -> None:
    await asker(hub, "dispatcher")
    target, third = await telephone(hub, "street"), await telephone(hub, "dispatcher")
    await place(hub, target.actor.id, hub.ids["binjiang"], 8)
    await place(hub, third.actor.id, hub.ids["police"], 4)
    group = await called(hub, target, third)
    async with hub.browser("water") as page:
        for verb in MEANT:
            status, answer = await force(page, verb, person=target.actor.id, group=group)
            assert (status, answer["code"]) == (403, "others_above"), verb


async def test_strangers_get_the_shape_of_what_is_not_there(hub: Hub) -> None:
    await asker(hub, "dispatcher")
    one, other = await telephone(hub, "street"), await telephone(hub, "dispatcher")
    for phone in (one, other):
        await place(hub, phone.actor.id, hub.ids["water"], 8)
    group = await called(hub, one, other)
    async with hub.browser("water") as page:
        for verb in Verb:
            there = await force(page, verb, person=one.actor.id, group=group)
            assert there == await force(page, verb, person=one.actor.id, group="01K00000000000000000000000"), verb
            assert there[0] == 404
            assert (await force(page, verb, person=one.actor.id))[1]["code"] == "outside_scope"
        query = f"?person={one.actor.id}"
        assert (await page.ok("GET", f"/dispatch/allowed{query}"))["line"] is None
        assert (await page.call("GET", f"/dispatch/allowed{query}&group={group}"))[0] == 404
        both = await force(page, Verb.MONITOR, person=one.actor.id, group=group, call=group)
        assert both[0] == 400
