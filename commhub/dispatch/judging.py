"""The policy applied: who somebody is, on which line, how the actor stands to all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from commhub.calls import Calls
from commhub.calls import records as call_records
from commhub.directory import reach
from commhub.dispatch import policy
from commhub.dispatch.lines import Line, Lines
from commhub.dispatch.policy import Decision, LineKind, Scope, Standing, Verb
from commhub.errors import NotFound
from commhub.groups import records as group_records
from commhub.groups import rules as group_rules
from commhub.model import Actor
from commhub.rooms import rules
from commhub.store import Reading, consultations, tables

_p, _o = tables.people.c, tables.organisations.c


@dataclass(frozen=True, slots=True)
class Aim:
    """Whom a verb is about, and on which line; without one, on the line they are on."""

    person: str
    call: str = ""
    consultation: str = ""
    group: str = ""

    @property
    def line(self) -> tuple[LineKind, str] | None:
        if self.call:
            return "call", self.call
        if self.group:
            return "group", self.group
        return ("consultation", self.consultation) if self.consultation else None


@dataclass(frozen=True, slots=True)
class Found:
    """``levels``: of everybody on the line, and of the target."""

    aim: Aim
    name: str
    org: str
    line: Line | None
    levels: Mapping[str, int]

    def others(self, actor: Actor) -> list[Standing]:
        people = self.line.people if self.line is not None else {}
        return [
            policy.standing(actor.level, self.levels[one])
            for one in people
            if one not in (self.aim.person, actor.id) and one in self.levels
        ]

    @property
    def people(self) -> list[str]:
        return list(self.line.people) if self.line is not None else []


class Judge:
    def __init__(self, lines: Lines, calls: Calls) -> None:
        self._lines, self._calls = lines, calls

    async def look(self, reading: Reading, actor: Actor, aim: Aim) -> Found:
        """The error of what is not there for a person the actor may not know, and for a line that is not there, on which that
        person is not, or that the actor may neither see nor do anything to."""
        known = sa.select(_p.name, _p.org_id, _p.level).where(_p.id == aim.person, reach.knows(actor, _p.org_id))
        row = await reading.first(known)
        if row is None:
            raise reach.nothing(actor, "person")
        if (named := aim.line) is None:
            line = await self._lines.of(reading, aim.person)
        else:
            line = await self._lines.find(reading, *named)
            if line is None or aim.person not in line.people:
                line = None
            if line is None or not await self._knows(reading, actor, line, row.org_id):
                raise NotFound("There is no such line, or they are not on it.", "没有这个通话，或该人员不在其中。")
        people = [aim.person, *(line.people if line is not None else [])]
        query = sa.select(_p.id, _p.level).where(_p.id.in_(people))
        levels = {found.id: int(found.level) for found in await reading.all(query)}
        return Found(aim, row.name, row.org_id, line, levels)

    async def _knows(self, reading: Reading, actor: Actor, line: Line, org: str) -> bool:
        if any(actor.may(rule.permission, org=org, label=line.label) for rule in policy.POLICY.values()):
            return True
        if line.kind == "call":
            call = self._calls.live.get(line.id)
            return call is not None and call_records.visible(call, actor)
        if line.kind == "group":
            group = await group_records.one(reading, line.id)
            return group is not None and (group_rules.concerns(group, actor) or group_rules.oversees(group, actor))
        record = await consultations.one(reading, line.id)
        return record is not None and rules.may_see(record, actor)

    def decide(
        self, actor: Actor, found: Found, verb: Verb, *, emergency: bool = False, silent: bool = False, grounds: str = ""
    ) -> Decision:
        """``outside_scope`` before anything that would say whether they are on a line."""
        if found.aim.person == actor.id:
            return Decision("oneself")
        said, line = policy.rule(verb, emergency=emergency), found.line
        label = line.label if line is not None else "public"
        scope = _scope(actor, said.permission, found.org, label)
        standing = policy.standing(actor.level, found.levels[found.aim.person])
        entitled = bool(said.silent) and actor.may(said.silent, org=found.org, label=label)
        kind: LineKind = line.kind if line is not None else "call"
        decision = policy.decide(
            verb, scope, standing, found.others(actor), kind,
            emergency=emergency, silent=silent, entitled=entitled, grounds=grounds,
        )  # fmt: skip
        if not decision.allowed:
            return decision
        return Decision(code, decision.told) if (code := _state(actor, verb, found)) else decision


def _scope(actor: Actor, permission: str, org: str, label: str) -> Scope:
    if not actor.may(permission, org=org, label=label):
        return Scope.OUTSIDE
    return Scope.OWN if org == actor.org else Scope.BRANCH


def _state(actor: Actor, verb: Verb, found: Found) -> str:
    """Why it is not possible now, whoever asks."""
    line = found.line
    if line is None or (policy.POLICY[verb].runs and not line.flowing):
        return "no_line"
    if actor.id in line.people:  # whose own microphone is open there whispers to nobody
        return "own_line"
    if verb is Verb.RELEASE and line.kind == "group" and line.emergency:
        return "emergency"
    if verb is Verb.TAKEOVER and line.kind == "consultation" and found.aim.person == line.host:
        return "host"
    return ""
