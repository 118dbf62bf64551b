"""Consultations from their records' side: rights, invitations, lock, removal, cameras, and what the live side is told."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.conference import Presence, Ticket
from commhub.errors import Busy, Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from commhub.feeds import seat_of
from commhub.model import Label
from commhub.rooms import Once
from commhub.store import tables
from signaling import tokens
from tests.support.consultations import bring, come_in, create, heard, ticket
from tests.support.hubs import KEY, TERMINAL, Hub, running


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with running(tmp_path) as hub:
        yield hub


async def test_what_a_new_consultation_is(hub: Hub) -> None:
    events = heard(hub)
    made = await create(hub, organisations=[hub.ids["water"]], people=[hub.ids["chen-zhixing"], hub.ids["liu-yutong"]])
    assert made.code.startswith("HS-")
    assert made.code.endswith("-001")
    assert (await create(hub)).code.endswith("-002")
    assert made.rev == 1
    assert made.host.name == "周明远"
    assert [one.short for one in made.organisations] == ["水务"]
    assert {one.name for one in made.people} == {"陈知行", "刘雨桐"}
    assert set(made.may) == {"join", "lock", "remove", "mute", "record", "camera", "invite", "end", "diagnose", "lead", "chair"}
    assert made.id in hub.conference.rooms
    assert [one.event.type for one in events[:2]] == ["consultation.created", "consultation.invited"]
    # Who has no account has no page that could ring.
    assert set(events[1].event.data["people"]) == {hub.ids["li-sihan"], hub.ids["chen-zhixing"]}
    assert events[1].event.data["by"] == {"name": "周明远", "org_name": "城市运行管理中心"}
    assert events[1].event.data["consultation"]["id"] == made.id
    assert "may" not in events[1].event.data["consultation"]


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"organisations": ["01K00000000000000000000000"]}, Invalid),
        ({"people": ["01K00000000000000000000000"]}, Invalid),
    ],
)
async def test_nothing_is_left_of_one_that_cannot_be_made(hub: Hub, more: dict[str, Any], error: type[Exception]) -> None:
    events = heard(hub)
    with pytest.raises(error):
        await create(hub, **more)
    async with hub.parts.store.reading() as reading:
        assert await reading.value(sa.select(sa.func.count()).select_from(tables.consultations)) == 0
        actions = await reading.all(sa.select(tables.audit.c.action).where(tables.audit.c.action == "consultation.create"))
    assert (events, list(actions), hub.conference.rooms) == ([], [], {})


async def test_a_repeated_request_is_answered_once(hub: Hub) -> None:
    once = Once("key 1", "print")
    first = await create(hub, once=once)
    assert (await create(hub, once=once)).id == first.id
    assert (await create(hub, once=Once("key 2", "print"))).id != first.id
    with pytest.raises(Conflict) as raised:
        await create(hub, once=replace(once, fingerprint="other"))
    assert raised.value.code == "key_reused"
    assert (await create(hub, account="water", once=once)).id != first.id  # keys are each person's own


SEES = {"dispatcher", "water", "emergency", "reviewer", "admin"}


@pytest.mark.parametrize("account", ["dispatcher", "water", "emergency", "street", "binjiang", "reviewer", "admin"])
async def test_who_sees_it_and_what_he_may(hub: Hub, account: str) -> None:
    made = await create(hub, organisations=[hub.ids["water"]], people=[hub.ids["chen-zhixing"]], label=Label.SENSITIVE)
    rooms, person = hub.parts.rooms, await hub.person(account)
    listed = [one.id for one in (await rooms.listed(person)).items]
    if account not in SEES:
        assert listed == []
        with pytest.raises(NotFound):
            await rooms.find(made.id, person)
        with pytest.raises(NotFound):
            await rooms.join(made.id, person, TERMINAL, "")
        return
    assert listed == [made.id]
    may = set(rooms.view(await rooms.find(made.id, person), person).may)
    everything = {"join", "lock", "remove", "mute", "record", "camera", "invite", "end", "diagnose", "lead", "chair"}
    assert may == {
        "dispatcher": everything,
        "admin": everything,
        "water": {"join", "camera"},  # a dispatcher, but a guest here
        "emergency": {"join"},
        "reviewer": set(),
    }.get(account)


@pytest.mark.parametrize("account", ["water", "emergency", "reviewer"])
async def test_guests_lead_nothing(hub: Hub, account: str) -> None:
    made = await create(hub, organisations=[hub.ids["water"], hub.ids["emergency"]])
    rooms, person = hub.parts.rooms, await hub.person(account)
    for act in (
        rooms.change(made.id, person, 1, locked=True),
        rooms.invite(made.id, person, [], []),
        rooms.end(made.id, person),
        rooms.mute(made.id, person, "x", "camera"),
        rooms.remove(made.id, person, "x"),
        hub.parts.recordings.start(made.id, person),
    ):
        with pytest.raises(Forbidden):
            await act


async def test_search_and_pages(hub: Hub) -> None:
    rooms, zhou = hub.parts.rooms, await hub.person("dispatcher")
    made = [await create(hub, title=f"演练{word}") for word in "甲乙丙丁戊"]
    await rooms.end(made[0].id, zhou)
    page = await rooms.listed(zhou, limit=2)
    assert [one.title for one in page.items] == ["演练戊", "演练丁"]
    rest = await rooms.listed(zhou, before=page.next, limit=10)
    assert [one.title for one in rest.items] == ["演练丙", "演练乙", "演练甲"]
    assert rest.next is None
    assert [one.title for one in (await rooms.listed(zhou, state="ended")).items] == ["演练甲"]
    assert [one.title for one in (await rooms.listed(zhou, q="练 丁")).items] == ["演练丁"]
    assert [one.code for one in (await rooms.listed(zhou, q="hs- -004")).items] == [made[3].code]
    assert (await rooms.listed(zhou, q="%")).items == []


async def test_joining_and_leaving(hub: Hub) -> None:
    made = await create(hub, people=[hub.ids["li-sihan"]])
    events = heard(hub)
    held = await come_in(hub, made.id, "water")
    assert held.identity == f"{hub.ids['li-sihan']}:{TERMINAL}"
    assert held.attributes == {"org": "水务局", "kind": "person"}
    assert held.grants["room"] == made.id
    await hub.conference.leave(made.id, held.identity, "gone")
    kinds = [(one.event.type, [p["name"] for p in one.event.data["consultation"]["present"]]) for one in events]
    assert kinds == [("consultation.joined", ["李思涵"]), ("consultation.left", [])]
    assert events[0].event.rev == made.rev  # presence is no change of the record: nobody's If-Match gets stale by it
    async with hub.parts.store.reading() as reading:
        rows = await reading.all(sa.select(tables.attendance))
    assert [(row.name, row.person_id, row.reason, row.left_at > row.joined_at) for row in rows] == [
        ("李思涵", hub.ids["li-sihan"], "gone", True)
    ]


async def test_a_locked_consultation_lets_back_in_who_was_there(hub: Hub) -> None:
    rooms, zhou = hub.parts.rooms, await hub.person("dispatcher")
    made = await create(hub, organisations=[hub.ids["water"], hub.ids["emergency"]])
    inside = await come_in(hub, made.id, "water")
    waiting = await ticket(hub, made.id, "emergency")  # has a ticket, has not come in yet
    locked = await rooms.change(made.id, zhou, made.rev, locked=True)
    assert locked.locked
    await hub.conference.leave(made.id, inside.identity)
    await come_in(hub, made.id, "water")
    await come_in(hub, made.id, "dispatcher")  # the host always
    with pytest.raises(Conflict) as raised:
        await hub.door.admit(waiting)
    assert raised.value.code == "locked"
    with pytest.raises(Conflict):
        await ticket(hub, made.id, "emergency")
    with pytest.raises(Conflict):
        await hub.door.admit(waiting, resuming=True)  # he was never in
    hub.conference.rooms[made.id][waiting.identity] = Presence(waiting.identity, "")
    await hub.door.admit(waiting, resuming=True)  # in, though the database could not write it down
    del hub.conference.rooms[made.id][waiting.identity]
    opened = await rooms.change(made.id, zhou, locked.rev, locked=False)
    assert not opened.locked
    await hub.door.admit(waiting)


async def test_nobody_fills_a_consultation_with_himself(hub: Hub) -> None:
    made = await create(hub, organisations=[hub.ids["water"]])
    held = [await ticket(hub, made.id, "water", f"01K000000000000000000000{number:02}") for number in range(17)]
    for one in held[:16]:
        await hub.door.admit(one)
        hub.conference.rooms[made.id][one.identity] = Presence(one.identity, "")
    with pytest.raises(Busy, match="16 devices"):
        await hub.door.admit(held[16])
    await hub.door.admit(held[0])  # he is in already, and comes anew
    await hub.door.admit(await ticket(hub, made.id, "dispatcher"))


async def test_a_stale_revision_changes_nothing(hub: Hub) -> None:
    rooms, zhou = hub.parts.rooms, await hub.person("dispatcher")
    made = await create(hub)
    await rooms.change(made.id, zhou, made.rev, title="新主题")
    with pytest.raises(Conflict) as raised:
        await rooms.change(made.id, zhou, made.rev, locked=True)
    assert raised.value.code == "stale"
    now = await rooms.find(made.id, zhou)
    assert (now.title, now.locked, now.rev) == ("新主题", False, 2)


async def test_whoever_is_removed_stays_out_until_invited_again(hub: Hub) -> None:
    rooms, zhou = hub.parts.rooms, await hub.person("dispatcher")
    made = await create(hub, organisations=[hub.ids["water"]])
    seat, phone = await come_in(hub, made.id, "water"), await come_in(hub, made.id, "water", "01K00000000000000000000000")
    await rooms.remove(made.id, zhou, seat.identity)
    assert hub.conference.present(made.id) == []  # on all his terminals
    for held in (seat, phone):
        with pytest.raises(Forbidden) as raised:
            await hub.door.admit(held, resuming=True)
        assert raised.value.code == "removed"
    with pytest.raises(Forbidden):
        await ticket(hub, made.id, "water")
    li = await hub.person("water")
    assert rooms.view(await rooms.find(made.id, li), li).may == []
    await rooms.invite(made.id, zhou, [], [li.id])
    await come_in(hub, made.id, "water")
    with pytest.raises(NotFound):
        await rooms.remove(made.id, zhou, "nobody:x")
    host = await come_in(hub, made.id, "dispatcher")
    with pytest.raises(Conflict):
        await rooms.remove(made.id, await hub.person("admin"), host.identity)


async def test_whoever_is_removed_watches_no_longer_on_another_terminal(hub: Hub) -> None:
    """WHEP: with a token of a terminal on which he is in nobody's list."""
    rooms, zhou = hub.parts.rooms, await hub.person("dispatcher")
    made = await create(hub, organisations=[hub.ids["water"]])
    seat = await come_in(hub, made.id, "water")
    wall = await ticket(hub, made.id, "water", "01K00000000000000000000000")
    other = Presence("01K0000000000000000000OTHR:t", "other", "person")
    hub.conference.watching[made.id] = {wall.identity: Presence(wall.identity, wall.name, "person"), other.identity: other}
    await rooms.remove(made.id, zhou, seat.identity)
    assert hub.conference.present(made.id, unseen=True) == [other]
    await rooms.remove(made.id, zhou, other.identity)
    assert hub.conference.present(made.id, unseen=True) == []


