"""Who looked at which recording, and where: a row for each view, seek, export and search, before it is answered.

Beside the audit, not in it. The audit is the chain of what people changed (and, once in ten minutes, of who opened a recording);
looking makes a hundred times as many rows, which may be put away after a while without a hole in the chain.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Literal

import sqlalchemy as sa

from commhub.model import Actor, iso, new_id, utc_ns
from commhub.store import Reading, Transaction, tables
from commhub.views import Access, Page

Kind = Literal["view", "seek", "export", "search"]
_a = tables.recording_access.c
_HEAD = ("时间", "人员", "单位", "地址", "动作", "录制", "标题", "轨道", "位置（毫秒）", "说明")
_KINDS = {"view": "查看", "seek": "跳转", "export": "导出", "search": "检索"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a table program would compute what begins so


async def record(
    transaction: Transaction,
    by: Actor,
    kind: Kind,
    *,
    recording: str = "",
    org: str = "",
    title: str = "",
    track: str = "",
    at_ms: int | None = None,
    detail: str = "",
) -> None:
    """``org`` is the recording's organisation; of a search who searches. ``detail``: the words, the export."""
    row = {
        "id": new_id(), "at": utc_ns(), "person_id": by.id, "person_name": by.name, "org_name": by.org_name,
        "address": by.address, "kind": kind, "recording_id": recording, "org_id": org or by.org, "title": title, "track": track,
        "at_ms": at_ms, "detail": detail[:1000],
    }  # fmt: skip
    await transaction.insert(tables.recording_access, row)


async def rows(
    reading: Reading,
    reader: Actor,
    *,
    recording: str | None = None,
    person: str | None = None,
    kind: str | None = None,
    before: str | None = None,
    limit: int = 100,
) -> Page[Access]:
    """Newest first, of the organisations where the reader may look into the audit."""
    visible = sorted(set().union(*(orgs for orgs, _ in reader.scopes("audit.view"))))
    conditions: list[sa.ColumnElement[bool]] = [_a.org_id.in_(visible)]
    for column, wanted in ((_a.recording_id, recording), (_a.person_id, person), (_a.kind, kind)):
        if wanted:
            conditions.append(column == wanted)
    if before:
        conditions.append(_a.id < before)
    found = await reading.all(sa.select(tables.recording_access).where(*conditions).order_by(_a.id.desc()).limit(limit + 1))
    items = [_shown(row) for row in found[:limit]]
    return Page(items=items, next=items[-1].id if len(found) > limit else None)


def sheet(items: Sequence[Access]) -> bytes:
    """A CSV that table programs read as UTF-8."""
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow(_HEAD)
    for one in items:
        at = "" if one.at_ms is None else str(one.at_ms)
        said = (one.at, one.person_name, one.org_name, one.address, _KINDS[one.kind])
        out.writerow(map(_plain, (*said, one.recording_id, one.title, one.track, at, one.detail)))
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _shown(row: sa.Row[Any]) -> Access:
    return Access(
        id=row.id, at=iso(row.at), person_id=row.person_id, person_name=row.person_name, org_name=row.org_name,
        address=row.address, kind=row.kind, recording_id=row.recording_id, title=row.title, track=row.track, at_ms=row.at_ms,
        detail=row.detail,
    )  # fmt: skip
