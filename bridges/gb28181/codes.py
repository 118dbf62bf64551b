"""Codes of devices, cameras, regions and groups (GB/T 28181-2022, appendix E). No I/O, no clock.

A device signs in with 20 digits; a catalogue also has regions of 2 to 8 digits, and codes that follow no rule at all.
"""

from __future__ import annotations

import re

_DEVICE = re.compile(r"[0-9]{20}")
_CODE = re.compile(r"[0-9A-Za-z_.-]{1,32}")
_REGIONS = (2, 4, 6, 8)
_CAMERAS = {131, 132, 138}  # 138: body cameras, vehicles, drones
_ENDS = {133, 134, 135, 136, 137, 139, 140, 141, 142, 143}  # monitors, alarm and sound inputs and outputs, barriers, doors
_DEVICES = range(111, 131)
_SYSTEMS = range(200, 300)
GROUP, VIRTUAL, SPEAKER = 215, 216, 137


def is_device(code: str) -> bool:
    """Whether a device or platform may sign in with it."""
    return _DEVICE.fullmatch(code) is not None


def is_code(code: str) -> bool:
    """Whether it may name an entry of a catalogue: whatever vendors write there, within bounds."""
    return _CODE.fullmatch(code) is not None


def type_of(code: str) -> int:
    """Digits 11 to 13 (table E.1); 0 for a code that has none."""
    return int(code[10:13]) if is_device(code) else 0


def domain(code: str) -> str:
    """The SIP domain of a platform: its centre code and industry."""
    return code[:10]


def kind(code: str) -> str:
    """As in ``messages.Channel``: camera, device, region, system, group, virtual, other. 20 digits with a type that the
    standard does not have are a camera: that is what vendors invent codes for."""
    if code.isdigit() and len(code) in _REGIONS:
        return "region"
    number = type_of(code)
    if number == GROUP:
        return "group"
    if number == VIRTUAL:
        return "virtual"
    if number in _SYSTEMS:
        return "system"
    if number in _DEVICES:
        return "device"
    if number in _ENDS or not number or number >= 300:
        return "other"
    return "camera"
