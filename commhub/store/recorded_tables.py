"""The table of what is to be recorded: of a room its own policy, and what was said by hand. Times are UTC ns."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table

from commhub.store.columns import metadata

#: ``kind``: consultation, call, group, camera. ``mode``: always, start, hand, never; null: that of its kind. ``said``: '', on,
#: off. ``session_id`` is the recording that runs (of a consultation it is in its own row).
recorded_rooms = Table(
    "recorded_rooms",
    metadata,
    Column("subject", String(26), primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("mode", String(8), nullable=True),
    Column("layers", String(8), nullable=False),
    Column("incident", String(64), nullable=False),
    Column("said", String(4), nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("session_id", String(26), nullable=True),
    Column("since", BigInteger, nullable=False),
    Column("rev", Integer, nullable=False),
    Index("ix_recorded_rooms_session_id", "session_id"),
)
