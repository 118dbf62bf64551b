"""The hub's end and the workers' end of the link, joined in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import pytest

from commhub.errors import HubError, Unavailable
from commhub.media import messages as m
from commhub.media.link import RECORD, Link, dial
from commhub.media.overload import Level
from commhub.media.plane import Address
from commhub.media.worker import Worker, run
from commhub.media.workers import WorkerLoad, Workers
from commhub.wire import sdp
from tests.support import free_port, until
from tests.support.client import Offer, answer
from tests.support.recording_plane import RecordingPlane


class Process:
    """A worker that can be killed: nothing is said, its sockets just end."""

    def __init__(self, folder: Path, index: int) -> None:
        addresses = [Address("127.0.0.1", "127.0.0.1")]
        self.worker = Worker(folder, index, addresses, 0, make_plane=RecordingPlane)

    @property
    def plane(self) -> RecordingPlane:
        return cast(RecordingPlane, self.worker.engine.plane)

    async def kill(self) -> None:
        await self.worker.close()


class City:
    """A hub and its workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[Process] = []
        self.hubs: list[Workers] = []
        self.said: list[object] = []

    async def start(self, index: int) -> Process:
        process = Process(self.folder, index)
        # Each stands for a process of its own.
        process.worker._listener._pid = 1000 + len(self.processes)
        self.processes.append(process)
        await process.worker.start()
        return process

    async def hub(self, *names: str, epoch: int = 1) -> Workers:
        hub = Workers(self.folder, names or ("media-0",), epoch, redial=0.02)
        hub.on_event(self.said.append)
        hub.on_worker(
            lambda snapshot: self.said.append(("found", snapshot.worker, [room.room for room in snapshot.rooms])),
            lambda worker, rooms: self.said.append(("lost", worker, rooms)),
            lambda worker: self.said.append(("ready", worker)),
        )
        self.hubs.append(hub)
        await hub.start()
        return hub

    def of(self, kind: str) -> list[tuple[object, ...]]:
        return [one for one in self.said if isinstance(one, tuple) and one[0] == kind]

    async def close(self) -> None:
        for hub in self.hubs:
            await hub.close()
        for process in self.processes:
            await process.kill()


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    city = City(tmp_path)
    yield city
    await city.close()


def open_room(hub: Workers, room: str = "r", *peers: str) -> None:
    hub.tell(m.OpenRoom(room))
    for peer in peers:
        hub.tell(m.AddPeer(room, peer, f"id-{peer}", record=b"record"))


async def test_commands_offers_and_events_travel(city: City) -> None:
    process = await city.start(0)
    hub = await city.hub()
    await until(lambda: city.of("ready"))
    assert city.said == [("ready", "media-0")]
    assert hub.health() == {"media-0": True}
    open_room(hub, "r", "PA_a")
    hub.tell(m.Announce("r", "PA_a", "TR", "audio", "microphone", {"mic": ""}))
    assert hub.worker_of("r") == "media-0"
    answered = await hub.offer(m.Offer("r", "PA_a", Offer().send("audio", "mic").text(), 3))
    assert answered.id == 3
    assert sdp.parse(answered.sdp).sections[1].direction == sdp.RECVONLY
    assert city.said[1:] == [m.TrackBound("r", "PA_a", "TR", "1", "audio/opus")]
    assert len(process.plane.receivers) == 1
    with pytest.raises(HubError) as caught:
        await hub.offer(m.Offer("r", "PA_a", "garbage"))
    assert caught.value.code == "bad_sdp"
    hub.tell(m.CloseRoom("r"))
    assert hub.worker_of("r") == ""
    with pytest.raises(Unavailable):
        await hub.offer(m.Offer("r", "PA_a", "garbage"))


async def test_rooms_go_where_the_fewest_people_are(city: City) -> None:
    await city.start(0)
    await city.start(1)
    hub = await city.hub("media-0", "media-1")
    await until(lambda: len(city.of("ready")) == 2)
    open_room(hub, "big", "PA_1", "PA_2", "PA_3")
    open_room(hub, "small", "PA_4")
    assert {hub.worker_of("big"), hub.worker_of("small")} == {"media-0", "media-1"}
    open_room(hub, "third", "PA_5")
    assert hub.worker_of("third") == hub.worker_of("small")
    for peer in ("PA_1", "PA_2", "PA_3"):
        hub.tell(m.RemovePeer("big", peer))
    open_room(hub, "fourth")
    assert hub.worker_of("fourth") == hub.worker_of("big")


