"""Every difference to LiveKit 1.13.3 that clients can notice; ``docs/livekit-differences.md`` tells people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """``kind``: better, other or missing. ``livekit`` and ``commhub`` are what is seen; ``why`` the reason."""

    key: str
    kind: str
    livekit: str
    commhub: str
    why: str
    test: str


DIFFERENCES: tuple[Difference, ...] = ()


def of(key: str) -> Difference:
    """KeyError when nobody wrote it down."""
    return {one.key: one for one in DIFFERENCES}[key]
