"""What can be done to a camera besides moving it by hand: each act with its right and its values. No I/O, no clock.

The acts and their values are those of :class:`~commhub.media.messages.Control`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Verb:
    """``right`` is a permission; ``moves``: the camera turns, so whoever does it must have it. ``values`` are names with the
    lowest and highest number, those in ``needs`` must be there; ``text`` may be given besides."""

    right: Literal["camera.move", "camera.control"]
    moves: bool
    values: Mapping[str, tuple[float, float]]
    needs: frozenset[str] = frozenset()
    text: tuple[str, ...] = ()


NUMBER = (0, 255)
PRESET = (1, 255)
SECONDS = (0, 4095)
PIXELS = (0, 16384)
_DRAG = dict.fromkeys(("length", "width", "x", "y", "length_x", "length_y"), PIXELS)


def _acts(right: Literal["camera.move", "camera.control"], moves: bool, **values: tuple[float, float]) -> Verb:
    return Verb(right, moves, values, frozenset(values))


VERBS: dict[str, Verb] = {
    "preset_call": _acts("camera.move", True, number=PRESET),
    "preset_set": Verb("camera.control", False, {"number": PRESET}, frozenset({"number"}), ("name",)),
    "preset_delete": _acts("camera.control", False, number=PRESET),
    "cruise_add": _acts("camera.control", False, number=NUMBER, preset=PRESET),
    "cruise_remove": _acts("camera.control", False, number=NUMBER, preset=NUMBER),
    "cruise_speed": _acts("camera.control", False, number=NUMBER, preset=NUMBER, speed=SECONDS),
    "cruise_stay": _acts("camera.control", False, number=NUMBER, preset=NUMBER, seconds=SECONDS),
    "cruise_start": _acts("camera.move", True, number=NUMBER),
    "cruise_stop": Verb("camera.move", True, {"number": NUMBER}),
    "scan_start": _acts("camera.move", True, number=NUMBER),
    "scan_left": _acts("camera.control", False, number=NUMBER),
    "scan_right": _acts("camera.control", False, number=NUMBER),
    "scan_speed": _acts("camera.control", False, number=NUMBER, speed=SECONDS),
    "scan_stop": Verb("camera.move", True, {"number": NUMBER}),
    "aux_on": _acts("camera.control", False, number=NUMBER),
    "aux_off": _acts("camera.control", False, number=NUMBER),
    "home": Verb("camera.move", True, {"enabled": (0, 1), "preset": PRESET, "seconds": (0, 86400)}, frozenset({"enabled"})),
    "zoom_to": Verb("camera.move", True, _DRAG, frozenset(_DRAG)),
    "zoom_from": Verb("camera.move", True, _DRAG, frozenset(_DRAG)),
    "precise": _acts("camera.move", True, pan=(0, 360), tilt=(-90, 90), zoom=(0, 1000)),
    "record_start": Verb("camera.control", False, {"stream": (0, 9)}),
    "record_stop": Verb("camera.control", False, {"stream": (0, 9)}),
    "guard_on": Verb("camera.control", False, {}),
    "guard_off": Verb("camera.control", False, {}),
    "alarm_reset": Verb("camera.control", False, {"method": (0, 7), "kind": (0, 99)}),
    "reboot": Verb("camera.control", False, {}),
    "key_frame": Verb("camera.control", False, {}),
}
TEXT_LIMIT = 60


def checked(verb: str, values: Mapping[str, str]) -> dict[str, str]:
    """The values as a device takes them. ValueError with a sentence."""
    known = VERBS.get(verb)
    if known is None:
        raise ValueError(f"There is no act {verb[:40]!r}.")
    if unknown := sorted(set(values) - set(known.values) - set(known.text)):
        raise ValueError(f"{verb} takes no {unknown[0][:40]!r}.")
    if missing := sorted(known.needs - set(values)):
        raise ValueError(f"{verb} needs {missing[0]!r}.")
    return {name: _text(name, value) if name in known.text else _number(name, value, known) for name, value in values.items()}


def _number(name: str, value: str, verb: Verb) -> str:
    low, high = verb.values[name]
    try:
        number = float(value[:20])
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise ValueError(f"{name!r} must be a number from {low:g} to {high:g}.")
    return str(int(number)) if number.is_integer() else f"{number:.4f}"


def _text(name: str, value: str) -> str:
    text = " ".join(value.split())
    if len(text) > TEXT_LIMIT or not text.isprintable():
        raise ValueError(f"{name!r} must be at most {TEXT_LIMIT} printable characters.")
    return text
