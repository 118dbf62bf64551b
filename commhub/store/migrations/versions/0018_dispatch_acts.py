"""What was forced on lines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "dispatch_acts",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("verb", sa.String(10), nullable=False),
        sa.Column("line_kind", sa.String(12), nullable=False),
        sa.Column("line_id", sa.String(26), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("actor_id", sa.String(26), nullable=False),
        sa.Column("target_id", sa.String(26), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("silent", sa.Boolean(), nullable=False),
        sa.Column("grounds", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.String(12), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dispatch_acts"),
        sa.ForeignKeyConstraint(["actor_id"], ["people.id"], name="fk_dispatch_acts_actor_id"),
        sa.ForeignKeyConstraint(["target_id"], ["people.id"], name="fk_dispatch_acts_target_id"),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_dispatch_acts_org_id"),
    )
    op.create_index("ix_dispatch_acts_line_id", "dispatch_acts", ["line_id", "id"])
    op.create_index("ix_dispatch_acts_ended_at", "dispatch_acts", ["ended_at", "id"])