async def test_a_dead_worker_is_told_at_once_and_dialled_until_it_is_back(city: City) -> None:
    process = await city.start(0)
    hub = await city.hub()
    await until(lambda: city.of("ready"))
    open_room(hub, "r", "PA_a")
    await hub.offer(m.Offer("r", "PA_a", Offer().text()))
    await process.kill()
    await until(lambda: city.of("lost"))
    assert city.of("lost") == [("lost", "media-0", ["r"])]
    assert hub.worker_of("r") == ""
    assert hub.health() == {"media-0": False}
    hub.tell(m.OpenRoom("r"))  # nowhere to go
    assert hub.worker_of("r") == ""
    with pytest.raises(Unavailable):
        await hub.offer(m.Offer("r", "PA_a", Offer().text()))
    await city.start(0)
    await until(lambda: len(city.of("ready")) == 2)
    assert city.of("found") == []
    open_room(hub, "r", "PA_a")
    assert hub.worker_of("r") == "media-0"


async def test_an_offer_under_way_hears_of_the_death(city: City) -> None:
    process = await city.start(0)
    hub = await city.hub()
    await until(lambda: city.of("ready"))
    open_room(hub, "r", "PA_a")
    process.worker._listener._handler = lambda link, message: asyncio.Event().wait()  # type: ignore[assignment,return-value]
    next(iter(process.worker._listener.links.values()))._handler = process.worker._listener._handler
    question = asyncio.create_task(hub.offer(m.Offer("r", "PA_a", Offer().text())))
    await asyncio.sleep(0.02)
    await process.kill()
    with pytest.raises(Unavailable):
        await question


async def test_a_restarted_hub_finds_the_rooms_as_they_were(city: City) -> None:
    process = await city.start(0)
    first = await city.hub()
    await until(lambda: city.of("ready"))
    open_room(first, "r", "PA_a")
    first.tell(m.Announce("r", "PA_a", "TR", "audio", "microphone", {"mic": ""}))
    await first.offer(m.Offer("r", "PA_a", Offer().send("audio", "mic").text()))
    receivers = dict(process.plane.receivers)
    await first.close()
    await until(lambda: process.worker._hub is None)
    assert process.plane.receivers == receivers
    city.said.clear()

    snapshots: list[m.WorkerSnapshot] = []
    second = Workers(city.folder, ["media-0"], 2, redial=0.02)
    city.hubs.append(second)
    second.on_worker(snapshots.append, lambda worker, rooms: None, lambda worker: None)
    await second.start()
    await until(lambda: snapshots)
    (room,) = snapshots[0].rooms
    assert (room.peers[0].record, room.peers[0].tracks[0].mid) == (b"record", "1")
    assert second.worker_of("r") == "media-0"
    assert process.plane.receivers == receivers
    second.tell(m.RemovePeer("r", "PA_a"))
    await until(lambda: not process.plane.receivers)


async def test_an_older_hub_is_refused(city: City) -> None:
    process = await city.start(0)
    old = await city.hub(epoch=1)
    await until(lambda: city.of("ready"))
    open_room(old, "r", "PA_a")
    await until(lambda: process.worker.engine.rooms)
    new = await city.hub(epoch=2)
    await until(lambda: len(city.of("ready")) == 2)
    with pytest.raises(HubError) as caught:
        await old.offer(m.Offer("r", "PA_a", Offer().text()))
    assert caught.value.code == "stale_epoch"
    old.tell(m.CloseRoom("r"))
    assert (await new.offer(m.Offer("r", "PA_a", Offer().text(), 4))).id == 4
    # Nor may it come back.
    link, reading = await dial(city.folder, "media-0", lambda link, message: None)
    with pytest.raises(HubError) as caught:
        await link.ask(m.Hello(role="hub", name="hub", epoch=1))
    assert caught.value.code == "stale_epoch"
    link.close()
    await asyncio.gather(reading, return_exceptions=True)


async def test_a_cut_link_to_a_worker_that_lives_loses_no_room(city: City) -> None:
    process = await city.start(0)
    hub = await city.hub()
    await until(lambda: city.of("ready"))
    open_room(hub, "r", "PA_a")
    await until(lambda: process.worker.engine.rooms)
    next(iter(process.worker._listener.links.values())).close()
    await until(lambda: len(city.of("ready")) == 2)
    assert city.of("lost") == []
    assert city.of("found") == [("found", "media-0", ["r"])]
    assert hub.worker_of("r") == "media-0"


async def test_a_listeners_fault_is_not_the_others(city: City) -> None:
    await city.start(0)
    hub = Workers(city.folder, ["media-0"], 1, redial=0.02)
    city.hubs.append(hub)
    heard: list[m.Message] = []

    def broken(message: m.Message) -> None:
        raise RuntimeError("of this listener")

    hub.on_event(broken)
    hub.on_event(heard.append)
    await hub.start()
    await until(lambda: hub.health()["media-0"])
    hub.tell(m.OpenRoom("r"))
    hub.tell(m.AddPeer("r", "PA_d", "d", dual=True))
    await until(lambda: heard)
    offer = cast(m.ServerOffer, heard[0])
    hub.tell(m.ClientAnswer("r", "PA_d", answer(offer.sdp), offer.id))
    hub.tell(m.ClientAnswer("r", "PA_d", "garbage", offer.id))  # ignored: that offer is answered
    hub.tell(m.Reoffer("r", "PA_d"))
    await until(lambda: len(heard) == 2)
    assert hub.health() == {"media-0": True}


