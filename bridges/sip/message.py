"""SIP messages on the wire (RFC 3261 §7): understands what devices send, sends what the standard says. No I/O, no clock.

Sizes are looked at before anything is parsed. Header values and bodies keep their octets: values are decoded with
``surrogateescape``,
bodies stay bytes. ``Content-Length`` is a matter of framing: it is never among the headers, ``serialize`` writes it anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar, cast

from bridges.sip.fields import TOKEN, Address, CSeq, Via, split

DATAGRAM_LIMIT = 65_535
HEAD_LIMIT = 32 << 10
HEADERS_LIMIT = 128
HEADER_LIMIT = 8 << 10
BODY_LIMIT = 256 << 10

_COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition", "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID", "j": "Reject-Contact", "k": "Supported", "l": "Content-Length", "m": "Contact", "o": "Event", "r": "Refer-To",
    "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires", "y": "Identity",
}  # fmt: skip
_KNOWN = (
    "Accept", "Allow", "Authorization", "Call-ID", "Contact", "Content-Length", "Content-Type", "CSeq", "Date", "Event",
    "Expires", "From",
    "Max-Forwards", "Min-Expires", "Proxy-Authenticate", "Proxy-Authorization", "RAck", "Reason", "Record-Route", "Require",
    "Retry-After",
    "Route", "RSeq", "Server", "Subject", "Subscription-State", "Supported", "To", "Unsupported", "User-Agent", "Via", "Warning",
    "WWW-Authenticate",
)  # fmt: skip
_NAMES = _COMPACT | {name.lower(): name for name in (*_COMPACT.values(), *_KNOWN)}
_CANONICAL = frozenset(_NAMES.values())

_END = re.compile(rb"\r?\n\r?\n")
_BREAK = re.compile(r"\r?\n")
_REQUEST = re.compile(r"([^\s:]{1,64})[ \t]+<?([^\s<>]+?)>?[ \t]+SIP/(\d+\.\d+)[ \t]*", re.IGNORECASE)
_STATUS = re.compile(r"SIP/(\d+\.\d+)[ \t]+(\d{3})(?:[ \t]+(.*))?", re.IGNORECASE)
_BAD_URI = re.compile(r"[\s<>\x00-\x1f\x7f]")
_XML = ("xml", "manscdp")
_CLOSING = re.compile(rb"</[A-Za-z][^<>]{0,64}>")

REASONS = {
    100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted", 301: "Moved Permanently",
    302: "Moved Temporarily",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
    407: "Proxy Authentication Required", 408: "Request Timeout", 413: "Request Entity Too Large", 415: "Unsupported Media Type",
    420: "Bad Extension", 423: "Interval Too Brief", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
    482: "Loop Detected", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error", 501: "Not Implemented", 503: "Service Unavailable", 504: "Server Time-out",
    505: "Version Not Supported",
    600: "Busy Everywhere", 603: "Decline",
}  # fmt: skip

T = TypeVar("T")


def canonical(name: str) -> str:
    """``v`` and ``VIA`` are ``Via``; a name nobody knows stays as it is."""
    return name if name in _CANONICAL else _NAMES.get(name.lower(), name)


class Headers:
    """Names and values in their order. Names are compared without case, compact ones are the long ones."""

    __slots__ = ("_items", "read")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = [(canonical(name), value) for name, value in items]
        self.read: dict[str, object] = {}  # what was parsed of them; nothing once they have changed

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: str) -> bool:
        return any(True for _ in self._of(name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._items == other._items

    def __repr__(self) -> str:
        # Values are addresses, numbers and proofs of passwords.
        return f"Headers({', '.join(name for name, _ in self._items)})"

    def get(self, name: str, default: str = "") -> str:
        wanted = canonical(name)
        if wanted in _CANONICAL:
            for one, value in self._items:
                if one == wanted:
                    return value
            return default
        return next(self._of(name), default)

    def all(self, name: str) -> list[str]:
        """Each header of that name as it stands."""
        return list(self._of(name))

    def values(self, name: str) -> list[str]:
        """Of headers that are lists (Via, Route, Contact, Allow): the elements of all of them."""
        return [one for value in self._of(name) for one in split(value, ",")]

    def add(self, name: str, value: object) -> None:
        self._items.append((canonical(name), str(value)))
        self.read.clear()

    def set(self, name: str, *values: object) -> None:
        """Instead of those of that name, in the first one's place."""
        wanted = canonical(name).lower()
        at = next((index for index, (one, _) in enumerate(self._items) if one.lower() == wanted), len(self._items))
        self._items = [item for item in self._items if item[0].lower() != wanted]
        self._items[at:at] = [(canonical(name), str(value)) for value in values]
        self.read.clear()

    def first(self, name: str, value: object) -> None:
        """On top of everything, as a new Via is."""
        self._items.insert(0, (canonical(name), str(value)))
        self.read.clear()

    def copy(self) -> Headers:
        made = Headers()
        made._items = list(self._items)
        return made

    def _of(self, name: str) -> Iterator[str]:
        wanted = canonical(name)
        if wanted in _CANONICAL:
            return (value for one, value in self._items if one == wanted)
        wanted = wanted.lower()
        return (value for one, value in self._items if one.lower() == wanted)


