"""Hub ↔ bridge."""

from __future__ import annotations

from commhub.media.messages.common import BaseMessage
from commhub.media.messages.sources import SourceStream


class Pull(BaseMessage, frozen=True):
    """Keep this camera open and push it to these workers (empty: pull nothing, forget it). Idempotent: the last one counts.

    ``url`` has no credentials in it. The bridge checks it against ``bridges.allow``, resolves its name once and
    connects to that address."""

    source: str
    url: str
    user: str = ""
    password: str = ""
    transport: str = "tcp"
    workers: list[str] = []


class SourceState(BaseMessage, frozen=True):
    """``state``: idle, connecting, live, failed (retrying). ``code`` is stable; ``text``/``text_zh`` are sentences for people."""

    source: str
    state: str
    code: str = ""
    text: str = ""
    text_zh: str = ""
    streams: list[SourceStream] = []


class BridgeSnapshot(BaseMessage, frozen=True):
    """Answer to the hub's Hello: all that the bridge was told to pull."""

    sources: list[SourceState]
