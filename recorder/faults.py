"""What can be wrong with a recording, as :mod:`recorder.verify` names it. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

#: Kind → in Chinese, in English.
KINDS: Final = {
    "edited": ("被改动", "was edited"),
    "dropped": ("被删除", "was taken out"),
    "reordered": ("被调换位置", "stands at another place"),
    "truncated": ("被截断", "was cut off"),
    "added": ("是外加的", "was added"),
    "replaced": ("被替换", "was replaced"),
    "unsigned": ("没有签名", "is not signed"),
    "unknown_key": ("由不受信任的密钥签名", "is signed by a key that is not trusted"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """``file`` within the session's folder; ``second`` on the session's clock, of the first wrong byte; ``kind`` is one of
    :data:`KINDS`, ``detail`` what more is known, for people."""

    kind: str
    file: str
    second: float
    detail: str = ""

    @property
    def text(self) -> str:
        return f"{self.file}: {KINDS[self.kind][1]}, from second {self.second:.1f} on" + (
            f" ({self.detail})" if self.detail else ""
        )

    @property
    def text_zh(self) -> str:
        return f"{self.file}：自第 {self.second:.1f} 秒起{KINDS[self.kind][0]}" + (f"（{self.detail}）" if self.detail else "")


@dataclass(slots=True)
class Verdict:
    """``until``: the second up to which the journal is signed; ``running``: it is still being recorded, so there is no end yet;
    ``keys``: ids of those that signed. Without ``faults`` everything up to ``until`` is what was recorded."""

    session: str = ""
    title: str = ""
    started_at: int = 0  # UTC ns
    until: float = 0.0
    running: bool = False
    checkpoints: int = 0
    files: int = 0
    bytes: int = 0
    keys: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
