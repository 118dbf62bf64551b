from __future__ import annotations

from typing import Any, cast

import pytest

from commhub.errors import HubError
from commhub.media import messages as m
from tests.support.engine import Bench, watching


async def test_the_snapshot_is_all_a_new_hub_needs(bench: Bench) -> None:
    await watching(bench)
    bench.tell(m.UpdatePeer("r", "PA_a", record=b"opaque", about={"name": "a"}))
    bench.tell(m.Mute("r", "TR_audio_PA_a", True))
    (room,) = bench.engine.snapshot().rooms
    a, b = room.peers
    assert (a.record, a.about, a.identity, a.kind) == (b"opaque", {"name": "a"}, "id-PA_a", "client")
    assert [(t.track, t.mid, t.mime, t.muted, t.open) for t in a.tracks] == [
        ("TR_audio_PA_a", "1", "audio/opus", True, True),
        ("TR_video_PA_a", "2", "video/VP8", False, True),
    ]
    assert b.subscriptions == ["TR_video_PA_a"]


async def test_commands_about_what_is_gone_are_ignored(bench: Bench) -> None:
    for message in (
        m.CloseRoom("x"), m.RemovePeer("r", "x"), m.UpdatePeer("x", "x"), m.Withdraw("r", "PA_a", "x"), m.Mute("x", "x", True),
        m.Subscribe("r", "x", ["y"]), m.Shape("r", "x", ["y"]), m.Allow("x", "y", "z", False), m.Open("r", "x", True),
        m.ClientAnswer("r", "x", "y"), m.Reoffer("r", "x"), m.SendData("x", b""), m.AttachSource("r", "x", "y"),
        m.Sever("r", "x"), m.EndSource("x"), m.Announce("x", "y", "z", "video", "camera"), m.OpenRoom("r"),
    ):  # fmt: skip
        assert bench.engine.command(message) is None
    bench.join("PA_a")
    assert len(bench.engine.rooms["r"].peers) == 2


async def test_what_a_worker_does_not_take(bench: Bench) -> None:
    for speak in (bench.engine.command, lambda one: bench.engine.bridge(cast(Any, None), one)):
        with pytest.raises(HubError) as caught:
            speak(m.StopRecord("s"))
        assert caught.value.code == "unexpected"


async def test_severed_transports_are_told_and_may_come_again(bench: Bench) -> None:
    bench.publish()
    bench.tell(m.Sever("r", "PA_a"))
    assert bench.of(m.PeerLost) == [m.PeerLost("r", "PA_a", "severed")]
    assert bench.plane.receivers == {}
    bench.publish()
    assert len(bench.plane.receivers) == 2