@dataclass(slots=True, kw_only=True)
class _Message:
    """What both have. Header fields are parsed when asked for: ValueError when they cannot be."""

    headers: Headers = field(default_factory=Headers)
    body: bytes = field(default=b"", repr=False)

    @property
    def vias(self) -> list[Via]:
        return [Via.parse(one) for one in self.headers.values("Via")]

    @property
    def via(self) -> Via:
        """The topmost: who sent this request, or who is to get this response."""
        return self._one("Via", Via.parse, listed=True)

    @property
    def sender(self) -> Address:
        return self._one("From", Address.parse)

    @property
    def receiver(self) -> Address:
        return self._one("To", Address.parse)

    @property
    def cseq(self) -> CSeq:
        return self._one("CSeq", CSeq.parse)

    @property
    def call_id(self) -> str:
        return self._one("Call-ID", str)

    @property
    def contacts(self) -> list[Address]:
        return [Address.parse(one) for one in self.headers.values("Contact")]

    @property
    def routes(self) -> list[Address]:
        return [Address.parse(one) for one in self.headers.values("Route")]

    @property
    def record_routes(self) -> list[Address]:
        return [Address.parse(one) for one in self.headers.values("Record-Route")]

    @property
    def content_type(self) -> str:
        """In lower case, without parameters."""
        return self.headers.get("Content-Type").partition(";")[0].strip().lower()

    @property
    def expires(self) -> int | None:
        """Seconds, of the header or of the first Contact; None when neither says a number."""
        said = [self.headers.get("Expires"), *(one.parameters.get("expires") for one in self.contacts[:1])]
        numbers = [text.strip() for text in said if text]
        return next((min(int(text), (1 << 32) - 1) for text in numbers if re.fullmatch(r"[0-9]{1,12}", text)), None)

    def _one(self, name: str, parse: Callable[[str], T], *, listed: bool = False) -> T:
        """Each is asked for many times on its way."""
        found = self.headers.read.get(name)
        if found is None:
            value = next(iter(self.headers.values(name)), "") if listed else self.headers.get(name)
            if not value:
                raise ValueError(f"A SIP message has no {name}.")
            found = self.headers.read[name] = parse(value)
        return cast(T, found)


@dataclass(slots=True)
class Request(_Message):
    method: str
    uri: str

    def reply(self, status: int, *, tag: str = "", reason: str = "", body: bytes = b"", content_type: str = "") -> Response:
        """The response with what must be copied (§8.2.6.2). ``tag`` becomes the To's where it has none."""
        copied = Headers(
            (name, value) for name, value in self.headers if name in ("Via", "From", "Call-ID", "CSeq", "Record-Route")
        )
        to = self.headers.get("To")
        if tag and not self.receiver.tag:
            to += f";tag={tag}"
        copied.add("To", to)
        if content_type:
            copied.add("Content-Type", content_type)
        return Response(status, reason or REASONS.get(status, "Unknown"), headers=copied, body=body)


@dataclass(slots=True)
class Response(_Message):
    status: int
    reason: str

    @property
    def final(self) -> bool:
        return self.status >= 200


Message = Request | Response


def blank(data: bytes) -> bool:
    """A keep-alive (RFC 5626 §3.5.1): nothing but line ends, or the NULs that some devices send instead."""
    return not data.strip(b"\r\n\0")


def parse(data: bytes) -> Message:
    """One datagram. ValueError, one sentence, when it is no message of SIP 2.0."""
    if len(data) > DATAGRAM_LIMIT:
        raise ValueError("A SIP datagram is longer than 64 KiB.")
    data = data.lstrip(b"\r\n\0")
    end = _END.search(data, 0, HEAD_LIMIT + 4)
    if end is None and len(data) > HEAD_LIMIT:
        raise ValueError("A SIP head is longer than 32 KiB.")
    message, declared = parse_head(data[: end.start()] if end else data)
    message.body = _cut(data[end.end() :] if end else b"", declared, message.content_type)
    return message


