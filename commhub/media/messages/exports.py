"""Hub ↔ recorder: recordings that are taken out: films, tracks, evidence bundles."""

from __future__ import annotations

from commhub.media.messages.common import BaseMessage


class Export(BaseMessage, frozen=True, kw_only=True):
    """Make this of a session. Idempotent: one that is known tells its state again, one that an earlier process began is begun
    anew. ``kind``: film, tracks, bundle; ``from_ms`` and ``to_ms`` on the session's clock, 0 and 0 for all of it; ``layout`` (of
    films): grid, speaker, focus (the first of ``tracks`` large); ``tracks`` by their ids, none: all. ``by`` and ``at`` (UTC ns)
    are who asked for it, and stand in it. ``limit`` octets it may have, ``free`` octets the disk must keep."""

    export: str
    session: str
    kind: str
    from_ms: int = 0
    to_ms: int = 0
    layout: str = "grid"
    tracks: list[str] = []
    chat: bool = False
    by: str = ""
    at: int = 0
    limit: int = 16 << 30
    free: int = 0


class StopExport(BaseMessage, frozen=True):
    """End it and take away what there is of it. Idempotent."""

    export: str


class ExportState(BaseMessage, frozen=True, kw_only=True):
    """``state``: waiting, running, done, failed. ``file`` is its name in the export's folder, of ``size`` octets with this
    SHA-256; ``began`` times it was begun. ``code`` is stable, the texts are for people; of one that is done they say what is
    less than it might be."""

    export: str
    state: str
    percent: float = 0.0
    began: int = 0
    file: str = ""
    size: int = 0
    sha256: str = ""
    code: str = ""
    text: str = ""
    text_zh: str = ""
