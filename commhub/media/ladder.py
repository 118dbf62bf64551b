"""In which steps a video gets better for a viewer: frames per second first, then the next layer. No I/O and no clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from commhub.media.plane import LayerCounters

ALL = 99  # temporal layers
ENOUGH = 0.9  # of the frames per second a viewer asks for


class Rung(NamedTuple):
    """A layer with its temporal layers up to ``temporal``, and what it costs in bit/s; 0 = not known."""

    layer: int
    temporal: int
    bitrate: int


def ladder(layers: Sequence[LayerCounters], top: int, fps: int = 0) -> list[Rung]:
    """What a viewer may be given who needs no layer above ``top`` and no more than ``fps`` frames per second (0 = all), the
    least first. A quarter of the frames is worse than the smaller picture at all of them, so only the lowest layer goes down
    to that."""
    rungs: list[Rung] = []
    for number, layer in enumerate(layers[: max(0, top) + 1]):
        costs = layer.temporal
        if len(costs) < 2 or not costs[-1]:
            rungs.append(Rung(number, ALL, layer.bitrate))
            continue
        last = len(costs) - 1
        best = next((one for one, rate in enumerate(layer.rates) if fps and rate >= fps * ENOUGH), last)
        least = 0 if number == 0 else max(0, last - 1)
        rungs += [Rung(number, one if one < last else ALL, costs[one]) for one in range(min(least, best), best + 1)]
    return rungs or [Rung(0, ALL, 0)]


def complete(rungs: Sequence[Rung]) -> list[int]:
    """The rungs behind which another layer begins, and the last one."""
    return [number for number, rung in enumerate(rungs) if number + 1 == len(rungs) or rungs[number + 1].layer != rung.layer]
