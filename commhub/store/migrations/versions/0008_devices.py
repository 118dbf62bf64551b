"""Devices that call in, what their catalogues say, favourites and alarms. Cameras stay, their addresses as they were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    _cameras()
    op.create_table(
        "devices",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("code", sa.String(20), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=True),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("password", sa.LargeBinary(), nullable=False),
        sa.Column("way", sa.String(16), nullable=False),
        sa.Column("worked", sa.String(16), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("address", sa.String(100), nullable=False),
        sa.Column("transport", sa.String(8), nullable=False),
        sa.Column("version", sa.String(16), nullable=False),
        sa.Column("manufacturer", sa.String(100), nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("firmware", sa.String(100), nullable=False),
        sa.Column("heartbeat", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("reason_code", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reason_en", sa.Text(), nullable=False),
        sa.Column("catalogue_state", sa.String(10), nullable=False),
        sa.Column("catalogue_received", sa.Integer(), nullable=False),
        sa.Column("catalogue_total", sa.Integer(), nullable=False),
        sa.Column("catalogue_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_devices_org_id"),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.UniqueConstraint("code", name="uq_devices_code"),
    )
    op.create_index("ix_devices_state", "devices", ["state"])
    op.create_table(
        "camera_nodes",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("device_id", sa.String(26), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("parent_id", sa.String(26), nullable=True),
        sa.Column("org_id", sa.String(26), nullable=True),
        sa.Column("said", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_camera_nodes"),
    )
    op.create_index("ix_camera_nodes_device_id", "camera_nodes", ["device_id"])
    op.create_index("uq_camera_nodes_device_id_code", "camera_nodes", ["device_id", "code"], unique=True)
    op.create_table(
        "favourites",
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("camera_id", sa.String(26), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_favourites_person_id"),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name="fk_favourites_camera_id"),
        sa.PrimaryKeyConstraint("person_id", "camera_id", name="pk_favourites"),
    )
    _alarms()


def _cameras() -> None:
    # Without foreign keys: SQLite can add those only by making the table anew, which consultations refer to.
    op.add_column("cameras", sa.Column("protocol", sa.String(8), nullable=False, server_default="rtsp"))
    op.add_column("cameras", sa.Column("device_id", sa.String(26), nullable=True))
    op.add_column("cameras", sa.Column("channel", sa.String(40), nullable=False, server_default=""))
    op.add_column("cameras", sa.Column("node_id", sa.String(26), nullable=True))
    op.add_column("cameras", sa.Column("sub_url", sa.String(500), nullable=False, server_default=""))
    op.add_column("cameras", sa.Column("sub", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("cameras", sa.Column("ptz", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("cameras", sa.Column("online", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("cameras", sa.Column("gone", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("cameras", sa.Column("longitude", sa.Float(), nullable=True))
    op.add_column("cameras", sa.Column("latitude", sa.Float(), nullable=True))
    op.add_column("cameras", sa.Column("about", sa.Text(), nullable=False, server_default=""))
    op.add_column("cameras", sa.Column("fingerprint", sa.String(32), nullable=False, server_default=""))
    op.create_index("ix_cameras_counted", "cameras", ["org_id", "node_id", "label", "gone", "online", "device_id"])
    op.create_index("ix_cameras_node_id", "cameras", ["node_id"])
    op.create_index("ix_cameras_device_id", "cameras", ["device_id", "gone", "online"])


def _alarms() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("device_id", sa.String(26), nullable=False),
        sa.Column("camera_id", sa.String(26), nullable=True),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("org_id", sa.String(26), nullable=False),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("method", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("confirmed_by", sa.String(26), nullable=True),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alarms"),
    )
    op.create_index("ix_alarms_state_camera_id", "alarms", ["state", "camera_id"])
    op.create_index("ix_alarms_org_id", "alarms", ["org_id"])
    op.create_index("ix_alarms_camera_id", "alarms", ["camera_id"])
