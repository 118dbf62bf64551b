"""A participant's tracks in another room: lent on the own worker, pushed to another one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from commhub.media import messages as m
from commhub.media.plane import Address
from commhub.media.worker import Worker
from tests.support import until
from tests.support.client import Offer
from tests.support.engine import Bench, settled
from tests.support.recording_plane import RecordingPlane

SOURCE = "forward:1"


def forwarded(bench: Bench, room: str = "s", peer: str = "PA_f") -> None:
    """PA_a's two tracks, in another room under sids of their own."""
    bench.tell(m.OpenRoom(room))
    bench.tell(m.AddPeer(room, peer, "id-PA_a", kind="bridge"))
    bench.tell(m.AttachSource(room, peer, SOURCE))
    for kind in ("video", "audio"):
        bench.tell(m.Announce(room, peer, f"TR_{kind}_{peer}", kind, "camera", {f"TR_{kind}_PA_a": ""}))


def watch(bench: Bench, room: str = "s", track: str = "TR_video_PA_f", **shape: Any) -> int:
    bench.tell(m.AddPeer(room, "PA_v", "viewer"))
    bench.tell(m.Subscribe(room, "PA_v", [track]))
    bench.engine.command(m.Offer(room, "PA_v", Offer().receive("video").text(), 1))
    return int(bench.engine.rooms[room].peers["PA_v"].subscriptions[track].route)


def relay(bench: Bench, *workers: str) -> None:
    bench.tell(m.Relay("r", "PA_a", SOURCE, list(workers)))


@pytest.mark.parametrize("first", ["relay", "attach"])
async def test_on_the_own_worker_the_receivers_themselves_are_shared(bench: Bench, first: str) -> None:
    bench.publish()
    if first == "relay":
        relay(bench, "media-0")
        forwarded(bench)
    else:
        forwarded(bench)
        relay(bench, "media-0")
    receiver = bench.receiver("TR_video_PA_a")
    bound = {(one.room, one.track): one.mime for one in bench.of(m.TrackBound)}
    assert bound["s", "TR_video_PA_f"] == "video/VP8"
    assert bound["s", "TR_audio_PA_f"] == "audio/opus"
    encoding = bench.engine.rooms["s"].tracks["TR_video_PA_f"].encodings[0]
    assert (encoding.receiver, encoding.layers) == (receiver, 3)
    route = watch(bench)
    assert bench.plane.routes[route].receiver == receiver
    bench.tell(m.Shape("s", "PA_v", ["TR_video_PA_f"], quality=0))
    assert bench.plane.state[route]["layer"] == 0


async def test_a_gate_in_the_other_room_is_not_the_publishers(bench: Bench) -> None:
    bench.publish()
    relay(bench, "media-0")
    forwarded(bench)
    route, receiver = watch(bench), bench.receiver("TR_video_PA_a")
    bench.tell(m.Mute("s", "TR_video_PA_f", True))
    assert not bench.plane.state[route]["allowed"]
    assert bench.plane.state.get(receiver, {}).get("open", True)
    bench.tell(m.RemovePeer("s", "PA_f", "removed"))
    assert receiver in bench.plane.receivers
    assert route not in bench.plane.routes


async def test_what_is_wanted_anywhere_is_asked_of_the_publisher(bench: Bench) -> None:
    bench.publish()
    relay(bench, "media-0")
    forwarded(bench)
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a"]))
    bench.offer("PA_b", Offer().receive("video"))
    bench.tell(m.Shape("r", "PA_b", ["TR_video_PA_a"], quality=0))
    await settled()
    watch(bench)
    bench.tell(m.Shape("s", "PA_v", ["TR_video_PA_f"], quality=1))
    await settled()
    bench.pass_time(1.0)
    assert [one.codecs for one in bench.take(m.Wanted)] == [[("video/VP8", [0, 1])]]
    bench.tell(m.Shape("s", "PA_v", ["TR_video_PA_f"], quality=2))
    await settled()
    told = bench.take(m.Wanted)[-1]
    assert (told.room, told.peer, told.codecs) == ("r", "PA_a", [("video/VP8", [0, 1, 2])])


