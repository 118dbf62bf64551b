"""How a recording is kept, in the database: read beside its row, shown to people, changed by one step at a time."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa

from commhub.errors import Conflict, Forbidden, HubError
from commhub.model import iso
from commhub.recordings.keeping import GONE, Act, Refused, State, Terms, step
from commhub.store import Reading, Transaction, tables
from commhub.views import DeletionRequest, Keeping, Recording, Time, Tombstone, View

FOREVER = Terms()
_k = tables.recording_keeping.c
_h = tables.recording_holds.c
_NAMES = [column.name for column in tables.recording_keeping.columns if column.name != "recording_id"]
#: What a query of recordings selects besides, from :data:`tables.recording_keeping` joined from outside.
COLUMNS = [_k[name].label(f"keeping_{name}") for name in _NAMES]
_BLANK: dict[str, Any] = {
    "state": State.KEPT.value, "rev": 0, "expires_at": 0,
    "asked_by": None, "asked_name": "", "asked_at": 0, "asked_reason": "", "lapses_at": 0,
    "deleted_at": 0, "deleted_by": None, "deleted_name": "", "why": "", "head": "", "checkpoints": 0, "bytes": 0, "removed_at": 0,
}  # fmt: skip
NOT_ASKED: dict[str, Any] = {name: _BLANK[name] for name in ("asked_by", "asked_name", "asked_at", "asked_reason", "lapses_at")}

_SENTENCES = {
    "running": ("The recording still goes on.", "录制仍在进行。"),
    "held": ("The recording is under a legal hold: it cannot be deleted.", "录制处于法律保全中，不能删除。"),
    "gone": ("The recording was deleted.", "录制已被删除。"),
    "same_person": (
        "A deletion is confirmed by somebody else than who asked for it.",
        "删除须由申请人以外的另一人确认。",
    ),
    "not_asked": ("Nobody asks for this recording to be deleted.", "该录制没有待确认的删除申请。"),
    "asked": ("Somebody asks already for this recording to be deleted.", "该录制已有待确认的删除申请。"),
    "not_now": ("This cannot be done with the recording now.", "当前状态下不能执行此操作。"),
}


class Hold(View):
    """``lifted_at`` null: it stands."""

    id: str
    at: Time
    name: str
    reason: str
    lifted_at: Time | None
    lifted_name: str
    lifted_reason: str


class KeptRecording(View):
    """``acts`` are what the reader may do now."""

    recording: Recording
    holds: list[Hold]
    acts: list[Literal["hold", "lift", "ask", "confirm", "refuse"]]


def refusal(refused: Refused) -> HubError:
    english, chinese = _SENTENCES[refused.code]
    if refused.code == "same_person":
        return Forbidden(english, chinese, code="same_person")
    if refused.code == "gone":
        return HubError(english, chinese, code="deleted", status=410)
    return Conflict(english, chinese, code=refused.code)


def state(row: sa.Row[Any]) -> State:
    """Of a row with :data:`COLUMNS`."""
    return State(row.keeping_state or State.KEPT)


def require_there(row: sa.Row[Any]) -> None:
    """HubError 410 for what was deleted. ``row`` has :data:`COLUMNS`."""
    if state(row) in GONE:
        raise refusal(Refused("gone"))


async def state_of(reading: Reading, recording: str) -> State:
    """How a recording is kept: what nobody knows is kept, too."""
    return State(await reading.value(sa.select(_k.state).where(_k.recording_id == recording)) or State.KEPT)


def view(row: sa.Row[Any], terms: Terms = FOREVER) -> Keeping:
    """Of a row with :data:`COLUMNS` and the recording's ``label`` and ``ended_at``."""
    now = state(row)
    until = terms.until(row.label, row.ended_at)
    if row.keeping_state is None:
        return Keeping(until=iso(until) if until else None)
    request = DeletionRequest(
        person_id=row.keeping_asked_by,
        name=row.keeping_asked_name,
        at=iso(row.keeping_asked_at),
        reason=row.keeping_asked_reason,
        lapses_at=iso(row.keeping_lapses_at),
    )
    tombstone = Tombstone(
        at=iso(row.keeping_deleted_at),
        why="retention" if row.keeping_why == "retention" else "people",
        asked_name=row.keeping_asked_name,
        confirmed_name=row.keeping_deleted_name,
        reason=row.keeping_asked_reason,
        head=row.keeping_head,
        checkpoints=row.keeping_checkpoints,
        bytes=row.keeping_bytes,
        removed_at=iso(row.keeping_removed_at) if row.keeping_removed_at else None,
    )
    return Keeping(
        state=now.value,
        rev=row.keeping_rev,
        until=iso(until) if until and now not in GONE else None,
        expires_at=iso(row.keeping_expires_at) if now is State.EXPIRING else None,
        request=request if now is State.ASKED else None,
        tombstone=tombstone if now in GONE else None,
    )


async def holds(reading: Reading, recording: str) -> list[Hold]:
    """Oldest first."""
    rows = await reading.all(sa.select(tables.recording_holds).where(_h.recording_id == recording).order_by(_h.id))
    return [
        Hold(
            id=row.id,
            at=iso(row.at),
            name=row.by_name,
            reason=row.reason,
            lifted_at=iso(row.lifted_at) if row.lifted_at else None,
            lifted_name=row.lifted_name,
            lifted_reason=row.lifted_reason,
        )
        for row in rows
    ]


async def standing(reading: Reading, recording: str) -> int:
    """Holds that are not lifted."""
    count = sa.select(sa.func.count()).select_from(tables.recording_holds)
    return int(await reading.value(count.where(_h.recording_id == recording, _h.lifted_at == 0)) or 0)


async def move(
    transaction: Transaction, row: sa.Row[Any], act: Act, *, running: bool = False, by: str = "", **values: Any
) -> State:
    """One step of the table, written with ``values``. HubError when it is not possible."""
    try:
        after = step(state(row), act, running=running, asked_by=row.keeping_asked_by or "", by=by)
    except Refused as refused:
        raise refusal(refused) from None
    written = {**values, "state": after.value, "rev": (row.keeping_rev or 0) + 1}
    if row.keeping_state is None:
        await transaction.insert(tables.recording_keeping, {"recording_id": row.id, **_BLANK, **written})
    else:
        await transaction.run(sa.update(tables.recording_keeping).where(_k.recording_id == row.id).values(written))
    return after
