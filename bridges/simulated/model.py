"""What a simulated device has: channels, what each can do and has been told, and recordings. No I/O; times are Unix seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bridges.scene import View

HOUR = 3600
_RECORDED = 86_400 * 2  # seconds back
_TURN = 0.6  # of the whole way in a second, at full speed
_ZOOM = 1.0  # of magnification in a second, at full speed
ZOOM_LIMIT = 4.0


@dataclass(slots=True)
class Entry:
    """An entry of the catalogue. ``code`` has 20 digits, of a region 2 to 8. ``ptz`` is PTZType: 0 none, 1 dome, 3 fixed."""

    code: str
    name: str
    parent: str = ""
    group: str = ""
    region: str = ""
    ptz: int = 3
    online: bool = True
    longitude: float | None = None
    latitude: float | None = None
    address: str = ""
    alarms: bool = False

    @property
    def kind(self) -> str:
        return self.code[10:13] if len(self.code) == 20 else "region"

    @property
    def camera(self) -> bool:
        return self.kind in ("131", "132")


@dataclass(frozen=True, slots=True)
class Recording:
    start: int
    end: int
    kind: str  # time, alarm, manual

    @property
    def size(self) -> int:
        return (self.end - self.start) * 100_000


def recordings(start: int, end: int, now: int, kind: str = "all") -> Iterator[Recording]:
    """Files of an hour for the last two days, with ten minutes missing in every third one; of every fourth hour the
    minutes 20 to 25 are an alarm's."""
    start, end = max(start, now - _RECORDED), min(end, now)
    for hour in range(start // HOUR * HOUR, end, HOUR):
        number = hour // HOUR
        parts = [Recording(hour, hour + HOUR, "time")]
        if number % 3 == 0:
            parts = [Recording(hour, hour + 1800, "time"), Recording(hour + 2400, hour + HOUR, "time")]
        if number % 4 == 0:
            parts.append(Recording(hour + 1200, hour + 1500, "alarm"))
        for one in parts:
            first, last = max(one.start, now - _RECORDED), min(one.end, now)
            if one.kind in (kind, one.kind if kind in ("all", "") else "") and first < end and last > start and first < last:
                yield Recording(first, last, one.kind)


@dataclass(slots=True)
class Command:
    """What a channel was told, for tests: ``at`` monotonic, ``what`` the element's name, ``value`` what stood in it."""

    at: float
    channel: str
    what: str
    value: str


@dataclass(slots=True)
class Mount:
    """Where a movable camera looks. ``move`` sets speeds from -1 to 1 that go on until the next ``move``."""

    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 1.0
    speeds: tuple[float, float, float] = (0.0, 0.0, 0.0)
    since: float = 0.0
    presets: dict[int, tuple[str, View]] = field(default_factory=dict)
    home: int = 1

    def view(self, now: float) -> View:
        passed, self.since = max(0.0, now - self.since), now
        pan, tilt, zoom = self.speeds
        self.pan = _within(self.pan + pan * _TURN * passed, -1, 1)
        self.tilt = _within(self.tilt + tilt * _TURN * passed, -1, 1)
        self.zoom = _within(self.zoom + zoom * _ZOOM * passed, 1, ZOOM_LIMIT)
        return View(self.pan, self.tilt, self.zoom)

    def move(self, pan: float, tilt: float, zoom: float, now: float) -> None:
        self.view(now)
        self.speeds = (pan, tilt, zoom)

    def look(self, view: View, now: float) -> None:
        self.move(0, 0, 0, now)
        self.pan, self.tilt = _within(view.pan, -1, 1), _within(view.tilt, -1, 1)
        self.zoom = _within(view.zoom, 1, ZOOM_LIMIT)

    def keep(self, number: int, name: str, now: float) -> None:
        self.presets[number] = (name, self.view(now))

    def recall(self, number: int, now: float) -> None:
        if number in self.presets:
            self.look(self.presets[number][1], now)


def _within(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))


def speeds(data: bytes) -> tuple[float, float, float] | None:
    """pan (right), tilt (up), zoom (in) of the eight octets of PTZCmd (A.3.2); None when they move nothing."""
    command = data[3]
    if command & 0xC0:
        return None
    pan, tilt, zoom = data[4] / 255, data[5] / 255, (data[6] >> 4) / 15
    return (
        pan * (bool(command & 1) - bool(command & 2)),
        tilt * (bool(command & 8) - bool(command & 4)),
        zoom * (bool(command & 0x10) - bool(command & 0x20)),
    )


def ptz(text: str) -> bytes:
    """The eight octets of PTZCmd. ValueError when they are none or the sum is wrong."""
    data = bytes.fromhex(text.strip())
    if len(data) != 8 or data[0] != 0xA5 or sum(data[:7]) & 0xFF != data[7] or data[1] != 0x0F:
        raise ValueError("PTZCmd is not eight octets with a right sum.")
    return data
