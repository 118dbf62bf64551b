"""How good a participant's connection is, from loss, delay and jitter: the E-model (ITU-T G.107) as everybody simplifies it.
No I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

POOR, GOOD, EXCELLENT, LOST = range(4)


@dataclass(frozen=True, slots=True)
class Observation:
    """One stream in one direction: ``loss`` 0 … 1, milliseconds."""

    loss: float
    rtt_ms: float = 0.0
    jitter_ms: float = 0.0


def score(observation: Observation) -> float:
    """MOS, 1 (unusable) … 4.5 (nothing to notice)."""
    delay = observation.rtt_ms / 2 + 2 * observation.jitter_ms + 10
    impaired = delay / 40 if delay < 160 else (delay - 120) / 10
    # Five percent are seen and heard, ten are hard to follow, whatever is repaired or concealed.
    rating = max(0.0, 93.2 - impaired - 400 * observation.loss)
    return round(1 + 0.035 * rating + 7e-6 * rating * (rating - 60) * (100 - rating), 1) if rating else 1.0


def judge(observations: Sequence[Observation], *, connected: bool) -> tuple[int, float]:
    """``(ConnectionQuality, score)``: the worst stream decides."""
    if not connected:
        return LOST, 1.0
    worst = min((score(one) for one in observations), default=4.4)
    return (EXCELLENT if worst >= 4.0 else GOOD if worst >= 3.1 else POOR), worst
