"""Hub ↔ recorder."""

from __future__ import annotations

import zlib

from msgspec import field

from commhub.media.messages.common import BaseMessage, Pick


def shard_of(session: str, shards: int) -> int:
    """Which of the recorders a session belongs to: hub and recorders say the same without asking."""
    return zlib.crc32(session.encode()) % shards


class Record(BaseMessage, frozen=True):
    """Record this room (or ``only`` parts of it) into this session from this worker. Idempotent; a new ``worker`` moves a
    running session. ``layers`` as in :class:`OpenSink`, '' as the recorder is set. ``paused``: off the record, no media and no
    words are kept until it is told otherwise. ``evidence``: it must be recorded, and is thinned last when the disk gets full."""

    session: str
    room: str
    worker: str
    title: str = ""
    about: dict[str, str] = {}
    only: list[Pick] = []
    layers: str = ""
    paused: bool = False
    evidence: bool = False


class StopRecord(BaseMessage, frozen=True):
    """Close the session; what it has is kept. Of an unknown one a ``SessionState`` says ``not_found``."""

    session: str
    reason: str = "stopped"


class Mark(BaseMessage, frozen=True):
    """A fact of the hub for the session's journal: ``event`` is a type of the event catalogue."""

    session: str
    event: str
    at: int
    data: dict[str, object] = {}


class SessionState(BaseMessage, frozen=True):
    """``state``: recording, complete, repaired, failed. Sent on every change and for every session found at start."""

    session: str
    room: str
    state: str
    code: str = ""
    text: str = ""
    text_zh: str = ""
    started_at: int = 0
    ended_at: int = 0
    duration_ms: int = 0
    tracks: int = 0
    bytes: int = 0
    people: list[str] = []
    about: dict[str, str] = {}


class Checkpoint(BaseMessage, frozen=True):
    """A signed checkpoint of the session's journal that is on the recorder's disk; ``until`` is the journal's length that it
    covers (bytes), ``head``, ``key`` (its id) and ``signature`` are hexadecimal digits."""

    session: str
    number: int
    at: int
    until: int
    head: str
    key: str
    signature: str


class Forget(BaseMessage, frozen=True):
    """The session was deleted: take its key and files away, whatever is left of them. Told until ``Forgotten`` comes."""

    session: str


class Forgotten(BaseMessage, frozen=True):
    """Nothing of the session is here."""

    session: str


class Space(BaseMessage, frozen=True):
    """The file system recordings lie on (bytes), told when ``level`` changes and every now and then. ``level`` is the step of the
    disk guard (``recorder.space``)."""

    free: int
    total: int
    level: str


class Uploads(BaseMessage, frozen=True):
    """How a recorder's files get into the S3 store, told when ``failing`` changes and every minute while it does: files and bytes
    that wait, since when nothing went through (UTC ns, 0: it goes), and why."""

    failing: bool
    files: int = 0
    bytes: int = 0
    since: int = 0
    reason: str = ""


class RecordSnapshot(BaseMessage, frozen=True):
    """Answer to the hub's Hello: what is being recorded, and the newest of those on disk."""

    sessions: list[SessionState] = field(default_factory=list)
