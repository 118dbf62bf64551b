"""What a code of a catalogue says about itself (GB/T 28181-2022, appendix E), for entries that others name as their parents."""

from __future__ import annotations

import re

DEVICE = re.compile(r"[0-9]{20}")
CHANNEL = re.compile(r"[0-9A-Za-z_.-]{1,40}")
NODE_KINDS = ("device", "region", "system", "group", "virtual")


def clean(text: str, limit: int) -> str:
    """What a device says, fit to be stored and shown: in one line, without signs that nobody can see."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text[:limit]).split())


def bounded(number: int) -> int:
    """A number of the standard's tables; one that no table has is 0."""
    return number if 0 <= number < 10_000 else 0


def kind_of(code: str) -> str:
    """camera, device, region, system, group, virtual, or other: what cannot stand above cameras."""
    if code.isascii() and code.isdigit() and len(code) in (2, 4, 6, 8):
        return "region"
    if DEVICE.fullmatch(code) is None:
        return "other"
    number = int(code[10:13])
    if number in (131, 132, 138):
        return "camera"
    if number in (215, 216):
        return "group" if number == 215 else "virtual"
    if 200 <= number < 300:
        return "system"
    return "device" if 111 <= number <= 130 else "other"


def root_kind(code: str) -> str:
    """Of the device itself: a platform brings a tree, a camera stands by itself."""
    kind = kind_of(code)
    return {"system": "platform", "camera": "camera"}.get(kind, "device")


def named(code: str) -> str:
    """What to call it while nobody has said its name."""
    return f"行政区 {code}" if kind_of(code) == "region" else code
