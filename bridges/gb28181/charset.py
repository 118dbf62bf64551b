"""What devices call their charset, and what it is. No I/O, no clock.

GB/T 28181-2016 says GB2312, 2022 says GB18030; devices send either of them, or UTF-8, whatever they declare.
"""

from __future__ import annotations

import re

from bridges.gb28181 import versions

_FOREIGN = re.compile("[\x80-\u2e7f]")  # above these is what a device in this country would send
_BEYOND = re.compile("[^\x00-\x7f]")
_CONTROL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127))


def decode(data: bytes) -> str:
    """Text without NULs and control characters. Never fails: what no charset explains becomes U+FFFD."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", "replace")
    elif data.isascii():
        text = data.decode("ascii")
    else:
        text = _guessed(data)
    return text.translate(_CONTROL)


def _guessed(data: bytes) -> str:
    """Between UTF-8 and GB18030 the one with fewer faults; where both fit, the one whose words are of this country."""
    utf8, gb = data.decode("utf-8", "replace"), data.decode("gb18030", "replace")
    faults = utf8.count("\ufffd"), gb.count("\ufffd")
    if faults[0] != faults[1]:
        return utf8 if faults[0] < faults[1] and _plausible(faults[0], utf8) else gb
    return utf8 if len(_FOREIGN.findall(utf8)) <= len(_FOREIGN.findall(gb)) else gb


def _plausible(faults: int, text: str) -> bool:
    """A few broken octets do not make UTF-8 something else; many do."""
    return faults * 4 <= len(_BEYOND.findall(text))


def name(version: str) -> str:
    """What we declare to a device of that version (``X-GB-ver``)."""
    return "GB18030" if versions.number(version) >= versions.V2022 else "GB2312"


def encode(text: str) -> bytes:
    """GB18030, of which GB2312 is a part."""
    return text.encode("gb18030", "replace")
