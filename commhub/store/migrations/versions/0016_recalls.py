"""A blind transfer that nobody answers rings at who transferred."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("calls", sa.Column("recall", sa.String(80), nullable=False, server_default=""))
