"""Groups, who is in them and listens to them, emergencies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def _person(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(26), nullable=null)


def upgrade() -> None:
    op.create_table(
        "groups",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("talk_limit", sa.Float(), nullable=False),
        sa.Column("silence", sa.Float(), nullable=False),
        sa.Column("hang", sa.Float(), nullable=False),
        sa.Column("queue_length", sa.Integer(), nullable=False),
        _person("created_by"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("live_since", sa.BigInteger(), nullable=False, server_default="0"),
        _person("live_by", null=True),
        sa.Column("removed", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_groups"),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_groups_org_id"),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"], name="fk_groups_created_by"),
        sa.ForeignKeyConstraint(["live_by"], ["people.id"], name="fk_groups_live_by"),
    )
    op.create_index("ix_groups_org_id", "groups", ["org_id"])
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.String(26), nullable=False),
        sa.Column("member_id", sa.String(26), nullable=False),
        sa.Column("talks", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "member_id", name="pk_group_members"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_group_members_group_id"),
    )
    op.create_index("ix_group_members_member_id", "group_members", ["member_id"])
    op.create_table(
        "group_affiliations",
        sa.Column("group_id", sa.String(26), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("terminal", sa.String(64), nullable=False),
        sa.Column("selected", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "person_id", name="pk_group_affiliations"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_group_affiliations_group_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_group_affiliations_person_id"),
    )
    op.create_index("ix_group_affiliations_person_id", "group_affiliations", ["person_id"])
    op.create_table(
        "group_emergencies",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("group_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        _person("person_id"),
        sa.Column("terminal", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        _person("acknowledged_by", null=True),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=False, server_default="0"),
        _person("cancelled_by", null=True),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_group_emergencies"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_group_emergencies_group_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_group_emergencies_person_id"),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_group_emergencies_org_id"),
        sa.ForeignKeyConstraint(["acknowledged_by"], ["people.id"], name="fk_group_emergencies_acknowledged_by"),
        sa.ForeignKeyConstraint(["cancelled_by"], ["people.id"], name="fk_group_emergencies_cancelled_by"),
    )
    op.create_index("ix_group_emergencies_group_id", "group_emergencies", ["group_id"])
