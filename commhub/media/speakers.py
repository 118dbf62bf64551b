"""Who speaks: audio levels of packets (RFC 6464) → smoothed levels and changes, as LiveKit's clients show them.

No I/O, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

ACTIVE_LEVEL = 35  # -dBov; quieter is background
INTERVAL = 0.4  # seconds over which one decides
SHARE = 0.4  # of the interval that must be loud enough
STEPS = 8  # a level is told in eighths, so that a speaker is not told ten times a second


@dataclass(slots=True)
class _Voice:
    loud: int = 0  # reports of this interval at ACTIVE_LEVEL or louder
    total: float = 0.0  # of their linear levels
    level: float = 0.0  # smoothed, 0 … 1
    told: float = 0.0


def linear(level: int) -> float:
    """-dBov → 0 … 1, compressed as loudness is heard: -35 dBov is 1/8, 0 dBov is 1."""
    return float(min(1.0, 10 ** (-level / 40)))


class Speakers:
    """Of one room. Keys are the caller's (a peer's sid); several tracks of a peer count as their loudest."""

    def __init__(self, reports_per_second: float = 10.0) -> None:
        self._needed = max(1.0, INTERVAL * reports_per_second * SHARE)
        self._voices: dict[str, _Voice] = {}
        self._since = 0.0

    def hear(self, key: str, level: int) -> None:
        """One report, every ~100 ms while anybody speaks."""
        if level <= ACTIVE_LEVEL:
            voice = self._voices.setdefault(key, _Voice())
            voice.loud += 1
            voice.total += linear(level)

    def forget(self, key: str) -> None:
        self._voices.pop(key, None)

    def active(self) -> dict[str, float]:
        """Who speaks, as last told."""
        return {key: voice.told for key, voice in self._voices.items() if voice.told}

    def due(self, now: float) -> bool:
        return bool(self._voices) and now - self._since >= INTERVAL

    def changes(self, now: float) -> list[tuple[str, float]]:
        """End of an interval: ``(key, level)`` of everybody whose level changed, loudest first; 0 = stopped speaking."""
        self._since = now
        changed = []
        for key, voice in list(self._voices.items()):
            level = voice.total / voice.loud if voice.loud >= self._needed else 0.0
            # Up at once, down over two intervals: a breath is no end of speech.
            voice.level = level if level > voice.level else (voice.level + level) / 2
            voice.loud, voice.total = 0, 0.0
            step = -(-int(voice.level * 1000) * STEPS // 1000) / STEPS if voice.level > 1 / 16 else 0.0
            if step != voice.told:
                voice.told = step
                changed.append((key, step))
            if not step and not level:
                del self._voices[key]
        return sorted(changed, key=lambda one: -one[1])
