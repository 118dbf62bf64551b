"""Calls as something that can be recorded (:class:`commhub.recordings.Recordable`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from commhub.calls import records
from commhub.calls.machine import Call
from commhub.model import Actor, Label
from commhub.recordings import Subject
from commhub.store import Reading

CONTROL = "recording.control"


class RecordedCalls:
    """``live`` are the calls there are. One can be recorded from when somebody has answered."""

    kind: Literal["call"] = "call"

    def __init__(self, live: Mapping[str, Call]) -> None:
        self._live = live

    def going_on(self, known: Collection[str]) -> Iterable[tuple[str, str]]:
        return [(call.id, call.label) for call in self._live.values() if call.state == "active"]

    async def find(self, reading: Reading, id: str) -> Subject | None:
        call = await records.one(reading, id)
        if call is None:
            return None
        people = call.people()
        names = await records.names(reading, people)
        some = "、".join(names[person][0] for person in people[:6] if person in names)
        title = f"通话：{some}{' 等' if len(people) > 6 else ''}"
        return Subject("call", id, id, call.org, Label(call.label), title, people=people)

    def sees(self, subject: Subject, actor: Actor) -> bool:
        return actor.id in subject.people or actor.may(records.OVERSEE, org=subject.org, label=subject.label)

    def controls(self, subject: Subject, actor: Actor) -> bool:
        """Whoever is in it and may record at all; and who oversees it."""
        call = self._live.get(subject.id)
        inside = call is not None and any(leg.active and leg.person == actor.id for leg in call.legs)
        overseen = actor.may(records.OVERSEE, CONTROL, org=subject.org, label=subject.label)
        return (inside and actor.may(CONTROL)) or overseen

    async def open(self, subject: Subject) -> None: ...
    async def close(self, subject: Subject) -> None: ...
