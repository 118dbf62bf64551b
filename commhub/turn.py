"""TURN for those whose network lets only some ports out: addresses and time-limited credentials for coturn.

The credentials are those of draft-uberti-behave-turn-rest-00, which coturn calls ``use-auth-secret``: the user name is
``<unix seconds at which it ends>:<who>``, the password a MAC over it. No account is needed, nothing is kept, and what an old
call was given is good for nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from commhub.hidden import Secret


@dataclass(frozen=True, slots=True)
class Credentials:
    """As coturn checks them: ``username`` says until when (unix seconds), ``password`` is its MAC."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Turn:
    """``urls`` as a browser takes them (RFC 7064, RFC 7065); ``seconds``: how long a credential is good. A running relay
    needs it for every refresh, so it outlives the longest consultation."""

    urls: tuple[str, ...]
    secret: Secret[str]
    seconds: int

    def credentials(self, identity: str, now: float) -> Credentials:
        """For one participant from ``now`` (unix seconds). The relay's log names nobody: a MAC of the identity."""
        key = self.secret.reveal().encode()
        who = hmac.new(key, identity.encode(), hashlib.sha256).hexdigest()[:16]
        username = f"{int(now) + self.seconds}:{who}"
        return Credentials(username, base64.b64encode(hmac.new(key, username.encode(), hashlib.sha1).digest()).decode())

    def groups(self, identity: str, now: float) -> list[tuple[list[str], Credentials | None]]:
        """URLs with the credentials they need; STUN needs none."""
        plain = [url for url in self.urls if url.startswith("stun")]
        relays = [url for url in self.urls if not url.startswith("stun")]
        groups: list[tuple[list[str], Credentials | None]] = [(plain, None)] if plain else []
        return [*groups, (relays, self.credentials(identity, now))] if relays else groups
