"""Which streams of a Source its workers take, or took until a moment ago. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable

GRACE = 10.0  # seconds a stream is pulled after its last viewer has gone: people switch back and forth
MAIN, SUB = "main", "sub"
PATIENCE = 2.0  # seconds the smaller stream must be wanted where the larger one is there: viewers begin small for a moment


class Taken:
    """A worker that has said nothing takes what is expected of it, until it says otherwise."""

    def __init__(self) -> None:
        #: Worker → layer → since when nobody takes it there; None: somebody does.
        self._said: dict[str, dict[str, float | None]] = {}
        self._smaller: dict[str, float] = {}  # worker → since when it takes the smaller one, too

    def said(self, worker: str, layers: Iterable[str], expected: Iterable[str], now: float) -> None:
        """``layers`` are all that this worker takes from now on; a Source with one stream has it without a name."""
        takes = {layer or MAIN for layer in layers}
        known = self._said.setdefault(worker, dict.fromkeys(expected))
        small = known.get(SUB, -GRACE)
        if SUB in takes and small is not None and now - small >= GRACE:
            self._smaller[worker] = now
        for layer in known:
            if layer not in takes and known[layer] is None:
                known[layer] = now
        known |= dict.fromkeys(takes)

    def expect(self, worker: str, layers: Iterable[str], now: float) -> None:
        """Somebody there is about to look: what nobody takes yet is worth a grace."""
        known = self._said.get(worker)
        if known is not None and not any(since is None for since in known.values()):
            known |= dict.fromkeys(layers, now)

    def forget(self, worker: str) -> None:
        self._said.pop(worker, None)
        self._smaller.pop(worker, None)

    def layers(self, worker: str, expected: Iterable[str], now: float) -> set[str]:
        """What it is to be sent; empty: nothing any more."""
        known = self._said.get(worker)
        if known is None:
            return set(expected)
        wanted = {layer for layer, since in known.items() if since is None or now - since < GRACE}
        if MAIN in wanted and now - self._smaller.get(worker, now - PATIENCE) < PATIENCE:
            wanted.discard(SUB)
        return wanted
