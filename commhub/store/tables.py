"""The tables. Times are UTC nanoseconds (``BigInteger``), ids ULIDs; types mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, String, Table, Text

from commhub.store import (
    address_book,
    agenda_tables,
    call_tables,
    checkpoint_tables,
    dispatch_tables,
    download_tables,
    export_tables,
    group_tables,
    keeping_tables,
    link_tables,
    recorded_tables,
    review_tables,
    roll_tables,
)
from commhub.store.columns import identity, to
from commhub.store.columns import metadata as metadata

# The directory's.
organisations = address_book.organisations
places = address_book.places
people = address_book.people
seats = address_book.seats
seat_sessions = address_book.seat_sessions
endpoints = address_book.endpoints
directory_entries = address_book.directory_entries
directory_tokens = address_book.directory_tokens
contacts = address_book.contacts

downloads = download_tables.downloads

calls = call_tables.calls
call_legs = call_tables.call_legs

groups = group_tables.groups
group_members = group_tables.group_members
group_affiliations = group_tables.group_affiliations
group_emergencies = group_tables.group_emergencies

agenda_items = agenda_tables.agenda_items
agenda_invited = agenda_tables.agenda_invited
agenda_occurrences = agenda_tables.agenda_occurrences
agenda_replies = agenda_tables.agenda_replies
agenda_reminders = agenda_tables.agenda_reminders
agenda_materials = agenda_tables.agenda_materials
agenda_signed = agenda_tables.agenda_signed
agenda_minutes = agenda_tables.agenda_minutes

link_tests = link_tables.link_tests

roll_calls = roll_tables.roll_calls
roll_entries = roll_tables.roll_entries

recording_checkpoints = checkpoint_tables.recording_checkpoints

recording_exports = export_tables.recording_exports

recording_keeping = keeping_tables.recording_keeping
recording_holds = keeping_tables.recording_holds
storage_quotas = keeping_tables.storage_quotas
recorded_rooms = recorded_tables.recorded_rooms

recording_marks = review_tables.recording_marks
recording_reviews = review_tables.recording_reviews
recording_texts = review_tables.recording_texts
recording_terms = review_tables.recording_terms
recording_access = review_tables.recording_access

dispatch_acts = dispatch_tables.dispatch_acts

#: Numbers that only grow. Their row is locked by whoever takes one, so that order of numbers is order of commits.
counters = Table(
    "counters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    to("person_id", "people", key=True),
    Column("account", String(64), nullable=False, unique=True),
    Column("password_hash", String(200), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until", BigInteger, nullable=False),
    Column("sample", Boolean, nullable=False),
)

grants = Table(
    "grants",
    metadata,
    to("person_id", "people", key=True),
    Column("role", String(16), primary_key=True),
    to("org_id", "organisations", key=True),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    to("person_id", "people"),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)

cameras = Table(
    "cameras",
    metadata,
    identity(),
    Column("key", String(64), nullable=False, unique=True),
    to("org_id", "organisations"),
    to("place_id", "places", null=True),
    Column("name", String(200), nullable=False),
    Column("label", String(16), nullable=False),
    Column("url", String(500), nullable=False),
    Column("user", String(100), nullable=False),
    Column("password", LargeBinary, nullable=False),
    Column("transport", String(8), nullable=False),
    Column("audio", Boolean, nullable=False),
    Column("search", Text, nullable=False),
    # Of a camera behind a device: where it stands, and what its catalogue says. One that is gone keeps its id.
    Column("protocol", String(8), nullable=False, default="rtsp"),
    Column("device_id", String(26), nullable=True),
    Column("channel", String(40), nullable=False, default=""),
    Column("node_id", String(26), nullable=True),
    Column("sub_url", String(500), nullable=False, default=""),
    Column("sub", Boolean, nullable=False, default=False),
    Column("ptz", Integer, nullable=False, default=0),
    Column("online", Boolean, nullable=False, default=True),
    Column("gone", Boolean, nullable=False, default=False),
    Column("longitude", Float, nullable=True),
    Column("latitude", Float, nullable=True),
    Column("about", Text, nullable=False, default=""),
    Column("fingerprint", String(32), nullable=False, default=""),
    sa.Index("ix_cameras_counted", "org_id", "node_id", "label", "gone", "online", "device_id"),
    sa.Index("ix_cameras_node_id", "node_id"),
    sa.Index("ix_cameras_device_id", "device_id", "gone", "online"),
)

#: What calls in: recorders, cameras, lower platforms. ``state``: quarantine, admitted, refused; ``options`` are the terms it is
#: spoken to by, as JSON; the password is sealed.
devices = Table(
    "devices",
    metadata,
    identity(),
    Column("code", String(20), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    to("org_id", "organisations", null=True),
    Column("label", String(16), nullable=False),
    Column("state", String(10), nullable=False),
    Column("password", LargeBinary, nullable=False),
    Column("way", String(16), nullable=False),
    Column("worked", String(16), nullable=False),
    Column("options", Text, nullable=False),
    Column("search", Text, nullable=False),
    Column("online", Boolean, nullable=False),
    Column("address", String(100), nullable=False),
    Column("transport", String(8), nullable=False),
    Column("version", String(16), nullable=False),
    Column("manufacturer", String(100), nullable=False),
    Column("model", String(100), nullable=False),
    Column("firmware", String(100), nullable=False),
    Column("heartbeat", Float, nullable=False),
    Column("seen_at", BigInteger, nullable=True),
    Column("reason_code", String(40), nullable=False),
    Column("reason", Text, nullable=False),
    Column("reason_en", Text, nullable=False),
    Column("catalogue_state", String(10), nullable=False),
    Column("catalogue_received", Integer, nullable=False),
    Column("catalogue_total", Integer, nullable=False),
    Column("catalogue_at", BigInteger, nullable=True),
    Column("created_at", BigInteger, nullable=False),
    sa.Index("ix_devices_state", "state"),
)

#: What stands above cameras in a device's catalogue, the device itself first. ``org_id`` is set where an administrator says that
#: a part belongs to another organisation; ``said`` is false while only others have named it as their parent.
camera_nodes = Table(
    "camera_nodes",
    metadata,
    identity(),
    Column("device_id", String(26), nullable=False, index=True),
    Column("code", String(40), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("name", String(200), nullable=False),
    Column("parent_id", String(26), nullable=True),
    Column("org_id", String(26), nullable=True),
    Column("said", Boolean, nullable=False),
    sa.Index("uq_camera_nodes_device_id_code", "device_id", "code", unique=True),
)

favourites = Table(
    "favourites",
    metadata,
    to("person_id", "people", key=True),
    to("camera_id", "cameras", key=True),
    Column("at", BigInteger, nullable=False),
)

#: ``level`` 1 is the gravest; ``method`` and ``kind`` are numbers of GB/T 28181; ``repeats`` are the same ones shortly after.
#: ``state``: new, confirmed.
alarms = Table(
    "alarms",
    metadata,
    identity(),
    Column("device_id", String(26), nullable=False),
    Column("camera_id", String(26), nullable=True),
    Column("channel", String(40), nullable=False),
    Column("org_id", String(26), nullable=False),
    Column("label", String(16), nullable=False),
    Column("level", Integer, nullable=False),
    Column("method", Integer, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("description", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("longitude", Float, nullable=True),
    Column("latitude", Float, nullable=True),
    Column("state", String(10), nullable=False),
    Column("confirmed_by", String(26), nullable=True),
    Column("confirmed_at", BigInteger, nullable=True),
    Column("note", Text, nullable=False),
    sa.Index("ix_alarms_state_camera_id", "state", "camera_id"),
    sa.Index("ix_alarms_org_id", "org_id"),
    sa.Index("ix_alarms_camera_id", "camera_id"),
)

consultations = Table(
    "consultations",
    metadata,
    identity(),
    Column("code", String(32), nullable=False),
    Column("title", String(200), nullable=False),
    Column("state", String(8), nullable=False, index=True),
    Column("label", String(16), nullable=False),
    to("host_id", "people"),
    to("org_id", "organisations"),
    Column("locked", Boolean, nullable=False),
    Column("rev", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=True),
    Column("recording_wanted", Boolean, nullable=False),
    Column("recording_state", String(16), nullable=False),
    Column("recording_since", BigInteger, nullable=True),
    Column("recording_reason", Text, nullable=True),
    Column("recording_id", String(26), nullable=True),
    Column("recording_reason_en", Text, nullable=True),
    Column("control", Text, nullable=True),
)

consultation_organisations = Table(
    "consultation_organisations",
    metadata,
    to("consultation_id", "consultations", key=True),
    to("org_id", "organisations", key=True),
    sa.Index(None, "org_id"),
)

consultation_people = Table(
    "consultation_people",
    metadata,
    to("consultation_id", "consultations", key=True),
    to("person_id", "people", key=True),
    sa.Index(None, "person_id"),
)

consultation_cameras = Table(
    "consultation_cameras",
    metadata,
    to("consultation_id", "consultations", key=True),
    to("camera_id", "cameras", key=True),
    Column("added_at", BigInteger, nullable=False),
)

#: Removed from a consultation; being invited again ends it. ``member`` is a person's id, or the identity of another.
exclusions = Table(
    "exclusions",
    metadata,
    to("consultation_id", "consultations", key=True),
    Column("member", String(200), primary_key=True),
    Column("at", BigInteger, nullable=False),
)

attendance = Table(
    "attendance",
    metadata,
    identity(),
    to("consultation_id", "consultations"),
    Column("person_id", String(26), nullable=True),
    Column("identity", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("org_name", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("joined_at", BigInteger, nullable=False),
    Column("left_at", BigInteger, nullable=True),
    Column("reason", String(100), nullable=True),
    sa.Index(None, "consultation_id", "identity"),
)

revocations = Table(
    "revocations",
    metadata,
    Column("token_id", String(200), primary_key=True),
    Column("room", String(200), nullable=False),
    Column("identity", String(200), nullable=False),
    Column("until", BigInteger, nullable=False),
)

removals = Table(
    "removals",
    metadata,
    Column("room", String(256), primary_key=True),
    Column("identity", String(256), primary_key=True),
    Column("before", Float, nullable=False),
)

#: What a repeated POST gets instead of doing it twice.
repeats = Table(
    "repeats",
    metadata,
    to("person_id", "people", key=True),
    Column("key", String(200), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("subject", String(26), nullable=False),
    Column("at", BigInteger, nullable=False),
)

recordings = Table(
    "recordings",
    metadata,
    identity(),
    Column("consultation_id", String(26), nullable=False, index=True),
    Column("org_id", String(26), nullable=False, index=True),
    Column("label", String(16), nullable=False),
    Column("title", String(200), nullable=False),
    Column("code", String(32), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=True),
    Column("duration_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=True),
    Column("reason_zh", Text, nullable=True),
    Column("tracks", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("people", Text, nullable=False),
    Column("kind", String(12), nullable=False, server_default="consultation"),  # or call, group, camera
    Column("subject", String(26), nullable=False, server_default=""),  # the call, group, camera; of a consultation empty
    Column("incident", String(64), nullable=False, server_default="", index=True),  # what several recordings belong to
)

events = Table(
    "events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", String(26), nullable=False, unique=True),
    Column("at", BigInteger, nullable=False),
    Column("subject", String(26), nullable=False),
    Column("body", Text, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    identity(),
    Column("at", BigInteger, nullable=False, index=True),
    Column("actor_id", String(200), nullable=True),
    Column("actor_name", String(200), nullable=False),
    Column("org_id", String(26), nullable=True),
    Column("org_name", String(200), nullable=False),
    Column("address", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("object", Text, nullable=False),
    Column("result", String(16), nullable=False),
    # The chain: without holes, each with a hash of itself and of the row before.
    Column("seq", BigInteger, nullable=True),
    Column("hash", String(64), nullable=True),
    sa.Index("uq_audit_seq", "seq", unique=True),
)

#: What is to be posted to receivers of webhooks, and what was; ``state``: pending, delivered, dead.
webhooks = Table(
    "webhooks",
    metadata,
    # The order of sending. On SQLite only an Integer grows by itself.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("receiver", String(16), nullable=False),
    Column("event_id", String(64), nullable=False),
    Column("room", Text, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("done_at", BigInteger, nullable=True),
    sa.Index("uq_webhooks_event_id_receiver", "event_id", "receiver", unique=True),
    sa.Index("ix_webhooks_waiting", "receiver", "state", "room", "seq"),
    sa.Index("ix_webhooks_state_done_at", "state", "done_at"),
)

#: What API keys ordered to be recorded (LiveKit's Egress). Its session at the recorder has the same id.
egresses = Table(
    "egresses",
    metadata,
    identity(),
    Column("key", String(200), nullable=False),
    Column("room", String(256), nullable=False),
    Column("room_sid", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("parts", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("error", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("consultation_id", String(26), nullable=True),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("files", Text, nullable=False),
)

#: Ways into a room that API keys made (LiveKit's Ingress). ``key_hash`` is the stream key's, the key itself is sealed.
ingresses = Table(
    "ingresses",
    metadata,
    identity(),
    Column("key", String(200), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("room", String(256), nullable=False, index=True),
    Column("about", Text, nullable=False),
    Column("options", LargeBinary, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

#: What was told to have begun and not to have ended; ``body`` is the event that ends it.
webhook_beginnings = Table(
    "webhook_beginnings",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("end_id", String(64), nullable=False, unique=True),
    Column("room", Text, nullable=False, index=True),
    Column("key", Text, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("body", Text, nullable=False),
)

#: When a camera last showed a picture.
camera_plays = Table(
    "camera_plays",
    metadata,
    Column("camera_id", String(26), primary_key=True),
    Column("succeeded_at", BigInteger, nullable=False),
)

#: Pictures that people took of cameras; the file is named by the id.
snapshots = Table(
    "snapshots",
    metadata,
    identity(),
    Column("camera_id", String(26), nullable=False, index=True),
    Column("org_id", String(26), nullable=False),
    Column("label", String(16), nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    to("person_id", "people"),
    Column("sha256", String(64), nullable=False),
    Column("bytes", Integer, nullable=False),
)

#: Walls that change by themselves; ``cameras`` is a JSON list of ids, in order.
rounds = Table(
    "rounds",
    metadata,
    identity(),
    to("org_id", "organisations"),
    to("person_id", "people"),
    Column("name", String(100), nullable=False),
    Column("cameras", Text, nullable=False),
    Column("tiles", Integer, nullable=False),
    Column("dwell_seconds", Integer, nullable=False),
)

#: The walls a person keeps; ``body`` is JSON.
layouts = Table(
    "layouts",
    metadata,
    to("person_id", "people", key=True),
    Column("body", Text, nullable=False),
)
