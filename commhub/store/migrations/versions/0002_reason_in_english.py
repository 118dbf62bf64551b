"""Why a consultation is not recorded is said in English too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("consultations", sa.Column("recording_reason_en", sa.Text(), nullable=True))
