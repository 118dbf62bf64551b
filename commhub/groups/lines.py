"""Groups that are called: a room each, and a floor that those which are patched together share. No I/O, no clock.

A *line* is the call of one group; a *net* is the lines that have one floor. Members of a line are seen in the other rooms of its
net as they are, and only those who really are in a room are passed on: nothing goes round in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from commhub.groups import floor as floors
from commhub.groups.floor import Floor, Talker
from commhub.groups.records import Person, Record, joined
from commhub.groups.shapes import Answer, FloorView, Speaker
from commhub.model import iso
from commhub.rooms import member_of

You = Literal["idle", "queued", "granted", "pending_revoke", "revoked", "refused"]


@dataclass(slots=True, eq=False)
class Line:
    """``called``: everybody who was told to come, ``reach``: what came of it; ``present``: identities that are in the room.
    ``guests`` were forced into this call and talk in it, ``out`` were put out of it; ``people`` are the members with both."""

    record: Record
    people: dict[str, Person]
    since: int
    by: str
    everybody: bool = False  # not only those who listen to it
    present: set[str] = field(default_factory=set)
    reach: dict[str, str] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)  # person → terminal
    guests: dict[str, Person] = field(default_factory=dict)
    out: set[str] = field(default_factory=set)

    @property
    def room(self) -> str:
        return self.record.id

    def compose(self, members: Mapping[str, Person]) -> None:
        """Whom it consists of, of these members of the group."""
        self.people = {id: one for id, one in members.items() if id not in self.out} | self.guests

    @property
    def times(self) -> floors.Times:
        r = self.record
        return floors.Times(limit=r.limit, silence=r.silence, hang=r.hang, queue=r.queue)


@dataclass(slots=True, eq=False)
class Net:
    """``urgent``: people who raised an emergency that is not cancelled: they are above all levels, and the call does not end."""

    lines: dict[str, Line]
    floor: Floor
    urgent: set[str] = field(default_factory=set)

    def person(self, identity: str) -> Person | None:
        person = member_of(identity)
        return next((one for line in self.lines.values() if (one := line.people.get(person)) is not None), None)

    def talker(self, identity: str, person: Person) -> Talker:
        return Talker(identity, person.name, person.level, person.id in self.urgent)

    def times(self) -> floors.Times:
        """Of several groups the longest; without end while there is an emergency."""
        first, *others = [line.times for line in self.lines.values()]
        for one in others:
            first = floors.Times(
                limit=_longer(first.limit, one.limit),
                silence=_longer(first.silence, one.silence),
                hang=_longer(first.hang, one.hang),
                queue=max(first.queue, one.queue),
            )
        return replace(first, hang=0.0) if self.urgent else first

    def retime(self, now: float) -> None:
        if self.floor.times.hang != (times := self.times()).hang and self.floor.holder is None:
            self.floor.since = now
        self.floor.times = times

    # ---- as people see it

    def speaker(self, talker: Talker) -> Speaker:
        person = self.person(talker.id)
        org = person.org_name if person is not None else ""
        return Speaker(id=member_of(talker.id), name=talker.name, org_name=org, level=talker.level, emergency=talker.emergency)

    def view(self, now: float, at: int) -> FloorView:
        """``at`` is ``now`` as UTC ns."""
        floor = self.floor
        until = iso(at + int((floor.until - now) * 1e9)) if floor.until else None
        return FloorView(
            state=floor.state.value,
            holder=self.speaker(floor.holder) if floor.holder is not None else None,
            queue=[self.speaker(one.talker) for one in floor.queue],
            until=until,
        )

    def answer(self, group: str, identity: str, view: FloorView) -> Answer:
        """The floor as one of them sees it."""
        you, place = standing(self.floor, identity)
        return Answer(group=group, state=view.state, holder=view.holder, queue=view.queue, until=view.until, you=you, place=place)


def standing(floor: Floor, identity: str) -> tuple[You, int]:
    """And the place in the queue, from 1."""
    if floor.holder is not None and floor.holder.id == identity:
        return ("granted" if floor.state is floors.State.TAKEN else "pending_revoke"), 0
    for place, one in enumerate(floor.queue, 1):
        if one.talker.id == identity:
            return "queued", place
    return "idle", 0


def _longer(one: float, other: float) -> float:
    """0 is without end."""
    return 0.0 if 0.0 in (one, other) else max(one, other)


def components(patched: Mapping[str, list[str]], lines: Iterable[str]) -> list[set[str]]:
    """Which of these lines have one floor."""
    left, found = set(lines), []
    while left:
        together = joined(dict(patched), next(iter(left))) & left
        found.append(together)
        left -= together
    return found
