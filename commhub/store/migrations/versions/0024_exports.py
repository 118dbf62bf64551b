"""Exports of recordings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    big, text = sa.BigInteger(), sa.Text()
    op.create_table(
        "recording_exports",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("recording_id", sa.String(26), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("person_name", sa.String(200), nullable=False),
        sa.Column("person_org", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("from_ms", big, nullable=False),
        sa.Column("to_ms", big, nullable=False),
        sa.Column("layout", sa.String(8), nullable=False),
        sa.Column("tracks", text, nullable=False),
        sa.Column("chat", sa.Boolean(), nullable=False),
        sa.Column("grounds", text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("percent", sa.Float(), nullable=False),
        sa.Column("begun", sa.Integer(), nullable=False),
        sa.Column("file", sa.String(20), nullable=False),
        sa.Column("size", big, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("text", text, nullable=False),
        sa.Column("text_zh", text, nullable=False),
        sa.Column("made_at", big, nullable=False),
        sa.Column("decided_by", sa.String(26), nullable=True),
        sa.Column("decided_name", sa.String(200), nullable=False),
        sa.Column("decided_at", big, nullable=False),
        sa.Column("decided_reason", text, nullable=False),
        sa.Column("over_at", big, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recording_exports"),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name="fk_recording_exports_recording_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_recording_exports_person_id"),
    )
    op.create_index("ix_recording_exports_recording_id", "recording_exports", ["recording_id", "id"])
    op.create_index("ix_recording_exports_state", "recording_exports", ["state"])
