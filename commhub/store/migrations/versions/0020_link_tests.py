"""Link tests of organisations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "link_tests",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("by_id", sa.String(26), nullable=True),
        sa.Column("person_id", sa.String(26), nullable=True),
        sa.Column("terminal", sa.String(64), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_link_tests"),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_link_tests_org_id"),
        sa.ForeignKeyConstraint(["by_id"], ["people.id"], name="fk_link_tests_by_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_link_tests_person_id"),
    )
    op.create_index("ix_link_tests_org_id", "link_tests", ["org_id", "began_at"])
