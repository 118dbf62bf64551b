"""The table of exports of recordings. Times are UTC ns, 0: not yet; ``_ms`` count on the session's clock."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text

from commhub.store.columns import identity, metadata, to

#: ``state`` as in ``commhub.recordings.exporting``; ``tracks`` is a JSON list of ids. People are named as they were then.
#: ``begun``: times it was begun; ``file`` its name in the export's folder.
recording_exports = Table(
    "recording_exports",
    metadata,
    identity(),
    to("recording_id", "recordings"),
    to("person_id", "people"),
    Column("person_name", String(200), nullable=False),
    Column("person_org", String(200), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("layout", String(8), nullable=False),
    Column("tracks", Text, nullable=False),
    Column("chat", Boolean, nullable=False),
    Column("grounds", Text, nullable=False),
    Column("state", String(10), nullable=False, index=True),
    Column("rev", Integer, nullable=False),
    Column("percent", Float, nullable=False),
    Column("begun", Integer, nullable=False),
    Column("file", String(20), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("code", String(40), nullable=False),
    Column("text", Text, nullable=False),
    Column("text_zh", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("decided_by", String(26), nullable=True),
    Column("decided_name", String(200), nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("decided_reason", Text, nullable=False),
    Column("over_at", BigInteger, nullable=False),
    Index("ix_recording_exports_recording_id", "recording_id", "id"),
)
