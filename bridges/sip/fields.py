"""What stands in SIP's headers (RFC 3261 §20, §25): addresses, URIs, Via, CSeq. No I/O, no clock.

Devices write these in many ways that the grammar forbids; everything that can mean only one thing is understood. What is built
here
follows the grammar. Texts are octets decoded with ``surrogateescape``, so that whatever charset a device uses comes back
unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

COOKIE = "z9hG4bK"  # begins the branch of everybody who follows RFC 3261 (§8.1.1.7)
PARAMETERS_LIMIT = 64

# One pass, no going back: what is open at the end (a quote, an angle) reaches to the end.
_ATOM = re.compile(r'"(?:[^"\\]|\\.)*"?|<[^>]*>?|[^"<,;]+|[,;]', re.DOTALL)
_QUOTED = re.compile(r'\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HOST = re.compile(r"[^\s<>\"@,;?\x00-\x1f\x7f]+")
_VIA = re.compile(r"\s*SIP\s*/\s*2\.0\s*/\s*([A-Za-z0-9-]{1,16})\s+([^;]+)", re.IGNORECASE)
_CSEQ = re.compile(r"\s*([0-9]{1,10})\s*([A-Za-z.!%*_+`'~-][A-Za-z0-9.!%*_+`'~-]{0,63})\s*")
_RECEIVED = re.compile(r";\s*(?:rport|received)\s*(?:=[^;]*)?(?=;|$)", re.IGNORECASE)
TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")


def split(text: str, separator: str) -> list[str]:
    """The parts between commas or semicolons that are not inside quotes or angles; empty ones are left out."""
    if '"' not in text and "<" not in text:
        return [part for one in text.split(separator) if (part := one.strip())]
    parts, start = [], 0
    for atom in _ATOM.finditer(text):
        if atom[0] == separator:
            parts.append(text[start : atom.start()])
            start = atom.end()
    parts.append(text[start:])
    return [part for one in parts if (part := one.strip())]


def parameters(text: str) -> dict[str, str | None]:
    """``;name=value;flag``; names in lower case, of a name that comes twice the first, quotes taken off."""
    found: dict[str, str | None] = {}
    for part in split(text, ";")[:PARAMETERS_LIMIT]:
        name, equals, value = part.partition("=")
        found.setdefault(name.strip().lower(), unquote(value.strip()) if equals else None)
    return found


def unquote(text: str) -> str:
    if text[:1] != '"':
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1] if text[-1] == '"' and len(text) > 1 else text[1:], flags=re.DOTALL)


def quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _written(values: Mapping[str, str | None]) -> str:
    return "".join(
        f";{name}" if value is None else f";{name}={value if TOKEN.fullmatch(value) or _plain(value) else quote(value)}"
        for name, value in values.items()
    )


def _plain(value: str) -> bool:
    """IPv6 addresses and the like stand in parameters without quotes (RFC 3261 §25.1, ``host``)."""
    return bool(re.fullmatch(r"[0-9A-Za-z.:\[\]-]+", value))


def _host_port(text: str, what: str) -> tuple[str, int | None]:
    text = text.strip()
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.strip().removeprefix(":").strip()
    elif text.count(":") > 1:  # IPv6 without its brackets
        host, port = text, ""
    else:
        host, _, port = (part.strip() for part in text.partition(":"))
    if not _HOST.fullmatch(host) or len(host) > 255:
        raise ValueError(f"A {what} has no readable host.")
    if not port:
        return host, None
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError(f"A {what} has a port that is none.")
    return host, int(port)


def host_port(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


@dataclass(frozen=True, slots=True)
class Uri:
    """``sip:user@host:port;parameters?headers`` (§19.1). ``host`` has no brackets; of another scheme (``tel:``) everything is
    ``user``.
    ``user`` is as written, without the password, which nobody should send."""

    scheme: str
    user: str
    host: str
    port: int | None = None
    parameters: Mapping[str, str | None] = field(default_factory=dict)
    headers: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """A missing scheme is ``sip``, a user may be missing, a host may be digits only, angles are taken off."""
        text = text.strip().removeprefix("<").removesuffix(">").strip()
        named = _SCHEME.match(text)
        if named and text[named.end() :].isdigit() and named[1].lower() not in ("sip", "sips", "tel"):
            named = None  # "cam:5060" is a host and its port
        scheme, rest = (named[1].lower(), text[named.end() :]) if named else ("", text)
        if scheme not in ("", "sip", "sips"):
            return cls(scheme, rest.partition(";")[0].strip(), "", None, parameters(rest.partition(";")[2]))
        user, at, place = rest.partition("@")
        if not at:
            user, place = "", rest
        place, _, headers = place.partition("?")
        where, _, written = place.partition(";")
        host, port = _host_port(where, "SIP URI")
        return cls(scheme or "sip", user.partition(":")[0].strip(), host, port, parameters(written), headers)

    def __str__(self) -> str:
        if self.scheme not in ("sip", "sips"):
            return f"{self.scheme}:{self.user}{_written(self.parameters)}"
        user = f"{self.user}@" if self.user else ""
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{host_port(self.host, self.port)}{_written(self.parameters)}{headers}"


@dataclass(frozen=True, slots=True)
class Address:
    """What From, To, Contact, Route and Record-Route hold (§20.10). ``uri`` is as written: ``Uri.parse`` may refuse it."""

    uri: str
    display: str = ""
    parameters: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        text = text.strip()
        quoted = _QUOTED.match(text)
        display = unquote(quoted[0].strip()) if quoted else ""
        rest = text[quoted.end() :] if quoted else text
        before, angle, inside = rest.partition("<")
        if not angle:
            uri, _, after = rest.partition(";")  # without angles parameters belong to the header (§20.10)
        else:
            display = display or before.strip()
            uri, closed, after = inside.partition(">")
            if not closed:
                uri, _, after = inside.partition(";")
        if not uri.strip():
            raise ValueError("A SIP address has no URI.")
        return cls(uri.strip(), display, parameters(after))

    @property
    def tag(self) -> str:
        return self.parameters.get("tag") or ""

    @property
    def user(self) -> str:
        return Uri.parse(self.uri).user

    def tagged(self, tag: str) -> Address:
        return Address(self.uri, self.display, {**self.parameters, "tag": tag})

    def __str__(self) -> str:
        if self.uri == "*":
            return "*"
        shown = f"{quote(self.display)} " if self.display else ""
        return f"{shown}<{self.uri}>{_written(self.parameters)}"


@dataclass(frozen=True, slots=True)
class Via:
    """One hop (§20.42): ``transport`` in capitals, ``host`` and ``port`` are what the sender believes to be."""

    transport: str
    host: str
    port: int | None = None
    parameters: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        found = _VIA.match(text)
        if found is None:
            raise ValueError("A Via is not readable.")
        host, port = _host_port(found[2], "Via")
        return cls(found[1].upper(), host, port, parameters(text[found.end() :]))

    @property
    def branch(self) -> str:
        return self.parameters.get("branch") or ""

    @property
    def unique(self) -> bool:
        """Whether the branch alone names the transaction (RFC 3261); older peers' do not."""
        return self.branch.lower().startswith(COOKIE.lower()) and len(self.branch) > len(COOKIE)

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {host_port(self.host, self.port)}{_written(self.parameters)}"


def received(via: str, host: str, port: int) -> str:
    """One Via as the server's transport completes it (RFC 3581), the rest as it was written. Also when ``rport`` was not asked
    for:
    everybody is behind a NAT."""
    return f"{_RECEIVED.sub('', via).rstrip()};received={host.partition('%')[0]};rport={port}"


@dataclass(frozen=True, slots=True)
class CSeq:
    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Also without the space between number and method."""
        found = _CSEQ.fullmatch(text)
        if found is None or int(found[1]) >= 1 << 32:
            raise ValueError("A CSeq is not a number below 2^32 and a method.")
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"
