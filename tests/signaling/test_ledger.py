"""The records of who is in the rooms, on disk, from one hub to the next."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from livekit.protocol import models, rtc

from signaling import ledger as ledgers
from signaling import session
from signaling.ledger import RETURN, STALE, Ledger
from signaling.outs import Out, Terms
from signaling.rooms import Rooms
from tests.support import until
from tests.support.livekit import HUB_KEY, KEYS, OpenHost, ScriptedEngine, Stage, request, ticket


class Hub:
    """The rooms of one hub; it is killed by being forgotten."""

    def __init__(self, folder: Path) -> None:
        self.now = 5_000.0
        self.engine = ScriptedEngine()
        self.rooms = Rooms(
            self.engine, OpenHost(), KEYS, Terms(hub_key=HUB_KEY), ledger=Ledger(folder / "people"), clock=lambda: self.now
        )

    async def start(self) -> Hub:
        await self.rooms.start()
        self.engine.ready("media-0")
        return self

    async def join(self, identity: str, room: str = "r") -> session.Room:
        mine = ticket(identity, room=room)
        await self.rooms.admit(mine)
        self.rooms.join(room, mine, request(offer=0), Silent(), dual=False)
        return self.rooms.rooms[room]


class Silent:
    def send(self, response: rtc.SignalResponse, packed: bytes) -> None: ...

    def close(self) -> None: ...


SILENT = models.ParticipantPermission(can_subscribe=True)


async def test_a_hub_that_starts_alone_knows_who_comes_back(tmp_path: Path) -> None:
    first = await Hub(tmp_path).start()
    room = await first.join("alice")
    first.rooms.act("r", room.update("alice", 5_000.0, metadata="hall", permission=SILENT)[1])
    first.rooms.act("r", room.set_metadata("of the room"))
    await until(lambda: b"hall" in _read(tmp_path) and b"of the room" in _read(tmp_path))
    await first.rooms.close_all()
    assert (tmp_path / "people").stat().st_mode & 0o777 == 0o600

    second = await Hub(tmp_path).start()
    again = await second.join("alice")
    (alice,) = again.people.values()
    assert (alice.info.metadata, alice.info.permission.can_publish) == ("hall", False)
    assert (again.info.metadata, again.info.sid) == ("of the room", room.info.sid)
    assert again.terms.trailer == room.terms.trailer
    await second.rooms.close_all()


async def test_a_full_worker_lets_them_back_in_too(tmp_path: Path) -> None:
    first = await Hub(tmp_path).start()
    await first.join("alice")
    await until(lambda: b"alice" in _read(tmp_path))
    await first.rooms.close_all()
    second = await Hub(tmp_path).start()
    second.engine.crowded = True
    await second.join("alice")
    with pytest.raises(Exception, match="too much to do"):
        await second.join("bob")
    await second.rooms.close_all()


async def test_who_has_left_is_not_in_it(tmp_path: Path) -> None:
    hub = await Hub(tmp_path).start()
    room = await hub.join("alice")
    await hub.join("bob")
    await until(lambda: b"bob" in _read(tmp_path))
    hub.rooms.act("r", room.remove("bob", 5_000.0))
    await until(lambda: b"bob" not in _read(tmp_path))
    assert b"alice" in _read(tmp_path)
    hub.rooms.act("r", room.end(models.DisconnectReason.ROOM_DELETED, 5_000.0))
    await until(lambda: b"alice" not in _read(tmp_path))
    await hub.rooms.close_all()


async def test_a_key_does_not_find_the_room_of_another_one(tmp_path: Path) -> None:
    first = await Hub(tmp_path).start()
    room = await first.join("alice")
    first.rooms.act("r", room.set_metadata("secret"))
    await until(lambda: b"secret" in _read(tmp_path))
    await first.rooms.close_all()
    second = Ledger(tmp_path / "people")
    second.read(0.0)
    other = session.new_room("r", "another", Terms(), 0.0)
    second.welcome(other)
    assert other.info.metadata == ""
    assert not other.returning


def test_after_a_while_they_come_as_somebody_new(tmp_path: Path) -> None:
    _write(tmp_path)
    ledger = Ledger(tmp_path / "people")
    ledger.read(100.0)
    assert ledger.knows("r", "alice")
    room = session.new_room("r", "own", Terms(), 100.0)
    ledger.welcome(room)
    assert room.knows("alice")
    ledger.expire({"r": room}, 100.0 + RETURN - 1)
    assert room.knows("alice")
    ledger.expire({"r": room}, 100.0 + RETURN)
    assert not room.knows("alice")


def test_a_file_of_long_ago_or_of_something_else_is_not_believed(tmp_path: Path) -> None:
    _write(tmp_path)
    long_ago = time.time() - STALE - 10
    os.utime(tmp_path / "people", (long_ago, long_ago))
    for content in (None, b"\x91\xc1", b"", b"\x93\xa1r\xa1a\xc4\x01x", b"\x91\x93\xa1r\xa5alice\xc4\x04junk"):
        if content is not None:
            (tmp_path / "people").write_bytes(content)
        ledger = Ledger(tmp_path / "people")
        ledger.read(0.0)
        assert not ledger.knows("r", "alice")
    Ledger(tmp_path / "nothing").read(0.0)
    Ledger().read(0.0)


def _read(folder: Path) -> bytes:
    file = folder / "people"
    return file.read_bytes() if file.exists() else b""


def _write(folder: Path) -> None:
    """What a hub with one person in one room leaves."""
    stage = Stage()
    outs: list[Out] = stage.room.join(ticket("alice"), request(offer=0), 0.0, dual=False)[1]
    ledger = Ledger(folder / "people")
    ledger.look(stage.room, outs)
    ledgers._write(folder / "people", [("r", "alice", ledger._records["r"]["alice"])])
