"""The tables of calls: one row each, one for each leg. Times are UTC ns, 0: not yet."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, Text

from commhub.store.columns import identity, metadata, to

#: ``parties`` is JSON: who was asked for, in the order that legs count them by.
calls = Table(
    "calls",
    metadata,
    identity(),
    Column("kind", String(12), nullable=False),
    Column("state", String(8), nullable=False, index=True),
    Column("priority", Integer, nullable=False),
    Column("emergency", Boolean, nullable=False),
    Column("video", Boolean, nullable=False),
    Column("label", String(16), nullable=False),
    to("created_by", "people"),
    to("org_id", "organisations"),
    Column("before", String(26), nullable=False),
    Column("end", String(20), nullable=False),
    Column("recall", String(80), nullable=False, server_default=""),
    Column("parties", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("answered_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("rev", Integer, nullable=False),
    sa.Index("ix_calls_org_id", "org_id", "id"),
    sa.Index("ix_calls_created_by", "created_by", "id"),
)

call_legs = Table(
    "call_legs",
    metadata,
    identity(),
    to("call_id", "calls"),
    Column("position", Integer, nullable=False),
    Column("party", Integer, nullable=False),
    to("person_id", "people"),
    Column("terminal", String(64), nullable=False),
    Column("state", String(10), nullable=False),
    Column("end", String(20), nullable=False),
    Column("by", String(26), nullable=False),
    Column("waiting", Boolean, nullable=False),
    Column("silent", Boolean, nullable=False),
    Column("invited_at", BigInteger, nullable=False),
    Column("ringing_at", BigInteger, nullable=False),
    Column("answered_at", BigInteger, nullable=False),
    Column("held_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("overdue", String(20), nullable=False),
    sa.Index("ix_call_legs_call_id", "call_id", "position"),
    sa.Index("ix_call_legs_person_id", "person_id", "call_id"),
)
