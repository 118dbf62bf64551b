"""The table of what was forced on lines. Times are UTC ns, 0: not yet."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, String, Table, Text

from commhub.store.columns import identity, metadata, to

#: ``told`` is JSON: the ids of those who were told, besides the actor.
dispatch_acts = Table(
    "dispatch_acts",
    metadata,
    identity(),
    Column("verb", String(10), nullable=False),
    Column("line_kind", String(12), nullable=False),
    Column("line_id", String(26), nullable=False),
    Column("title", String(200), nullable=False),
    to("actor_id", "people"),
    to("target_id", "people"),
    to("org_id", "organisations"),
    Column("label", String(16), nullable=False),
    Column("silent", Boolean, nullable=False),
    Column("grounds", String(12), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("told", Text, nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("end", String(12), nullable=False),
    Index("ix_dispatch_acts_line_id", "line_id", "id"),
    Index("ix_dispatch_acts_ended_at", "ended_at", "id"),
)
