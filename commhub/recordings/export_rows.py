"""Exports as rows of the database, and as people see them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from commhub.model import Actor, iso
from commhub.recordings.exporting import PENDING, State
from commhub.store import tables
from commhub.views import Member, Reason, Time, View

_x, _r = tables.recording_exports.c, tables.recordings.c


ExportAct = Literal["approve", "refuse", "cancel", "fetch"]


class ExportDecision(View):
    """Who approved or refused it."""

    name: str
    at: Time
    reason: str


class ExportView(View):
    """``from_ms`` and ``to_ms`` on the session's clock, 0 and 0: all of it. ``begun`` more than once: whoever made it ended in
    the middle, and it was begun anew. ``url`` is the file of ``size`` bytes, for who asked for it, until ``until``. ``reason``
    says why there is none, or what is less than it might be. ``acts`` are what the reader may do now."""

    id: str
    recording_id: str
    kind: Literal["film", "tracks", "bundle"]
    from_ms: int
    to_ms: int
    layout: Literal["grid", "speaker", "focus"]
    tracks: list[str]
    chat: bool
    grounds: str
    state: Literal["asked", "waiting", "running", "done", "failed", "refused", "cancelled", "expired"]
    rev: int
    percent: float
    begun: int
    size: int
    sha256: str | None
    url: str | None
    reason: Reason | None
    by: Member
    at: Time
    decision: ExportDecision | None
    until: Time | None
    acts: list[ExportAct]


def fresh() -> dict[str, Any]:
    """What a row begins with besides who and what."""
    return {
        "rev": 1, "percent": 0.0, "begun": 0, "file": "", "size": 0, "sha256": "", "code": "", "text": "", "text_zh": "",
        "decided_by": None, "decided_name": "", "decided_at": 0, "decided_reason": "", "over_at": 0,
    }  # fmt: skip


def query() -> sa.Select[Any]:
    """With what of the recording decides who may see it, and what a file is called."""
    columns = (_r.org_id, _r.label, _r.title, _r.code.label("recording_code"))
    return sa.select(tables.recording_exports, *columns).join_from(
        tables.recording_exports, tables.recordings, _r.id == _x.recording_id
    )


def visible(reader: Actor, *permissions: str) -> sa.ColumnElement[bool]:
    """Of recordings where the reader has one of the permissions."""
    scopes = [scope for permission in permissions for scope in reader.scopes(permission)]
    within = (sa.and_(_r.org_id.in_(sorted(orgs)), _r.label.in_([str(label) for label in labels])) for orgs, labels in scopes)
    return sa.or_(sa.false(), *within)


def approves(row: sa.Row[Any], reader: Actor) -> bool:
    return reader.may("recording.approve", org=row.org_id, label=row.label)


def _acts(row: sa.Row[Any], reader: Actor | None) -> list[ExportAct]:
    if reader is None:
        return []
    state, mine, may = State(row.state), row.person_id == reader.id, approves(row, reader)
    out: list[ExportAct] = ["approve", "refuse"] if state is State.ASKED and may and not mine else []
    if (state in PENDING or state is State.DONE) and (mine or may):
        out.append("cancel")
    return [*out, "fetch"] if state is State.DONE and mine else out


def shown(row: sa.Row[Any], reader: Actor | None, keep: timedelta, english: bool = False, percent: float = 0.0) -> ExportView:
    """``reader`` None: for everybody. ``percent``: as it was told last."""
    done = row.state == State.DONE
    decided = ExportDecision(name=row.decided_name, at=iso(row.decided_at), reason=row.decided_reason) if row.decided_at else None
    text = row.text if english else row.text_zh or row.text
    return ExportView(
        id=row.id, recording_id=row.recording_id, kind=row.kind, from_ms=row.from_ms, to_ms=row.to_ms, layout=row.layout,
        tracks=json.loads(row.tracks), chat=row.chat, grounds=row.grounds, state=row.state, rev=row.rev,
        percent=100.0 if done else round(max(row.percent, percent), 1), begun=row.begun, size=row.size, sha256=row.sha256 or None,
        url=f"/api/v1/recordings/{row.recording_id}/exports/{row.id}/file" if done else None,
        reason=Reason(code=row.code or "note", text=text) if text else None,
        by=Member(id=row.person_id, name=row.person_name, org_name=row.person_org), at=iso(row.made_at), decision=decided,
        until=iso(row.over_at + int(keep.total_seconds() * 1e9)) if done else None, acts=_acts(row, reader),
    )  # fmt: skip


def file_name(row: sa.Row[Any]) -> str:
    """What a fetched file is called: of the recording's number and the time in it, never of what people wrote."""
    begin = datetime.fromtimestamp(row.made_at / 1e9).astimezone()
    span = f"_{_clock(row.from_ms)}-{_clock(row.to_ms)}" if row.to_ms else ""
    code = "".join(letter for letter in row.recording_code if letter.isascii() and (letter.isalnum() or letter in "-_"))
    return f"{code or row.recording_id}{span}_{row.kind}_{begin:%Y%m%d-%H%M%S}{'.mp4' if row.kind == 'film' else '.zip'}"


def _clock(ms: int) -> str:
    return f"{ms // 3_600_000:02}.{ms // 60_000 % 60:02}.{ms // 1000 % 60:02}"
