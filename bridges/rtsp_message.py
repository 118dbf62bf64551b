"""RTSP 1.0 on the wire (RFC 2326): messages and interleaved packets (section 10.12). No I/O, no clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

HEADER_LIMIT = 16 << 10
BODY_LIMIT = 256 << 10
RESYNC_LIMIT = 128 << 10  # bytes thrown away in a row of trouble before the connection is given up
_RESYNC_PACKET = 2_048  # while out of step only packets of an ordinary size are believed
_CALM = 64  # good packets after which old trouble is forgotten

_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"RTSP/\d\.\d +(\d{3})(?: +(.*))?")
_REQUEST = re.compile(r"([A-Z][A-Z_]{1,31}) +(\S{1,2048}) +RTSP/\d\.\d *")
# Only known methods: between packets, two capitals and a space are chance.
_METHODS = rb"OPTIONS|DESCRIBE|ANNOUNCE|SETUP|PLAY|PAUSE|TEARDOWN|GET_PARAMETER|SET_PARAMETER|REDIRECT|RECORD"
_START = re.compile(rb"RTSP/\d\.\d +\d{3}|(?:" + _METHODS + rb") +[A-Za-z*/]")
_START_SIZE = 40


@dataclass(frozen=True, slots=True)
class Reply:
    """A response; header names are lower case, in order of arrival where one comes twice."""

    status: int
    reason: str
    headers: Mapping[str, list[str]] = field(default_factory=dict)
    body: bytes = b""

    def get(self, name: str) -> str:
        values = self.headers.get(name, [])
        return values[0] if values else ""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, list[str]] = field(default_factory=dict)
    body: bytes = b""

    def get(self, name: str) -> str:
        values = self.headers.get(name, [])
        return values[0] if values else ""


class Packet(NamedTuple):
    """Binary data of an interleaved channel: RTP or RTCP."""

    channel: int
    data: bytes


Event = Reply | Request | Packet


def build_request(method: str, url: str, headers: Mapping[str, object], body: bytes = b"") -> bytes:
    return _build(f"{method} {url} RTSP/1.0", headers, body)


def build_reply(status: int, reason: str, headers: Mapping[str, object], body: bytes = b"") -> bytes:
    return _build(f"RTSP/1.0 {status} {reason}", headers, body)


def _build(start: str, headers: Mapping[str, object], body: bytes) -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("An RTSP header may not contain a line break.")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


class Parser:
    """``receive`` turns bytes into messages and packets. ValueError (one sentence) when the peer cannot be understood.

    ``channels`` are the interleaved channels in use: data on any other is not believed. A stream that is out of step (a
    camera that drops half a packet under load does that) is found again at the next packet or reply that looks right;
    ``torn`` counts how often.
    """

    def __init__(self) -> None:
        self.channels: set[int] = set()
        self.torn = 0
        self.skipped = 0
        self._buffer = bytearray()
        self._searched = 0  # how far the end of a header has been looked for
        self._lost = False
        self._begun = False
        self._budget = RESYNC_LIMIT
        self._good = 0

    @property
    def pending(self) -> int:
        """Bytes of something that is not complete yet."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[Event]:
        buffer = self._buffer
        events: list[Event] = []
        if self._begun and not self._lost:
            if buffer:
                data = bytes(buffer) + data
                buffer.clear()
            at = self._follow(data, events)
            self._searched = max(0, self._searched - at)
            data = data[at:]
        buffer += data
        if not self._begun and len(buffer) >= 5:
            self._begun = True
            if buffer.startswith(b"HTTP/"):
                raise ValueError("The other side speaks HTTP, not RTSP.")
        at, end = 0, len(buffer)
        while at < end:
            first = buffer[at]
            if first == 0x24:  # "$"
                if at + 4 > end:
                    break
                size = buffer[at + 2] << 8 | buffer[at + 3]
                if not self._believable(at, end, size):
                    at = self._skip(at, end)
                    continue
                if at + 4 + size > end:
                    break
                if size:
                    events.append(Packet(buffer[at + 1], bytes(buffer[at + 4 : at + 4 + size])))
                at += 4 + size
                self._calm()
                continue
            if first in b"\r\n\0":
                at += 1
                continue
            if not self._starts_message(at, end):
                if _may_start(buffer, at, end):
                    break
                at = self._skip(at, end)
                continue
            used = self._message(at, events)
            if not used:
                break
            at += used
        del buffer[:at]
        self._searched = max(0, self._searched - at)
        return events

    def _follow(self, data: bytes, events: list[Event]) -> int:
        """Takes packets as long as each is what nearly all are: whole, of a channel in use. Returns where something else is."""
        at, size, channels = 0, len(data), self.channels
        while at + 4 < size:
            channel = data[at + 1]
            end = at + 4 + (data[at + 2] << 8 | data[at + 3])
            if data[at] != 0x24 or channel not in channels or end > size or data[at + 4] >> 6 != 2 or end == at + 4:
                break
            events.append(Packet(channel, data[at + 4 : end]))
            at = end
        if events:
            self._good += len(events)
            if self._good >= _CALM:
                self._budget = RESYNC_LIMIT
        return at

    def _believable(self, at: int, end: int, size: int) -> bool:
        buffer = self._buffer
        if buffer[at + 1] not in self.channels:
            return False
        if size and at + 4 < end and buffer[at + 4] >> 6 != 2:  # RTP and RTCP are version 2
            return False
        if not self._lost:
            return True
        following = at + 4 + size
        if not 8 <= size <= _RESYNC_PACKET:
            return False
        return following >= end or buffer[following] in b"$R\r\n"

    def _calm(self) -> None:
        self._lost = False
        self._good += 1
        if self._good >= _CALM:
            self._budget = RESYNC_LIMIT

    def _skip(self, at: int, end: int) -> int:
        """Step to the next byte at which something may begin."""
        if not self._lost:
            self._lost = True
            self.torn += 1
        self._good = 0
        candidates = [place for place in (self._buffer.find(b"$", at + 1), self._buffer.find(b"RTSP/", at + 1)) if place > 0]
        following = min(candidates, default=end)
        self.skipped += following - at
        self._budget -= following - at
        if self._budget < 0:
            raise ValueError("The stream between the packets is torn and could not be found again.")
        return following

    def _starts_message(self, at: int, end: int) -> bool:
        return _START.match(self._buffer, at, min(end, at + _START_SIZE)) is not None

    def _message(self, at: int, events: list[Event]) -> int:
        """Bytes used by the message at ``at``; 0 when it is not complete."""
        buffer = self._buffer
        found = _END.search(buffer, max(at, self._searched - 4))
        if found is None:
            self._searched = len(buffer)
            if len(buffer) - at > HEADER_LIMIT:
                raise ValueError("An RTSP header is longer than 16 KiB.")
            return 0
        if found.start() - at > HEADER_LIMIT:
            raise ValueError("An RTSP header is longer than 16 KiB.")
        start, headers = _parse_head(bytes(buffer[at : found.start()]).decode("latin-1"))
        size = _content_length(headers)
        total = found.end() - at + size
        if at + total > len(buffer):
            return 0
        body = bytes(buffer[found.end() : found.end() + size])
        self._searched = at + total
        if match := _STATUS.fullmatch(start):
            events.append(Reply(int(match[1]), (match[2] or "").strip(), headers, body))
        elif match := _REQUEST.fullmatch(start):
            events.append(Request(match[1], match[2], headers, body))
        else:
            raise ValueError("An RTSP message has no readable first line.")
        self._lost = False
        return total


