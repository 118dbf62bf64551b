"""Proving to an RTSP server that we know the password: Basic (RFC 7617) and Digest (RFC 2617, RFC 7616). No I/O, no clock."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_SCHEME = re.compile(r"(?:^|,)\s*(Basic|Digest)(?=\s|$)", re.IGNORECASE)
# Begins at the beginning of a word only: a long word that is no parameter would be tried again from each of its letters.
_PARAMETER = re.compile(r'(?<![A-Za-z0-9_-])([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')
_HASHES = {"MD5": "md5", "SHA-256": "sha256"}
_ORDER = {"SHA-256": 2, "MD5": 1}


@dataclass(slots=True)
class Challenge:
    """What a 401 asks for. ``algorithm`` is empty for Basic."""

    realm: str
    nonce: str = ""
    algorithm: str = ""
    session: bool = False  # MD5-sess, SHA-256-sess
    qop: bool = False
    opaque: str | None = None
    stale: bool = False
    count: int = field(default=0, compare=False)


def choose(headers: Iterable[str]) -> Challenge | None:
    """The strongest challenge of the ``WWW-Authenticate`` headers that we can answer, None when there is none."""
    best: Challenge | None = None
    for header in headers:
        starts = list(_SCHEME.finditer(header))
        ends = [*(start.start() for start in starts[1:]), len(header)]
        for start, end in zip(starts, ends, strict=False):
            text = header[start.end() : end]
            challenge = _read(start[1].lower(), text)
            if challenge and (best is None or _ORDER.get(challenge.algorithm, 0) > _ORDER.get(best.algorithm, 0)):
                best = challenge
    return best


def parameters(text: str) -> dict[str, str]:
    """``name="value", name=value`` behind the scheme; names in lower case, without the quotes."""
    return {name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain for name, quoted, plain in _PARAMETER.findall(text)}


def _read(scheme: str, text: str) -> Challenge | None:
    values = parameters(text)
    realm = values.get("realm", "")
    if scheme == "basic":
        return Challenge(realm)
    algorithm = values.get("algorithm", "MD5").upper()
    session = algorithm.endswith("-SESS")
    algorithm = algorithm.removesuffix("-SESS")
    if algorithm not in _HASHES or not values.get("nonce"):
        return None
    offered = {word.strip().lower() for word in values.get("qop", "").split(",") if word.strip()}
    if offered and "auth" not in offered:
        return None
    return Challenge(
        realm,
        values["nonce"],
        algorithm,
        session,
        bool(offered),
        values.get("opaque"),
        values.get("stale", "").lower() == "true",
    )


def digest(algorithm: str, text: str) -> str:
    # Whatever octets a peer's realm or name has, they are hashed as they came.
    return hashlib.new(_HASHES[algorithm], text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def respond(challenge: Challenge, user: str, password: str, method: str, url: str, cnonce: str) -> str:
    """The ``Authorization`` header for one request; ``cnonce`` is a fresh random word. Counts the use of the nonce."""
    if not challenge.algorithm:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def hashed(text: str) -> str:
        return digest(challenge.algorithm, text)

    challenge.count += 1
    count = f"{challenge.count:08x}"
    first = hashed(f"{user}:{challenge.realm}:{password}")
    if challenge.session:
        first = hashed(f"{first}:{challenge.nonce}:{cnonce}")
    second = hashed(f"{method}:{url}")
    middle = f"{challenge.nonce}:{count}:{cnonce}:auth" if challenge.qop else challenge.nonce
    fields = {
        "username": user,
        "realm": challenge.realm,
        "nonce": challenge.nonce,
        "uri": url,
        "response": hashed(f"{first}:{middle}:{second}"),
    }
    parts = [f'{name}="{_quoted(value)}"' for name, value in fields.items()]
    if challenge.algorithm != "MD5" or challenge.session:
        parts.append(f"algorithm={challenge.algorithm}{'-sess' if challenge.session else ''}")
    if challenge.opaque is not None:
        parts.append(f'opaque="{_quoted(challenge.opaque)}"')
    if challenge.qop:
        parts += ["qop=auth", f"nc={count}"]
    if challenge.qop or challenge.session:
        parts.append(f'cnonce="{cnonce}"')
    return "Digest " + ", ".join(parts)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
