"""The table of checkpoints of recordings, as the recorder told them: apart from where recordings are kept. ``at`` is UTC ns."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table

from commhub.store.columns import metadata

recording_checkpoints = Table(
    "recording_checkpoints",
    metadata,
    Column("session", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("head", String(64), nullable=False),
    Column("key", String(16), nullable=False),
    Column("signature", String(160), nullable=False),
)
