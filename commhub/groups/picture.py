"""A group as pages and programs get it."""

from __future__ import annotations

from collections.abc import Iterable

from commhub.groups import records, rules
from commhub.groups.groups import Groups
from commhub.groups.lines import Line
from commhub.groups.records import Affiliation, Person, Record
from commhub.groups.shapes import Emergency, FloorView, Group, GroupList, Member, Times
from commhub.model import Actor, Label, iso, utc_ns
from commhub.rooms import member_of
from commhub.store import Store
from commhub.views import Org, OrgName


class Pictures:
    def __init__(self, store: Store, groups: Groups) -> None:
        self._store, self._groups = store, groups

    async def one(self, group: str, reader: Actor) -> Group:
        """With everybody in it. NotFound."""
        line = self._groups.live.lines.get(group)
        async with self._store.reading() as reading:
            record = await records.one(reading, group)
            if record is None or line is None or reader.id not in line.guests:
                record = rules.visible(record, reader)
            people = await records.people(reading, record)
            listening = await records.affiliations(reading, group)
            inside = await records.find(reading, records.g.id.in_(list(record.members))) if record.kind == "patched" else []
        emergencies = await self._groups.emergencies.active(group)
        shown = self._group(record, reader, listening.get(reader.id), emergencies)
        here = [*people.values(), *(one for id, one in (line.guests if line is not None else {}).items() if id not in people)]
        return shown.model_copy(
            update={
                "members": [_member(one, listening, line) for one in here],
                "groups": [OrgName(id=one.id, name=one.name) for one in inside],
            }
        )

    async def listed(self, reader: Actor) -> GroupList:
        """Without members."""
        found = await self._groups.registry.listed(reader)
        seen = {one.id for one in found}
        guest = [line.record for line in self._groups.live.lines.values() if reader.id in line.guests]
        found += [one for one in guest if one.id not in seen]
        mine = await self._groups.registry.affiliations(reader.id)
        emergencies = await self._groups.emergencies.active()
        return GroupList(items=[self._group(one, reader, mine.get(one.id), emergencies) for one in found])

    def _group(self, record: Record, reader: Actor, affiliation: Affiliation | None, emergencies: Iterable[Emergency]) -> Group:
        live = self._groups.live
        line = live.lines.get(record.id) or next((live.lines[one] for one in live.leaves(record.id) if one in live.lines), None)
        net = live.net(line.room) if line is not None else None
        guest = line is not None and reader.id in line.guests
        floor = net.view(live.now(), utc_ns()) if net is not None else FloorView(state="idle")
        return Group(
            id=record.id,
            kind=record.kind,  # type: ignore[arg-type]
            name=record.name,
            org=OrgName(id=record.org, name=record.org_name),
            label=Label(record.label),
            priority=record.priority,
            times=Times(limit=record.limit, silence=record.silence, hang=record.hang, queue=record.queue),
            rule=record.rule,
            live=line is not None,
            live_since=iso(line.since) if line is not None else None,
            affiliated=affiliation is not None or guest,
            selected=affiliation is not None and affiliation.selected,
            talks=guest or (rules.concerns(record, reader) and record.members.get(reader.id, True)),
            floor=floor,
            emergency=next((one for one in emergencies if one.group_id == record.id), None),
            patches=live.patches(record.id),
            rev=record.rev,
        )


def _member(person: Person, listening: dict[str, Affiliation], line: Line | None) -> Member:
    return Member(
        id=person.id,
        name=person.name,
        post=person.post,
        level=person.level,
        org=Org(id=person.org, name=person.org_name, short=person.short),
        talks=person.talks,
        affiliated=person.id in listening,
        present=line is not None and any(member_of(one) == person.id for one in line.present),
        reach=line.reach.get(person.id, "") if line is not None else "",  # type: ignore[arg-type]
    )
