"""Consultations as one record each: the row and what hangs on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from commhub.model import Actor, Label
from commhub.store import Reading, controls, tables
from commhub.store.controls import Control

_c = tables.consultations.c


@dataclass(frozen=True, slots=True)
class PersonRef:
    id: str
    name: str
    org_name: str


@dataclass(frozen=True, slots=True)
class OrgRef:
    id: str
    name: str
    short: str


@dataclass(frozen=True, slots=True)
class CameraRef:
    id: str
    name: str
    org_id: str
    org_name: str
    label: Label
    audio: bool


@dataclass(frozen=True, slots=True)
class Consultation:
    """Times are UTC ns. ``org_id`` is the host's organisation: rights by role are measured by it and the label."""

    id: str
    code: str
    title: str
    state: str
    label: Label
    host: PersonRef
    org_id: str
    locked: bool
    rev: int
    created_at: int
    ended_at: int | None
    recording_wanted: bool
    recording_state: str
    recording_since: int | None
    recording_reason: str | None
    recording_reason_en: str | None
    recording_id: str | None
    organisations: tuple[OrgRef, ...] = ()
    people: tuple[PersonRef, ...] = ()
    cameras: tuple[CameraRef, ...] = ()
    recordings: tuple[str, ...] = ()
    excluded: frozenset[str] = frozenset()
    control: Control = controls.NONE

    @property
    def live(self) -> bool:
        return self.state == "live"

    @property
    def chair(self) -> str:
        """The person who chairs; the host until it was handed on."""
        return self.control.chair or self.host.id

    @property
    def chairs(self) -> frozenset[str]:
        """The chair and the co-chairs."""
        return frozenset((self.chair, *self.control.co_chairs))

    @property
    def leader(self) -> str:
        """The chair, or the co-chair who leads while the chair is not there."""
        return self.control.acting or self.chair

    def concerns(self, person: Actor) -> bool:
        """The host, who chairs, the invited, and the people of invited organisations."""
        return (
            person.id == self.host.id
            or person.id in self.chairs
            or any(person.id == one.id for one in self.people)
            or any(person.org == one.id for one in self.organisations)
        )


def visible_to(person: Actor) -> sa.ColumnElement[bool]:
    """The SQL of “:meth:`Consultation.concerns` him, or his role oversees it”."""
    orgs, people = tables.consultation_organisations.c, tables.consultation_people.c
    return sa.or_(
        _c.host_id == person.id,
        _c.id.in_(sa.select(people.consultation_id).where(people.person_id == person.id)),
        _c.id.in_(sa.select(orgs.consultation_id).where(orgs.org_id == person.org)),
        *(
            sa.and_(_c.org_id.in_(sorted(reach)), _c.label.in_([str(label) for label in labels]))
            for reach, labels in person.scopes("consultation.oversee")
        ),
    )


async def find(reading: Reading, *conditions: sa.ColumnElement[bool], limit: int = 1000) -> list[Consultation]:
    """Newest first."""
    rows = await reading.all(sa.select(tables.consultations).where(*conditions).order_by(_c.id.desc()).limit(limit))
    if not rows:
        return []
    ids = [row.id for row in rows]
    p, o = tables.people.c, tables.organisations.c
    hosts = await _people(reading, [row.host_id for row in rows])
    orgs = await _grouped(
        reading,
        sa.select(tables.consultation_organisations.c.consultation_id, o.id, o.name, o.short)
        .join_from(tables.consultation_organisations, tables.organisations)
        .where(tables.consultation_organisations.c.consultation_id.in_(ids))
        .order_by(o.position),
    )
    people = await _grouped(
        reading,
        sa.select(tables.consultation_people.c.consultation_id, p.id, p.name, o.name.label("org_name"))
        .join_from(tables.consultation_people, tables.people)
        .join(tables.organisations, o.id == p.org_id)
        .where(tables.consultation_people.c.consultation_id.in_(ids))
        .order_by(p.level, p.id),
    )
    cameras = await _cameras(reading, ids)
    r, e = tables.recordings.c, tables.exclusions.c
    recordings = await _grouped(
        reading, sa.select(r.consultation_id, r.id).where(r.consultation_id.in_(ids)).order_by(r.started_at)
    )
    excluded = await _grouped(reading, sa.select(e.consultation_id, e.member).where(e.consultation_id.in_(ids)))
    return [
        Consultation(
            id=row.id,
            code=row.code,
            title=row.title,
            state=row.state,
            label=Label(row.label),
            host=hosts[row.host_id],
            org_id=row.org_id,
            locked=row.locked,
            rev=row.rev,
            created_at=row.created_at,
            ended_at=row.ended_at,
            recording_wanted=row.recording_wanted,
            recording_state=row.recording_state,
            recording_since=row.recording_since,
            recording_reason=row.recording_reason,
            recording_reason_en=row.recording_reason_en,
            recording_id=row.recording_id,
            organisations=tuple(OrgRef(*one) for one in orgs[row.id]),
            people=tuple(PersonRef(*one) for one in people[row.id]),
            cameras=tuple(cameras[row.id]),
            recordings=tuple(one for (one,) in recordings[row.id]),
            excluded=frozenset(one for (one,) in excluded[row.id]),
            control=controls.read(row.control),
        )
        for row in rows
    ]


async def one(reading: Reading, consultation: str) -> Consultation | None:
    found = await find(reading, _c.id == consultation)
    return found[0] if found else None


async def _people(reading: Reading, ids: Sequence[str]) -> dict[str, PersonRef]:
    p, o = tables.people.c, tables.organisations.c
    query = sa.select(p.id, p.name, o.name).join_from(tables.people, tables.organisations).where(p.id.in_(ids))
    return {person: PersonRef(person, name, org_name) for person, name, org_name in await _rows(reading, query)}


async def _cameras(reading: Reading, ids: Sequence[str]) -> dict[str, list[CameraRef]]:
    k, c, o = tables.consultation_cameras.c, tables.cameras.c, tables.organisations.c
    rows = await _rows(
        reading,
        sa.select(k.consultation_id, c.id, c.name, c.org_id, o.name, c.label, c.audio)
        .join_from(tables.consultation_cameras, tables.cameras)
        .join(tables.organisations, o.id == c.org_id)
        .where(k.consultation_id.in_(ids))
        .order_by(k.added_at),
    )
    grouped: dict[str, list[CameraRef]] = defaultdict(list)
    for consultation, camera, name, org, org_name, label, audio in rows:
        grouped[consultation].append(CameraRef(camera, name, org, org_name, Label(label), audio))
    return grouped


async def _grouped(reading: Reading, query: sa.Select[Any]) -> dict[str, list[tuple[Any, ...]]]:
    """By the first column."""
    grouped: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in await _rows(reading, query):
        grouped[row[0]].append(row[1:])
    return grouped


async def _rows(reading: Reading, query: sa.Select[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await reading.all(query)]
