"""The table of downloads: recordings of devices that become files here. Times of recordings are Unix seconds, others UTC ns, 0:
not yet."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Float, Integer, String, Table, Text

from commhub.store.columns import identity, metadata, to

#: ``begin`` and ``until`` were asked for, ``first`` and ``last`` are what the device has of it.
downloads = Table(
    "downloads",
    metadata,
    identity(),
    Column("camera_id", String(26), nullable=False),
    Column("org_id", String(26), nullable=False),
    Column("label", String(16), nullable=False),
    to("person_id", "people"),
    Column("name", String(200), nullable=False),
    Column("device", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("begin", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("seconds", Float, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("pictures", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("code", String(40), nullable=False),
    Column("text", Text, nullable=False),
    Column("text_zh", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("over_at", BigInteger, nullable=False),
    sa.Index("ix_downloads_person_id", "person_id", "id"),
)
