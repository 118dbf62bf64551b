"""Two WebRTC clients that are not ours (aiortc) through a real engine and a real data plane, on loopback."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, MediaStreamTrack, VideoStreamTrack
from livekit.protocol import models

from commhub.media import messages as m
from commhub.media.engine import TICK, Engine
from commhub.media.forward import Forwarder
from commhub.media.plane import Address
from commhub.tasks import Tasks
from tests.support import until
from tests.support.plane import quiet


class Caller:
    """A client that offers, in single mode. ``frames`` counts what it decoded, by track."""

    def __init__(self, room: Room, sid: str) -> None:
        self.room, self.sid = room, sid
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.on("track", self._track)
        self.channel: RTCDataChannel = self.connection.createDataChannel("_reliable")
        self.heard: list[models.DataPacket] = []
        self.channel.on("message", lambda data: self.heard.append(models.DataPacket.FromString(data)))
        self.frames: Counter[str] = Counter()
        room.engine.command(m.AddPeer("r", sid, f"id-{sid}"))

    def _track(self, track: MediaStreamTrack) -> None:
        self.room.tasks.spawn(self._decode(track), f"decode {track.id}")

    async def _decode(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                await track.recv()
                self.frames[track.id] += 1
        except MediaStreamError:
            pass

    def send(self, track: MediaStreamTrack, name: str) -> None:
        self.connection.addTransceiver(track, direction="sendonly")
        self.room.engine.command(m.Announce("r", self.sid, name, track.kind, "camera", {track.id: ""}))

    async def negotiate(self) -> m.Answer:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        answer = self.room.engine.command(m.Offer("r", self.sid, self.connection.localDescription.sdp, 1))
        assert isinstance(answer, m.Answer)
        await self.connection.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        return answer


class Room:
    def __init__(self) -> None:
        self.events: list[m.Message] = []
        self.engine = Engine("media-0", Forwarder, self.events.append)
        self.engine.open([Address("127.0.0.1", "127.0.0.1")], 0)
        self.engine.command(m.OpenRoom("r"))
        self.tasks = Tasks("test")
        self.tasks.spawn(self._turn(), "clock")
        self.callers: list[Caller] = []

    async def _turn(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.engine.tick()

    def caller(self, sid: str) -> Caller:
        self.callers.append(Caller(self, sid))
        return self.callers[-1]

    async def close(self) -> None:
        for caller in self.callers:
            await caller.connection.close()
        await self.tasks.close()
        self.engine.close()


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    yield room
    await room.close()


class Turns:
    """Counts how often the running loop looks at its sockets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        selector = cast(Any, asyncio.get_running_loop())._selector
        original = selector.select

        def select(timeout: float | None = None) -> Any:
            self.count += 1
            return original(timeout)

        monkeypatch.setattr(selector, "select", select)


async def test_two_clients_see_hear_and_tell_each_other(room: Room) -> None:
    a, b = room.caller("PA_a"), room.caller("PA_b")
    a.send(AudioStreamTrack(), "TR_audio")
    a.send(VideoStreamTrack(), "TR_video")
    await a.negotiate()
    b.connection.addTransceiver("audio", direction="recvonly")
    b.connection.addTransceiver("video", direction="recvonly")
    room.engine.command(m.Subscribe("r", "PA_b", ["TR_audio", "TR_video"]))
    assert sorted((await b.negotiate()).mids.values()) == ["TR_audio", "TR_video"]
    await until(lambda: b.frames["TR_audio"] > 10 and b.frames["TR_video"] > 10)
    await until(lambda: a.channel.readyState == b.channel.readyState == "open")
    a.channel.send(models.DataPacket(user=models.UserPacket(payload=b"hello"), sequence=5).SerializeToString())
    await until(lambda: b.heard)
    assert (b.heard[0].participant_identity, b.heard[0].sequence, b.heard[0].user.payload) == ("id-PA_a", 5, b"hello")
    live = {(event.peer, event.track) for event in room.events if isinstance(event, m.TrackLive)}
    assert live == {("PA_a", "TR_audio"), ("PA_a", "TR_video")}

    # Muted, nothing of it arrives; nobody else is touched.
    room.engine.command(m.Mute("r", "TR_video", True))
    await quiet(0.1)
    before = b.frames["TR_video"], b.frames["TR_audio"]
    await until(lambda: b.frames["TR_audio"] > before[1] + 15)  # 0.3 s of sound, however long it takes
    assert b.frames["TR_video"] - before[0] <= 1
    room.engine.command(m.Mute("r", "TR_video", False))
    await until(lambda: b.frames["TR_video"] > before[0] + 5)

    # Its good-bye is heard.
    await a.connection.close()
    await until(lambda: any(isinstance(event, m.PeerLost) for event in room.events))
    assert [(event.peer, event.reason) for event in room.events if isinstance(event, m.PeerLost)] == [("PA_a", "closed")]
    await until(lambda: len(room.engine.transports) == 1)


async def test_a_handshake_storm_leaves_the_loop_responsive(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    callers = [room.caller(f"PA_{number}") for number in range(8)]
    turns = Turns(monkeypatch)
    lane = cast(Any, room.engine.transports.lane)
    steps: list[int] = []
    waited = 0
    original = lane._next

    def counted() -> None:
        nonlocal waited
        waited = max(waited, len(lane._waiting))
        steps.append(turns.count)
        original()

    lane._next = counted
    await asyncio.gather(*(caller.negotiate() for caller in callers))
    await until(lambda: sum(isinstance(event, m.PeerConnected) for event in room.events) == len(callers))
    # A handshake is two flights of the client at least; what follows on the channel may come before or after this.
    assert len(steps) >= 2 * len(callers)
    # It was a storm, and every step had a turn of the loop of its own: between any two of them sockets are looked at.
    assert waited > 1
    assert len(set(steps)) == len(steps)
