"""Scheduled consultations: when, who, replies, reminders, materials, attendance, minutes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "agenda_items",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("host_id", sa.String(26), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("begins", sa.String(8), nullable=False),
        sa.Column("early_ms", sa.Integer(), nullable=False),
        sa.Column("record", sa.Boolean(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("over_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agenda_items"),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_agenda_items_org_id"),
        sa.ForeignKeyConstraint(["host_id"], ["people.id"], name="fk_agenda_items_host_id"),
    )
    op.create_index("ix_agenda_items_over_at", "agenda_items", ["over_at"])
    op.create_table(
        "agenda_invited",
        sa.Column("item_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(6), nullable=False),
        sa.Column("target_id", sa.String(26), nullable=False),
        sa.PrimaryKeyConstraint("item_id", "kind", "target_id", name="pk_agenda_invited"),
        sa.ForeignKeyConstraint(["item_id"], ["agenda_items.id"], name="fk_agenda_invited_item_id"),
    )
    op.create_index("ix_agenda_invited_target_id", "agenda_invited", ["target_id"])
    op.create_table(
        "agenda_occurrences",
        sa.Column("item_id", sa.String(26), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("consultation_id", sa.String(26), nullable=True),
        sa.PrimaryKeyConstraint("item_id", "at", name="pk_agenda_occurrences"),
        sa.ForeignKeyConstraint(["item_id"], ["agenda_items.id"], name="fk_agenda_occurrences_item_id"),
        sa.ForeignKeyConstraint(["consultation_id"], ["consultations.id"], name="fk_agenda_occurrences_consultation_id"),
    )
    op.create_index("ix_agenda_occurrences_consultation_id", "agenda_occurrences", ["consultation_id"])
    op.create_table(
        "agenda_replies",
        sa.Column("item_id", sa.String(26), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("reply", sa.String(10), nullable=False),
        sa.Column("comment", sa.String(200), nullable=False),
        sa.Column("replied_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", "at", "person_id", name="pk_agenda_replies"),
        sa.ForeignKeyConstraint(["item_id"], ["agenda_items.id"], name="fk_agenda_replies_item_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_agenda_replies_person_id"),
    )
    op.create_table(
        "agenda_reminders",
        sa.Column("item_id", sa.String(26), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", "at", "kind", name="pk_agenda_reminders"),
        sa.ForeignKeyConstraint(["item_id"], ["agenda_items.id"], name="fk_agenda_reminders_item_id"),
    )
    op.create_table(
        "agenda_materials",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("item_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("added_by", sa.String(26), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agenda_materials"),
        sa.ForeignKeyConstraint(["item_id"], ["agenda_items.id"], name="fk_agenda_materials_item_id"),
        sa.ForeignKeyConstraint(["added_by"], ["people.id"], name="fk_agenda_materials_added_by"),
    )
    op.create_index("ix_agenda_materials_item_id", "agenda_materials", ["item_id"])
    op.create_table(
        "agenda_signed",
        sa.Column("item_id", sa.String(26), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.Column("signed_by", sa.String(26), nullable=False),
        sa.PrimaryKeyConstraint("item_id", "at", "person_id", name="pk_agenda_signed"),
        sa.ForeignKeyConstraint(["item_id"], ["agenda_items.id"], name="fk_agenda_signed_item_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_agenda_signed_person_id"),
        sa.ForeignKeyConstraint(["signed_by"], ["people.id"], name="fk_agenda_signed_signed_by"),
    )
    op.create_table(
        "agenda_minutes",
        sa.Column("item_id", sa.String(26), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("written_by", sa.String(26), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.Column("signed_by", sa.String(26), nullable=True),
        sa.Column("signed_at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("item_id", "at", "rev", name="pk_agenda_minutes"),
        sa.ForeignKeyConstraint(["item_id"], ["agenda_items.id"], name="fk_agenda_minutes_item_id"),
        sa.ForeignKeyConstraint(["written_by"], ["people.id"], name="fk_agenda_minutes_written_by"),
        sa.ForeignKeyConstraint(["signed_by"], ["people.id"], name="fk_agenda_minutes_signed_by"),
    )
