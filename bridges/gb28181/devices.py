"""What is known of each admitted device: how it is reached, whether it lives, what it says of itself. No I/O, no clock."""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field

import msgspec

from bridges.sip.transaction import Flow
from commhub.media.messages import DeviceState, Terms

HEARTBEAT = 60.0  # seconds, until it is learned
MISSES = 3
LEAST, MOST = 1.0, 600.0
OCTETS_PER_SECOND, OCTETS_BURST = 2 << 20, 32 << 20
GAPS = 9  # of which the median is taken


class Heartbeat:
    """The interval in which a device says that it lives: what it does, not what it was told to."""

    def __init__(self) -> None:
        self.seconds = HEARTBEAT
        self._last: float | None = None
        self._gaps: deque[float] = deque(maxlen=GAPS)

    def beat(self, now: float) -> None:
        if self._last is not None:
            gap = now - self._last
            if gap < LEAST / 4:
                return  # the same one by another way
            if gap < self.seconds * (MISSES + 1) or len(self._gaps) < 2:
                self._gaps.append(min(max(gap, LEAST), MOST))
        self._last = now
        if len(self._gaps) >= 2:
            self.seconds = statistics.median(self._gaps)

    def pause(self) -> None:
        """It was away: the gap says nothing."""
        self._last = None


class Budget:
    """Octets of documents that a device may have read. A large catalogue fits in at once; who goes on like that has to wait."""

    def __init__(self) -> None:
        self._left, self._at = float(OCTETS_BURST), 0.0

    def take(self, octets: int, now: float) -> bool:
        self._left = min(float(OCTETS_BURST), self._left + max(0.0, now - self._at) * OCTETS_PER_SECOND)
        self._at = now
        if octets > self._left:
            return False
        self._left -= octets
        return True


@dataclass(slots=True)
class Device:
    terms: Terms
    flow: Flow | None = None
    host: str = ""  # where it registered from
    call_id: str = ""
    registered: bool = False
    registered_at: float = 0.0
    expires: float = 0.0
    online: bool = False
    since: int = 0
    heard_at: float = 0.0
    watched_until: float = float("inf")  # when its clock rings
    heart: Heartbeat = field(default_factory=Heartbeat)
    told_heartbeat: float = 0.0
    budget: Budget = field(default_factory=Budget)
    version: str = ""
    agent: str = ""
    name: str = ""
    manufacturer: str = ""
    model: str = ""
    firmware: str = ""
    faulty: tuple[str, ...] = ()  # what of it does not work, as it says
    code: str = "never_seen"
    text: str = "It has not registered yet."
    text_zh: str = "设备尚未注册。"

    @property
    def device(self) -> str:
        return self.terms.device

    @property
    def silent_at(self) -> float:
        """When it is offline for want of signs of life, a second of grace included."""
        return self.heard_at + MISSES * self.heart.seconds + 1.0

    @property
    def ends_at(self) -> float:
        return self.registered_at + self.expires

    @property
    def beats_otherwise(self) -> bool:
        """Than the hub knows, by more than a fifth."""
        return abs(self.heart.seconds - self.told_heartbeat) > 0.2 * self.told_heartbeat

    def state(self) -> DeviceState:
        flow = self.flow
        return DeviceState(
            device=self.device,
            online=self.online,
            since=self.since,
            address=_shown(flow.host, flow.port) if flow else "",
            transport=flow.transport if flow else "",
            version=self.version,
            heartbeat=round(self.heart.seconds, 1),
            name=self.name,
            manufacturer=self.manufacturer,
            model=self.model,
            firmware=self.firmware,
            faulty=list(self.faulty) if self.online else [],
            code="" if self.online else self.code,
            text="" if self.online else self.text,
            text_zh="" if self.online else self.text_zh,
        )


class Entry(msgspec.Struct, frozen=True):
    """Of a device that came by UDP. ``ends`` and ``heard`` are Unix seconds."""

    device: str
    host: str
    port: int
    call_id: str
    ends: float
    heard: float
    heartbeat: float
    version: str = ""
    agent: str = ""
    name: str = ""
    manufacturer: str = ""
    model: str = ""
    firmware: str = ""


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# code: (English, Chinese). Why a device is not online.
REASONS = {
    "never_seen": ("It has not registered yet.", "设备尚未注册。"),
    "wrong_password": ("It registers with a wrong password.", "设备注册密码错误。"),
    "wrong_algorithm": (
        "It proves its password with another digest algorithm than the one set for it.",
        "设备使用的摘要算法与平台为其设置的不一致。",
    ),
    "silent": ("It missed three heartbeats in a row.", "设备连续三次心跳缺失。"),
    "expired": ("Its registration ran out and was not renewed.", "设备注册已过期，未续期。"),
    "signed_out": ("It has signed out.", "设备已主动注销。"),
    "disconnected": ("Its TCP connection broke.", "设备的 TCP 连接已断开。"),
    "changed": ("Its password was changed; it has to register anew.", "设备密码已更改，需要重新注册。"),
    "moved": ("It was sent to another server.", "设备已被重定向到其他服务器。"),
}