def _may_start(buffer: bytearray, at: int, end: int) -> bool:
    """Whether too little of a first line is there to judge it."""
    return end - at < _START_SIZE and b"\n" not in buffer[at:end] and chr(buffer[at]).isupper() and buffer[at:end].isascii()


def _parse_head(head: str) -> tuple[str, dict[str, list[str]]]:
    lines = head.replace("\r\n", "\n").split("\n")
    headers: dict[str, list[str]] = {}
    last = ""
    for line in lines[1:]:
        if line[:1] in (" ", "\t") and last:  # folded
            headers[last][-1] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        if colon:  # cameras write lines without one; nothing is lost by passing them over
            last = name.strip().lower()
            headers.setdefault(last, []).append(value.strip())
    return lines[0].strip(), headers


def _content_length(headers: dict[str, list[str]]) -> int:
    values = set(headers.get("content-length", []))
    if not values:
        return 0
    text = values.pop()
    if values:
        raise ValueError("An RTSP message has two different Content-Lengths.")
    if not (text.isascii() and text.isdigit()):
        raise ValueError("An RTSP message has a Content-Length that is not a number.")
    if len(text) > 9 or int(text) > BODY_LIMIT:
        raise ValueError("An RTSP body is longer than 256 KiB.")
    return int(text)
