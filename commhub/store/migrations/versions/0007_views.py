"""When cameras last worked, pictures taken of them, rounds and saved walls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "camera_plays",
        sa.Column("camera_id", sa.String(26), nullable=False),
        sa.Column("succeeded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", name="pk_camera_plays"),
    )
    op.create_table(
        "snapshots",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("camera_id", sa.String(26), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_snapshots"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_snapshots_person_id"),
    )
    op.create_index("ix_snapshots_camera_id", "snapshots", ["camera_id"])
    op.create_table(
        "rounds",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("cameras", sa.Text(), nullable=False),
        sa.Column("tiles", sa.Integer(), nullable=False),
        sa.Column("dwell_seconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rounds"),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_rounds_org_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_rounds_person_id"),
    )
    op.create_table(
        "layouts",
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name="pk_layouts"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_layouts_person_id"),
    )
