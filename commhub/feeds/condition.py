"""How a camera is, for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from commhub.feeds.taken import SUB
from commhub.media.messages import SourceStream

STATES = ("idle", "connecting", "live", "failed")


@dataclass(frozen=True, slots=True)
class Condition:
    """``text`` and ``text_zh`` say why, when it is not as it should be. ``codec``: in which its pictures come."""

    state: str = "idle"
    code: str = ""
    text: str = ""
    text_zh: str = ""
    codec: str = ""


_CODECS = {"video/h264": "H.264", "video/h265": "H.265"}


def codec_of(streams: Iterable[SourceStream]) -> str:
    """Of the larger picture, as people call it."""
    pictures = [one for one in streams if one.kind == "video" and not one.made]
    best = min(pictures, key=lambda one: one.layer == SUB, default=None)
    return _CODECS.get(best.codec.mime.lower(), "") if best is not None else ""


BRIDGE_GONE = Condition(
    "connecting", "bridge_down", "The process that opens cameras is being restarted.", "摄像机接入进程正在重启。"
)
