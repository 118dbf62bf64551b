"""Tables of reviewing: marks, the words of recordings and where they are, who looked at what. Times are UTC ns, ``…_ms``
count from the recording's start."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from commhub.store.columns import identity, metadata, to

#: ``kind``: mark, comment. ``until_ms`` null: a moment. Whoever made it is named as they were then.
recording_marks = Table(
    "recording_marks",
    metadata,
    identity(),
    to("recording_id", "recordings"),
    Column("kind", String(8), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=True),
    Column("title", String(200), nullable=False),
    Column("text", Text, nullable=False),
    Column("by_id", String(26), nullable=True),
    Column("by_name", String(200), nullable=False),
    Column("by_org", String(200), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("rev", Integer, nullable=False),
    Index("ix_recording_marks_recording_id", "recording_id", "at_ms"),
)

#: How far a recording's words are taken in: ``position`` events of its manifest, by the rules of ``version``; ``whole``: all.
#: ``marks_rev`` grows with every change of its marks.
recording_reviews = Table(
    "recording_reviews",
    metadata,
    to("recording_id", "recordings", key=True),
    Column("version", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("marks_rev", Integer, nullable=False),
)

#: A text that can be found. ``mark_id`` of a mark's. ``folded`` is what is compared.
recording_texts = Table(
    "recording_texts",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("recording_id", String(26), nullable=False),
    Column("mark_id", String(26), nullable=True),
    Column("kind", String(8), nullable=False),
    Column("type", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", String(200), nullable=False),
    Column("text", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Index("ix_recording_texts_recording_id", "recording_id"),
    Index("ix_recording_texts_mark_id", "mark_id"),
)

#: Two characters that follow each other, as one number: which texts have them. Taken out by the text's own words.
recording_terms = Table(
    "recording_terms",
    metadata,
    Column("term", BigInteger, primary_key=True, autoincrement=False),
    Column("text_id", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

#: ``kind``: view, seek, export, search. ``org_id`` is the recording's organisation; of a search who searches.
recording_access = Table(
    "recording_access",
    metadata,
    identity(),
    Column("at", BigInteger, nullable=False),
    Column("person_id", String(26), nullable=True),
    Column("person_name", String(200), nullable=False),
    Column("org_name", String(200), nullable=False),
    Column("address", String(64), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("recording_id", String(26), nullable=False),
    Column("org_id", String(26), nullable=False),
    Column("title", String(200), nullable=False),
    Column("track", String(128), nullable=False),
    Column("at_ms", BigInteger, nullable=True),
    Column("detail", Text, nullable=False),
    Index("ix_recording_access_recording_id", "recording_id", "id"),
    Index("ix_recording_access_person_id", "person_id", "id"),
)
