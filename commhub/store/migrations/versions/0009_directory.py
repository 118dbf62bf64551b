"""Seats, endpoints, and the index of the directory. Organisations and people stay; how people are found is made anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

TOKEN = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("organisations", sa.Column("connectivity", sa.String(8), nullable=False, server_default="full"))
    op.add_column("organisations", sa.Column("listed", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("places", sa.Column("address", sa.String(200), nullable=False, server_default=""))
    op.add_column("places", sa.Column("longitude", sa.Float(), nullable=True))
    op.add_column("places", sa.Column("latitude", sa.Float(), nullable=True))
    for table in ("organisations", "places", "people"):
        op.add_column(table, sa.Column("rev", sa.Integer(), nullable=False, server_default="1"))
    op.create_index("ix_organisations_parent_id", "organisations", ["parent_id"])
    op.create_index("ix_places_org_id", "places", ["org_id"])
    op.create_index("ix_people_org_id", "people", ["org_id"])
    op.drop_column("people", "search")
    _seats()
    _endpoints()
    _index()


def _seats() -> None:
    op.create_table(
        "seats",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("place_id", sa.String(26), nullable=True),
        sa.Column("serves_id", sa.String(26), nullable=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_seats_org_id"),
        sa.ForeignKeyConstraint(["place_id"], ["places.id"], name="fk_seats_place_id"),
        sa.ForeignKeyConstraint(["serves_id"], ["organisations.id"], name="fk_seats_serves_id"),
        sa.PrimaryKeyConstraint("id", name="pk_seats"),
        sa.UniqueConstraint("key", name="uq_seats_key"),
    )
    for column in ("org_id", "place_id", "serves_id"):
        op.create_index(f"ix_seats_{column}", "seats", [column])
    op.create_table(
        "seat_sessions",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("seat_id", sa.String(26), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("end", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(["seat_id"], ["seats.id"], name="fk_seat_sessions_seat_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_seat_sessions_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_seat_sessions"),
    )
    now = sa.text("until IS NULL")
    for column in ("seat_id", "person_id"):
        op.create_index(f"ix_seat_sessions_{column}", "seat_sessions", [column, "until"])
        op.create_index(
            f"uq_seat_sessions_{column}", "seat_sessions", [column], unique=True, sqlite_where=now, postgresql_where=now
        )


def _endpoints() -> None:
    op.create_table(
        "endpoints",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("owner_kind", sa.String(8), nullable=False),
        sa.Column("owner_id", sa.String(26), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("address", sa.String(200), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_endpoints_org_id"),
        sa.PrimaryKeyConstraint("id", name="pk_endpoints"),
        sa.UniqueConstraint("key", name="uq_endpoints_key"),
    )
    op.create_index("ix_endpoints_owner_id", "endpoints", ["owner_id", "position"])
    op.create_index("ix_endpoints_org_id", "endpoints", ["org_id"])
    op.create_index("ix_endpoints_digest", "endpoints", ["digest"])


def _index() -> None:
    op.create_table(
        "directory_entries",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("owner_id", sa.String(26), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_directory_entries"),
    )
    op.create_index("ix_directory_entries_org_id", "directory_entries", ["org_id"])
    op.create_index("ix_directory_entries_owner_id", "directory_entries", ["owner_id"])
    op.create_table(
        "directory_tokens",
        sa.Column("token", TOKEN, nullable=False),
        sa.Column("entry_id", sa.String(26), nullable=False),
        sa.PrimaryKeyConstraint("token", "entry_id", name="pk_directory_tokens"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_directory_tokens_entry_id", "directory_tokens", ["entry_id"])
    op.create_table(
        "contacts",
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("entry_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("speed", sa.Integer(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_contacts_person_id"),
        sa.PrimaryKeyConstraint("person_id", "entry_id", name="pk_contacts"),
    )
    op.create_index("uq_contacts_person_id_speed", "contacts", ["person_id", "speed"], unique=True)
