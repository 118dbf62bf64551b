"""The tables of groups: who is in them, who listens to which, what is going on, emergencies. Times are UTC ns."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, String, Table, Text

from commhub.store.columns import identity, metadata, to

#: ``kind``: fixed, temporary, dynamic, patched, broadcast. ``rule`` is JSON: whom a dynamic one consists of. ``live_since`` is 0
#: while nothing goes on. Seconds of the floor: 0 is without end.
groups = Table(
    "groups",
    metadata,
    identity(),
    Column("kind", String(12), nullable=False),
    Column("name", String(100), nullable=False),
    to("org_id", "organisations"),
    Column("label", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("rule", Text, nullable=False, server_default="{}"),
    Column("talk_limit", Float, nullable=False),
    Column("silence", Float, nullable=False),
    Column("hang", Float, nullable=False),
    Column("queue_length", Integer, nullable=False),
    to("created_by", "people"),
    Column("created_at", BigInteger, nullable=False),
    Column("live_since", BigInteger, nullable=False, server_default="0"),
    to("live_by", "people", null=True),
    Column("removed", Boolean, nullable=False, server_default=sa.false()),
    Column("rev", Integer, nullable=False),
    sa.Index("ix_groups_org_id", "org_id"),
)

#: ``member_id`` is a person's or, of a patched group, a group's. ``talks``: may ask for the floor.
group_members = Table(
    "group_members",
    metadata,
    to("group_id", "groups", key=True),
    Column("member_id", String(26), primary_key=True),
    Column("talks", Boolean, nullable=False),
    sa.Index("ix_group_members_member_id", "member_id"),
)

#: ``selected``: of all that somebody listens to, the one they talk in. ``terminal`` is an identity, '' any of theirs.
group_affiliations = Table(
    "group_affiliations",
    metadata,
    to("group_id", "groups", key=True),
    to("person_id", "people", key=True),
    Column("terminal", String(64), nullable=False),
    Column("selected", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    sa.Index("ix_group_affiliations_person_id", "person_id"),
)

#: ``kind``: call, alarm. ``org_id`` is who has to answer, further up with each ``step``; ``due_at`` when that is, 0 never.
group_emergencies = Table(
    "group_emergencies",
    metadata,
    identity(),
    to("group_id", "groups"),
    Column("kind", String(8), nullable=False),
    to("person_id", "people"),
    Column("terminal", String(64), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("at", BigInteger, nullable=False),
    to("org_id", "organisations"),
    Column("step", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    to("acknowledged_by", "people", null=True),
    Column("acknowledged_at", BigInteger, nullable=False, server_default="0"),
    to("cancelled_by", "people", null=True),
    Column("cancelled_at", BigInteger, nullable=False, server_default="0"),
    sa.Index("ix_group_emergencies_group_id", "group_id"),
)
