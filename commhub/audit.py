"""Who did what, when, from where, with which result. Written in the transaction of the act itself: no act without its row.

Rows are a chain: each carries a hash of itself and of the one before (SHA-256 over JSON), numbered without holes under the
writer's lock. :func:`verify` finds what was edited, deleted, put in another order or cut off; who rewrites all of the chain is
found by its heads, which :func:`export_head` writes to a file elsewhere.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from commhub.model import Actor, By, iso, new_id, utc_ns
from commhub.store import Reading, Transaction, tables
from commhub.views import AuditRow, Page

_t = tables.audit.c


#: What a row's hash is made of, in this order, after the hash of the row before ("" for the first).
HASHED = (
    "seq", "id", "at", "actor_id", "actor_name", "org_id", "org_name", "address", "action", "subject", "object", "result",
)  # fmt: skip
_CHAIN = "audit"  # the counter
_PAGE = 5_000
_SHOWN = 20  # faults that are named
_HEAD = re.compile(r"\S+ (\d{1,18}) ([0-9a-f]{64})")


def link(before: str, row: Any) -> str:
    """The hash of a row: hex of SHA-256. ``row`` maps names to values."""
    said = json.dumps([before, *(row[name] for name in HASHED)], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


async def record(
    transaction: Transaction, by: Actor | By, action: str, subject: str, *, object: str = "", result: str = "ok"
) -> None:
    """``action`` is a permission or ``session.*``; ``subject`` an id, ``object`` whom or what it touched, for people."""
    person = by if isinstance(by, Actor) else None
    seq = await transaction.next(_CHAIN)  # holds the lock until the end of the transaction
    before = await transaction.value(sa.select(_t.hash).where(_t.seq == seq - 1))
    row = {
        "seq": seq,
        "id": new_id(),
        "at": utc_ns(),
        "actor_id": by.id,
        "actor_name": by.name,
        "org_id": person.org if person else None,
        "org_name": person.org_name if person else "",
        "address": by.address,
        "action": action,
        "subject": subject,
        "object": object[:1000],
        "result": result,
    }
    await transaction.insert(tables.audit, {**row, "hash": link(before or "", row)})


async def verify(reading: Reading, heads: str = "") -> tuple[int, list[str]]:
    """Rows looked at, and a sentence for each fault, the first ones; ``heads`` is the text of the file of heads."""
    expected, faults = _heads(heads)
    last, before = 0, ""
    while len(faults) < _SHOWN:
        found = await reading.all(sa.select(tables.audit).where(_t.seq > last).order_by(_t.seq).limit(_PAGE))
        for row in found:
            if row.seq != last + 1:
                faults.append(f"Rows {last + 1} to {row.seq - 1} are missing.")
            elif row.hash != link(before, row._mapping):
                faults.append(f"Row {row.seq} is not what was written.")
            if expected.pop(row.seq, row.hash) != row.hash:
                faults.append(f"Row {row.seq} is not the one whose hash was exported.")
            last, before = row.seq, row.hash
        if len(found) < _PAGE:
            break
    counter = tables.counters.c
    written = await reading.value(sa.select(counter.value).where(counter.name == _CHAIN)) or 0
    if last != written or expected:
        newest = max([written, *expected])
        faults.append(f"The chain ends with row {last}; row {newest} had been written.")
    if outside := await reading.value(sa.select(sa.func.count()).select_from(tables.audit).where(_t.seq.is_(None))):
        faults.append(f"{outside} rows do not belong to the chain.")
    return last, faults[:_SHOWN]


def _heads(text: str) -> tuple[dict[int, str], list[str]]:
    """Row → its hash, as exported; and what of the text is no head, or contradicts another one."""
    found: dict[int, str] = {}
    faults = []
    for number, line in enumerate(text.splitlines(), 1):
        head = _HEAD.fullmatch(line)
        if head is None:
            faults.append(f"Line {number} of the heads is none.")
        elif found.setdefault(int(head[1]), head[2]) != head[2]:
            faults.append(f"The heads have two hashes of row {head[1]}.")
    return found, faults


def read_heads(file: Path) -> str:
    """What was exported: the file, after those of earlier years (``audit-heads.2024``). OSError."""
    earlier = sorted(one for one in file.parent.glob(f"{file.name}.*") if one.suffix[1:].isdigit())
    return "".join(one.read_text("ascii", "replace") for one in (*earlier, file) if one.is_file())


async def export_head(reading: Reading, file: Path) -> bool:
    """Appends ``<UTC time> <seq> <hash>`` of the newest row, unless the file has it already. Those of an earlier year are moved
    into a file of that year first. OSError."""
    row = await reading.first(sa.select(_t.seq, _t.hash).where(_t.seq.is_not(None)).order_by(_t.seq.desc()).limit(1))
    if row is None:
        return False
    return await asyncio.to_thread(_append, file, f"{row.seq} {row.hash}")


def _append(file: Path, head: str) -> bool:
    now = iso(utc_ns())
    known = file.read_text("ascii", "replace") if file.exists() else ""
    if known.rstrip().endswith(" " + head):
        return False
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if known and known[:4] != now[:4]:
        _write(file.with_name(f"{file.name}.{known[:4]}"), known)  # appended: a year's may be there already
        file.unlink()
    _write(file, f"{now} {head}\n")
    return True


def _write(file: Path, text: str) -> None:
    with file.open("a", encoding="ascii", errors="replace") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())


async def rows(
    reading: Reading, reader: Actor, *, q: str = "", action: str = "", before: str | None = None, limit: int = 100
) -> Page[AuditRow]:
    """Newest first. A reader sees the acts of the organisations where he may ``audit.view``, and all of no organisation
    (the hub's own, failed sign-ins) when his scope is the root."""
    conditions: list[Any] = []
    scopes = reader.scopes("audit.view")
    visible = sorted(set().union(*(orgs for orgs, _ in scopes)))
    within: sa.ColumnElement[bool] = _t.org_id.in_(visible)
    if any(reader.tree.is_root(org) for org in visible):
        within = sa.or_(within, _t.org_id.is_(None))
    conditions.append(within)
    if q:
        conditions.append(
            sa.or_(*(column.icontains(q, autoescape=True) for column in (_t.actor_name, _t.object, _t.action, _t.subject)))
        )
    if action:
        conditions.append(_t.action == action)
    if before:
        conditions.append(_t.id < before)
    found = await reading.all(sa.select(tables.audit).where(*conditions).order_by(_t.id.desc()).limit(limit + 1))
    items = [
        AuditRow(
            id=row.id,
            at=iso(row.at),
            actor_name=row.actor_name,
            action=row.action,
            subject=row.subject,
            object=row.object,
            result=row.result,
            org_name=row.org_name,
        )
        for row in found[:limit]
    ]
    return Page(items=items, next=items[-1].id if len(found) > limit else None)
