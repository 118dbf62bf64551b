"""The tables of the directory: who and what there is, and how they are found."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, String, Table

from commhub.store.columns import identity, metadata, to

#: Tokens are compared octet by octet, so that a range of the index is all that begins alike.
Token = String(64).with_variant(String(64, collation="C"), "postgresql")

#: ``connectivity``: none, phone, staffed, video, full. ``listed``: people everywhere find it, not only its own branch.
organisations = Table(
    "organisations",
    metadata,
    identity(),
    Column("key", String(64), nullable=False, unique=True),
    to("parent_id", "organisations", null=True),
    Column("name", String(200), nullable=False),
    Column("name_en", String(200), nullable=False),
    Column("short", String(60), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("position", Integer, nullable=False),
    Column("connectivity", String(8), nullable=False, server_default="full"),
    Column("listed", Boolean, nullable=False, server_default=sa.true()),
    Column("rev", Integer, nullable=False, server_default="1"),
    sa.Index("ix_organisations_parent_id", "parent_id"),
)

places = Table(
    "places",
    metadata,
    identity(),
    Column("key", String(64), nullable=False, unique=True),
    to("org_id", "organisations"),
    Column("name", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("address", String(200), nullable=False, server_default=""),
    Column("longitude", Float, nullable=True),
    Column("latitude", Float, nullable=True),
    Column("rev", Integer, nullable=False, server_default="1"),
    sa.Index("ix_places_org_id", "org_id"),
)

people = Table(
    "people",
    metadata,
    identity(),
    Column("key", String(64), nullable=False, unique=True),
    to("org_id", "organisations"),
    Column("name", String(100), nullable=False),
    Column("post", String(100), nullable=False),
    Column("level", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("rev", Integer, nullable=False, server_default="1"),
    sa.Index("ix_people_org_id", "org_id"),
)

#: A place to work from, whoever sits there. ``org_id`` owns it; ``serves_id`` is the organisation that sends people to it:
#: the liaison seat of one that cannot connect.
seats = Table(
    "seats",
    metadata,
    identity(),
    Column("key", String(64), nullable=False, unique=True),
    to("org_id", "organisations"),
    to("place_id", "places", null=True),
    to("serves_id", "organisations", null=True),
    Column("name", String(100), nullable=False),
    Column("level", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("rev", Integer, nullable=False),
    sa.Index("ix_seats_org_id", "org_id"),
    sa.Index("ix_seats_place_id", "place_id"),
    sa.Index("ix_seats_serves_id", "serves_id"),
)

#: Who sat where; ``until`` is null while he does. ``end``: off, takeover, elsewhere, removed; ``reason`` of who took over.
seat_sessions = Table(
    "seat_sessions",
    metadata,
    identity(),
    to("seat_id", "seats"),
    to("person_id", "people"),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=True),
    Column("end", String(10), nullable=False),
    Column("reason", String(200), nullable=False),
    sa.Index("ix_seat_sessions_seat_id", "seat_id", "until"),
    sa.Index("ix_seat_sessions_person_id", "person_id", "until"),
)
# There is one who sits at a seat, and a person sits at one seat: held by the database, too.
for _column in ("seat_id", "person_id"):
    _now = seat_sessions.c.until.is_(None)
    sa.Index(f"uq_seat_sessions_{_column}", seat_sessions.c[_column], unique=True, sqlite_where=_now, postgresql_where=_now)

#: How a person, a seat or a place is reached. ``owner_kind``: person, seat, place. An address that is a telephone number is
#: sealed; then ``address`` is its mask.
endpoints = Table(
    "endpoints",
    metadata,
    identity(),
    Column("key", String(64), nullable=False, unique=True),
    Column("owner_kind", String(8), nullable=False),
    Column("owner_id", String(26), nullable=False),
    to("org_id", "organisations"),
    Column("kind", String(8), nullable=False),
    Column("label", String(100), nullable=False),
    Column("address", String(200), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("position", Integer, nullable=False),
    Column("rev", Integer, nullable=False),
    sa.Index("ix_endpoints_owner_id", "owner_id", "position"),
    sa.Index("ix_endpoints_org_id", "org_id"),
    sa.Index("ix_endpoints_digest", "digest"),
)

#: What a search finds: organisations, people, seats, places and endpoints. ``rank`` orders what is found equally well.
directory_entries = Table(
    "directory_entries",
    metadata,
    identity(),
    Column("kind", String(12), nullable=False),
    Column("org_id", String(26), nullable=False),
    Column("owner_id", String(26), nullable=False),
    Column("rank", Integer, nullable=False),
    sa.Index("ix_directory_entries_org_id", "org_id"),
    sa.Index("ix_directory_entries_owner_id", "owner_id"),
)

#: The beginnings by which an entry is found.
directory_tokens = Table(
    "directory_tokens",
    metadata,
    Column("token", Token, primary_key=True),
    Column("entry_id", String(26), primary_key=True),
    sa.Index("ix_directory_tokens_entry_id", "entry_id"),
    sqlite_with_rowid=False,
)

#: What a person keeps at hand; ``speed`` is a key from 1 to 99, if it has one.
contacts = Table(
    "contacts",
    metadata,
    to("person_id", "people", key=True),
    Column("entry_id", String(26), primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("speed", Integer, nullable=True),
    Column("at", BigInteger, nullable=False),
    sa.Index("uq_contacts_person_id_speed", "person_id", "speed", unique=True),
)
