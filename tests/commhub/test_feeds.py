"""When the bridge pulls a camera, from which workers it is wanted, and what people are told about it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from commhub.events import Published
from commhub.feeds import GRACE, Feeds
from commhub.media.messages import BridgeSnapshot, Demand, Message, Pull, SourceState
from tests.support.hubs import Hub, running

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

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.feeds.reconcile()

    def link(self, *sources: SourceState) -> None:
        self.feeds.linked(BridgeSnapshot(list(sources)), lambda order: self.told.append(order))

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
    bench.feeds.receive(SourceState(source=bench.camera, state="live"))
    assert bench.state == ("live", "")
    bench.feeds.unlinked()
    assert bench.state == ("connecting", "bridge_down")
    bench.link(SourceState(source=bench.camera, state="live"), SourceState(source="forgotten", state="live"))
    assert bench.state == ("live", "")
    assert Pull(source="forgotten", url="", workers=[]) in bench.told
    assert bench.workers() == [[], ["media-0"]]


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
        bench.feeds.receive(state)
    bench.feeds.receive(SourceState(source=bench.camera, state="exploded"))
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
    bench.feeds.receive(SourceState(source=bench.camera, state="live"))
    bench.feeds.detach(bench.camera, ROOM)
    assert bench.state == ("idle", "")
    bench.feeds.receive(SourceState(source=bench.camera, state="idle"))
    bench.later(1)
    assert bench.feeds._feeds == {}
