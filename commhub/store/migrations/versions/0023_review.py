"""Reviewing: marks, words and who looked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_table(
        "recording_marks",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("recording_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by_id", sa.String(26), nullable=True),
        sa.Column("by_name", sa.String(200), nullable=False),
        sa.Column("by_org", sa.String(200), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recording_marks"),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name="fk_recording_marks_recording_id"),
    )
    op.create_index("ix_recording_marks_recording_id", "recording_marks", ["recording_id", "at_ms"])
    op.create_table(
        "recording_reviews",
        sa.Column("recording_id", sa.String(26), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("marks_rev", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("recording_id", name="pk_recording_reviews"),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name="fk_recording_reviews_recording_id"),
    )
    op.create_table(
        "recording_texts",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("recording_id", sa.String(26), nullable=False),
        sa.Column("mark_id", sa.String(26), nullable=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recording_texts"),
    )
    op.create_index("ix_recording_texts_recording_id", "recording_texts", ["recording_id"])
    op.create_index("ix_recording_texts_mark_id", "recording_texts", ["mark_id"])
    op.create_table(
        "recording_terms",
        sa.Column("term", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("text_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("term", "text_id", name="pk_recording_terms"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recording_access",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=True),
        sa.Column("person_name", sa.String(200), nullable=False),
        sa.Column("org_name", sa.String(200), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("recording_id", sa.String(26), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("track", sa.String(128), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recording_access"),
    )
    op.create_index("ix_recording_access_recording_id", "recording_access", ["recording_id", "id"])
    op.create_index("ix_recording_access_person_id", "recording_access", ["person_id", "id"])
