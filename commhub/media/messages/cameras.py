"""Hub ↔ bridge."""

from __future__ import annotations

from msgspec import Struct

from commhub.media.messages.common import BaseMessage
from commhub.media.messages.sources import SourceStream


class Pull(BaseMessage, frozen=True):
    """Keep this camera open and push it to these workers (empty: pull nothing, forget it). Idempotent: the last one counts.

    ``url`` has no credentials in it. ``rtsp://…``: the bridge checks it against ``bridges.allow``, resolves its name once and
    connects to that address; ``sub_url`` is the camera's smaller stream. ``gb28181://<device>/<channel>`` is live,
    ``?from=&to=`` (Unix seconds) a recording on the device, which where it was not open yet begins ``at`` seconds later, and
    stands still there if it was ``paused``.
    ``layers`` are the streams that somebody takes: main, sub; likewise ``main/H264`` where somebody takes it who needs it so."""

    source: str
    url: str
    user: str = ""
    password: str = ""
    transport: str = "tcp"
    workers: list[str] = []
    sub_url: str = ""
    layers: tuple[str, ...] = ("main",)
    at: float = 0.0
    paused: bool = False


class Standing(Struct, frozen=True, omit_defaults=True):
    """Where a playback is: at ``as_of`` (UTC ns) it shows what lies ``at`` seconds after the beginning of what was asked for, and
    goes on at ``speed`` if it is ``playing``. ``paused``: somebody wants it to stand still. Told again as soon as whoever counts
    on from it would be wrong."""

    at: float
    as_of: int
    speed: float = 1.0
    playing: bool = False
    paused: bool = False


class SourceState(BaseMessage, frozen=True):
    """``state``: idle, connecting, live, failed (retrying). ``code`` is stable; ``text``/``text_zh`` are sentences for people.
    ``standing`` only recordings have."""

    source: str
    state: str
    code: str = ""
    text: str = ""
    text_zh: str = ""
    streams: list[SourceStream] = []
    standing: Standing | None = None


class BridgeSnapshot(BaseMessage, frozen=True):
    """Answer to the hub's Hello: all that the bridge was told to pull."""

    sources: list[SourceState]
