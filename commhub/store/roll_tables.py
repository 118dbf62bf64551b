"""The tables of roll calls. Times are UTC ns, 0 not yet."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Integer, String, Table

from commhub.store.columns import identity, metadata, to

#: ``kind``: speak, sequence (of a consultation), post. ``state``: live, closed (late answers still count), ended. ``phase``
#: and ``at`` are of a consultation's: whose turn it is. ``answer_ms``: to answer, or the time of a ``post``; ``limit_ms``: to
#: speak, or for late answers.
roll_calls = Table(
    "roll_calls",
    metadata,
    identity(),
    Column("kind", String(8), nullable=False),
    to("consultation_id", "consultations", null=True),
    Column("title", String(200), nullable=False),
    to("org_id", "organisations"),
    Column("label", String(16), nullable=False),
    to("led_by", "people"),
    Column("created_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False, server_default="0"),
    Column("state", String(8), nullable=False),
    Column("phase", String(8), nullable=False),
    Column("at", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("answer_ms", Integer, nullable=False),
    Column("limit_ms", Integer, nullable=False),
    Column("rev", Integer, nullable=False),
    sa.Index("ix_roll_calls_state", "state"),
    sa.Index("ix_roll_calls_consultation_id", "consultation_id"),
)

#: Who is asked. Names are as they were then: a report does not change with the directory. ``seat_id`` of a post that is a seat.
roll_entries = Table(
    "roll_entries",
    metadata,
    to("roll_call_id", "roll_calls", key=True),
    Column("position", Integer, primary_key=True),
    Column("person_id", String(26), nullable=True),
    Column("seat_id", String(26), nullable=True),
    Column("org_id", String(26), nullable=False),
    Column("org_name", String(200), nullable=False),
    Column("name", String(100), nullable=False),
    Column("post", String(100), nullable=False),
    Column("state", String(12), nullable=False),
    Column("called_at", BigInteger, nullable=False),
    Column("answered_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger, nullable=False),
    Column("times", Integer, nullable=False),
    sa.Index("ix_roll_entries_person_id", "person_id"),
)
