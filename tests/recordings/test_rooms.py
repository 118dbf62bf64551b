"""Calls, groups and single cameras are recorded: by hand, by policy, over restarts; a recorder that is played, all else real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.conference import Ticket
from commhub.errors import Conflict, Forbidden, NotFound, Unavailable
from commhub.events import Published
from commhub.groups import Wanted
from commhub.media.messages import Mark, Message, Record, RecordSnapshot, SessionState, Space, StopRecord
from commhub.model import new_id
from commhub.recordings import RoomRecordings, Rules
from commhub.store import tables
from tests.support import until
from tests.support.consultations import heard
from tests.support.hubs import KEY, Hub, running
from tests.support.telephones import Telephone, telephone


@dataclass
class Deck:
    """A hub and the recorder at its link."""

    hub: Hub
    told: list[Any] = field(default_factory=list)
    now: float = 100.0
    events: list[Published] = field(default_factory=list)

    @property
    def recorded(self) -> RoomRecordings:
        return self.hub.parts.recorded

    def link(self, *sessions: SessionState) -> None:
        for part in (self.hub.parts.recordings, self.recorded):
            part.linked(RecordSnapshot(list(sessions)), self.told.append)

    def orders(self, kind: type[Message]) -> list[Any]:
        return [order for order in self.told if isinstance(order, kind)]

    def say(self, state: str, **more: Any) -> None:
        record: Record = self.orders(Record)[-1]
        said = SessionState(session=record.session, room=record.room, state=state, about=record.about, **more)
        for part in (self.hub.parts.recordings, self.recorded):
            part.receive(said)

    def shown(self, type: str) -> list[str]:
        return [one.event.data["state"] for one in self.events if one.event.type == type]

    async def call(self) -> tuple[Telephone, Telephone, str]:
        caller, called = await telephone(self.hub, "dispatcher"), await telephone(self.hub, "emergency")
        made = await caller.call("chen-zhixing")
        await caller.enter(made.id)
        await called.answer(made.id)
        return caller, called, made.id

    async def row(self, session: str) -> Any:
        async with self.hub.parts.store.reading() as reading:
            return await reading.first(sa.select(tables.recordings).where(tables.recordings.c.id == session))

    async def camera(self) -> str:
        async with self.hub.parts.store.reading() as reading:
            return str(await reading.value(sa.select(tables.cameras.c.id).order_by(tables.cameras.c.id).limit(1)))


@pytest.fixture
async def deck(tmp_path: Path) -> AsyncIterator[Deck]:
    async with running(tmp_path, ruled=Rules(frozenset({"sensitive"}), {"group": "start"})) as hub:
        deck = Deck(hub, events=heard(hub))
        hub.parts.recorded._clock = lambda: deck.now
        yield deck


async def test_a_call_is_recorded_by_hand_and_everybody_in_it_is_told(deck: Deck) -> None:
    caller, called, call = await deck.call()
    with pytest.raises(Unavailable):
        await deck.recorded.act("call", call, caller.actor, "start")  # nobody is told that he is recorded when he is not
    deck.link()
    shown = await deck.recorded.act("call", call, caller.actor, "start", "IN-2026-7")
    assert (shown.state, shown.mode, shown.why, shown.incident) == ("recording", "hand", "kind", "IN-2026-7")
    assert deck.hub.conference.recorders[call] == {shown.recording_id}
    record = deck.orders(Record)[-1]
    assert (record.room, record.worker, record.session) == (call, "media-0", shown.recording_id)
    assert (record.about["kind"], record.about["subject"], record.about["incident"]) == ("call", call, "IN-2026-7")
    (told,) = [one for one in deck.events if one.event.type == "call.recording"]
    assert set(told.audience.people) == {caller.actor.id, called.actor.id}
    row = await deck.row(record.session)
    assert (row.kind, row.subject, row.incident, row.consultation_id) == ("call", call, "IN-2026-7", "")
    assert row.title == "通话：周明远、陈知行"
    # What happens in the call is in its journal, also what happens by itself.
    await caller.act("hold", call)
    await until(lambda: "call.held" in [one.event for one in deck.orders(Mark)], what="the fact")
    held = next(one for one in deck.orders(Mark) if one.event == "call.held")
    assert held.session == record.session
    assert "call" not in held.data
    # Off the record, and on it again.
    assert (await deck.recorded.act("call", call, caller.actor, "pause")).state == "paused"
    assert deck.hub.conference.recorders[call] == set()
    assert deck.orders(Record)[-1].paused
    assert (await deck.recorded.act("call", call, caller.actor, "resume")).state == "recording"
    assert not deck.orders(Record)[-1].paused
    # It ends with the call.
    await caller.act("hangup", call)
    await until(lambda: deck.orders(StopRecord), what="the end")
    assert [(one.session, one.reason) for one in deck.orders(StopRecord)] == [(record.session, "ended")]
    assert deck.shown("call.recording") == ["recording", "paused", "recording", "off"]
    assert await deck.recorded.listed(caller.actor) == []
    async with deck.hub.parts.store.reading() as reading:
        assert await reading.value(sa.select(sa.func.count()).select_from(tables.recorded_rooms)) == 0


async def test_who_may(deck: Deck) -> None:
    deck.link()
    caller, called, call = await deck.call()
    with pytest.raises(Forbidden):  # in the call, without the right
        await deck.recorded.act("call", call, called.actor, "start")
    stranger = await deck.hub.person("binjiang")
    with pytest.raises(NotFound):
        await deck.recorded.act("call", call, stranger, "start")
    with pytest.raises(NotFound):
        await deck.recorded.act("camera", new_id(), caller.actor, "start")
    with pytest.raises(Conflict) as caught:
        await deck.recorded.act("call", call, caller.actor, "stop")
    assert caught.value.code == "not_recording"
    with pytest.raises(Forbidden):
        await deck.recorded.rule("call", call, caller.actor, None, "always", "")


async def test_what_is_always_recorded_nobody_stops(deck: Deck) -> None:
    deck.link()
    admin = await deck.hub.person("admin")
    caller, _, call = await deck.call()
    ruled = await deck.recorded.rule("call", call, admin, None, "always", "best")
    assert (ruled.effective, ruled.why) == ("always", "room")
    assert (await deck.recorded.find("call", call, admin)).state == "recording"
    assert deck.orders(Record)[-1].layers == "best"
    for act in ("stop", "pause"):
        with pytest.raises(Conflict) as caught:
            await deck.recorded.act("call", call, caller.actor, act)
        assert caught.value.code == "always_recorded"
    with pytest.raises(Conflict) as caught:
        await deck.recorded.rule("call", call, admin, ruled.rev - 1, "hand", "")
    assert caught.value.code == "stale"
    await deck.recorded.rule("call", call, admin, None, "never", "")
    assert (await deck.recorded.find("call", call, admin)).state == "off"
    assert len(deck.orders(StopRecord)) == 1
    with pytest.raises(Conflict) as caught:
        await deck.recorded.act("call", call, caller.actor, "start")
    assert caught.value.code == "never_recorded"
    known = await deck.recorded.policies(admin)
    assert [one.mode for one in known.items] == ["never"]
    assert known.items[0] == await deck.recorded.counts("call", call, admin)
    assert (known.rules.labels, known.rules.layers) == (["sensitive"], "best")
    assert known.rules.kinds == {"consultation": "hand", "call": "hand", "group": "start", "camera": "hand"}
    with pytest.raises(Forbidden):
        await deck.recorded.counts("call", call, caller.actor)
    freed = await deck.recorded.rule("call", call, admin, known.items[0].rev, None, "")
    assert (freed.effective, freed.why) == ("hand", "kind")
    assert (await deck.recorded.policies(admin)).items == []


async def test_a_camera_is_recorded_without_anybody_who_watches(deck: Deck) -> None:
    deck.link()
    zhou, camera = await deck.hub.person("dispatcher"), await deck.camera()
    shown = await deck.recorded.act("camera", camera, zhou, "start")
    room = f"rec_{camera}"
    await until(lambda: [one.source for one in deck.hub.conference.seats.get(room, {}).values()] == [camera], what="the seat")
    await until(lambda: deck.hub.parts.feeds.rooms(camera) == {room}, what="the pull")
    record = deck.orders(Record)[-1]
    assert (record.room, record.session, record.about["kind"]) == (room, shown.recording_id, "camera")
    with pytest.raises(Forbidden):
        await deck.hub.door.admit(Ticket(key=KEY.name, identity=f"{zhou.id}:x", room=room))
    assert deck.shown("camera.recording") == ["recording"]
    assert [one.subject for one in await deck.recorded.listed(zhou)] == [camera]
    # A disk that is full now may not be later: it goes on as another recording, as soon as there is room.
    deck.say("failed", code="disk_full", text="Full.", text_zh="满。")
    await until(lambda: deck.shown("camera.recording") == ["recording", "failed"], what="the word")
    await deck.recorded.look()
    assert len({one.session for one in deck.orders(Record)}) == 1
    deck.now += 1000
    await deck.recorded.look()
    assert len({one.session for one in deck.orders(Record)}) == 1
    deck.recorded.receive(Space(free=90, total=100, level="ample"))
    await until(lambda: len({one.session for one in deck.orders(Record)}) == 2, what="another one")
    await deck.recorded.act("camera", camera, zhou, "stop")
    await until(lambda: room not in deck.hub.conference.rooms, what="the room's end")
    await until(lambda: deck.hub.parts.feeds.rooms(camera) == set(), what="the end of the pull")


async def test_a_restarted_hub_goes_on_with_what_was_recorded(deck: Deck) -> None:
    deck.link()
    zhou, camera = await deck.hub.person("dispatcher"), await deck.camera()
    shown = await deck.recorded.act("camera", camera, zhou, "start")
    await deck.recorded.act("camera", camera, zhou, "pause")
    await deck.recorded.close()
    deck.recorded._running.clear()
    deck.hub.conference.seats.clear()
    await deck.hub.parts.recorded._wishes.open()
    await deck.recorded.open()
    assert deck.recorded.follows(shown.recording_id or "")
    assert list(deck.hub.conference.seats[f"rec_{camera}"]) == [f"{camera}:bridge"]
    running = deck.recorded._running[shown.recording_id or ""]
    assert running.record.paused


async def test_a_recorder_that_says_nothing_is_told(deck: Deck) -> None:
    deck.link()
    caller, _, call = await deck.call()
    await deck.recorded.act("call", call, caller.actor, "start")
    deck.now += 16
    await until(lambda: deck.shown("call.recording") == ["recording", "failed"], what="the word")
    assert deck.hub.conference.recorders[call] == set()
    assert (await deck.recorded.find("call", call, caller.actor)).state == "failed"
    deck.say("recording")
    await until(lambda: deck.shown("call.recording")[-1] == "recording", what="the good word")
    assert len(deck.hub.conference.recorders[call]) == 1


async def test_groups_of_a_kind_that_begins_by_itself(deck: Deck) -> None:
    deck.link()
    zhou = await deck.hub.person("dispatcher")
    group = await deck.hub.parts.groups.registry.create(zhou, Wanted("防汛组", members=[zhou.id]))
    with pytest.raises(Conflict) as caught:
        await deck.recorded.act("group", group, zhou, "start")
    assert caught.value.code == "not_live"
    await deck.hub.parts.groups.call(zhou, group)
    await until(lambda: deck.orders(Record), what="the recording")
    assert (await deck.recorded.find("group", group, zhou)).state == "recording"
    assert (await deck.recorded.act("group", group, zhou, "stop")).state == "off"
    await asyncio.sleep(0.1)
    await deck.recorded.look()
    assert (await deck.recorded.find("group", group, zhou)).state == "off"  # stopped by hand, it does not begin again


async def test_a_recording_is_tied_to_an_incident_afterwards(deck: Deck) -> None:
    deck.link()
    caller, _, call = await deck.call()
    zhou = caller.actor
    shown = await deck.recorded.act("call", call, zhou, "start")
    await deck.recorded.tie(zhou, shown.recording_id or "", "IN-1")
    assert (await deck.row(shown.recording_id or "")).incident == "IN-1"
    with pytest.raises(NotFound):
        await deck.recorded.tie(await deck.hub.person("binjiang"), shown.recording_id or "", "IN-2")
    with pytest.raises(NotFound):
        await deck.recorded.tie(zhou, new_id(), "IN-2")
