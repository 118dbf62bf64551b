"""Everybody's records on disk, for the day when the hub and all media workers die at once.

A worker keeps the records of its rooms for the next hub, the hub keeps them for the next worker. When both are gone (the
supervisor was killed, the machine lost power) clients come back by themselves, and find here what was changed about them since
their tokens were made: rights, mutes, whom they want to see.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path

import msgspec

from commhub import log as logs
from commhub.media import messages as media
from signaling import participant
from signaling.outs import Command, Ended, Left, Out
from signaling.participant import Participant, RoomRecord
from signaling.session import Room

log = logs.get(__name__)

PAUSE = 0.5  # seconds between two writings
ALIVE = 30.0  # seconds; a file that is older by much was left by a hub that is long gone
STALE = 600.0  # seconds a hub may be gone for its people to come back as they were
RETURN = 120.0  # seconds after the start in which they do
LIMIT = 256 << 20  # octets read

_File = list[tuple[str, str, bytes]]


class Ledger:
    """``file`` is written beside everything else; None keeps nothing."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._records: dict[str, dict[str, bytes]] = {}  # room → identity → record
        self._returning: dict[str, dict[str, tuple[Participant, RoomRecord]]] = {}
        self._until = 0.0
        self._news = asyncio.Event()

    # ---- what was

    def read(self, now: float) -> None:
        """What the hub before this one left. ``now``: seconds of the clock that :meth:`expire` is asked with."""
        if self._file is None:
            return
        try:
            if time.time() - self._file.stat().st_mtime > STALE or self._file.stat().st_size > LIMIT:
                return
            entries = msgspec.msgpack.decode(self._file.read_bytes(), type=_File)
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("earlier participants not read", reason=str(error))
            return
        self._until = now + RETURN
        for room, identity, record in entries:
            try:
                self._returning.setdefault(room, {})[identity] = participant.unpack(record)
            except ValueError:
                continue  # of a version that is no longer spoken
            self._records.setdefault(room, {})[identity] = record
        if entries:
            log.info("earlier participants read", people=len(entries), rooms=len(self._returning))

    def welcome(self, room: Room) -> None:
        """This room is made (again): those who were in it may come back as they were."""
        earlier = self._returning.pop(room.name, {})
        kept = next((kept for _, kept in earlier.values() if kept.key == room.key), None)
        if kept is None:
            return
        room.info.ParseFromString(kept.info)
        room.info.num_participants = room.info.num_publishers = 0
        room.terms = replace(room.terms, trailer=kept.trailer)
        room.returning = {identity: person for identity, (person, _) in earlier.items()}

    def knows(self, room: str, identity: str) -> bool:
        """Is this somebody who comes back into a room that is not made yet?"""
        return identity in self._returning.get(room, {})

    def expire(self, rooms: dict[str, Room], now: float) -> None:
        """Who has not come back by now comes as somebody new."""
        if not self._until or now < self._until:
            return
        self._until = 0.0
        gone = {name: list(people) for name, people in self._returning.items()}
        gone |= {room.name: list(room.returning) for room in rooms.values()}
        for name, people in gone.items():
            for identity in people:
                self._forget(name, identity)
        self._returning.clear()
        for room in rooms.values():
            room.returning.clear()

    # ---- what is

    def look(self, room: Room, outs: list[Out]) -> None:
        """Whatever a room said: records that changed, people who left."""
        for out in outs:
            match out:
                case Command(media.AddPeer() as added) if added.kind == "client":
                    self._note(room.name, added.identity, added.record)
                case Command(media.UpdatePeer() as changed) if changed.record is not None:
                    person = room.people.get(changed.peer)
                    if person is not None and person.kind == "client":
                        self._note(room.name, person.identity, changed.record)
                case Left():
                    room.returning.pop(out.presence.identity, None)
                    self._forget(room.name, out.presence.identity)
                case Ended():
                    if self._records.pop(room.name, None):
                        self._news.set()

    def _note(self, room: str, identity: str, record: bytes) -> None:
        if self._file is not None:
            self._records.setdefault(room, {})[identity] = record
            self._news.set()

    def _forget(self, room: str, identity: str) -> None:
        people = self._records.get(room, {})
        if people.pop(identity, None) is not None:
            if not people:
                del self._records[room]
            self._news.set()

    async def keep(self) -> None:
        """Write what changes, for ever. A disk that refuses costs only this."""
        if self._file is None:
            return
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ALIVE):
                    await self._news.wait()
            self._news.clear()
            entries: _File = [
                (room, identity, record) for room, people in self._records.items() for identity, record in people.items()
            ]
            try:
                await asyncio.to_thread(_write, self._file, entries)
            except OSError as error:
                if (suppressed := logs.limited("ledger", 60)) is not None:
                    log.warning("participants not written", reason=error.strerror, suppressed=suppressed)
            await asyncio.sleep(PAUSE)


def _write(file: Path, entries: _File) -> None:
    part = file.with_name(f"{file.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as whole:
        whole.write(msgspec.msgpack.encode(entries))
    part.replace(file)
