"""Recording as the hub drives it: a recorder that is played, everything else real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.errors import Forbidden, Unavailable
from commhub.events import Published
from commhub.media.messages import Mark, Message, Record, RecordSnapshot, SessionState, SinkEnded, SourceState, StopRecord
from commhub.model import Actor, Label, utc_ns
from commhub.recordings import Recordings
from commhub.store import tables
from commhub.views import Consultation, Recording
from tests.support.hubs import TERMINAL, Hub, running, ticket_of


@dataclass
class Bench:
    hub: Hub
    recordings: Recordings
    zhou: Actor
    told: list[Message] = field(default_factory=list)
    heard: list[Published] = field(default_factory=list)
    now: float = 100.0

    def link(self, *sessions: SessionState) -> None:
        self.recordings.linked(RecordSnapshot(list(sessions)), lambda order: self.told.append(order))

    def orders(self, kind: type[Message]) -> list[Any]:
        return [order for order in self.told if isinstance(order, kind)]

    async def create(self, **more: Any) -> Consultation:
        about = {"title": "内涝处置", "label": Label.INTERNAL, "organisations": [], "people": []} | more
        return await self.hub.parts.rooms.create(self.zhou, **about)

    async def join(self, room: str) -> None:
        joining = await self.hub.parts.rooms.join(room, self.zhou, TERMINAL, "")
        held = ticket_of(joining.token)
        await self.hub.conference.enter(room, held.identity, held.name)

    async def look(self, room: str) -> Consultation:
        return self.hub.parts.rooms.view(await self.hub.parts.rooms.find(room, self.zhou), self.zhou)

    async def index(self) -> list[Recording]:
        reviewer = await self.hub.person("reviewer")
        return (await self.hub.parts.review.listed(reviewer)).items

    def say(self, session: str, state: str, **more: Any) -> None:
        record = next(one for one in reversed(self.orders(Record)) if one.session == session)
        self.recordings.receive(SessionState(session=session, room=record.room, state=state, about=record.about, **more))

    def events(self, *types: str) -> list[str]:
        return [one.event.type for one in self.heard if one.event.type in types]


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def settled(bench: Bench) -> None:
    await asyncio.wait_for(bench.recordings._said.join(), 5)
    await bench.hub.parts.store.next("barrier")  # behind whatever transaction is still running


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with playing(tmp_path) as bench:
        yield bench


def playing(folder: Path, sample: bool = True) -> Any:
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def play() -> AsyncIterator[Bench]:
        async with running(folder, sample=sample) as hub:
            found = await hub.parts.directory.ids()
            zhou = await hub.parts.auth.actor(found["zhou-mingyuan"])
            assert zhou is not None
            bench = Bench(hub, hub.parts.recordings, zhou)
            hub.parts.recordings._clock = lambda: bench.now
            hub.parts.events.listen(bench.heard.append)
            yield bench

    return play()


async def test_start_and_stop(bench: Bench) -> None:
    made = await bench.create()
    with pytest.raises(Unavailable):
        await bench.recordings.start(made.id, bench.zhou)  # no recorder: nobody is told that he is recorded
    assert (await bench.look(made.id)).recording.state == "off"
    bench.link()
    shown = await bench.recordings.start(made.id, bench.zhou)
    assert shown.recording.state == "recording"
    assert shown.recording.since is not None
    assert bench.hub.conference.lights[made.id] is True
    (order,) = bench.orders(Record)
    assert (order.room, order.worker, order.title) == (made.id, "media-0", "内涝处置")
    assert order.about["code"] == made.code
    assert shown.recordings == [order.session]
    assert (await bench.recordings.start(made.id, bench.zhou)).rev == shown.rev  # twice is once
    bench.say(order.session, "recording", started_at=utc_ns())
    stopped = await bench.recordings.stop(made.id, bench.zhou)
    assert stopped.recording.state == "off"
    assert bench.hub.conference.lights[made.id] is False
    assert bench.orders(StopRecord) == [StopRecord(session=order.session, reason="stopped")]
    bench.say(order.session, "complete", started_at=utc_ns(), ended_at=utc_ns(), duration_ms=10_500, tracks=3, people=["周明远"])
    await settled(bench)
    (one,) = await bench.index()
    assert (one.state, one.duration_ms, one.track_count, one.people) == ("complete", 10_500, 3, ["周明远"])
    assert bench.events("recording.listed", "consultation.recording_started", "consultation.recording_stopped") == [
        "recording.listed", "consultation.recording_started", "consultation.recording_stopped", "recording.listed",
    ]  # fmt: skip


async def test_who_may(bench: Bench) -> None:
    bench.link()
    made = await bench.create(organisations=[bench.hub.ids["water"]])
    for account in ("water", "reviewer"):
        with pytest.raises(Forbidden):
            await bench.recordings.start(made.id, await bench.hub.person(account))
    assert bench.orders(Record) == []


async def test_created_with_recording_it_starts_with_the_first_who_joins(bench: Bench) -> None:
    bench.link()
    made = await bench.create(record=True)
    assert (await bench.look(made.id)).recording.state == "off"
    await bench.join(made.id)
    await until(lambda: bench.orders(Record))
    assert (await bench.look(made.id)).recording.state == "recording"
    assert bench.hub.conference.lights[made.id] is True
    await bench.join(made.id)
    await settled(bench)
    assert len(bench.orders(Record)) == 1
    plain = await bench.create()
    await bench.join(plain.id)
    await settled(bench)
    assert len(bench.orders(Record)) == 1


async def test_the_journal_gets_the_hub_s_facts_in_order(bench: Bench) -> None:
    bench.link()
    made = await bench.create()
    await bench.recordings.start(made.id, bench.zhou)
    rooms = bench.hub.parts.rooms
    camera = bench.hub.ids["camera simulated-underpass"]
    await rooms.add_camera(made.id, bench.zhou, camera)
    bench.hub.parts.feeds.bridge("rtsp").receive(SourceState(source=camera, state="live"))
    await until(
        lambda: [one for one in bench.orders(Mark) if one.event == "camera.state" and one.data["camera"]["state"] == "live"]
    )
    now = await bench.look(made.id)
    await rooms.change(made.id, bench.zhou, now.rev, locked=True)
    await bench.join(made.id)  # the recorder sees that for itself
    await rooms.end(made.id, bench.zhou)
    marks = [one.event for one in bench.orders(Mark) if one.event != "camera.state"]
    assert marks == [
        "consultation.created", "consultation.recording_started", "consultation.camera_added", "consultation.locked",
        "consultation.ended",
    ]  # fmt: skip
    added = next(one for one in bench.orders(Mark) if one.event == "consultation.camera_added")
    assert added.data["camera"]["name"] == "青石桥下穿 东口"
    assert added.data["actor"]["name"] == "周明远"
    assert "consultation" not in added.data
    assert bench.told[-1] == StopRecord(session=added.session, reason="ended")


async def test_a_room_that_moves_is_recorded_where_it_is(bench: Bench) -> None:
    bench.link()
    made = await bench.create()
    await bench.recordings.start(made.id, bench.zhou)
    engine, (order,) = bench.hub.engine, bench.orders(Record)
    bench.say(order.session, "recording")
    await settled(bench)
    engine.places[made.id] = ""
    engine.lose("media-0", made.id)
    assert len(bench.orders(Record)) == 1
    engine.places[made.id] = "media-1"
    engine.come_back("media-1")
    assert [one.worker for one in bench.orders(Record)] == ["media-0", "media-1"]
    engine.lose("media-1", made.id)  # restarted under its own name
    engine.come_back("media-1")
    assert [one.worker for one in bench.orders(Record)] == ["media-0", "media-1", "media-1"]
    engine.say(SinkEnded(room=made.id, sink=order.session))
    bench.recordings._following.reconcile()
    assert [one.worker for one in bench.orders(Record)][3:] == ["media-1"]
    assert {one.session for one in bench.orders(Record)} == {order.session}
    assert (await bench.look(made.id)).recording.state == "recording"


async def test_a_recorder_that_died_goes_on_with_the_session(bench: Bench) -> None:
    bench.link()
    made = await bench.create()
    await bench.recordings.start(made.id, bench.zhou)
    (order,) = bench.orders(Record)
    bench.say(order.session, "recording")
    await settled(bench)
    bench.recordings.unlinked()
    bench.told.clear()
    repaired = SessionState(session=order.session, room=made.id, state="repaired", about=order.about, duration_ms=7_000)
    bench.link(repaired)
    assert [one.session for one in bench.orders(Record)] == [order.session]
    bench.say(order.session, "recording", duration_ms=7_100)
    await settled(bench)
    assert (await bench.look(made.id)).recording.state == "recording"
    assert (await bench.look(made.id)).recordings == [order.session]
    assert (await bench.index())[0].state == "recording"


async def test_sessions_a_restarted_recorder_repaired_are_listed_without_help(bench: Bench) -> None:
    bench.link()
    made = await bench.create()
    await bench.recordings.start(made.id, bench.zhou)
    (order,) = bench.orders(Record)
    bench.recordings.unlinked()
    await bench.hub.parts.rooms.end(made.id, bench.zhou)  # while it was down
    bench.told.clear()
    bench.link(
        SessionState(
            session=order.session, room=made.id, state="repaired", about=order.about, started_at=utc_ns(), ended_at=utc_ns(),
            duration_ms=4_000, tracks=2, text="Cut off.", text_zh="意外中断。",
        )
    )  # fmt: skip
    await settled(bench)
    (one,) = await bench.index()
    assert (one.state, one.reason, one.track_count, one.duration_ms) == ("repaired", "意外中断。", 2, 4_000)
    assert bench.orders(Record) == []
    listed = len(bench.events("recording.listed"))
    bench.recordings.unlinked()
    bench.link(*[])  # a recorder that knows nothing of it any more takes nothing from the list
    await settled(bench)
    assert len(await bench.index()) == 1
    assert len(bench.events("recording.listed")) == listed


async def test_a_session_the_index_never_heard_of_is_taken_in_by_what_it_says_of_itself(bench: Bench) -> None:
    made = await bench.create()
    about = {"consultation": made.id}
    bench.link(
        SessionState(session="01K0000000000000000000S001", room=made.id, state="complete", about=about, duration_ms=5),
        SessionState(session="01K0000000000000000000S002", room="elsewhere", state="complete"),
    )
    await settled(bench)
    (one,) = await bench.index()
    assert (one.title, one.consultation_id) == ("内涝处置", made.id)


async def test_a_full_disk_ends_the_recording_and_says_so(bench: Bench) -> None:
    bench.link()
    made = await bench.create()
    await bench.recordings.start(made.id, bench.zhou)
    (order,) = bench.orders(Record)
    bench.say(order.session, "recording")
    bench.say(order.session, "failed", code="disk_full", text="The disk is full.", text_zh="磁盘已满。", duration_ms=900)
    await settled(bench)
    now = await bench.look(made.id)
    assert (now.recording.state, now.recording.reason, now.recording.reason_en) == ("failed", "磁盘已满。", "The disk is full.")
    (told,) = [one.event.data for one in bench.heard if one.event.type == "consultation.recording_failed"]
    assert told["consultation"]["recording"]["reason_en"] == told["reason_en"] == "The disk is full."
    assert now.state == "live"
    assert bench.hub.conference.lights[made.id] is False
    assert bench.events("consultation.recording_failed") == ["consultation.recording_failed"]
    bench.recordings._following.reconcile()
    assert len(bench.orders(Record)) == 1  # not by itself again
    again = await bench.recordings.start(made.id, bench.zhou)  # but when somebody asks
    assert (again.recording.state, again.recording.reason, again.recording.reason_en) == ("recording", None, None)
    assert len(again.recordings) == 2


async def test_stopping_a_failed_recording_clears_it(bench: Bench) -> None:
    bench.link()
    made = await bench.create()
    await bench.recordings.start(made.id, bench.zhou)
    (order,) = bench.orders(Record)
    bench.say(order.session, "failed", code="disk_full")
    await settled(bench)
    assert (await bench.recordings.stop(made.id, bench.zhou)).recording.state == "off"


async def test_a_silent_recorder_is_not_taken_for_recording(bench: Bench) -> None:
    bench.link()
    made = await bench.create()
    await bench.recordings.start(made.id, bench.zhou)
    (order,) = bench.orders(Record)
    bench.now += 16
    await until(lambda: bench.events("consultation.recording_failed"))
    now = await bench.look(made.id)
    assert now.recording.state == "failed"
    assert "未应答" in str(now.recording.reason)
    assert "does not answer" in str(now.recording.reason_en)
    await until(lambda: bench.hub.conference.lights[made.id] is False)
    bench.say(order.session, "recording")  # late, but there
    await settled(bench)
    assert (await bench.look(made.id)).recording.state == "recording"
    assert bench.hub.conference.lights[made.id] is True


async def test_a_session_nobody_wants_is_stopped(bench: Bench) -> None:
    bench.link(SessionState(session="01K0000000000000000000S001", room="r", state="recording"))
    await until(lambda: bench.orders(StopRecord))
    assert bench.orders(StopRecord)[0].session == "01K0000000000000000000S001"


async def test_a_restarted_hub_goes_on_recording(tmp_path: Path) -> None:
    async with playing(tmp_path) as bench:
        bench.link()
        made = await bench.create()
        await bench.recordings.start(made.id, bench.zhou)
        (order,) = bench.orders(Record)
        await settled(bench)
    async with playing(tmp_path, sample=False) as again:
        assert again.hub.conference.lights == {made.id: True}
        again.link(SessionState(session=order.session, room=made.id, state="recording", about=order.about))
        assert [one.session for one in again.orders(Record)] == [order.session]
        await settled(again)
        assert again.orders(StopRecord) == []
        assert (await again.look(made.id)).recording.state == "recording"


async def test_what_never_became_a_recording_is_said_to_have_failed(tmp_path: Path) -> None:
    async with playing(tmp_path) as bench:
        bench.link()
        made = await bench.create()
        await bench.recordings.start(made.id, bench.zhou)
        await bench.hub.parts.rooms.end(made.id, bench.zhou)
    async with playing(tmp_path, sample=False) as again:
        again.link()
        await settled(again)
        async with again.hub.parts.store.reading() as reading:
            row = await reading.first(sa.select(tables.recordings))
        assert row is not None
        assert (row.state, row.reason_zh) == ("failed", "没有录到内容。")
