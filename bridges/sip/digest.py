"""Digest authentication of SIP (RFC 3261 §22, RFC 7616, RFC 8760): both sides. No I/O, no clock.

The client half is RTSP's, without Basic, which SIP forbids. The server half keeps nothing of nonces it gave out: a nonce is
its own
time and number under an HMAC that also covers the peer's address, so only nonces that somebody has *used* with the right password
are remembered, and of those a bounded number.
"""

from __future__ import annotations

import base64
import enum
import hmac
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bridges.rtsp_auth import Challenge, choose, digest, parameters, respond
from bridges.sip.fields import quote

NONCE_SECONDS = 60.0
USED_LIMIT = 10_000  # nonces in use that are remembered
WINDOW = 64  # counts below the highest one that may still come, each once
_TAG = 16  # octets of the HMAC that stand in a nonce
_STAMP = struct.Struct("!QI")  # milliseconds of the caller's time, number


class Verdict(enum.Enum):
    RIGHT = "right"
    WRONG = "wrong"  # name, password, realm or algorithm: refuse
    STALE = "stale"  # right, but the nonce is old, used up or another address's: challenge anew with stale=true


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an ``Authorization`` header says. ``qop`` is empty for the form of RFC 2069, which devices of 2011 and 2016 use."""

    user: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = "MD5"
    session: bool = False
    qop: str = ""
    count: int = 0
    count_text: str = ""
    cnonce: str = ""

    @classmethod
    def parse(cls, header: str) -> Credentials:
        """ValueError when it is not Digest or something is missing."""
        scheme, _, text = header.strip().partition(" ")
        if scheme.lower() != "digest":
            raise ValueError("The credentials are not of the Digest scheme.")
        said = parameters(text)
        missing = [name for name in ("username", "realm", "nonce", "uri", "response") if name not in said]
        if missing:
            raise ValueError(f"The credentials lack {missing[0]}.")
        algorithm = said.get("algorithm", "").upper() or "MD5"
        qop, text_count = said.get("qop", "").lower(), said.get("nc", "")
        if qop and not (re.fullmatch(r"[0-9A-Fa-f]{1,8}", text_count) and said.get("cnonce")):
            raise ValueError("The credentials have a qop without a readable count and cnonce.")
        return cls(
            said["username"],
            said["realm"],
            said["nonce"],
            said["uri"],
            said["response"].lower(),
            algorithm.removesuffix("-SESS"),
            algorithm.endswith("-SESS"),
            qop,
            int(text_count, 16) if qop else 0,
            text_count if qop else "",
            said.get("cnonce", ""),
        )

    def expected(self, password: str, method: str) -> str:
        """The response of who knows the password. ``uri`` is taken as it was sent: devices write their own idea of us there."""
        first = digest(self.algorithm, f"{self.user}:{self.realm}:{password}")
        if self.session:
            first = digest(self.algorithm, f"{first}:{self.nonce}:{self.cnonce}")
        second = digest(self.algorithm, f"{method}:{self.uri}")
        middle = f"{self.nonce}:{self.count_text}:{self.cnonce}:{self.qop}" if self.qop else self.nonce
        return digest(self.algorithm, f"{first}:{middle}:{second}")


class Server:
    """``key`` are random octets of this process; ``algorithms`` in the order in which they are offered, of MD5 and SHA-256."""

    def __init__(
        self, key: bytes, realm: str, algorithms: Sequence[str] = ("MD5",), *, qop: bool = True, seconds: float = NONCE_SECONDS
    ) -> None:
        if not set(algorithms) <= {"MD5", "SHA-256"} or not algorithms:
            raise ValueError("Digest algorithms are MD5 and SHA-256.")
        self._key, self.realm, self._algorithms, self._qop, self._seconds = key, realm, tuple(algorithms), qop, seconds
        self._number = 0
        self._used: dict[str, tuple[int, int]] = {}  # nonce: highest count, the ones below it as bits
        self._floor = -1  # milliseconds: nonces made until then may have been used and forgotten

    def challenge(
        self, address: str, now: float, *, stale: bool = False, algorithms: Sequence[str] | None = None, qop: bool | None = None
    ) -> list[str]:
        """Values for ``WWW-Authenticate``, a header each (RFC 8760 §2.3): strongest first, as configured or as this peer needs
        it."""
        nonce = self._nonce(address, now)
        ask = self._qop if qop is None else qop
        extra = (', qop="auth"' if ask else "") + (", stale=true" if stale else "")
        return [
            f'Digest realm={quote(self.realm)}, nonce="{nonce}", algorithm={one}{extra}' for one in algorithms or self._algorithms
        ]

    def verify(
        self,
        credentials: Credentials,
        password: str | None,
        method: str,
        address: str,
        now: float,
        *,
        algorithms: Sequence[str] | None = None,
    ) -> Verdict:
        """``password`` is None for a name nobody knows: that takes as long and is WRONG."""
        if credentials.algorithm not in (algorithms or self._algorithms) or credentials.qop not in ("", "auth"):
            return Verdict.WRONG
        expected = credentials.expected("" if password is None else password, method)
        right = hmac.compare_digest(expected.encode(), credentials.response.encode("utf-8", "surrogateescape"))
        if not right or password is None or credentials.realm != self.realm:
            return Verdict.WRONG
        made = self._made(credentials.nonce, address)
        # Milliseconds from another process's clock can lie ahead of ours; its key is another one, so such a nonce is not ours.
        if made is None or made <= self._floor or not -1.0 <= now - made / 1000 <= self._seconds:
            return Verdict.STALE
        return Verdict.RIGHT if self._first_use(credentials, made, now) else Verdict.STALE

    def gave(self, nonce: str, address: str, now: float) -> bool:
        """Whether this is a nonce of ours that its address has got, and lately: who shows it is where they say they are."""
        made = self._made(nonce, address)
        return made is not None and -1.0 <= now - made / 1000 <= self._seconds

    def _nonce(self, address: str, now: float) -> str:
        self._number = (self._number + 1) & 0xFFFFFFFF
        stamp = _STAMP.pack(max(0, int(now * 1000)), self._number)
        return base64.urlsafe_b64encode(stamp + self._seal(stamp, address)).decode()

    def _seal(self, stamp: bytes, address: str) -> bytes:
        return hmac.digest(self._key, stamp + address.encode("utf-8", "surrogateescape"), "sha256")[:_TAG]

    def _made(self, nonce: str, address: str) -> int | None:
        """Milliseconds at which we made it for that address; None when we did not."""
        if not re.fullmatch(r"[A-Za-z0-9_=-]{38,40}", nonce):
            return None
        try:
            data = base64.urlsafe_b64decode(nonce)
        except ValueError:
            return None
        stamp, seal = data[: _STAMP.size], data[_STAMP.size :]
        if base64.urlsafe_b64encode(data).decode() != nonce or not hmac.compare_digest(seal, self._seal(stamp, address)):
            return None
        made: int = _STAMP.unpack(stamp)[0]
        return made

    def _first_use(self, credentials: Credentials, made: int, now: float) -> bool:
        """Each count once (RFC 7616 §3.3); without a count the nonce itself."""
        nonce = credentials.nonce
        highest, seen = self._used.get(nonce, (-1, 0))
        count = credentials.count
        if nonce in self._used:
            below = highest - count
            if not credentials.qop or below >= WINDOW or (below >= 0 and seen >> below & 1):
                return False
        if count > highest:
            seen = (seen << (count - highest) | 1) & ((1 << WINDOW) - 1) if highest >= 0 and count - highest < WINDOW else 1
            highest = count
        else:
            seen |= 1 << highest - count
        self._used[nonce] = (highest, seen)
        if len(self._used) > USED_LIMIT:
            self._forget(now)
        return True

    def _forget(self, now: float) -> None:
        """The oldest half, and with them every nonce that is as old: what is not remembered must not be believed."""
        made = {nonce: _STAMP.unpack(base64.urlsafe_b64decode(nonce)[: _STAMP.size])[0] for nonce in self._used}
        expired = int((now - self._seconds) * 1000)
        self._floor = max(self._floor, expired, sorted(made.values())[len(made) // 2])
        self._used = {nonce: use for nonce, use in self._used.items() if made[nonce] > self._floor}


def answer(headers: Iterable[str], user: str, password: str, method: str, uri: str, cnonce: str) -> str | None:
    """The ``Authorization`` for one of these challenges, the strongest we know; None when there is none. ``cnonce``: a fresh
    word."""
    challenge = chosen(headers)
    return None if challenge is None else respond(challenge, user, password, method, uri, cnonce)


def chosen(headers: Iterable[str]) -> Challenge | None:
    """To be kept and given to ``respond`` again: it counts the uses of its nonce."""
    challenge = choose(headers)
    return challenge if challenge and challenge.algorithm else None


__all__ = ["Challenge", "Credentials", "Server", "Verdict", "answer", "chosen", "respond"]
