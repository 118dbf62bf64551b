"""What webhooks told to have begun, so that its end is told whatever dies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "webhook_beginnings",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("end_id", sa.String(64), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_webhook_beginnings"),
        sa.UniqueConstraint("end_id", name="uq_webhook_beginnings_end_id"),
    )
    op.create_index("ix_webhook_beginnings_room", "webhook_beginnings", ["room"])
