"""The tables of scheduled consultations. Times are UTC ns, 0 not yet."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, Text

from commhub.store.columns import identity, metadata, to

#: ``length`` in ns. ``rule`` is JSON: how it repeats. ``begins``: self, chair. ``early_ms``: before the start people may enter.
agenda_items = Table(
    "agenda_items",
    metadata,
    identity(),
    Column("title", String(200), nullable=False),
    Column("notes", Text, nullable=False),
    to("org_id", "organisations"),
    Column("label", String(16), nullable=False),
    to("host_id", "people"),
    Column("starts_at", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("rule", Text, nullable=False),
    Column("begins", String(8), nullable=False),
    Column("early_ms", Integer, nullable=False),
    Column("record", Boolean, nullable=False),
    Column("cancelled", Boolean, nullable=False, server_default=sa.false()),
    Column("over_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("rev", Integer, nullable=False),
    sa.Index("ix_agenda_items_over_at", "over_at"),
)

#: ``kind``: person, org.
agenda_invited = Table(
    "agenda_invited",
    metadata,
    to("item_id", "agenda_items", key=True),
    Column("kind", String(6), primary_key=True),
    Column("target_id", String(26), primary_key=True),
    sa.Index("ix_agenda_invited_target_id", "target_id"),
)

#: What is to be said of one occurrence; ``at`` is its start by the rule. ``state``: planned, started, ended, failed.
agenda_occurrences = Table(
    "agenda_occurrences",
    metadata,
    to("item_id", "agenda_items", key=True),
    Column("at", BigInteger, primary_key=True),
    Column("start", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("state", String(8), nullable=False),
    to("consultation_id", "consultations", null=True),
    sa.Index("ix_agenda_occurrences_consultation_id", "consultation_id"),
)

#: ``at`` 0 is the whole series. ``reply``: accepted, declined, tentative.
agenda_replies = Table(
    "agenda_replies",
    metadata,
    to("item_id", "agenda_items", key=True),
    Column("at", BigInteger, primary_key=True),
    to("person_id", "people", key=True),
    Column("reply", String(10), nullable=False),
    Column("comment", String(200), nullable=False),
    Column("replied_at", BigInteger, nullable=False),
)

#: Written with the event of the reminder: whoever is there already has been reminded.
agenda_reminders = Table(
    "agenda_reminders",
    metadata,
    to("item_id", "agenda_items", key=True),
    Column("at", BigInteger, primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("sent_at", BigInteger, nullable=False),
)

agenda_materials = Table(
    "agenda_materials",
    metadata,
    identity(),
    to("item_id", "agenda_items"),
    Column("name", String(200), nullable=False),
    Column("type", String(100), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    to("added_by", "people"),
    Column("added_at", BigInteger, nullable=False),
    sa.Index("ix_agenda_materials_item_id", "item_id"),
)

#: Signed in by hand; who entered is known by the consultation's attendance.
agenda_signed = Table(
    "agenda_signed",
    metadata,
    to("item_id", "agenda_items", key=True),
    Column("at", BigInteger, primary_key=True),
    to("person_id", "people", key=True),
    Column("signed_at", BigInteger, nullable=False),
    to("signed_by", "people"),
)

#: All revisions of the minutes are kept. ``signed_by`` of the one that is signed off: it is the last.
agenda_minutes = Table(
    "agenda_minutes",
    metadata,
    to("item_id", "agenda_items", key=True),
    Column("at", BigInteger, primary_key=True),
    Column("rev", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    to("written_by", "people"),
    Column("written_at", BigInteger, nullable=False),
    to("signed_by", "people", null=True),
    Column("signed_at", BigInteger, nullable=False, server_default="0"),
)
