"""Where the entries of a JSON import are, found without building anything: a file costs no more than its octets.

A decoder that is given 64 MB of ``[],[],[],…`` makes twenty million objects before anybody can count them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from commhub.errors import Invalid

DEPTH: Final = 8  # of what is inside an entry, itself included
LONGEST: Final = 64 << 10  # octets of an entry
NAME: Final = 64  # octets of a list's name
# Possessive: nothing is remembered for a way back, so a string of any length is one step.
_TOKEN = re.compile(rb'[ \t\r\n]*+("[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},:]|[^ \t\r\n"\[\]{},:]++)', re.DOTALL)
_END = re.compile(rb"[ \t\r\n]*+\Z")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.begins = data, 0, 0

    def token(self, *wanted: bytes) -> bytes:
        """The next one; of a string or number its first octet. ``wanted``: else it is nothing of the kind."""
        found = _TOKEN.match(self.data, self.at)
        if found is None:
            raise _nothing()
        self.begins, self.at = found.start(1), found.end()
        first = self.data[self.begins : self.begins + 1]
        if wanted and first not in wanted:
            raise _nothing()
        return first

    def name(self) -> str:
        """Of the string that was just read."""
        if self.at - self.begins > NAME:
            raise _nothing()
        try:
            return msgspec.json.decode(self.data[self.begins : self.at], type=str)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise _nothing() from None

    def skip(self, first: bytes) -> None:
        """To the end of the value that begins with ``first``."""
        begins, depth = self.begins, 0
        while True:
            if first in (b"{", b"["):
                depth += 1
                if depth > DEPTH:
                    text, zh = f"An entry has at most {DEPTH} levels.", f"条目嵌套最多 {DEPTH} 层。"
                    raise Invalid(text, zh, code="too_deep")
            elif first in (b"}", b"]"):
                depth -= 1
            if self.at - begins > LONGEST:
                text, zh = f"An entry has at most {LONGEST} octets.", f"每个条目最大 {LONGEST} 字节。"
                raise Invalid(text, zh, code="entry_too_long", status=413)
            if depth == 0:
                return
            first = self.token()


def find(data: bytes) -> Iterator[tuple[str, int, int]]:
    """The list's name, where the entry begins and where it ends, in order; of an empty list one of no length. Invalid: it is no
    JSON object of lists, or an entry is too deep or too long. What an entry is must still be looked at."""
    reader = _Reader(data)
    reader.token(b"{")
    if reader.token(b'"', b"}") == b'"':
        while True:
            name = reader.name()
            reader.token(b":")
            reader.token(b"[")
            yield from _entries(reader, name)
            if reader.token(b",", b"}") == b"}":
                break
            reader.token(b'"')
    if _END.match(data, reader.at) is None:
        raise _nothing()


def _entries(reader: _Reader, name: str) -> Iterator[tuple[str, int, int]]:
    if (first := reader.token()) == b"]":
        yield name, reader.at, reader.at
        return
    while True:
        if first in (b"]", b"}", b",", b":"):
            raise _nothing()
        begins = reader.begins
        reader.skip(first)
        yield name, begins, reader.at
        if reader.token(b",", b"]") == b"]":
            return
        first = reader.token()


def _nothing() -> Invalid:
    names = "organisations, places, seats, people, endpoints"
    text, zh = f"This must be a JSON object of lists: {names}.", f"须为由列表组成的 JSON 对象：{names}。"
    return Invalid(text, zh, code="not_json")