async def test_tracks_that_come_and_go(bench: Bench) -> None:
    bench.announce("PA_a", "TR_audio_PA_a", "audio", "mic")
    offer = Offer().send("audio", "mic")
    bench.offer("PA_a", offer)
    relay(bench, "media-0")
    forwarded(bench)
    assert bench.engine.rooms["s"].tracks["TR_video_PA_f"].encodings == []
    bench.announce("PA_a", "TR_video_PA_a", "video", "cam")
    bench.offer("PA_a", offer.send("video", "cam", ["q", "h", "f"]))
    assert bench.engine.rooms["s"].tracks["TR_video_PA_f"].encodings
    bench.tell(m.Withdraw("r", "PA_a", "TR_video_PA_a"))
    assert bench.engine.rooms["s"].tracks["TR_video_PA_f"].encodings == []
    assert [one.track for one in bench.take(m.TrackEnded)] == ["TR_video_PA_f"]


@pytest.mark.parametrize("how", ["told", "left", "moved"])
async def test_it_ends(bench: Bench, how: str) -> None:
    bench.publish()
    relay(bench, "media-0")
    forwarded(bench)
    if how == "told":
        relay(bench)
    elif how == "left":
        bench.tell(m.RemovePeer("r", "PA_a", "left"))
    else:
        bench.tell(m.MovePeer("r", "PA_a", "t"))
    assert all(not track.encodings for track in bench.engine.rooms["s"].tracks.values())
    bench.tell(m.RemovePeer("s", "PA_f", "over"))
    assert bench.engine.sources._sources == {}


async def test_to_another_worker_it_is_pushed(tmp_path: Path) -> None:
    one, other = (Worker(tmp_path, index, [Address("127.0.0.1", "127.0.0.1")], 0, make_plane=RecordingPlane) for index in (0, 1))
    for worker in (one, other):
        await worker.start()
    try:
        here, there = one.engine, other.engine
        events: list[m.Message] = []
        there.emit = events.append
        for message in (
            m.OpenRoom("r"),
            m.AddPeer("r", "PA_a", "id-PA_a"),
            m.Announce("r", "PA_a", "TR_a", "video", "camera", {"cam": ""}),
        ):
            here.command(message)
        here.command(m.Offer("r", "PA_a", Offer().send("video", "cam").text(), 1))
        there.command(m.OpenRoom("s"))
        there.command(m.AddPeer("s", "PA_f", "id-PA_a", kind="bridge"))
        there.command(m.AttachSource("s", "PA_f", SOURCE))
        there.command(m.Announce("s", "PA_f", "TR_f", "video", "camera", {"TR_a": ""}))
        here.command(m.Relay("r", "PA_a", SOURCE, ["media-1"]))
        track = there.rooms["s"].tracks["TR_f"]
        await until(lambda: bool(track.encodings))
        assert here.relays.takes(here.rooms["r"].tracks["TR_a"])

        plane: Any = here.plane
        ((tap, (receiver, sink)),) = plane.taps.items()
        assert receiver == here.rooms["r"].tracks["TR_a"].encodings[0].receiver
        packet = bytes([0x80, 96, 0, 1]) + bytes(8) + b"picture"
        sink(memoryview(packet), 5)
        far: Any = there.plane
        await until(lambda: bool(far.of("feed")))
        fed = far.of("feed")[0]
        assert (fed[0], bytes(fed[1]), fed[2]) == (track.encodings[0].receiver, packet, 5)

        there.key_frame_wanted(track.encodings[0].receiver, 0)
        await until(lambda: (receiver,) in plane.of("request_key_frame"))
        here.sender_report(tap, 7, 9)
        await until(lambda: (track.encodings[0].receiver, 7, 9) in far.of("feed_clock"))

        here.command(m.Announce("r", "PA_a", "TR_b", "video", "camera", {"cam2": ""}))
        here.command(m.Offer("r", "PA_a", Offer().send("video", "cam").send("video", "cam2").text(), 2))
        there.command(m.Announce("s", "PA_f", "TR_g", "video", "screen_share", {"TR_b": ""}))
        await until(lambda: bool(there.rooms["s"].tracks["TR_g"].encodings))
        here.command(m.Withdraw("r", "PA_a", "TR_a"))
        await until(lambda: track.encodings == [])
        assert len(plane.taps) == 1
        here.command(m.Withdraw("r", "PA_a", "TR_b"))
        await until(lambda: there.sources.names() == [])
        assert plane.taps == {}
    finally:
        await asyncio.gather(one.close(), other.close())
