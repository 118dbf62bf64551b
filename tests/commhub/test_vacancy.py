"""Consultations nobody is in: a clock that is set, everything else as in ``test_recordings``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from commhub.media.messages import Mark, Record, StopRecord
from commhub.model import utc_ns
from commhub.recordings import Vacancy
from commhub.store import tables
from tests.commhub.test_recordings import Bench, playing, settled, until
from tests.support.hubs import TERMINAL

HOUR = 3600.0


@dataclass
class Watch:
    bench: Bench
    vacancy: Vacancy
    now: float = 0.0

    async def after(self, seconds: float) -> None:
        self.now += seconds
        await self.vacancy.look()
        await settled(self.bench)

    async def leave(self, room: str) -> None:
        await self.bench.hub.conference.leave(room, f"{self.bench.zhou.id}:{TERMINAL}")

    async def recorded(self) -> str:
        """A consultation that is recorded from its first minute, with a camera and one person in it."""
        self.bench.link()
        made = await self.bench.create(record=True)
        await self.bench.hub.parts.rooms.add_camera(made.id, self.bench.zhou, self.bench.hub.ids["camera simulated-underpass"])
        await self.bench.join(made.id)
        await until(lambda: self.bench.orders(Record))
        return made.id

    async def state(self, room: str) -> tuple[str, str]:
        shown = await self.bench.look(room)
        return shown.state, shown.recording.state

    async def acts(self, room: str) -> list[tuple[str, str]]:
        a = tables.audit.c
        async with self.bench.hub.parts.store.reading() as reading:
            rows = await reading.all(sa.select(a.action, a.actor_name).where(a.subject == room).order_by(a.id))
        return [(row.action, row.actor_name) for row in rows]


def watching(bench: Bench) -> Watch:
    parts, at = bench.hub.parts, utc_ns()
    watch = Watch(bench, None)  # type: ignore[arg-type]
    watch.vacancy = Vacancy(
        parts.store, parts.rooms, parts.recordings, bench.hub.conference,
        clock=lambda: watch.now, wall=lambda: at + int(watch.now * 1e9),
    )  # fmt: skip
    return watch


@pytest.fixture
async def watch(tmp_path: Path) -> AsyncIterator[Watch]:
    async with playing(tmp_path) as bench:
        yield watching(bench)


async def test_an_empty_consultation_is_recorded_a_minute_longer_and_again_with_who_comes(watch: Watch) -> None:
    bench, room = watch.bench, await watch.recorded()
    (order,) = bench.orders(Record)
    await watch.after(600)
    assert await watch.state(room) == ("live", "recording")  # somebody is there
    await watch.leave(room)
    await watch.after(0)
    await watch.after(59)
    assert await watch.state(room) == ("live", "recording")
    await watch.after(1)
    assert await watch.state(room) == ("live", "off")
    assert bench.hub.conference.lights[room] is False
    (told,) = [one for one in bench.heard if one.event.type == "consultation.recording_stopped"]
    assert (told.event.data["reason"], told.event.data["recording_id"], told.event.actor) == ("empty", order.session, None)
    (mark,) = [one for one in bench.orders(Mark) if one.event == "consultation.recording_stopped"]
    assert mark.data["reason"] == "empty"
    assert bench.orders(StopRecord) == [StopRecord(session=order.session, reason="empty")]
    assert ("recording.stop", "系统") in await watch.acts(room)

    await watch.after(600)
    assert len(bench.orders(Record)) == 1
    await bench.join(room)
    await until(lambda: len(bench.orders(Record)) == 2)
    assert await watch.state(room) == ("live", "recording")
    assert bench.hub.conference.lights[room] is True
    assert (await watch.acts(room))[-1] == ("recording.start", "系统")


async def test_who_comes_back_in_time_interrupts_nothing(watch: Watch) -> None:
    room = await watch.recorded()
    for _ in range(3):
        await watch.leave(room)
        await watch.after(0)
        await watch.after(50)
        await watch.bench.join(room)
        await watch.after(50)
    assert await watch.state(room) == ("live", "recording")
    assert watch.bench.orders(StopRecord) == []


async def test_a_recording_begun_in_an_empty_room_has_its_minute(watch: Watch) -> None:
    watch.bench.link()
    made = await watch.bench.create()
    await watch.after(0)
    await watch.after(300)
    await watch.bench.recordings.start(made.id, watch.bench.zhou)
    await watch.after(0)
    await watch.after(59)
    assert await watch.state(made.id) == ("live", "recording")
    await watch.after(1)
    assert await watch.state(made.id) == ("live", "off")


async def test_what_a_person_stopped_does_not_start_again(watch: Watch) -> None:
    bench, room = watch.bench, await watch.recorded()
    await watch.leave(room)
    await watch.after(0)
    await watch.after(60)
    await bench.recordings.stop(room, bench.zhou)  # it is off already, but would start again
    await bench.join(room)
    await watch.after(5)
    assert await watch.state(room) == ("live", "off")
    assert len(bench.orders(Record)) == 1


async def test_whoever_is_no_camera_keeps_it_going(watch: Watch) -> None:
    room = await watch.recorded()
    await watch.bench.hub.conference.enter(room, "visitor", "来宾", kind="service")
    await watch.leave(room)
    await watch.after(0)
    await watch.after(600)
    assert await watch.state(room) == ("live", "recording")


async def test_a_forgotten_consultation_is_ended_by_the_hub(watch: Watch) -> None:
    bench, room = watch.bench, await watch.recorded()
    await watch.leave(room)
    await watch.after(0)
    await watch.after(11.9 * HOUR)
    assert await watch.state(room) == ("live", "off")
    await watch.after(0.2 * HOUR)
    assert await watch.state(room) == ("ended", "off")
    assert room not in bench.hub.conference.rooms
    (told,) = [one for one in bench.heard if one.event.type == "consultation.ended"]
    assert (told.event.data["reason"], told.event.actor) == ("empty", None)
    assert (await watch.acts(room))[-1] == ("consultation.end", "系统")
    await watch.after(HOUR)
    assert [one.event.type for one in bench.heard].count("consultation.ended") == 1


async def test_an_old_consultation_somebody_is_in_or_just_left_goes_on(watch: Watch) -> None:
    room = await watch.recorded()
    await watch.after(20 * HOUR)
    assert await watch.state(room) == ("live", "recording")
    await watch.leave(room)
    # Written with today's clock, which the set one has left behind.
    async with watch.bench.hub.parts.store.transaction() as transaction:
        left = utc_ns() + int(20 * HOUR * 1e9)
        await transaction.run(sa.update(tables.attendance).values(left_at=left))
    await watch.after(0)
    await watch.after(29 * 60)
    assert await watch.state(room) == ("live", "off")
    await watch.after(2 * 60)
    assert await watch.state(room) == ("ended", "off")


async def test_a_restarted_hub_looks_again(tmp_path: Path) -> None:
    async with playing(tmp_path) as bench:
        first = watching(bench)
        empty = await first.recorded()
        await first.leave(empty)
        await first.after(0)
        wanted = await bench.create(record=True)
    async with playing(tmp_path, sample=False) as again:
        second = watching(again)
        again.link()
        await again.join(wanted.id)
        await until(lambda: [one for one in again.orders(Record) if one.room == wanted.id])
        await second.after(0)
        await second.after(61)
        assert await second.state(empty) == ("live", "off")
        assert await second.state(wanted.id) == ("live", "recording")


async def test_who_came_while_the_hub_was_away_is_recorded(watch: Watch) -> None:
    bench, room = watch.bench, await watch.recorded()
    await watch.leave(room)
    await watch.after(0)
    await watch.after(60)
    # As the live side finds somebody again after a restart: there, without having joined.
    door, bench.hub.conference.door = bench.hub.conference.door, _Silent()  # type: ignore[assignment]
    await bench.hub.conference.enter(room, f"{bench.zhou.id}:{TERMINAL}", bench.zhou.name)
    bench.hub.conference.door = door
    assert await watch.state(room) == ("live", "off")
    await watch.after(5)
    await until(lambda: len(bench.orders(Record)) == 2)
    assert await watch.state(room) == ("live", "recording")


class _Silent:
    async def joined(self, room: str, presence: object) -> None:
        """Nobody is told."""
