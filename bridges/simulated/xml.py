"""MANSCDP as devices write it (GB/T 28181-2022 §9, A.2): bodies of MESSAGE and NOTIFY, and what a query says. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape, unescape

Value = str | int | float | None


def tag(name: str, value: Value) -> str:
    """ "" for None."""
    return "" if value is None else f"<{name}>{escape(str(value))}</{name}>\r\n"


def tags(values: dict[str, Value]) -> str:
    return "".join(tag(name, value) for name, value in values.items())


def listed(name: str, items: Iterable[str], item: str = "Item") -> str:
    """``<DeviceList Num="2"><Item>…``; ``items`` are the insides."""
    found = [f"<{item}>\r\n{one}</{item}>\r\n" for one in items]
    return f'<{name} Num="{len(found)}">\r\n{"".join(found)}</{name}>\r\n'


def document(
    root: str, command: str, number: str, inside: str, quirks: frozenset[str] = frozenset(), version: str = "3.0"
) -> bytes:
    """``inside`` follows CmdType and SN, with DeviceID first where there is one."""
    charset = "GB18030" if version >= "3.0" else "GB2312"
    written = "gb18030"
    if "gb2312-lies" in quirks:
        charset, written = "GB2312", "utf-8"
    elif "gbk-lies" in quirks:
        charset = "UTF-8"
    head = "" if "no-declaration" in quirks else f'<?xml version="1.0" encoding="{charset}"?>\r\n'
    if "attributes" in quirks:
        opened = f'<{root} CmdType="{command}" SN="{number}">\r\n'
    else:
        opened = f"<{root}>\r\n{tag('CmdType', command)}{tag('SN', number)}"
    if "bare-ampersand" in quirks:
        inside = inside.replace("</Name>", " A&B</Name>").replace("</DeviceName>", " A&B</DeviceName>")
    text = f"{head}{opened}{inside}</{root}>\r\n"
    if "double-close" in quirks:
        text += f"</{root}>\r\n"
    return text.encode(written, "replace") + (b"\0\0" if "nul-end" in quirks else b"")


def decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("gb18030", "replace")


def root(text: str) -> str:
    """Query, Control, Notify or Response; "" when it is none."""
    found = re.search(r"<(Query|Control|Notify|Response)\b", text)
    return found[1] if found else ""


def said(text: str, name: str, default: str = "") -> str:
    """The first element of that name, or the root's attribute."""
    found = re.search(rf"<{name}\s*>([^<]*)</{name}\s*>", text) or re.search(rf'\b{name}="([^"]*)"', text)
    return unescape(found[1].strip()) if found else default
