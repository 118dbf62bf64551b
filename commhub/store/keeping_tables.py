"""Tables of what becomes of recordings: how each is kept (no row: as it was made), its legal holds, organisations' quotas. Times
are UTC ns, 0: not."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from commhub.store.columns import identity, metadata, to

#: ``state`` as in ``commhub.recordings.keeping``. People are named as they were then: a tombstone outlives their accounts.
#: ``why`` it is deleted: people, retention. ``head`` is that of the journal's last checkpoint, of ``checkpoints``.
recording_keeping = Table(
    "recording_keeping",
    metadata,
    to("recording_id", "recordings", key=True),
    Column("state", String(10), nullable=False, index=True),
    Column("rev", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("asked_by", String(26), nullable=True),
    Column("asked_name", String(200), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("asked_reason", Text, nullable=False),
    Column("lapses_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger, nullable=False),
    Column("deleted_by", String(26), nullable=True),
    Column("deleted_name", String(200), nullable=False),
    Column("why", String(10), nullable=False),
    Column("head", String(64), nullable=False),
    Column("checkpoints", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("removed_at", BigInteger, nullable=False),
)

recording_holds = Table(
    "recording_holds",
    metadata,
    identity(),
    Column("recording_id", String(26), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("by_id", String(26), nullable=True),
    Column("by_name", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("lifted_at", BigInteger, nullable=False),
    Column("lifted_by", String(26), nullable=True),
    Column("lifted_name", String(200), nullable=False),
    Column("lifted_reason", Text, nullable=False),
)

#: ``bytes`` that an organisation's recordings may take, null: what is set for all; ``level``: the step (0, 80, 100 per cent)
#: that was told last.
storage_quotas = Table(
    "storage_quotas",
    metadata,
    to("org_id", "organisations", key=True),
    Column("bytes", BigInteger, nullable=True),
    Column("level", Integer, nullable=False),
    Column("rev", Integer, nullable=False),
)
