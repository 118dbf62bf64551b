"""MANSCDP: the XML in SIP messages (GB/T 28181-2022, appendix A), read from what devices send and written as it should be.
No I/O, no clock.

What is to be written is a list of ``(name, value)``: a value is a text, or a list again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Union

from bridges.gb28181 import charset, xml
from bridges.gb28181.xml import Element, escape

CONTENT_TYPE = "Application/MANSCDP+xml"
SIZE_LIMIT = 128 << 10
SN_LIMIT = 1 << 32
_ROOTS = ("query", "control", "notify", "response")

Fields = Sequence[tuple[str, Union[str, "Fields"]]]


@dataclass(frozen=True, slots=True)
class Document:
    """``root`` is query, control, notify or response; ``command`` the CmdType as written; ``sn`` 0 when it said none."""

    root: str
    command: str
    sn: int
    device: str
    element: Element

    def get(self, name: str, default: str = "") -> str:
        return self.element.get(name, default)

    def items(self, name: str = "Item") -> list[Element]:
        return list(self.element.all(name))

    @property
    def ok(self) -> bool:
        """What ``Result`` says; those who say nothing agree."""
        return self.get("Result").strip().upper() not in ("ERROR", "FAIL", "FAILED", "FALSE")

    @property
    def total(self) -> int | None:
        return number(self.get("SumNum"))


def is_manscdp(content_type: str) -> bool:
    return content_type.endswith("manscdp+xml") or content_type in ("application/xml", "text/xml", "application/manscdp", "")


def parse(body: bytes) -> Document:
    """ValueError, one sentence, for what is none."""
    if len(body) > SIZE_LIMIT:
        raise ValueError("A MANSCDP document is longer than 128 KiB.")
    element = xml.parse(charset.decode(body))
    root = element.name.lower()
    if root not in _ROOTS:
        raise ValueError("A MANSCDP document is none of Query, Control, Notify and Response.")
    command = element.get("CmdType").strip()
    if not re.fullmatch(r"[A-Za-z0-9_]{1,64}", command):
        raise ValueError("A MANSCDP document has no readable CmdType.")
    sn = number(element.get("SN"))
    return Document(root, command, sn if sn is not None and sn < SN_LIMIT else 0, element.get("DeviceID").strip(), element)


def number(text: str) -> int | None:
    """A whole number that is not negative; None for an empty one or another thing."""
    found = re.fullmatch(r"\s*\+?([0-9]{1,18})(?:\.0*)?\s*", text[:64])
    return int(found[1]) if found else None


def decimal(text: str) -> float | None:
    found = re.fullmatch(r"\s*([+-]?[0-9]{1,12}(?:\.[0-9]{0,18})?)\s*", text[:64])
    return float(found[1]) if found else None


def write(root: str, command: str, sn: int, device: str, fields: Fields = (), *, version: str = "") -> bytes:
    """``device`` "" leaves DeviceID out. ``version`` is the receiver's: it decides what the charset is called."""
    head: list[tuple[str, str | Fields]] = [("CmdType", command), ("SN", str(sn))]
    if device:
        head.append(("DeviceID", device))
    lines = [f'<?xml version="1.0" encoding="{charset.name(version)}"?>', f"<{root}>"]
    _lines([*head, *fields], lines)
    lines.append(f"</{root}>")
    return charset.encode("\r\n".join([*lines, ""]))


def _lines(fields: Iterable[tuple[str, str | Fields]], lines: list[str]) -> None:
    for name, value in fields:
        if isinstance(value, str):
            lines.append(f"<{name}>{escape(value)}</{name.partition(' ')[0]}>")
        else:
            lines.append(f"<{name}>")
            _lines(value, lines)
            lines.append(f"</{name.partition(' ')[0]}>")


def flat(element: Element, leave: Iterable[str] = (), limit: int = 64) -> dict[str, str]:
    """Its children's texts by their names, those deeper as ``Outer.Inner``; no more than ``limit``, none longer than 1024."""
    left, found = {name.lower() for name in leave}, dict[str, str]()
    waiting = [("", one) for one in reversed(element.children)]
    while waiting and len(found) < limit:
        prefix, one = waiting.pop()
        if one.name.lower() in left:
            continue
        if one.children:
            waiting.extend((f"{prefix}{one.name[:64]}.", child) for child in reversed(one.children))
        else:
            found.setdefault(f"{prefix}{one.name[:64]}", one.text[:1024])
    return found
