"""Calls and their legs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def _at(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("emergency", sa.Boolean(), nullable=False),
        sa.Column("video", sa.Boolean(), nullable=False),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("created_by", sa.String(26), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("before", sa.String(26), nullable=False),
        sa.Column("end", sa.String(20), nullable=False),
        sa.Column("parties", sa.Text(), nullable=False),
        _at("created_at"),
        _at("answered_at"),
        _at("ended_at"),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"], name="fk_calls_created_by"),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_calls_org_id"),
    )
    op.create_index("ix_calls_state", "calls", ["state"])
    op.create_index("ix_calls_org_id", "calls", ["org_id", "id"])
    op.create_index("ix_calls_created_by", "calls", ["created_by", "id"])
    op.create_table(
        "call_legs",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("call_id", sa.String(26), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("party", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("terminal", sa.String(64), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("end", sa.String(20), nullable=False),
        sa.Column("by", sa.String(26), nullable=False),
        sa.Column("waiting", sa.Boolean(), nullable=False),
        sa.Column("silent", sa.Boolean(), nullable=False),
        _at("invited_at"),
        _at("ringing_at"),
        _at("answered_at"),
        _at("held_at"),
        _at("ended_at"),
        _at("deadline"),
        sa.Column("overdue", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_call_legs"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_call_legs_call_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_call_legs_person_id"),
    )
    op.create_index("ix_call_legs_call_id", "call_legs", ["call_id", "position"])
    op.create_index("ix_call_legs_person_id", "call_legs", ["person_id", "call_id"])
