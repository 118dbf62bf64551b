"""Recordings are held, deleted by two people or by their retention; organisations have quotas."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.create_table(
        "recording_keeping",
        sa.Column("recording_id", sa.String(26), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.String(26), nullable=True),
        sa.Column("asked_name", sa.String(200), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_reason", sa.Text(), nullable=False),
        sa.Column("lapses_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_by", sa.String(26), nullable=True),
        sa.Column("deleted_name", sa.String(200), nullable=False),
        sa.Column("why", sa.String(10), nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
        sa.Column("checkpoints", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("recording_id", name="pk_recording_keeping"),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name="fk_recording_keeping_recording_id"),
    )
    op.create_index("ix_recording_keeping_state", "recording_keeping", ["state"])
    op.create_table(
        "recording_holds",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("recording_id", sa.String(26), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by_id", sa.String(26), nullable=True),
        sa.Column("by_name", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lifted_at", sa.BigInteger(), nullable=False),
        sa.Column("lifted_by", sa.String(26), nullable=True),
        sa.Column("lifted_name", sa.String(200), nullable=False),
        sa.Column("lifted_reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recording_holds"),
    )
    op.create_index("ix_recording_holds_recording_id", "recording_holds", ["recording_id"])
    op.create_table(
        "storage_quotas",
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", name="pk_storage_quotas"),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_storage_quotas_org_id"),
    )
    op.create_index("ix_recordings_org_id", "recordings", ["org_id"])
