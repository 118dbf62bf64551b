"""Where a playback stands, told so that whoever hears it can count on from there by himself."""

from __future__ import annotations

from bridges.timeline import SECOND
from commhub.media.messages import Standing

LOOK_SECONDS = 0.25
SLACK = 0.5  # seconds a listener may be wrong, at the recording's own speed
AGAIN = 2 * SECOND  # between two words about a device that plays unevenly


class Teller:
    """Remembers what was told last. ``now`` is UTC ns."""

    def __init__(self) -> None:
        self._told: Standing | None = None

    def look(
        self,
        at: float,
        speed: float,
        playing: bool,
        now: int,
        *,
        paused: bool = False,
        slack: float = SLACK,
        sure: bool = False,
    ) -> Standing | None:
        """What has to be told, None when listeners know. ``sure``: an act has moved it, so it is told at once."""
        told = self._told
        if told is not None and (told.speed, told.playing, told.paused) == (speed, playing, paused):
            passed = (now - told.as_of) / SECOND * speed if playing else 0.0
            if abs(told.at + passed - at) <= slack * max(1.0, speed) or (now - told.as_of < AGAIN and not sure):
                return None
        self._told = Standing(at=round(at, 3), as_of=now, speed=speed, playing=playing, paused=paused)
        return self._told
