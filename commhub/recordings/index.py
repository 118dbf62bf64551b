"""The index of recording sessions in the database: what the recorder says of each, and whom it belongs to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from commhub import log as logs
from commhub.events import Audience, Events
from commhub.media.messages import SessionState
from commhub.model import Actor, Label, iso, utc_ns
from commhub.recordings import keeping_rows
from commhub.recordings.keeping import GONE, Terms
from commhub.recordings.subjects import Subject
from commhub.store import Transaction, tables
from commhub.store.consultations import Consultation
from commhub.views import Recording

log = logs.get(__name__)

_r = tables.recordings.c
_MS = 1_000_000
STATES = ("recording", "complete", "repaired", "failed")


def query() -> sa.Select[Any]:
    o, k = tables.organisations, tables.recording_keeping
    columns: tuple[Any, ...] = (tables.recordings, o.c.name.label("org_name"), *keeping_rows.COLUMNS)
    return sa.select(*columns).outerjoin(o, o.c.id == _r.org_id).outerjoin(k, k.c.recording_id == _r.id)


def visible(reader: Actor, permission: str) -> sa.ColumnElement[bool]:
    """Recordings that the reader has this permission for."""
    scopes = reader.scopes(permission)
    within = (sa.and_(_r.org_id.in_(sorted(orgs)), _r.label.in_([str(label) for label in labels])) for orgs, labels in scopes)
    return sa.or_(sa.false(), *within)


def shown(row: sa.Row[Any], english: bool = False, terms: Terms = keeping_rows.FOREVER) -> Recording:
    return Recording(
        id=row.id,
        consultation_id=row.consultation_id,
        kind=row.kind,
        subject=row.subject,
        incident=row.incident,
        title=row.title,
        code=row.code,
        label=row.label,
        started_at=iso(row.started_at),
        ended_at=iso(row.ended_at) if row.ended_at else None,
        duration_ms=row.duration_ms or (0 if row.ended_at else max(0, (utc_ns() - row.started_at) // _MS)),
        state=row.state,
        reason=(row.reason if english else row.reason_zh) or row.reason,
        track_count=row.tracks,
        people=json.loads(row.people),
        org_name=row.org_name or "",
        keeping=keeping_rows.view(row, terms),
    )


@dataclass(frozen=True, slots=True)
class Filed:
    """Under what a recording is listed. ``subject`` is the call, group or camera; of a consultation empty."""

    kind: str
    org: str
    label: str
    title: str
    code: str = ""
    consultation: str = ""
    subject: str = ""
    incident: str = ""

    @staticmethod
    def of(subject: Subject, incident: str) -> Filed:
        title = subject.title[:200]
        return Filed(subject.kind, subject.org, str(subject.label), title, subject.code, "", subject.id, incident)

    @staticmethod
    def consulted(record: Consultation, incident: str = "") -> Filed:
        return Filed("consultation", record.org_id, str(record.label), record.title, record.code, record.id, "", incident)


async def add(transaction: Transaction, session: str, filed: Filed, at: int) -> None:
    await transaction.insert(
        tables.recordings,
        {
            "id": session,
            "consultation_id": filed.consultation,
            "org_id": filed.org,
            "label": filed.label,
            "title": filed.title,
            "code": filed.code,
            "kind": filed.kind,
            "subject": filed.subject,
            "incident": filed.incident,
            "started_at": at,
            "duration_ms": 0,
            "state": "recording",
            "tracks": 0,
            "bytes": 0,
            "people": "[]",
        },
    )


async def take_in(transaction: Transaction, events: Events, state: SessionState, record: Consultation | None) -> None:
    """What the recorder says of a session; ``record`` is its consultation. Pages learn of it when it matters to a list."""
    if state.state not in STATES or await keeping_rows.state_of(transaction, state.session) in GONE:
        return
    row = await transaction.first(sa.select(tables.recordings).where(_r.id == state.session))
    if row is None:
        if record is None:
            log.warning("recording of nobody", session=state.session, room=state.room)
            return
        await add(transaction, state.session, Filed.consulted(record), state.started_at or utc_ns())
        row = await transaction.first(sa.select(tables.recordings).where(_r.id == state.session))
        assert row is not None
        changed = True
    else:
        changed = row.state != state.state
    values = {
        "state": state.state,
        "reason": state.text or state.code or None,
        "reason_zh": state.text_zh or None,
        "started_at": state.started_at or row.started_at,
        "ended_at": state.ended_at or (row.ended_at if state.state != "recording" else None),
        "duration_ms": state.duration_ms,
        "tracks": state.tracks,
        "bytes": state.bytes,
        "people": json.dumps(state.people, ensure_ascii=False),
    }
    if not changed and all(row._mapping[name] == value for name, value in values.items()):
        return
    await transaction.run(sa.update(tables.recordings).where(_r.id == state.session).values(values))
    if changed:
        await listed(transaction, events, state.session)


async def tie(transaction: Transaction, events: Events, session: str, incident: str) -> None:
    """From now on it belongs to that incident ('': to none)."""
    await transaction.run(sa.update(tables.recordings).where(_r.id == session).values(incident=incident))
    await listed(transaction, events, session)


async def listed(transaction: Transaction, events: Events, session: str) -> None:
    """The event that a list of recordings has changed."""
    row = await transaction.first(query().where(_r.id == session))
    assert row is not None
    await events.emit(
        transaction,
        "recording.listed",
        subject=session,
        org=row.org_id,
        label=Label(row.label),
        audience=Audience(),
        data={"recording": shown(row).model_dump(mode="json")},
    )
