"""What of a Source is taken on this worker: whether it is at all, and which of its layers. More is told at once, less after a
while: people switch back and forth, and a camera needs a second to begin again. Only the larger stream beside the smaller one
waits a moment: who opens a wall first subscribes, which asks for the best there is, then says that the smaller one will do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from commhub.media.backup import helped, plain
from commhub.media.messages import Demand, Message
from commhub.media.messages.sources import PLAIN
from commhub.media.room import MAIN, SUB, Peer, layer_of
from commhub.media.sinks import Sinks

GRACE = 5.0  # seconds without a taker until that is told
SETTLE = 0.3  # seconds in which a viewer says what he needs of what he has subscribed to


def taken(peer: Peer, sinks: Sinks) -> set[str]:
    """The layers that viewers and sinks take of this bridge's peer, and which of them as H.264 (:data:`PLAIN`); none: nobody
    takes any of its tracks. Sound comes with every layer, and who does not look at the moment is served by the smaller one.
    Sinks take what comes as it comes."""
    found: set[str] = set()
    anybody = False
    for track in peer.tracks.values():
        anybody = anybody or bool(track.subscriptions) or sinks.takes(track)
        if track.kind == "video":
            for one in track.subscriptions.values():
                if one.enabled and one.allowed and (not one.untaken or helped(one)):
                    layer = layer_of(one.layer())
                    found |= {layer, layer + PLAIN} if plain(one, layer) else {layer}
            if sinks.takes(track):
                found.add(layer_of(sinks.quality(track)))
    return found or ({SUB} if anybody else set())


class Home(Protocol):
    def now(self) -> float: ...
    def emit(self, message: Message) -> None: ...


@dataclass(slots=True)
class _Word:
    """What was told of a Source; ``told`` None: nothing, then it counts as wanted."""

    told: bool | None = None
    layers: set[str] = field(default_factory=set)
    idle: dict[str, float] = field(default_factory=dict)  # layer ("" the Source) → since when nobody takes it
    larger: float | None = None  # since when the larger stream is needed without having been told


class Demands:
    def __init__(self, home: Home, worker: str, taken: Callable[[Peer], set[str]]) -> None:
        self._home, self._worker, self._taken = home, worker, taken
        self._words: dict[str, _Word] = {}

    def consider(self, source: str, peers: set[Peer], running: bool, single: bool = False) -> None:
        """``running``: its streams are here. Before that nobody may have subscribed yet, and it is not told as unwanted.
        ``single``: there is nothing to choose."""
        needed: set[str] = set().union(*map(self._taken, peers))
        word = self._words.setdefault(source, _Word())
        now = self._home.now()
        if not single and self._too_early(word, needed, now):
            needed = needed - {MAIN, MAIN + PLAIN}
        for layer in needed:
            word.idle.pop(layer, None)
        kept = {layer for layer in word.layers - needed if now - word.idle.setdefault(layer, now) < GRACE}
        layers = needed | kept
        if not needed and not running:
            return
        if layers or word.told is False:
            word.idle.pop("", None)
        elif word.told is None and now - word.idle.setdefault("", now) < GRACE:
            return
        if word.told != bool(layers) or word.layers != layers:
            word.told, word.layers = bool(layers), layers
            self._tell(source, word)

    def _too_early(self, word: _Word, needed: set[str], now: float) -> bool:
        comes = SUB in word.layers or word.told is None  # the hub begins with what it expects
        if MAIN not in needed or MAIN in word.layers or not comes:
            word.larger = None
            return False
        word.larger = now if word.larger is None else word.larger
        return now - word.larger < SETTLE

    def waiting(self) -> list[str]:
        """Sources whose larger stream is wanted and not told yet."""
        return [source for source, word in self._words.items() if word.larger is not None]

    def _tell(self, source: str, word: _Word) -> None:
        if word.layers:
            self._home.emit(Demand(source, True, self._worker, tuple(sorted(word.layers))))
        else:
            self._home.emit(Demand(source, False, self._worker))

    def forget(self, source: str) -> None:
        self._words.pop(source, None)

    def retell(self) -> None:
        """To a new hub, which takes everything as wanted."""
        for source, word in self._words.items():
            if word.told is not None:
                self._tell(source, word)
