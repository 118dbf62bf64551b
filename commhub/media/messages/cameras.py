"""Hub ↔ bridge."""

from __future__ import annotations

from commhub.media.messages.common import BaseMessage
from commhub.media.messages.sources import SourceStream


class Pull(BaseMessage, frozen=True):
    """Keep this camera open and push it to these workers (empty: pull nothing, forget it). Idempotent: the last one counts.

    ``url`` has no credentials in it. ``rtsp://…``: the bridge checks it against ``bridges.allow``, resolves its name once and
    connects to that address; ``sub_url`` is the camera's smaller stream. ``gb28181://<device>/<channel>`` is live,
    ``?from=&to=`` (Unix seconds) a recording on the device. ``layers`` are the streams that somebody takes: main, sub."""

    source: str
    url: str
    user: str = ""
    password: str = ""
    transport: str = "tcp"
    workers: list[str] = []
    sub_url: str = ""
    layers: tuple[str, ...] = ("main",)


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