# ---- bridges and recorders at a worker


async def introduce(
    city: City, role: str, heard: Callable[[m.Message], None] = lambda message: None
) -> tuple[Link, asyncio.Task[None]]:
    link, reading = await dial(city.folder, "media-0", lambda link, message: heard(message), packets=True)
    assert await link.ask(m.Hello(role=role, name=role)) == m.Done()
    return link, reading


async def test_packets_go_from_a_bridge_through_a_room_to_a_recorder(city: City) -> None:
    process = await city.start(0)
    hub = await city.hub()
    await until(lambda: city.of("ready"))
    open_room(hub, "r")
    hub.tell(m.AddPeer("r", "PA_cam", "camera", kind="bridge"))
    hub.tell(m.AttachSource("r", "PA_cam", "C1"))
    hub.tell(m.Announce("r", "PA_cam", "TR_cam", "video", "camera"))
    bridge, bridge_reading = await introduce(city, "bridge")
    codec = m.Codec("video/H264", 90_000)
    assert await bridge.ask(m.PushSource("C1", [m.SourceStream(1, "video", codec)])) == m.Done()
    await until(lambda: m.TrackBound("r", "PA_cam", "TR_cam", "video", "video/H264") in city.said)

    facts: list[m.Message] = []
    batches: list[bytes] = []
    recorder, recorder_reading = await introduce(city, "record", facts.append)
    assert recorder.packets is not None
    recorder.packets.on_batch = batches.append
    assert await recorder.ask(m.OpenSink("r", "s")) == m.Done()
    await until(lambda: len(facts) == 2)
    assert [type(fact).__name__ for fact in facts] == ["SinkPeer", "SinkTrack"]

    assert bridge.packets is not None
    assert bridge.packets.send(RECORD.pack(1, 42, 3) + b"rtp")
    await until(lambda: process.plane.of("feed"))
    ((receiver, fed, at),) = process.plane.of("feed")
    ((tapped, tap),) = process.plane.taps.values()
    assert (fed, at, tapped) == (b"rtp", 42, receiver)
    tap(b"rtp", 42)
    await until(lambda: batches)
    assert batches == [RECORD.pack(1, 42, 3) + b"rtp"]

    recorder.close()
    await until(lambda: m.SinkEnded("r", "s") in city.said)
    bridge.packets.send(b"torn")
    await asyncio.wait_for(bridge.closed.wait(), 30)  # it dials again
    assert process.plane.receivers == {receiver: "video/H264"}
    await asyncio.gather(bridge_reading, recorder_reading, return_exceptions=True)


async def test_roles_say_what_they_may(city: City) -> None:
    await city.start(0)
    stranger, reading = await dial(city.folder, "media-0", lambda link, message: None)
    bridge, bridge_reading = await introduce(city, "bridge")
    for link, message in (
        (stranger, m.OpenRoom("r")),
        (stranger, m.Hello(role="emperor", name="x")),
        (bridge, m.OpenSink("r", "s")),
        (bridge, m.Hello(role="hub", name="x", epoch=9)),
    ):
        with pytest.raises(HubError) as caught:
            await link.ask(message)
        assert caught.value.code == "unexpected"
    stranger.close()
    bridge.close()
    await asyncio.gather(reading, bridge_reading, return_exceptions=True)


async def test_the_process_binds_what_it_is_given_and_ends_cleanly(tmp_path: Path) -> None:
    port = free_port()
    process = asyncio.create_task(run(tmp_path, 3, [("127.0.0.1", "203.0.113.9")], port))
    hub = Workers(tmp_path, ["media-3"], 1, redial=0.02)
    await hub.start()
    await until(lambda: hub.health()["media-3"])
    hub.tell(m.OpenRoom("r"))
    hub.tell(m.AddPeer("r", "PA_a", "a"))
    answered = sdp.parse((await hub.offer(m.Offer("r", "PA_a", Offer().text()))).sdp)
    assert [(c.host, c.port, c.transport) for c in answered.sections[0].candidates] == [
        ("203.0.113.9", port, "udp"),
        ("203.0.113.9", port, "tcp"),
    ]
    process.cancel()
    with pytest.raises(asyncio.CancelledError):
        await process
    await until(lambda: not hub.health()["media-3"])
    await hub.close()


