"""When the bridge pulls a camera, from which workers it is wanted, and what people are told about it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from commhub.events import Published
from commhub.feeds import GRACE, Feeds, Plays
from commhub.feeds.feeds import SETTLE
from commhub.feeds.taken import PATIENCE
from commhub.media.messages import BridgeSnapshot, Codec, Demand, Message, PlayReport, Pull, SourceState, SourceStream
from commhub.model import utc_ns
from commhub.store import tables
from tests.support.hubs import Hub, running
from tests.support.recorders import edit

ROOM, OTHER = "01K0000000000000000000RM01", "01K0000000000000000000RM02"


@dataclass
class Bench:
    hub: Hub
    feeds: Feeds
    camera: str
    now: float = 100.0
    told: list[Message] = field(default_factory=list)

    def workers(self) -> list[list[str]]:
        """Of every order since the last look."""
        orders, self.told = self.told, []
        return [order.workers for order in orders if isinstance(order, Pull)]

    async def moved_to(self, url: str) -> None:
        c = tables.cameras.c
        async with self.hub.parts.store.transaction() as transaction:
            await transaction.run(sa.update(tables.cameras).where(c.id == self.camera).values(url=url))

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.feeds.reconcile()

    def link(self, *sources: SourceState, kind: str = "rtsp") -> None:
        self.feeds.bridge(kind).linked(BridgeSnapshot(list(sources)), lambda order: self.told.append(order))

    def unlink(self) -> None:
        self.feeds.bridge("rtsp").unlinked()

    def hear(self, message: Message) -> None:
        self.feeds.bridge("rtsp").receive(message)

    def demand(self, wanted: bool, worker: str = "media-0") -> None:
        self.hub.engine.say(Demand(source=self.camera, wanted=wanted, worker=worker))

    @property
    def state(self) -> tuple[str, str]:
        condition = self.feeds.condition(self.camera)
        return condition.state, condition.code


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with running(tmp_path) as hub:
        parts = hub.parts
        sealed = hub.city.camera[0].model_copy(update={"password": "p@ss"})
        await parts.directory.take_in(hub.city.model_copy(update={"camera": [sealed]}))
        bench = Bench(hub, parts.feeds, hub.ids["camera simulated-underpass"])
        # No task of its own: every step of time is the test's.
        bench.feeds = Feeds(parts.store, parts.events, parts.directory, hub.engine, clock=lambda: bench.now)
        yield bench
        await bench.feeds.close()


async def test_a_camera_is_pulled_once_with_its_password(bench: Bench) -> None:
    bench.link()
    await bench.feeds.attach(bench.camera, ROOM)
    assert bench.told == [
        Pull(source=bench.camera, url="rtsp://127.0.0.1:8554/camera", user="commhub", password="p@ss", workers=["media-0"])
    ]
    bench.told.clear()
    await bench.feeds.attach(bench.camera, OTHER)
    await bench.feeds.attach(bench.camera, OTHER)
    assert bench.workers() == []
    bench.hub.engine.places[OTHER] = "media-1"
    bench.later(0.5)
    assert bench.workers() == [["media-0", "media-1"]]
    bench.feeds.detach(bench.camera, OTHER)
    bench.feeds.detach(bench.camera, ROOM)
    assert bench.workers() == [["media-0"], []]


async def test_it_rests_a_while_after_the_last_viewer(bench: Bench) -> None:
    bench.link()
    await bench.feeds.attach(bench.camera, ROOM)
    assert bench.workers() == [["media-0"]]
    bench.demand(True)
    bench.demand(False)
    bench.later(GRACE - 1)
    assert bench.workers() == []
    bench.demand(True)  # back in time: nobody notices
    bench.demand(False)
    bench.later(GRACE - 1)
    assert bench.workers() == []
    bench.later(1.5)
    assert bench.workers() == [[]]
    bench.demand(True)
    assert bench.workers() == [["media-0"]]


async def test_each_worker_has_its_own_demand(bench: Bench) -> None:
    bench.hub.engine.places[OTHER] = "media-1"
    bench.link()
    await bench.feeds.attach(bench.camera, ROOM)
    await bench.feeds.attach(bench.camera, OTHER)
    bench.workers()
    bench.demand(False, "media-1")
    bench.later(GRACE + 1)
    assert bench.workers()[-1] == ["media-0"]
    bench.demand(False, "")  # of a worker that does not say its name: all
    bench.later(GRACE + 1)
    assert bench.workers()[-1] == []


async def test_a_restarted_bridge_is_told_everything_again(bench: Bench) -> None:
    await bench.feeds.attach(bench.camera, ROOM)
    assert bench.state == ("connecting", "bridge_down")
    bench.link()
    assert bench.workers() == [["media-0"]]
    bench.hear(SourceState(source=bench.camera, state="live"))
    assert bench.state == ("live", "")
    bench.unlink()
    assert bench.state == ("connecting", "bridge_down")
    bench.link(SourceState(source=bench.camera, state="live"), SourceState(source="forgotten", state="live"))
    assert bench.state == ("live", "")
    forgotten = Pull(source="forgotten", url="", workers=[])
    assert forgotten not in bench.told  # whoever had it open may be found again
    bench.later(SETTLE)
    assert forgotten in bench.told
    assert bench.workers() == [["media-0"], []]


async def test_a_dead_worker_s_room_is_pulled_to_where_it_moved(bench: Bench) -> None:
    bench.link()
    await bench.feeds.attach(bench.camera, ROOM)
    bench.demand(False)
    bench.later(GRACE + 1)
    assert bench.workers()[-1] == []
    bench.hub.engine.places[ROOM] = ""
    bench.hub.engine.lose("media-0", ROOM)
    assert bench.workers() == []
    bench.hub.engine.places[ROOM] = "media-1"
    bench.hub.engine.come_back("media-1")
    assert bench.workers() == [["media-1"]]  # what nobody wanted of the dead one says nothing about the new one


async def test_states_reach_those_concerned(bench: Bench) -> None:
    heard: list[Published] = []
    bench.hub.parts.events.listen(heard.append)
    bench.feeds.start()
    bench.link()
    await bench.feeds.attach(bench.camera, ROOM)
    failed = SourceState(source=bench.camera, state="failed", code="refused", text="It refuses.", text_zh="设备拒绝连接。")
    for state in (SourceState(source=bench.camera, state="connecting"), failed, failed, SourceState(source="x", state="live")):
        bench.hear(state)
    bench.hear(SourceState(source=bench.camera, state="exploded"))
    async with asyncio.timeout(5):
        while len(heard) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    cameras = [one.event.data["camera"] for one in heard]
    assert [camera["state"] for camera in cameras] == ["connecting", "failed"]
    assert cameras[1]["reason"] == {"code": "refused", "text": "设备拒绝连接。", "text_en": "It refuses."}
    assert heard[0].event.org == bench.hub.ids["binjiang"]
    assert heard[0].concerns(await bench.hub.person("binjiang"))
    assert not heard[0].concerns(await bench.hub.person("water"))


async def test_idle_after_it_was_taken_out(bench: Bench) -> None:
    bench.link()
    await bench.feeds.attach(bench.camera, ROOM)
    bench.hear(SourceState(source=bench.camera, state="live"))
    bench.feeds.detach(bench.camera, ROOM)
    assert bench.state == ("idle", "")
    bench.hear(SourceState(source=bench.camera, state="idle"))
    bench.later(1)
    assert bench.feeds._feeds == {}


async def test_streams_are_pulled_that_somebody_takes(bench: Bench) -> None:
    await edit(bench.hub, bench.camera, sub=True)
    bench.link()
    await bench.feeds.attach(bench.camera, ROOM, ("sub",))
    assert [order.layers for order in bench.told if isinstance(order, Pull)] == [("sub",)]
    bench.told.clear()
    bench.hub.engine.say(Demand(bench.camera, True, "media-0", ("main", "sub")))  # a tile is made large
    assert [order.layers for order in bench.told if isinstance(order, Pull)] == [("main", "sub")]
    bench.hub.engine.say(Demand(bench.camera, True, "media-0", ("sub",)))
    bench.told.clear()
    bench.later(GRACE - 1)  # people go from tile to tile and back
    assert bench.told == []
    bench.later(1.5)
    assert [order.layers for order in bench.told if isinstance(order, Pull)] == [("sub",)]


async def test_the_smaller_stream_is_not_opened_for_a_moment(bench: Bench) -> None:
    await edit(bench.hub, bench.camera, sub=True)
    bench.link()
    await bench.feeds.attach(bench.camera, ROOM)
    bench.hub.engine.say(Demand(bench.camera, True, "media-0", ("sub",)))  # before the viewer has said what he shows
    bench.later(0.5)
    bench.hub.engine.say(Demand(bench.camera, True, "media-0", ("main",)))
    bench.later(GRACE + 1)
    assert {order.layers for order in bench.told if isinstance(order, Pull)} == {("main",)}
    bench.told.clear()
    bench.hub.engine.say(Demand(bench.camera, True, "media-0", ("main", "sub")))
    bench.later(PATIENCE)
    assert [order.layers for order in bench.told if isinstance(order, Pull)] == [("main", "sub")]


async def test_a_camera_with_one_stream_is_asked_for_no_other(bench: Bench) -> None:
    bench.link()
    await bench.feeds.attach(bench.camera, ROOM, ("sub",))
    bench.hub.engine.say(Demand(bench.camera, True, "media-0", ("main", "sub")))
    bench.later(5)
    assert [order.layers for order in bench.told if isinstance(order, Pull)] == [("main",)]


async def test_what_is_to_be_made_is_told_as_long_as_somebody_needs_it(bench: Bench) -> None:
    def asked() -> list[tuple[str, ...]]:
        orders, bench.told = [order.layers for order in bench.told if isinstance(order, Pull)], []
        return orders

    bench.link()
    await bench.feeds.attach(bench.camera, ROOM)
    assert asked() == [("main",)]
    bench.hub.engine.say(Demand(bench.camera, True, "media-0", ("main", "sub", "sub/H264")))
    assert asked() == [("main", "main/H264")]  # it has one stream
    await edit(bench.hub, bench.camera, sub=True)
    await bench.feeds.attach(bench.camera, ROOM)
    bench.later(PATIENCE)
    assert asked()[-1] == ("main", "sub", "sub/H264")
    bench.hub.engine.say(Demand(bench.camera, True, "media-0", ("main", "sub")))
    bench.later(GRACE - 1)
    assert asked() == []
    bench.later(1.5)
    assert asked() == [("main", "sub")]


async def test_what_a_camera_sends_is_known_while_it_is_live(bench: Bench) -> None:
    bench.link()
    await bench.feeds.attach(bench.camera, ROOM)
    assert bench.feeds.condition(bench.camera).codec == ""
    h264, h265 = Codec("video/H264", 90_000), Codec("video/H265", 90_000)
    streams = [
        SourceStream(1, "video", h264, made=True),
        SourceStream(2, "video", h265, layer="main"),
        SourceStream(3, "video", h264, layer="sub"),
    ]
    bench.hear(SourceState(source=bench.camera, state="live", streams=streams))
    assert bench.feeds.condition(bench.camera).codec == "H.265"
    bench.hear(SourceState(source=bench.camera, state="live", streams=streams[2:]))
    assert bench.feeds.condition(bench.camera).codec == "H.264"
    bench.hear(SourceState(source=bench.camera, state="idle"))
    assert bench.feeds.condition(bench.camera).codec == ""


async def test_a_new_room_is_worth_a_grace_where_nobody_took_it(bench: Bench) -> None:
    bench.link()
    await bench.feeds.attach(bench.camera, ROOM)
    bench.demand(False)
    bench.later(GRACE + 1)
    assert bench.workers() == [["media-0"], []]
    await bench.feeds.attach(bench.camera, OTHER)
    assert bench.workers() == [["media-0"]]
    bench.later(GRACE + 1)  # the worker said so already, and says it only once
    assert bench.workers() == [[]]


async def test_a_device_s_cameras_are_the_other_bridge_s(bench: Bench) -> None:
    await bench.moved_to("gb28181://34020000001320000001/34020000001310000001")
    bench.link()
    await bench.feeds.attach(bench.camera, ROOM)
    assert bench.workers() == []
    assert bench.state == ("connecting", "bridge_down")
    bench.link(kind="gb28181")
    assert bench.workers() == [["media-0"]]
    bench.unlink()
    assert bench.feeds.condition(bench.camera).code == "bridge_down"
    report = PlayReport(source=bench.camera, at=1, code="no_media", text="Nothing came.", text_zh="没有数据。")
    bench.feeds.bridge("gb28181").receive(report)
    assert bench.feeds.plays.report(bench.camera) == report


async def test_a_retry_opens_it_anew(bench: Bench) -> None:
    bench.link()
    assert not bench.feeds.retry(bench.camera)
    await bench.feeds.attach(bench.camera, ROOM)
    bench.hear(SourceState(source=bench.camera, state="failed", code="refused"))
    bench.workers()
    assert bench.feeds.retry(bench.camera)
    assert bench.workers() == [[], ["media-0"]]
    assert bench.state == ("connecting", "")


async def test_a_recording_is_a_source_of_its_own(bench: Bench) -> None:
    await bench.moved_to("gb28181://34020000001320000001/34020000001310000001")
    bench.link(kind="gb28181")
    await bench.feeds.show("PLAYBACK", bench.camera, ROOM, 1000, 2000)
    assert [(order.source, order.url) for order in bench.told if isinstance(order, Pull)] == [
        ("PLAYBACK", "gb28181://34020000001320000001/34020000001310000001?from=1000&to=2000")
    ]
    bench.hear(SourceState(source="PLAYBACK", state="live"))
    assert bench.feeds.condition("PLAYBACK").state == "live"
    assert await bench.feeds.plays.last([bench.camera]) == {}


async def test_when_it_last_worked_is_remembered(bench: Bench) -> None:
    bench.link()
    await bench.feeds.attach(bench.camera, ROOM)
    before = utc_ns()
    bench.hear(SourceState(source=bench.camera, state="live"))
    await bench.feeds.plays.write()
    again = Plays(bench.hub.parts.store)
    assert before <= (await again.last([bench.camera]))[bench.camera] <= utc_ns()
