"""What can be recorded: a room, whoever's it is. A recording knows of it no more than is on this page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from commhub.conference import Conference, Presence, Ticket
from commhub.directory import Directory
from commhub.errors import Forbidden, NotFound
from commhub.feeds import Feeds, Seats
from commhub.model import Actor, Label
from commhub.recordings import policy
from commhub.rooms import InternalKey
from commhub.store import Reading, consultations

CAMERA_ROOM = "rec_"  # begins the names of rooms in which one camera is recorded; nobody else comes in
CONTROL, RULE = "recording.control", "recording.policy"


@dataclass(frozen=True, slots=True)
class Subject:
    """``id`` is that of the consultation, call, group or camera; ``org`` and ``label`` are what rights are measured by,
    ``people`` who is concerned by name."""

    kind: policy.Kind
    id: str
    room: str
    org: str
    label: Label
    title: str
    code: str = ""
    people: Sequence[str] = ()


class Recordable(Protocol):
    """The rooms of one kind."""

    @property
    def kind(self) -> policy.Kind: ...

    def going_on(self, known: Collection[str]) -> Iterable[tuple[str, str]]:
        """Id and label of all in which there is something to record now; ``known`` are those about which something was said."""

    async def find(self, reading: Reading, id: str) -> Subject | None:
        """Whether it goes on or not."""

    def sees(self, subject: Subject, actor: Actor) -> bool: ...
    def controls(self, subject: Subject, actor: Actor) -> bool:
        """May they start and stop its recording, as far as its mode allows?"""

    async def open(self, subject: Subject) -> None:
        """Before it is recorded (again after a restart of the hub)."""

    async def close(self, subject: Subject) -> None: ...


class Consultations:
    """Their recording has its own place (:mod:`commhub.recordings.sessions`); here is what a policy of theirs needs."""

    kind: policy.Kind = "consultation"

    def going_on(self, known: Collection[str]) -> Iterable[tuple[str, str]]:
        return ()

    async def find(self, reading: Reading, id: str) -> Subject | None:
        record = await consultations.one(reading, id)
        if record is None:
            return None
        return Subject("consultation", id, id, record.org_id, record.label, record.title, record.code)

    def sees(self, subject: Subject, actor: Actor) -> bool:
        return actor.may("consultation.oversee", org=subject.org, label=subject.label)

    def controls(self, subject: Subject, actor: Actor) -> bool:
        return actor.may("consultation.oversee", CONTROL, org=subject.org, label=subject.label)

    async def open(self, subject: Subject) -> None: ...
    async def close(self, subject: Subject) -> None: ...


class Cameras:
    """One camera, recorded whether anybody watches it or not: in a room of its own, whose recorder is the viewer that makes the
    camera be pulled. Also the :class:`~commhub.rooms.House` of these rooms."""

    kind: policy.Kind = "camera"

    def __init__(self, directory: Directory, feeds: Feeds, conference: Conference, key: InternalKey) -> None:
        self._directory, self._conference, self._key = directory, conference, key
        self._seats = Seats(conference, feeds)

    def going_on(self, known: Collection[str]) -> Iterable[tuple[str, str]]:
        return ((camera, "") for camera in known)

    async def find(self, reading: Reading, id: str) -> Subject | None:
        try:
            record = await self._directory.camera(id)
        except NotFound:
            return None
        return Subject("camera", id, CAMERA_ROOM + id, record.org.id, record.label, record.name)

    def sees(self, subject: Subject, actor: Actor) -> bool:
        return actor.may("camera.list", org=subject.org, label=subject.label)

    def controls(self, subject: Subject, actor: Actor) -> bool:
        return actor.may("camera.open", CONTROL, org=subject.org, label=subject.label)

    async def open(self, subject: Subject) -> None:
        record = await self._directory.camera(subject.id)
        await self._conference.open(subject.room, key=self._key.name)
        await self._seats.add(subject.room, subject.id, name=record.name, org=record.org.name, audio=record.audio)

    async def close(self, subject: Subject) -> None:
        await self._seats.remove(subject.room, subject.id)
        await self._conference.close(subject.room)

    # ---- the door

    def owns(self, room: str) -> bool:
        return room.startswith(CAMERA_ROOM)

    async def admit(self, ticket: Ticket) -> None:
        raise Forbidden("Nobody may enter the room in which a camera is recorded.", "单路录制不可进入。")

    async def joined(self, room: str, presence: Presence) -> None: ...
    async def left(self, room: str, presence: Presence, reason: str) -> None: ...


def may_rule(subject: Subject, actor: Actor) -> bool:
    """May they say whether it is recorded, whatever others want?"""
    return actor.may(RULE, org=subject.org, label=subject.label)
