"""The tokens with which pages enter the hub's own rooms."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

import jwt

from commhub.hidden import Secret
from commhub.model import Actor

TICKET_SECONDS = 600


@dataclass(frozen=True, slots=True)
class InternalKey:
    """The API key of the hub's own rooms. ``secret`` must outlive restarts: clients come back with their tokens."""

    name: str
    secret: Secret[str]

    def ticket(self, room: str, actor: Actor, identity: str, **grants: object) -> str:
        """``grants`` are those of LiveKit's ``video`` claim, besides joining this room."""
        at = time.time()
        now = int(at)
        claims = {
            "iss": self.name,
            "sub": identity,
            "name": actor.name,
            # Exact: whoever is invited again after a removal has a token that is newer than that. Never in the future.
            "iat": at,
            "nbf": now - 60,
            "exp": now + TICKET_SECONDS,
            "jti": secrets.token_urlsafe(16),
            "video": {"room": room, "roomJoin": True, **grants},
            "attributes": {"org": actor.org_name, "kind": "person"},
        }
        return jwt.encode(claims, self.secret.reveal(), algorithm="HS256")
