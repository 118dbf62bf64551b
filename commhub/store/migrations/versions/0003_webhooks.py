"""What is to be posted to receivers of webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("receiver", sa.String(16), nullable=False),
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_webhooks"),
    )
    op.create_index("uq_webhooks_event_id_receiver", "webhooks", ["event_id", "receiver"], unique=True)
    op.create_index("ix_webhooks_waiting", "webhooks", ["receiver", "state", "room", "seq"])
    op.create_index("ix_webhooks_state_done_at", "webhooks", ["state", "done_at"])