async def test_a_removal_overtakes_another_terminal_on_its_way_in(hub: Hub) -> None:
    rooms, zhou = hub.parts.rooms, await hub.person("dispatcher")
    made = await create(hub, organisations=[hub.ids["water"]])
    seat = await come_in(hub, made.id, "water")
    phone = await ticket(hub, made.id, "water", "01K00000000000000000000000")
    await hub.door.admit(phone)
    await rooms.remove(made.id, zhou, seat.identity)
    await hub.conference.enter(made.id, phone.identity, phone.name, "person", "")
    assert hub.conference.present(made.id) == []


async def test_a_revoked_token_is_dead(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await create(hub)
    held = await ticket(hub, made.id, "dispatcher")
    await hub.door.admit(held)
    now = time.time()
    for _ in range(2):
        await hub.door.revoke(made.id, [held], now)
    with pytest.raises(Unauthenticated):
        await hub.door.admit(held, resuming=True)
    with monkeypatch.context() as patch:
        patch.setattr("commhub.rooms.door.time.time", lambda: 5.0)
        await hub.door.revoke(made.id, [replace(held, token_id="past", expires_at=5.0, identity="x")], 5.0)
    async with hub.parts.store.reading() as reading:
        left = {row.token_id for row in await reading.all(sa.select(tables.revocations))}
    assert left == {held.token_id, "past"}
    await hub.door.revoke(made.id, [replace(held, token_id="more", expires_at=4e9)], now)
    async with hub.parts.store.reading() as reading:  # what has expired by itself is forgotten
        left = {row.token_id for row in await reading.all(sa.select(tables.revocations))}
    assert left == {held.token_id, "more"}


async def test_with_a_token_all_older_ones_of_the_same_person_die(hub: Hub) -> None:
    made, other_room = await create(hub), await create(hub)
    held = await ticket(hub, made.id, "dispatcher")
    removed_at = 1_000_000.6

    async def enters(issued_at: float, room: str = made.id) -> bool:
        try:
            await hub.door.admit(replace(held, token_id=f"other {issued_at}", issued_at=issued_at, room=room))
        except Unauthenticated:
            return False
        return True

    assert await enters(5.0)
    await hub.door.revoke(made.id, [held], removed_at)
    assert not await enters(5.0)
    assert not await enters(999_999.0)
    assert not await enters(removed_at - 0.001)  # one of ours, which says it exactly
    assert await enters(removed_at + 0.001)
    assert await enters(1_000_000.0)  # of the same whole second: an invitation that followed at once
    assert await enters(5.0, other_room.id)
    assert await enters(0.0)  # it does not say: known by its name alone
    await hub.door.revoke(made.id, [held], removed_at + 100)
    assert not await enters(removed_at + 0.001)


async def test_what_a_removal_ended_stays_ended(hub: Hub) -> None:
    """Whatever moment the next removal names, and however long ago the token expired whose refreshed one is still good."""
    made = await create(hub)
    held = replace(await ticket(hub, made.id, "dispatcher"), expires_at=time.time() - 9_000, issued_at=1_000.5)
    older = replace(held, token_id="older", issued_at=900.5)
    await hub.door.revoke(made.id, [held], 2_000.0)
    await hub.door.revoke(made.id, [replace(held, token_id="x")], 1.0)
    for dead in (held, older):
        with pytest.raises(Unauthenticated):
            await hub.door.admit(dead)
        with pytest.raises(Unauthenticated):
            await hub.door.check(dead)
    for_ever = replace(held, token_id="y", identity="somebody else", expires_at=1e300)
    await hub.door.revoke(made.id, [for_ever], float((1 << 63) - 1))
    with pytest.raises(Unauthenticated):
        await hub.door.check(replace(for_ever, token_id="z", issued_at=time.time()))


async def test_whoever_is_invited_again_gets_in_at_once(hub: Hub) -> None:
    rooms, zhou = hub.parts.rooms, await hub.person("dispatcher")
    made = await create(hub, organisations=[hub.ids["water"]])
    seat = await come_in(hub, made.id, "water")
    await hub.door.revoke(made.id, [seat], time.time())
    await rooms.invite(made.id, zhou, [], [hub.ids["li-sihan"]])
    joining = await rooms.join(made.id, await hub.person("water"), TERMINAL, "ws://hub")
    fresh = tokens.verify(joining.token, {KEY.name: tokens.Key(KEY.secret)}, time.time())
    await hub.door.admit(fresh)


async def test_a_ticket_dies_with_the_right_to_it(hub: Hub) -> None:
    made = await create(hub, people=[hub.ids["li-sihan"]])
    held = await ticket(hub, made.id, "water")
    async with hub.parts.store.transaction() as transaction:
        await transaction.run(sa.update(tables.people).where(tables.people.c.id == hub.ids["li-sihan"]).values(active=False))
    with pytest.raises(Forbidden):
        await hub.door.admit(held)


async def test_rooms_of_api_keys_are_not_the_records_matter(hub: Hub) -> None:
    foreign = Ticket(key="app", identity="bot", room="their room", token_id="t")
    await hub.door.admit(foreign)
    events = heard(hub)
    hub.conference.rooms["their room"] = {}
    await hub.conference.enter("their room", "bot", "Bot", "service")
    await hub.conference.leave("their room", "bot")
    await hub.door.used_key("app", "their room", "join")
    assert events == []


async def test_an_api_key_in_a_consultation(hub: Hub) -> None:
    rooms, zhou = hub.parts.rooms, await hub.person("dispatcher")
    made = await create(hub)
    bot = Ticket(key="app", identity="bot", room=made.id, token_id="t")
    await hub.door.admit(bot)
    await hub.door.used_key("app", made.id, "join")
    await hub.conference.enter(made.id, "bot", "Bot", "service")
    async with hub.parts.store.reading() as reading:
        row = await reading.first(sa.select(tables.audit).where(tables.audit.c.action == "key.use"))
    assert row is not None
    assert (row.actor_id, row.subject, row.object) == ("key:app", made.id, "join")
    await rooms.change(made.id, zhou, made.rev, locked=True)
    await hub.door.admit(bot)  # was there
    with pytest.raises(Conflict):
        await hub.door.admit(replace(bot, identity="other"))
    await rooms.remove(made.id, zhou, "bot")
    with pytest.raises(Forbidden):
        await hub.door.admit(bot, resuming=True)


async def test_ending(hub: Hub) -> None:
    rooms, zhou = hub.parts.rooms, await hub.person("dispatcher")
    made = await create(hub, people=[hub.ids["li-sihan"]])
    held = await come_in(hub, made.id, "water")
    camera = hub.ids["camera simulated-underpass"]
    await rooms.add_camera(made.id, zhou, camera)
    events = heard(hub)
    ended = await rooms.end(made.id, zhou)
    assert (ended.state, ended.may, ended.present) == ("ended", [], [])
    assert made.id not in hub.conference.rooms
    assert hub.parts.feeds.rooms(camera) == set()
    kinds = [one.event.type for one in events if one.event.type != "camera.state"]
    assert kinds == ["consultation.ended"]  # that everybody leaves goes without saying
    with pytest.raises(NotFound):
        await hub.door.admit(held)
    with pytest.raises(Conflict) as raised:
        await rooms.join(made.id, zhou, TERMINAL, "")
    assert raised.value.code == "ended"
    async with hub.parts.store.reading() as reading:
        assert await reading.value(sa.select(tables.attendance.c.reason)) == "ROOM_DELETED"


# ---- cameras


async def test_a_camera_comes_and_goes(hub: Hub) -> None:
    rooms, zhou = hub.parts.rooms, await hub.person("dispatcher")
    made = await create(hub)
    events = heard(hub)
    shown = await bring(hub, rooms, "dispatcher", made.id, "simulated-underpass")
    camera = hub.ids["camera simulated-underpass"]
    assert [(one.name, one.identity) for one in shown.cameras] == [("青石桥下穿 东口", seat_of(camera))]
    assert hub.conference.seats[made.id][seat_of(camera)].org == "滨江区"
    assert [one.kind for one in shown.present] == ["camera"]
    assert hub.parts.feeds.rooms(camera) == {made.id}
    again = await bring(hub, rooms, "dispatcher", made.id, "simulated-underpass")
    assert again.rev == shown.rev
    await rooms.remove_camera(made.id, zhou, camera)
    assert hub.conference.seats[made.id] == {}
    assert hub.parts.feeds.rooms(camera) == set()
    with pytest.raises(NotFound):
        await rooms.remove_camera(made.id, zhou, camera)
    kinds = [one.event.type for one in events if one.event.type.startswith("consultation.")]
    assert kinds == ["consultation.camera_added", "consultation.camera_removed"]
    assert events[0].event.data["camera"] == {"id": camera, "name": "青石桥下穿 东口", "identity": seat_of(camera)}


@pytest.mark.parametrize(
    ("account", "camera", "label", "error", "code"),
    [
        ("water", "pump-forebay", Label.INTERNAL, None, ""),  # an invited department brings its own
        ("water", "simulated-underpass", Label.INTERNAL, NotFound, "not_found"),
        ("emergency", "yunhu-gate-up", Label.INTERNAL, Forbidden, "forbidden"),  # participants bring none
        ("binjiang", "simulated-underpass", Label.INTERNAL, NotFound, "not_found"),  # not invited
        ("dispatcher", "north-ramp", Label.INTERNAL, Forbidden, "label_too_low"),
        ("dispatcher", "north-ramp", Label.SENSITIVE, None, ""),
    ],
)
async def test_who_brings_which_camera(
    hub: Hub, account: str, camera: str, label: Label, error: type[Exception] | None, code: str
) -> None:
    made = await create(hub, label=label, organisations=[hub.ids["water"], hub.ids["emergency"]])
    if error is None:
        assert len((await bring(hub, hub.parts.rooms, account, made.id, camera)).cameras) == 1
        return
    with pytest.raises(error) as raised:
        await bring(hub, hub.parts.rooms, account, made.id, camera)
    assert getattr(raised.value, "code", "") == code
    assert hub.conference.seats == {}


async def test_removing_the_camera_as_a_participant_takes_it_out(hub: Hub) -> None:
    rooms, zhou = hub.parts.rooms, await hub.person("dispatcher")
    made = await create(hub)
    await bring(hub, rooms, "dispatcher", made.id, "simulated-underpass")
    await rooms.remove(made.id, zhou, seat_of(hub.ids["camera simulated-underpass"]))
    assert (await rooms.find(made.id, zhou)).cameras == ()
