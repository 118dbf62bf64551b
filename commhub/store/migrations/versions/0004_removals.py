"""Since when everything that was issued to somebody for a room is dead."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "removals",
        sa.Column("room", sa.String(256), nullable=False),
        sa.Column("identity", sa.String(256), nullable=False),
        sa.Column("before", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("room", "identity", name="pk_removals"),
    )
