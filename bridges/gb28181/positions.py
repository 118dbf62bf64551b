"""Where something is: WGS-84, or GCJ-02, which many vendors send instead. No I/O, no clock."""

from __future__ import annotations

import math

_A, _E2 = 6378245.0, 0.00669342162296594323  # Krasovsky 1940, on which GCJ-02 stands


def place(longitude: float | None, latitude: float | None, *, gcj02: bool = False) -> tuple[float, float] | None:
    """WGS-84 longitude and latitude in degrees; None for what is no place, as 0, 0 of those who do not know theirs."""
    if longitude is None or latitude is None or (longitude == 0 and latitude == 0):
        return None
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        return None
    return from_gcj02(longitude, latitude) if gcj02 else (longitude, latitude)


def from_gcj02(longitude: float, latitude: float) -> tuple[float, float]:
    """To some centimetres: the distortion has no closed inverse, so it is approached."""
    if not _distorted(longitude, latitude):
        return longitude, latitude
    x, y = longitude, latitude
    for _ in range(4):
        shifted = to_gcj02(x, y)
        x, y = x + longitude - shifted[0], y + latitude - shifted[1]
    return round(x, 7), round(y, 7)


def to_gcj02(longitude: float, latitude: float) -> tuple[float, float]:
    if not _distorted(longitude, latitude):
        return longitude, latitude
    x, y = longitude - 105.0, latitude - 35.0
    north, east = _north(x, y), _east(x, y)
    angle = math.radians(latitude)
    bulge = 1 - _E2 * math.sin(angle) ** 2
    north = math.degrees(north * bulge * math.sqrt(bulge) / (_A * (1 - _E2)))
    east = math.degrees(east * math.sqrt(bulge) / (_A * math.cos(angle)))
    return longitude + east, latitude + north


def _distorted(longitude: float, latitude: float) -> bool:
    return 72.004 <= longitude <= 137.8347 and 0.8293 <= latitude <= 55.8271


def _wave(at: float, *terms: tuple[float, float]) -> float:
    return sum(size * math.sin(at * turns * math.pi) for size, turns in terms) * 2 / 3


def _north(x: float, y: float) -> float:
    made = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    return made + _wave(x, (20, 6), (20, 2)) + _wave(y, (20, 1), (40, 1 / 3)) + _wave(y, (160, 1 / 12), (320, 1 / 30))


def _east(x: float, y: float) -> float:
    made = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    return made + _wave(x, (20, 6), (20, 2)) + _wave(x, (20, 1), (40, 1 / 3)) + _wave(x, (150, 1 / 12), (300, 1 / 30))
