from __future__ import annotations

from typing import Any

from commhub.media import messages as m
from tests.support.client import Offer
from tests.support.engine import Bench


def frame(handle: int, body: bytes = b"body") -> bytes:
    return b"\x18\x00" + handle.to_bytes(2, "big") + bytes(range(4, 12)) + body


class Room:
    def __init__(self, bench: Bench) -> None:
        bench.offer("PA_a", Offer())
        bench.join("PA_c")
        self.bench, self.got = bench, list[tuple[str, bytes]]()
        for name, peer in bench.engine.rooms["r"].peers.items():
            assert peer.connection is not None
            peer.connection.send_frame = self._hear(name)  # type: ignore[method-assign]
        bench.tell(m.PublishData("r", "PA_a", "DTR_1", 7))

    def _hear(self, name: str) -> Any:
        return lambda data: self.got.append((name, data))

    def say(self, data: bytes) -> list[tuple[str, bytes]]:
        self.got.clear()
        transport = self.bench.engine.transports.get(1)
        assert transport is not None
        self.bench.engine.transport_frame(transport, data)
        return list(self.got)


async def test_every_receiver_knows_the_track_by_its_own_handle(bench: Bench) -> None:
    room = Room(bench)
    assert room.say(frame(7)) == []
    bench.tell(m.SubscribeData("r", "PA_b", "DTR_1", 1))
    bench.tell(m.SubscribeData("r", "PA_c", "DTR_1", 300))
    assert room.say(frame(7)) == [("PA_b", frame(1)), ("PA_c", frame(300))]
    bench.tell(m.SubscribeData("r", "PA_b", "DTR_1", 0))
    assert room.say(frame(7)) == [("PA_c", frame(300))]
    bench.tell(m.UpdatePeer("r", "PA_c", may_subscribe=False))
    assert room.say(frame(7)) == []


async def test_frames_of_no_track_go_nowhere(bench: Bench) -> None:
    room = Room(bench)
    bench.tell(m.SubscribeData("r", "PA_b", "DTR_1", 1))
    assert [room.say(data) for data in (frame(8), frame(7)[:11], b"")] == [[], [], []]
    assert bench.engine.frames.dropped == 3
    bench.tell(m.UnpublishData("r", "PA_a", "DTR_1"))
    assert room.say(frame(7)) == []
    bench.tell(m.SubscribeData("r", "PA_b", "DTR_1", 1))  # about what no longer exists


async def test_who_may_not_send_data_sends_no_frames(bench: Bench) -> None:
    room = Room(bench)
    bench.tell(m.SubscribeData("r", "PA_b", "DTR_1", 1))
    bench.tell(m.UpdatePeer("r", "PA_a", may_send_data=False))
    assert room.say(frame(7)) == []


async def test_too_many_frames_are_lost(bench: Bench) -> None:
    room = Room(bench)
    bench.tell(m.SubscribeData("r", "PA_b", "DTR_1", 1))
    passed = sum(len(room.say(frame(7, bytes(60_000)))) for _ in range(60))
    assert 20 < passed < 40
    bench.now += 1.0
    assert room.say(frame(7))


async def test_people_who_leave_leave_nothing(bench: Bench) -> None:
    room = Room(bench)
    bench.tell(m.SubscribeData("r", "PA_b", "DTR_1", 1))
    bench.tell(m.RemovePeer("r", "PA_b"))
    assert room.say(frame(7)) == []
    bench.tell(m.RemovePeer("r", "PA_a"))
    assert not bench.engine.frames._tracks
    assert not bench.engine.frames._by_handle
