"""Rows of the audit are a chain: those that are there are linked in the order of their ids."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_HASHED = (
    "seq", "id", "at", "actor_id", "actor_name", "org_id", "org_name", "address", "action", "subject", "object", "result",
)  # fmt: skip


def upgrade() -> None:
    op.add_column("audit", sa.Column("seq", sa.BigInteger(), nullable=True))
    op.add_column("audit", sa.Column("hash", sa.String(64), nullable=True))
    connection, last, before = op.get_bind(), 0, ""
    audit = sa.table("audit", *(sa.column(name) for name in (*_HASHED, "hash")))
    at = ""
    while rows := connection.execute(sa.select(audit).where(audit.c.id > at).order_by(audit.c.id).limit(1000)).mappings().all():
        for row in rows:
            last, at = last + 1, row["id"]
            said = [before, *(last if name == "seq" else row[name] for name in _HASHED)]
            text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
            before = hashlib.sha256(text.encode()).hexdigest()
            connection.execute(sa.update(audit).where(audit.c.id == at).values(seq=last, hash=before))
    counters = sa.table("counters", sa.column("name"), sa.column("value"))
    if last:
        connection.execute(sa.insert(counters).values(name="audit", value=last))
    op.create_index("uq_audit_seq", "audit", ["seq"], unique=True)
