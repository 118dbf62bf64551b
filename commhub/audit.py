"""Who did what, when, from where, with which result. Written in the transaction of the act itself: no act without its row."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from commhub.model import Actor, By, iso, new_id, utc_ns
from commhub.store import Reading, Transaction, tables
from commhub.views import AuditRow, Page

_t = tables.audit.c


async def record(
    transaction: Transaction, by: Actor | By, action: str, subject: str, *, object: str = "", result: str = "ok"
) -> None:
    """``action`` is a permission or ``session.*``; ``subject`` an id, ``object`` whom or what it touched, for people."""
    person = by if isinstance(by, Actor) else None
    await transaction.insert(
        tables.audit,
        {
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
        },
    )


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
            sa.or_(*(column.contains(q, autoescape=True) for column in (_t.actor_name, _t.object, _t.action, _t.subject)))
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
