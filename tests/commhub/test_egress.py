"""Recordings that API keys order, against a recorder that says what a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from commhub.archive import Archive
from commhub.conference import EgressOrder, Part
from commhub.errors import NotFound, Unavailable
from commhub.media.messages import Message, Pick, Record, RecordSnapshot, SessionState, StopRecord
from commhub.model import Label
from commhub.recordings import RoomEgress
from commhub.store import tables
from tests.support import hubs, until
from tests.support.hubs import Hub


class Recorder:
    """The far end of the link."""

    def __init__(self, egress: RoomEgress) -> None:
        self.egress = egress
        self.told: list[Message] = []

    def link(self, *sessions: SessionState) -> None:
        self.told.clear()
        self.egress.linked(RecordSnapshot(list(sessions)), self.told.append)

    def of(self, kind: type) -> list[Message]:
        return [one for one in self.told if isinstance(one, kind)]

    def say(self, session: str, state: str, room: str = "r", **more: object) -> None:
        self.egress.receive(SessionState(session, room, state, about={"egress": f"EG_{session}"}, **more))  # type: ignore[arg-type]


class Desk:
    def __init__(self, hub: Hub) -> None:
        self.hub, self.now = hub, 1000.0
        self.heard: list[EgressOrder] = []
        self.egress = self.another()
        self.recorder = Recorder(self.egress)

    def another(self) -> RoomEgress:
        """As after a restart of the hub."""
        parts = (self.hub.parts.store, self.hub.parts.events, self.hub.conference, self.hub.engine)
        egress = RoomEgress(*parts, Archive(self.hub.folder / "recordings"), clock=lambda: self.now)
        egress.changed = self.heard.append
        return egress

    def states(self) -> list[str]:
        return [order.state for order in self.heard]

    async def after(self, state: str) -> EgressOrder:
        await until(lambda: self.heard and self.heard[-1].state == state, what=state)
        return self.heard[-1]


def order(*parts: Part, room: str = "r") -> EgressOrder:
    return EgressOrder("own", room, "RM_1", "track", b"asked", parts, "as it is")


def manifest(hub: Hub, session: str) -> None:
    folder: Path = hub.folder / "recordings" / session
    folder.mkdir(parents=True)
    segments = [{"file": "0001.webm", "mime": "audio/webm", "start_ms": 100, "duration_ms": 2000, "bytes": 77}]
    folder.joinpath("manifest.json").write_text(
        json.dumps({"started_at": 1_700_000_000_000, "tracks": [{"id": "0001", "kind": "audio", "segments": segments}]})
    )


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with hubs.running(tmp_path) as hub:
        desk = Desk(hub)
        hub.conference.rooms["r"] = {}
        await hub.conference.enter("r", "alice", "Alice")
        await desk.egress.open()
        desk.egress.start_tasks()
        yield desk
        await desk.egress.close()


async def test_from_order_to_files(desk: Desk) -> None:
    desk.recorder.link()
    started = await desk.egress.start(order(Part("alice", "microphone", "audio")))
    (record,) = desk.recorder.of(Record)
    assert isinstance(record, Record)
    assert (record.session, record.room, record.worker) == (started.id, "r", "media-0")
    assert record.only == [Pick("alice", "microphone", "audio")]
    assert desk.hub.conference.lights == {"r": True}
    desk.recorder.say(started.id, "recording")
    await desk.after("active")
    manifest(desk.hub, started.id)
    (found,) = await desk.egress.find(active=True)
    assert (found.state, found.request, found.details) == ("active", b"asked", "as it is")
    assert [(file.name, file.duration, file.size) for file in found.files] == [
        (f"{started.id}/tracks/0001/0001.webm", 2_000_000_000, 77)
    ]
    assert (await desk.egress.stop(started.id)).state == "ending"
    assert desk.recorder.of(StopRecord) == [StopRecord(started.id, "stopped")]
    desk.recorder.say(started.id, "complete", tracks=1, bytes=77)
    ended = await desk.after("complete")
    assert ended.ended_at >= ended.started_at
    assert [file.started_at for file in ended.files] == [1_700_000_000_100_000_000]
    assert desk.states() == ["starting", "active", "ending", "complete"]
    assert desk.hub.conference.lights == {"r": False}
    assert await desk.egress.find(active=True) == []
    assert (await desk.egress.stop(started.id)).state == "complete"
    with pytest.raises(NotFound):
        await desk.egress.stop("01K00000000000000000000000")


async def test_without_a_recorder_nothing_begins(desk: Desk) -> None:
    with pytest.raises(Unavailable):
        await desk.egress.start(order())
    assert await desk.egress.find() == []


@pytest.mark.parametrize(
    ("stopped", "said", "state"),
    [
        (True, {"state": "complete"}, "aborted"),
        (True, {"state": "failed", "code": "not_found"}, "aborted"),
        (False, {"state": "failed", "code": "disk_full", "text": "Full.", "tracks": 1, "bytes": 9}, "limit_reached"),
        (False, {"state": "failed", "code": "disk_full", "text": "Full."}, "failed"),
        (False, {"state": "failed", "code": "disk_error", "text": "Broken.", "tracks": 1, "bytes": 9}, "failed"),
        (False, {"state": "complete", "tracks": 1, "bytes": 9}, "complete"),
    ],
)
async def test_how_it_ends(desk: Desk, stopped: bool, said: dict[str, object], state: str) -> None:
    desk.recorder.link()
    started = await desk.egress.start(order())
    if stopped:
        await desk.egress.stop(started.id)
    desk.recorder.say(started.id, **said)  # type: ignore[arg-type]
    ended = await desk.after(state)
    assert bool(ended.error) == (state != "complete")


async def test_an_interrupted_one_is_told_again(desk: Desk) -> None:
    desk.recorder.link()
    started = await desk.egress.start(order())
    desk.recorder.say(started.id, "recording")
    await desk.after("active")
    desk.egress.unlinked()
    desk.recorder.link(SessionState(started.id, "r", "repaired", about={"egress": "x"}))
    await until(lambda: desk.recorder.of(Record))
    desk.recorder.told.clear()
    desk.hub.engine.lose("media-0", "r")
    desk.hub.engine.places["r"] = "media-1"
    desk.hub.engine.come_back("media-1")
    await until(lambda: [one.worker for one in desk.recorder.of(Record) if isinstance(one, Record)] == ["media-1"])
    assert desk.states() == ["starting", "active"]


async def test_a_restarted_hub_goes_on(desk: Desk) -> None:
    desk.recorder.link()
    first = await desk.egress.start(order(Part("alice")))
    second = await desk.egress.start(order(Part("alice")))
    desk.recorder.say(first.id, "recording")
    await desk.after("active")
    await desk.egress.stop(second.id)
    await desk.egress.close()
    desk.egress = desk.recorder.egress = desk.another()
    desk.heard.clear()
    await desk.egress.open()
    desk.egress.start_tasks()
    strange = SessionState("01K0000000000000000000GONE", "r", "recording", about={"egress": "x"})
    running = SessionState(first.id, "r", "recording", about={"egress": "x"})
    desk.recorder.link(running, strange)
    assert [one.session for one in desk.recorder.of(Record) if isinstance(one, Record)] == [first.id]
    assert [one.session for one in desk.recorder.of(StopRecord) if isinstance(one, StopRecord)] == [strange.session]
    await desk.after("aborted")
    assert {one.id: one.state for one in await desk.egress.find(room="r")} == {first.id: "active", second.id: "aborted"}


async def test_it_ends_with_whom_it_is_about(desk: Desk) -> None:
    desk.recorder.link()
    await desk.egress.start(order(Part("alice", kind="audio"), Part("alice", kind="video")))
    await desk.hub.conference.enter("r", "bob", "Bob")
    await desk.egress.start(order(Part("bob")))
    await desk.hub.conference.leave("r", "alice")
    await _ticks(desk, 19)
    assert desk.recorder.of(StopRecord) == []
    await _ticks(desk, 2)
    await until(lambda: len(desk.recorder.of(StopRecord)) == 1)


async def test_it_ends_with_the_room(desk: Desk) -> None:
    desk.recorder.link()
    await desk.egress.start(order())
    desk.egress.room_ended("r")
    await until(lambda: len(desk.recorder.of(StopRecord)) == 1)
    await desk.egress.start(order(room="r2"))
    desk.hub.engine.places["r2"] = ""
    await _ticks(desk, 21)
    await until(lambda: len(desk.recorder.of(StopRecord)) == 2)


async def _ticks(desk: Desk, seconds: float) -> None:
    """The watch sees the moment before and the one after."""
    await _watched(desk)
    desk.now += seconds
    await _watched(desk)


async def _watched(desk: Desk) -> None:
    """The watch has looked twice."""
    looked: list[str] = []
    worker_of = desk.hub.engine.worker_of

    def counted(room: str) -> str:
        looked.append(room)
        return worker_of(room)

    desk.hub.engine.worker_of = counted  # type: ignore[method-assign]
    await until(lambda: len(looked) >= 5)
    desk.hub.engine.worker_of = worker_of  # type: ignore[method-assign]


async def test_in_a_consultation_it_is_a_recording_of_it(desk: Desk) -> None:
    desk.recorder.link()
    hub = desk.hub
    found = await hub.parts.directory.ids()
    host = await hub.parts.auth.actor(found["zhou-mingyuan"])
    assert host is not None
    room = (await hub.parts.rooms.create(host, title="防汛", label=Label.INTERNAL, organisations=[], people=[])).id
    started = await desk.egress.start(order(room=room))
    reviewer = await hub.person("reviewer")
    (listed,) = (await hub.parts.review.listed(reviewer)).items
    assert (listed.id, listed.consultation_id, listed.label, listed.state) == (started.id, room, "internal", "recording")
    assert hub.conference.lights[room]
    hub.conference.set_recording(room, True)  # the consultation's own recording is another
    await desk.egress.stop(started.id)
    about = {"egress": "x", "consultation": room}
    hub.parts.recordings.linked(RecordSnapshot([]), lambda message: None)
    state = SessionState(started.id, room, "complete", tracks=1, bytes=5, duration_ms=9, about=about)
    hub.parts.recordings.receive(state)
    desk.egress.receive(state)
    await desk.after("complete")
    assert hub.conference.lights[room]
    await asyncio.wait_for(hub.parts.recordings._said.join(), 5)
    (listed,) = (await hub.parts.review.listed(reviewer)).items
    assert (listed.state, listed.duration_ms) == ("complete", 9)
    async with hub.parts.store.reading() as reading:
        acts = await reading.all(sa.select(tables.audit).where(tables.audit.c.action.like("egress.%")))
    assert [(row.action, row.actor_name, row.subject) for row in acts] == [
        ("egress.start", "API key own", room),
        ("egress.stop", "API key own", room),
    ]


async def test_the_recordings_of_consultations_leave_it_alone(desk: Desk) -> None:
    told: list[Message] = []
    desk.hub.parts.recordings.linked(RecordSnapshot([]), told.append)
    state = SessionState("01K00000000000000000EGRESS", "r", "recording", about={"egress": "x", "consultation": ""})
    desk.hub.parts.recordings.receive(state)
    await asyncio.wait_for(desk.hub.parts.recordings._said.join(), 5)
    assert told == []
