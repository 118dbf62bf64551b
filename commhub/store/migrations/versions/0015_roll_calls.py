"""Roll calls and who is asked by them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def _time(name: str, **more: object) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, **more)  # type: ignore[arg-type]


def upgrade() -> None:
    op.create_table(
        "roll_calls",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("consultation_id", sa.String(26), nullable=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("led_by", sa.String(26), nullable=False),
        _time("created_at"),
        _time("ended_at", server_default="0"),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("phase", sa.String(8), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        _time("until"),
        sa.Column("answer_ms", sa.Integer(), nullable=False),
        sa.Column("limit_ms", sa.Integer(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_roll_calls"),
        sa.ForeignKeyConstraint(["consultation_id"], ["consultations.id"], name="fk_roll_calls_consultation_id"),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_roll_calls_org_id"),
        sa.ForeignKeyConstraint(["led_by"], ["people.id"], name="fk_roll_calls_led_by"),
    )
    op.create_index("ix_roll_calls_state", "roll_calls", ["state"])
    op.create_index("ix_roll_calls_consultation_id", "roll_calls", ["consultation_id"])
    op.create_table(
        "roll_entries",
        sa.Column("roll_call_id", sa.String(26), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=True),
        sa.Column("seat_id", sa.String(26), nullable=True),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("org_name", sa.String(200), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("post", sa.String(100), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        _time("called_at"),
        _time("answered_at"),
        _time("closed_at"),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("roll_call_id", "position", name="pk_roll_entries"),
        sa.ForeignKeyConstraint(["roll_call_id"], ["roll_calls.id"], name="fk_roll_entries_roll_call_id"),
    )
    op.create_index("ix_roll_entries_person_id", "roll_entries", ["person_id"])
