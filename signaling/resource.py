"""Clients without a WebSocket (WHIP, WHEP): what the HTTP resource of one is, as it is kept in the participant's record."""

from __future__ import annotations

import msgspec


class View(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a viewer wants in its ``audio`` and ``video`` sections: of this participant (``participant`` is an identity, or the
    part of it before the colon: a person, at whatever terminal), from these ``sources``; empty means any."""

    audio: int
    video: int
    participant: str = ""
    sources: list[str] = []


class Resource(msgspec.Struct, frozen=True, omit_defaults=True):
    """``id`` is the secret part of the URL, ``token`` the SHA-256 of the bearer token that made it, ``owner`` that token's
    identity. ``etag`` names the current ICE session, ``ufrag`` is the client's in it. ``view`` is None for a publisher."""

    id: str
    token: str
    owner: str
    view: View | None = None
    etag: str = ""
    ufrag: str = ""
    ingress: str = ""
