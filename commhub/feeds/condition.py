"""How a camera is, for people."""

from __future__ import annotations

from dataclasses import dataclass

STATES = ("idle", "connecting", "live", "failed")


@dataclass(frozen=True, slots=True)
class Condition:
    """``text`` and ``text_zh`` say why, when it is not as it should be."""

    state: str = "idle"
    code: str = ""
    text: str = ""
    text_zh: str = ""


BRIDGE_GONE = Condition(
    "connecting", "bridge_down", "The process that opens cameras is being restarted.", "摄像机接入进程正在重启。"
)
