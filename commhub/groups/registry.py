"""Groups as records: made, changed, removed, listened to. Each change is one transaction: record, audit row, event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub.errors import Conflict, Unfit
from commhub.events import Audience, Events
from commhub.groups import records, rules
from commhub.groups.records import Affiliation, Record
from commhub.groups.shapes import Kind, Rule, Times
from commhub.model import Actor, By, Label, new_id, utc_ns
from commhub.store import Reading, Store, Transaction, tables
from commhub.store.repeats import Once, remember, repeated

AFFILIATIONS = 50  # of one person
_PEOPLE, _ORGS = tables.people.c, tables.organisations.c


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a group is to be. ``members`` talk, ``listeners`` do not; ``groups`` are what a patched one joins."""

    name: str
    kind: Kind = "fixed"
    label: Label = Label.INTERNAL
    org: str = ""
    priority: int = 3
    times: Times | None = None
    rule: Rule | None = None
    members: Sequence[str] = ()
    listeners: Sequence[str] = ()
    groups: Sequence[str] = ()


class Registry:
    """``times`` are the ones of groups that do not say theirs."""

    def __init__(self, store: Store, events: Events, times: Times) -> None:
        self._store, self._events, self.times = store, events, times

    # ---- reading

    async def listed(self, reader: Actor) -> list[Record]:
        async with self._store.reading() as reading:
            found = await records.find(reading, sa.not_(records.g.removed))
        return [one for one in found if rules.concerns(one, reader) or rules.oversees(one, reader)]

    async def one(self, group: str) -> Record | None:
        async with self._store.reading() as reading:
            return await records.one(reading, group)

    async def found(self, group: str, reader: Actor) -> Record:
        return rules.visible(await self.one(group), reader)

    async def every(self) -> list[str]:
        """Ids of all that ever were."""
        async with self._store.reading() as reading:
            return list((await reading.connection.scalars(sa.select(records.g.id))).all())

    async def live(self) -> list[Record]:
        async with self._store.reading() as reading:
            return await records.find(reading, records.g.live_since > 0, sa.not_(records.g.removed))

    # ---- making, changing, removing

    async def create(self, actor: Actor, wanted: Wanted, once: Once | None = None) -> str:
        org = wanted.org or actor.org
        rules.may_make(org, wanted.label, actor)
        async with self._store.transaction() as transaction:
            if made := await repeated(transaction, actor.id, once):
                return made
            group, at = new_id(), utc_ns()
            members = await self._members(transaction, group, wanted, actor)
            times = wanted.times or self.times
            await transaction.insert(
                tables.groups,
                {
                    "id": group, "kind": wanted.kind, "name": wanted.name, "org_id": org, "label": str(wanted.label),
                    "priority": wanted.priority, "rule": (wanted.rule or Rule()).model_dump_json(), **_times(times),
                    "created_by": actor.id, "created_at": at, "rev": 1,
                },
            )  # fmt: skip
            await self._put(transaction, group, members)
            if wanted.kind in ("temporary", "broadcast"):  # made to be called at once: its members need not ask to listen
                await self._affiliate_all(transaction, group, list(members), at)
            await remember(transaction, actor.id, once, group)
            await self.say(transaction, "group.created", group, actor, {"name": wanted.name, "kind": wanted.kind})
            await audit.record(transaction, actor, "group.create", group, object=wanted.name)
        return group

    async def change(self, actor: Actor, group: str, rev: int, **wanted: Any) -> None:
        """``wanted``: name, priority, times, rule, members, listeners, groups; None leaves as it is. Conflict when stale."""
        async with self._store.transaction() as transaction:
            record = rules.controllable(await records.one(transaction, group), actor, rules.EDIT)
            rules.stale(record, rev)
            said = {name: value for name, value in wanted.items() if value is not None}
            values: dict[str, Any] = {name: said[name] for name in ("name", "priority") if name in said}
            if "times" in said:
                values |= _times(said["times"])
            if "rule" in said:
                values["rule"] = said["rule"].model_dump_json()
            if {"rule", "members", "listeners", "groups"} & set(said):
                members = await self._members(transaction, group, _merged(record, said), actor)
                await transaction.run(sa.delete(tables.group_members).where(records.m.group_id == group))
                await self._put(transaction, group, members)
            await transaction.run(sa.update(tables.groups).where(records.g.id == group).values(rev=record.rev + 1, **values))
            await self.say(transaction, "group.changed", group, actor, {"fields": sorted(said)})
            await audit.record(transaction, actor, "group.change", group, object=", ".join(sorted(said)))

    async def remove(self, actor: Actor, group: str) -> Record:
        async with self._store.transaction() as transaction:
            record = rules.controllable(await records.one(transaction, group), actor, rules.EDIT)
            inside = await records.find(transaction, *_patched_with(group))
            if inside:
                raise Conflict("A patched group joins it: dissolve that first.", "该群组正在派接中，请先解除。", code="patched")
            await self.say(transaction, "group.removed", group, actor, {"name": record.name})
            removed = sa.update(tables.groups).where(records.g.id == group)
            await transaction.run(removed.values(removed=True, live_since=0, rev=record.rev + 1))
            await transaction.run(sa.delete(tables.group_affiliations).where(records.f.group_id == group))
            await audit.record(transaction, actor, "group.remove", group, object=record.name)
        return record

    async def _members(self, reading: Reading, group: str, wanted: Wanted, actor: Actor) -> dict[str, bool]:
        """Member → may talk. Unfit with the field."""
        if wanted.kind == "patched":
            if wanted.members or wanted.listeners or len(set(wanted.groups)) < 2:
                raise Unfit(
                    "body.groups", "A patched group joins at least two groups, and nobody else.", "派接至少需要两个群组。"
                )
            await records.leaves(reading, group, list(wanted.groups))
            for one in dict.fromkeys(wanted.groups):
                rules.controllable(await records.one(reading, one), actor, rules.EDIT)
            return dict.fromkeys(wanted.groups, True)
        if wanted.groups:
            raise Unfit("body.groups", "Only a patched group consists of groups.", "只有派接组由群组组成。")
        if wanted.kind == "dynamic":
            await self._check_rule(reading, wanted)
            return {}
        if wanted.rule is not None and (wanted.rule.organisations or wanted.rule.posts):
            raise Unfit("body.rule", "Only a dynamic group has a rule.", "只有动态组可以设置规则。")
        members = dict.fromkeys(wanted.listeners, False) | dict.fromkeys(wanted.members, True)
        if wanted.kind == "broadcast" and not wanted.members:
            members[actor.id] = True
        if not members or len(members) > records.LIMIT:
            raise Unfit("body.members", f"A group has 1 to {records.LIMIT} members.", f"群组须有 1 到 {records.LIMIT} 名成员。")
        known = {row.id for row in await reading.all(sa.select(_PEOPLE.id).where(_PEOPLE.id.in_(list(members)), _PEOPLE.active))}
        if missing := [one for one in members if one not in known]:
            raise Unfit("body.members", f"There is no person {missing[0]}.", "成员不存在或已停用。", code="no_person")
        return members

    async def _check_rule(self, reading: Reading, wanted: Wanted) -> None:
        orgs = wanted.rule.organisations if wanted.rule is not None else []
        if wanted.members or wanted.listeners:
            raise Unfit("body.members", "A dynamic group consists of whom its rule names.", "动态组的成员由规则决定。")
        known = {row.id for row in await reading.all(sa.select(_ORGS.id).where(_ORGS.id.in_(orgs)))}
        if not orgs or not known.issuperset(orgs):
            raise Unfit("body.rule.organisations", "The rule names organisations that there are.", "规则须指定存在的单位。")

    async def _put(self, transaction: Transaction, group: str, members: dict[str, bool]) -> None:
        rows = [{"group_id": group, "member_id": one, "talks": talks} for one, talks in members.items()]
        await transaction.insert(tables.group_members, *rows)

    # ---- listening

    async def _affiliate_all(self, transaction: Transaction, group: str, people: list[str], at: int) -> None:
        rows = [{"group_id": group, "person_id": one, "terminal": "", "selected": False, "at": at} for one in people]
        await transaction.insert(tables.group_affiliations, *rows)

    async def affiliate(self, actor: Actor, group: str, terminal: str, selected: bool) -> Record:
        """Listens to it from now on, at this terminal ('' any); ``selected``: and talks in it."""
        f = records.f
        async with self._store.transaction() as transaction:
            record = rules.own(await records.one(transaction, group), actor)
            if record.kind == "patched":
                raise Conflict("A patched group has no members of its own.", "派接组没有自己的成员。", code="patched")
            mine = f.person_id == actor.id
            count = await transaction.value(sa.select(sa.func.count()).where(mine, f.group_id != group)) or 0
            if count >= AFFILIATIONS:
                raise Conflict(f"One listens to at most {AFFILIATIONS} groups.", f"最多同时守听 {AFFILIATIONS} 个群组。")
            if selected:
                await transaction.run(sa.update(tables.group_affiliations).where(mine).values(selected=False))
            before = await records.listens(transaction, group, actor.id)
            values = {"terminal": terminal, "selected": selected or (before is not None and before.selected)}
            if before is None:
                row = {"group_id": group, "person_id": actor.id, "at": utc_ns(), **values}
                await transaction.insert(tables.group_affiliations, row)
            else:
                await transaction.run(sa.update(tables.group_affiliations).where(mine, f.group_id == group).values(**values))
            await self._affiliated(transaction, group, actor, True, selected)
        return record

    async def unaffiliate(self, actor: Actor, group: str) -> Record:
        f = records.f
        async with self._store.transaction() as transaction:
            record = rules.own(await records.one(transaction, group), actor)
            gone = sa.delete(tables.group_affiliations).where(f.group_id == group, f.person_id == actor.id)
            if await transaction.run(gone):
                await self._affiliated(transaction, group, actor, False, False)
        return record

    async def _affiliated(self, transaction: Transaction, group: str, actor: Actor, on: bool, selected: bool) -> None:
        data = {"person": actor.id, "affiliated": on, "selected": selected}
        await self.say(transaction, "group.affiliated", group, actor, data, to=[actor.id])
        await audit.record(transaction, actor, "group.affiliate", group, object="on" if on else "off")

    async def affiliations(self, person: str) -> dict[str, Affiliation]:
        """All of somebody's, by group."""
        async with self._store.reading() as reading:
            rows = await reading.all(sa.select(tables.group_affiliations).where(records.f.person_id == person))
        return {row.group_id: Affiliation(person, row.terminal, row.selected) for row in rows}

    # ---- calls

    async def mark(self, transaction: Transaction, group: str, by: Actor | By, live: bool, **data: Any) -> None:
        """Its call begins or ends: told to everybody concerned."""
        values = {"live_since": utc_ns() if live else 0, "live_by": by.id if live and isinstance(by, Actor) else None}
        await transaction.run(sa.update(tables.groups).where(records.g.id == group).values(**values))
        await self.say(transaction, "group.started" if live else "group.ended", group, by, data)

    async def say(
        self,
        transaction: Transaction,
        type: str,
        group: str,
        by: Actor | By,
        data: dict[str, Any],
        *,
        to: list[str] | None = None,
        org: str = "",
    ) -> None:
        """An event of the group, to its members (or ``to``) and to who oversees it, or ``org``."""
        record = await records.one(transaction, group)
        if record is None:
            return
        concerned = to if to is not None else list(await records.people(transaction, record))
        await self._events.emit(
            transaction,
            type,
            subject=group,
            org=org or record.org,
            label=record.label,
            by=by,
            rev=record.rev,
            data={"name": record.name, **data},
            audience=Audience(concerned),
        )


def _patched_with(group: str) -> list[sa.ColumnElement[bool]]:
    g, m = records.g, records.m
    return [g.kind == "patched", sa.not_(g.removed), g.id.in_(sa.select(m.group_id).where(m.member_id == group))]


def _times(times: Times) -> dict[str, float | int]:
    return {"talk_limit": times.limit, "silence": times.silence, "hang": times.hang, "queue_length": times.queue}


def _merged(record: Record, said: dict[str, Any]) -> Wanted:
    talk = [one for one, talks in record.members.items() if talks]
    hear = [one for one, talks in record.members.items() if not talks]
    patched = record.kind == "patched"
    return Wanted(
        record.name,
        kind=record.kind,  # type: ignore[arg-type]
        rule=said.get("rule", record.rule),
        members=said.get("members", () if patched else talk),
        listeners=said.get("listeners", [one for one in hear if one not in said.get("members", ())]),
        groups=said.get("groups", talk if patched else ()),
    )
