"""Groups as something that can be recorded (:class:`commhub.recordings.Recordable`): while they are called."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from commhub.groups import records, rules
from commhub.groups.lines import Line
from commhub.model import Actor, Label
from commhub.recordings import Subject
from commhub.store import Reading

CONTROL = "recording.control"


class RecordedGroups:
    """``lines`` are the groups that are called now, by id."""

    kind: Literal["group"] = "group"

    def __init__(self, lines: Mapping[str, Line]) -> None:
        self._lines = lines

    def going_on(self, known: Collection[str]) -> Iterable[tuple[str, str]]:
        return [(group, str(line.record.label)) for group, line in self._lines.items()]

    async def find(self, reading: Reading, id: str) -> Subject | None:
        record = await records.one(reading, id)
        if record is None or record.removed:
            return None
        return Subject("group", id, id, record.org, Label(record.label), record.name, people=list(record.members))

    def sees(self, subject: Subject, actor: Actor) -> bool:
        return actor.id in subject.people or actor.may(rules.OVERSEE, org=subject.org, label=subject.label)

    def controls(self, subject: Subject, actor: Actor) -> bool:
        return actor.may(rules.OVERSEE, CONTROL, org=subject.org, label=subject.label)

    async def open(self, subject: Subject) -> None: ...
    async def close(self, subject: Subject) -> None: ...
