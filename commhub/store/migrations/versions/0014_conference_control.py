"""How a consultation is led: one JSON value in its row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("consultations", sa.Column("control", sa.Text(), nullable=True))
