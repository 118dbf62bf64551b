"""``PTZCmd``: eight octets as sixteen hexadecimal digits (GB/T 28181-2022, A.3). No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass

ADDRESS = 1  # nobody looks at it: DeviceID decides
STOP, FI_STOP = 0x00, 0x40
RIGHT, LEFT, DOWN, UP, ZOOM_IN, ZOOM_OUT = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
FOCUS_FAR, FOCUS_NEAR, IRIS_OPEN, IRIS_CLOSE = 0x41, 0x42, 0x44, 0x48
# verb: command, and which octet holds its number. Cruise and scan stop with STOP.
PRESETS = {"preset_set": 0x81, "preset_call": 0x82, "preset_delete": 0x83}
CRUISES = {
    "cruise_add": 0x84,
    "cruise_remove": 0x85,
    "cruise_speed": 0x86,
    "cruise_stay": 0x87,
    "cruise_start": 0x88,
}
SCANS = {"scan_start": (0x89, 0), "scan_left": (0x89, 1), "scan_right": (0x89, 2), "scan_speed": (0x8A, 0)}
SWITCHES = {"aux_on": 0x8C, "aux_off": 0x8D}


def command(code: int, first: int = 0, second: int = 0, third: int = 0, address: int = ADDRESS) -> str:
    """``third`` has four bits and stands above the address's upper four. ValueError for what does not fit."""
    if not (0 <= code <= 255 and 0 <= first <= 255 and 0 <= second <= 255 and 0 <= third <= 15 and 0 <= address < 4096):
        raise ValueError("A PTZ command has a value that does not fit.")
    data = bytes((0xA5, 0x0F, address & 0xFF, code, first, second, third << 4 | address >> 8))
    return (data + bytes((sum(data) & 0xFF,))).hex().upper()


def move(pan: float, tilt: float, zoom: float) -> str:
    """-1 … 1 each: right, up and in are positive. All 0 is stop, which also ends a cruise or scan."""
    code = (RIGHT if pan > 0 else LEFT if pan < 0 else 0) | (UP if tilt > 0 else DOWN if tilt < 0 else 0)
    code |= ZOOM_IN if zoom > 0 else ZOOM_OUT if zoom < 0 else 0
    return command(code, _speed(pan, 255), _speed(tilt, 255), _speed(zoom, 15))


def lens(focus: float, iris: float) -> str:
    """-1 … 1 each: far and open are positive. All 0 is stop."""
    code = FI_STOP | (FOCUS_FAR if focus > 0 else FOCUS_NEAR if focus < 0 else 0)
    code |= IRIS_OPEN if iris > 0 else IRIS_CLOSE if iris < 0 else 0
    return command(code, _speed(focus, 255), _speed(iris, 255))


def _speed(value: float, most: int) -> int:
    return max(1, round(min(1.0, abs(value)) * most)) if value else 0


def preset(verb: str, number: int) -> str:
    _within(number, 1, 255, "A preset")
    return command(PRESETS[verb], 0, number)


def cruise(verb: str, number: int, value: int = 0) -> str:
    """``value``: the preset of a point (0 removes the whole cruise), the speed or the seconds (12 bits)."""
    _within(number, 0, 255, "A cruise")
    _within(value, 0, 4095 if verb in ("cruise_speed", "cruise_stay") else 255, "A cruise's value")
    return command(CRUISES[verb], number, value & 0xFF, value >> 8)


def scan(verb: str, number: int, speed: int = 0) -> str:
    code, second = SCANS[verb]
    _within(number, 0, 255, "A scan")
    _within(speed, 0, 4095, "A scan's speed")
    return command(code, number, speed & 0xFF if verb == "scan_speed" else second, speed >> 8)


def switch(verb: str, number: int) -> str:
    """1 is the wiper."""
    _within(number, 0, 255, "A switch")
    return command(SWITCHES[verb], number)


def _within(value: int, least: int, most: int, what: str) -> None:
    if not least <= value <= most:
        raise ValueError(f"{what} is a number from {least} to {most}.")


@dataclass(frozen=True, slots=True)
class Command:
    code: int
    first: int
    second: int
    third: int


def parse(text: str) -> Command:
    """What a device is told; the other side of ``command``. ValueError when it is none."""
    try:
        data = bytes.fromhex(text.strip())
    except ValueError:
        data = b""
    if len(data) != 8 or data[0] != 0xA5 or sum(data[:7]) & 0xFF != data[7]:
        raise ValueError("A PTZ command is not eight octets with a right sum.")
    return Command(data[3], data[4], data[5], data[6] >> 4)
