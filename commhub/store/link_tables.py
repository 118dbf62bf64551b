"""The table of link tests: their history. Times are UTC ns."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, String, Table, Text

from commhub.store.columns import identity, metadata, to

#: ``state``: running, well, weak, failed, offline, busy, untestable. ``by_id`` null: by schedule. ``report`` is JSON.
link_tests = Table(
    "link_tests",
    metadata,
    identity(),
    to("org_id", "organisations"),
    to("by_id", "people", null=True),
    to("person_id", "people", null=True),
    Column("terminal", String(64), nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("report", Text, nullable=False),
    sa.Index("ix_link_tests_org_id", "org_id", "began_at"),
)
