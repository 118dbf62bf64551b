"""Who can be reached in a room: what a restarted hub knows of clients whose sockets have not come back yet."""

from __future__ import annotations

import pytest
from livekit.protocol import rtc

from commhub.media.messages import PeerStats, RoomStats
from signaling.outs import Terms
from signaling.rooms import Rooms
from tests.support.livekit import HUB_KEY, KEYS, OpenHost, ScriptedEngine, request, ticket


class Silent:
    def send(self, response: rtc.SignalResponse, packed: bytes) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def rooms() -> Rooms:
    return Rooms(ScriptedEngine(), OpenHost(), KEYS, Terms(hub_key=HUB_KEY), clock=lambda: 5_000.0)


def engine(rooms: Rooms) -> ScriptedEngine:
    assert isinstance(rooms.engine, ScriptedEngine)
    return rooms.engine


async def test_nobody_knows_before_workers_have_told(rooms: Rooms) -> None:
    assert await rooms.reached("r") is None
    engine(rooms).ready("media-0")
    assert await rooms.reached("r") == frozenset()


async def test_who_has_a_socket_or_is_heard_is_there(rooms: Rooms) -> None:
    engine(rooms).ready("media-0")
    sids = {}
    for identity in ("socket", "heard", "quiet", "unconnected", "never"):
        await rooms.admit(mine := ticket(identity))
        rooms.join("r", mine, request(offer=0), Silent(), dual=False)
        room = rooms.rooms["r"]
        sid = sids[identity] = room.by_identity[identity]
        if identity != "socket":
            rooms.run(room, room.disconnected(sid, 5_000.0))

    def peer(identity: str, connected: bool, heard: float) -> PeerStats:
        return PeerStats(sids[identity], identity, "client", connected, "udp", heard)

    engine(rooms).measured = RoomStats(
        "r",
        1.0,
        [peer("heard", True, 2.6), peer("quiet", True, 4.0), peer("unconnected", False, 0.1), peer("never", True, -1.0)],
    )
    assert await rooms.reached("r") == frozenset({"socket", "heard"})
    engine(rooms).measured = None  # the worker does not answer
    assert await rooms.reached("r") is None
    engine(rooms).worker = ""  # there is none
    assert await rooms.reached("r") == frozenset({"socket"})
