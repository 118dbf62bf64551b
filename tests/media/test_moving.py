from __future__ import annotations

from typing import Any, cast

from commhub.media import messages as m
from tests.support.client import Offer
from tests.support.engine import Bench, FakeLink, settled, watching


def record(bench: Bench, link: FakeLink, room: str) -> None:
    bench.engine.recorder(cast(Any, link), m.OpenSink(room, f"of {room}"))


async def test_the_connection_goes_along_and_what_it_carried_ends(bench: Bench) -> None:
    route = await watching(bench)
    bench.publish("PA_b")
    bench.tell(m.Subscribe("r", "PA_a", ["TR_audio_PA_b"]))
    bench.tell(m.OpenRoom("s"))
    bench.tell(m.AddPeer("s", "PA_c", "id-PA_c"))
    old, new = FakeLink(), FakeLink()
    record(bench, old, "r")
    record(bench, new, "s")
    receiver = bench.receiver("TR_video_PA_a")
    transport = bench.engine.rooms["r"].peers["PA_a"].connection.publisher  # type: ignore[union-attr]
    old.told.clear()
    bench.tell(m.MovePeer("r", "PA_a", "s"))

    assert set(bench.engine.rooms["r"].peers) == {"PA_b"}
    peer = bench.engine.rooms["s"].peers["PA_a"]
    assert peer.connection is not None
    assert peer.connection.publisher is transport
    assert transport is not None
    assert transport.number in bench.plane.transports
    assert bench.engine.rooms["s"].tracks["TR_video_PA_a"].encodings[0].receiver == receiver
    assert receiver in bench.plane.receivers
    assert route not in bench.plane.routes
    assert "TR_video_PA_a" not in bench.engine.rooms["r"].tracks
    assert peer.subscriptions == {}
    assert bench.engine.rooms["r"].tracks["TR_audio_PA_b"].subscriptions == {}

    assert [(one.present, one.reason) for one in old.of(m.SinkPeer)] == [(False, "moved")]
    assert {(one.track, one.open) for one in old.of(m.SinkTrack)} == {("TR_video_PA_a", False), ("TR_audio_PA_a", False)}
    assert {one.track for one in new.of(m.SinkTrack) if one.open} == {"TR_video_PA_a", "TR_audio_PA_a"}

    bench.tell(m.Subscribe("s", "PA_c", ["TR_video_PA_a"]))
    answer = bench.engine.command(m.Offer("s", "PA_c", Offer().receive("video").text(), 1))
    assert isinstance(answer, m.Answer)
    assert list(answer.mids.values()) == ["TR_video_PA_a"]
    await settled()
    told = bench.take(m.TrackSubscribed)[-1]
    assert (told.room, told.track) == ("s", "TR_video_PA_a")


async def test_data_goes_to_the_new_room_alone(bench: Bench) -> None:
    bench.publish()
    bench.tell(m.MovePeer("r", "PA_a", "s"))
    bench.tell(m.UpdatePeer("s", "PA_a", record=b"new"))
    state = {room.room: [peer.peer for peer in room.peers] for room in bench.engine.snapshot().rooms}
    assert state == {"r": ["PA_b"], "s": ["PA_a"]}
    bench.tell(m.RemovePeer("s", "PA_a", "left"))
    assert bench.engine.rooms["s"].tracks == {}


async def test_gates_of_the_old_room_are_not_those_of_the_new(bench: Bench) -> None:
    await watching(bench)
    bench.tell(m.Allow("r", "PA_a", "TR_x", False))
    bench.tell(m.Allow("r", "PA_b", "TR_video_PA_a", False))
    bench.tell(m.MovePeer("r", "PA_a", "s"))
    assert bench.engine.rooms["r"].denied == set()
    bench.tell(m.MovePeer("r", "PA_nobody", "s"))
    bench.tell(m.MovePeer("s", "PA_a", "s"))
    assert set(bench.engine.rooms["s"].peers) == {"PA_a"}
