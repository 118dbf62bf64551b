"""How loud everybody was, every 100 ms: a fact a second instead of ten. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from commhub.media.messages import Speaker

STEP_MS = 100
STEPS = 10
_NS = STEP_MS * 1_000_000
PEOPLE = 200  # in one fact


class Levels:
    """``hear`` what a worker says; gives out the fact of a second that is over: ``{step_ms, levels: {identity: [0 … 100]}}``,
    from its ``at`` (UTC ns) on, each list as long as the second was heard."""

    def __init__(self) -> None:
        self._since = 0
        self._heard: dict[str, list[int]] = {}

    def hear(self, at: int, speakers: Iterable[Speaker]) -> tuple[int, dict[str, Any]] | None:
        out = self.flush() if self._heard and not 0 <= at - self._since < STEPS * _NS else None
        for speaker in speakers:
            level = round(max(0.0, min(1.0, speaker.level)) * 100)
            if not self._heard:
                self._since = at
            if not level or (speaker.identity not in self._heard and len(self._heard) >= PEOPLE):
                continue
            steps = self._heard.setdefault(speaker.identity, [])
            step = (at - self._since) // _NS
            steps += [0] * (step + 1 - len(steps))
            steps[step] = max(steps[step], level)
        return out

    def flush(self) -> tuple[int, dict[str, Any]] | None:
        """What was heard and not given out yet."""
        heard, self._heard = self._heard, {}
        return (self._since, {"step_ms": STEP_MS, "levels": heard}) if heard else None