async def test_an_address_that_is_not_ours_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        await run(tmp_path, 0, [("203.0.113.9", "203.0.113.9")], 0)


async def test_a_draining_worker_hands_its_rooms_over_and_ends_when_they_are_gone(city: City) -> None:
    leaving = await city.start(0)
    staying = await city.start(1)
    hub = await city.hub("media-0", "media-1")
    await until(lambda: len(city.of("ready")) == 2)

    def move(worker: str, rooms: list[str]) -> None:
        for room in rooms:
            open_room(hub, room, "PA_b")

    hub.on_worker(lambda snapshot: None, move, lambda worker: None)
    open_room(hub, "r", "PA_a")
    await until(lambda: leaving.worker.engine.rooms)
    assert hub.worker_of("r") == "media-0"
    await asyncio.wait_for(leaving.worker.drain(300), 30)
    assert city.of("lost") == [("lost", "media-0", ["r"])]
    assert hub.worker_of("r") == "media-1"
    await until(lambda: "r" in staying.worker.engine.rooms)
    assert not leaving.worker.engine.rooms
    open_room(hub, "next", "PA_c")
    assert hub.worker_of("next") == "media-1"
    assert hub.loads()["media-0"].draining
    await leaving.kill()
    await until(lambda: not hub.health()["media-0"])
    assert not hub.loads()["media-0"].draining
    await city.start(0)
    await until(lambda: hub.health()["media-0"])
    open_room(hub, "after", "PA_d")
    assert hub.worker_of("after") == "media-0"


async def test_a_drain_is_told_to_a_hub_that_comes_late(city: City) -> None:
    process = await city.start(0)
    first = await city.hub(epoch=1)
    await until(lambda: city.of("ready"))
    open_room(first, "r", "PA_a")
    await until(lambda: process.worker.engine.rooms)
    await first.close()
    await until(lambda: process.worker._hub is None)
    draining = asyncio.create_task(process.worker.drain(30))
    await asyncio.sleep(0)
    await city.hub(epoch=2)
    await asyncio.wait_for(draining, 5)
    assert not process.worker.engine.rooms


async def test_a_drain_never_waits_without_limit(city: City) -> None:
    process = await city.start(0)
    hub = await city.hub()
    await until(lambda: city.of("ready"))
    open_room(hub, "r", "PA_a")
    await until(lambda: process.worker.engine.rooms)
    process.worker._command = lambda message: None  # type: ignore[method-assign]  # a hub that takes nothing away
    await asyncio.wait_for(process.worker.drain(0.2), 5)
    assert process.worker.engine.rooms
    await hub.close()
    await asyncio.wait_for(process.worker.drain(60), 5)  # and nobody is going to


async def test_rooms_go_to_workers_that_have_less_to_do_and_none_takes_people_when_all_are_full(city: City) -> None:
    zero, one = await city.start(0), await city.start(1)
    hub = await city.hub("media-0", "media-1")
    await until(lambda: len(city.of("ready")) == 2)
    zero.worker._emit(m.Load(Level.SHED, 0.2, 0.3))
    await until(lambda: hub.loads()["media-0"].level is Level.SHED)
    assert hub.loads()["media-0"] == WorkerLoad(True, False, Level.SHED, 0.2, 0.3, 0, 0)
    for number in range(3):
        open_room(hub, f"room-{number}", f"PA_{number}")
        assert hub.worker_of(f"room-{number}") == "media-1"
    assert not hub.full("room-1")
    one.worker._emit(m.Load(Level.FULL, 2.0, 0.0))
    await until(lambda: hub.full("room-1"))
    assert not hub.full("another")
    open_room(hub, "another")
    assert hub.worker_of("another") == "media-0"
    zero.worker._emit(m.Load(Level.FULL, 2.0, 0.0))
    await until(lambda: hub.full("one more"))
    zero.worker._emit(m.Load(Level.CALM, 0.0, 0.0))
    await until(lambda: not hub.full("one more"))


async def test_a_late_clock_is_measured_acted_upon_and_told(city: City) -> None:
    process = await city.start(0)
    hub = await city.hub()
    await until(lambda: city.of("ready"))
    process.worker.engine.command(m.OpenRoom("r"))
    room, now = process.worker.engine.rooms["r"], time.monotonic()
    shed: list[bool] = []
    for step in range(40):
        process.worker._measure(now + step * 0.1 - 0.3, now + step * 0.1)
    shed.append(room.shed)
    await until(lambda: hub.loads()["media-0"].level is Level.SHED)
    assert hub.loads()["media-0"].lag == pytest.approx(0.3)
    for step in range(40, 240):
        process.worker._measure(now + step * 0.1, now + step * 0.1)
    shed.append(room.shed)
    assert shed == [True, False]
    await until(lambda: hub.loads()["media-0"].level is Level.CALM)
