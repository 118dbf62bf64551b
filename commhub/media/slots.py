"""Where a peer can receive: sections of a session description, as their side of the connection knows them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from commhub.media.plane import RouteSpec
from commhub.media.room import Subscription
from commhub.wire import sdp


@dataclass(slots=True, eq=False)
class Slot:
    """A section in which the peer can receive. ``section`` is the peer's word about it; ``dirty`` while the peer still
    takes it for a track that is gone: it must be told (by ``inactive``) before another track may come in."""

    mid: str
    kind: str
    section: sdp.Section | None = None
    subscription: Subscription | None = None
    spec: RouteSpec | None = None
    dirty: bool = False
    dead: bool = False
    ssrc: int = 0
    rtx_ssrc: int = 0

    @property
    def free(self) -> bool:
        return self.subscription is None and not self.dirty and not self.dead


def ssrcs() -> tuple[int, int]:
    """Of media and of what is sent again."""
    return secrets.randbits(32) or 1, secrets.randbits(32) or 2