def _cut(rest: bytes, declared: int | None, content_type: str) -> bytes:
    """A datagram's body: lengths are often wrong, so an XML document that goes on behind its length is taken whole."""
    if declared is None or declared < 0 or declared > len(rest):
        return rest.rstrip(b"\0")
    if declared < len(rest) and any(word in content_type for word in _XML) and _CLOSING.search(rest, max(0, declared - 8)):
        return rest.rstrip(b"\0")
    return rest[:declared]


def parse_head(head: bytes) -> tuple[Message, int | None]:
    """First line and headers, and the body's declared length: None without one, -1 when it cannot be read."""
    if len(head) > HEAD_LIMIT:
        raise ValueError("A SIP head is longer than 32 KiB.")
    lines = _BREAK.split(head.decode("utf-8", "surrogateescape"))
    message = _first_line(lines[0].strip(" \t\0"))
    values: list[tuple[str, list[str]]] = []
    ignored = True
    for line in lines[1:]:
        if line[:1] in (" ", "\t"):
            if values and not ignored:
                values[-1][1].append(line.strip(" \t\0\r"))
            continue
        name, colon, value = line.partition(":")
        name = name.strip(" \t\0")
        # What is no header is passed over: nothing is lost by it.
        known = _NAMES.get(name.lower())
        ignored = not colon or (known is None and not TOKEN.fullmatch(name))
        if not ignored:
            values.append((known or name, [value.strip(" \t\0\r")]))
            if len(values) > HEADERS_LIMIT:
                raise ValueError("A SIP message has more than 128 headers.")
    lengths: list[str] = []
    headers = []
    for name, parts in values:
        value = " ".join(part for part in parts if part).replace("\r", " ")
        if len(value) > HEADER_LIMIT:
            raise ValueError("A SIP header is longer than 8 KiB.")
        if name == "Content-Length":
            lengths.append(value)
        else:
            headers.append((name, value))
    message.headers = Headers(headers)
    return message, _length(lengths)


def _first_line(line: str) -> Message:
    if len(line) > HEADER_LIMIT:
        raise ValueError("A SIP first line is longer than 8 KiB.")
    if status := _STATUS.fullmatch(line):
        version, code = status[1], int(status[2])
        if not 100 <= code <= 699:
            raise ValueError("A SIP response has a status that is none.")
        message: Message = Response(code, (status[3] or "").replace("\r", " ").strip(" \t\0"))
    elif request := _REQUEST.fullmatch(line):
        version = request[3]
        if not TOKEN.fullmatch(request[1]) or _BAD_URI.search(request[2]):
            raise ValueError("A SIP request has no readable first line.")
        message = Request(request[1], request[2])
    else:
        raise ValueError("A SIP message has no readable first line.")
    if version != "2.0":
        raise ValueError("A message speaks another version than SIP 2.0.")
    return message


def _length(values: list[str]) -> int | None:
    if not values:
        return None
    numbers = {int(value) if re.fullmatch(r"[0-9]{1,9}", value) else -1 for value in values}
    return numbers.pop() if len(numbers) == 1 else -1


def demand(message: Message) -> None:
    """ValueError, one sentence, when something is missing or unreadable that no answer can do without (§8.1.1, §8.2)."""
    _ = message.via, message.sender, message.receiver, message.call_id
    if isinstance(message, Request) and message.cseq.method != message.method:
        raise ValueError("A SIP request's CSeq names another method.")
    _ = message.cseq


def serialize(message: Message) -> bytes:
    """The octets for the wire. ValueError when somebody put together what may not be sent."""
    if isinstance(message, Request):
        if not TOKEN.fullmatch(message.method) or not message.uri or _BAD_URI.search(message.uri):
            raise ValueError("A SIP request's method or URI may not be sent like this.")
        lines = [f"{message.method} {message.uri} SIP/2.0"]
    else:
        if not 100 <= message.status <= 699:
            raise ValueError("A SIP status is between 100 and 699.")
        lines = [f"SIP/2.0 {message.status} {message.reason}"]
    for name, value in message.headers:
        if not TOKEN.fullmatch(name):
            raise ValueError("A SIP header's name may not be sent like this.")
        if name != "Content-Length":
            lines.append(f"{name}: {value}" if value else f"{name}:")
    lines.append(f"Content-Length: {len(message.body)}")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("A SIP header may not contain a line break.")
    try:
        head = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError("A SIP header contains what no charset can write.") from None
    return head + message.body
