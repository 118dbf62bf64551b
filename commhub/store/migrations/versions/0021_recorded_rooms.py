"""What is to be recorded besides consultations, and what a recording is of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_table(
        "recorded_rooms",
        sa.Column("subject", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("mode", sa.String(8), nullable=True),
        sa.Column("layers", sa.String(8), nullable=False),
        sa.Column("incident", sa.String(64), nullable=False),
        sa.Column("said", sa.String(4), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("session_id", sa.String(26), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_recorded_rooms"),
    )
    op.create_index("ix_recorded_rooms_session_id", "recorded_rooms", ["session_id"])
    op.add_column("recordings", sa.Column("kind", sa.String(12), nullable=False, server_default="consultation"))
    op.add_column("recordings", sa.Column("subject", sa.String(26), nullable=False, server_default=""))
    op.add_column("recordings", sa.Column("incident", sa.String(64), nullable=False, server_default=""))
    op.create_index("ix_recordings_incident", "recordings", ["incident"])
