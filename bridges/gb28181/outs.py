"""What the platform wants done, and the clocks it is woken by. No I/O, no clock: ``now`` is monotonic seconds."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from bridges.sip.message import Request, Response
from bridges.sip.transaction import Flow, Key
from commhub.media.messages import Message


@dataclass(frozen=True, slots=True)
class Respond:
    key: Key
    response: Response


@dataclass(frozen=True, slots=True)
class Post:
    """A request of ours; what becomes of it is told to ``answered`` or ``failed`` under this number."""

    number: int
    request: Request
    flow: Flow


@dataclass(frozen=True, slots=True)
class Learn:
    """A message that came by that flow was believed to be the peer's."""

    peer: str
    flow: Flow


@dataclass(frozen=True, slots=True)
class Forget:
    peer: str


@dataclass(frozen=True, slots=True)
class Tell:
    """To the hub."""

    message: Message


@dataclass(frozen=True, slots=True)
class Settle:
    """The answer to the hub's question of that number."""

    ask: int
    message: Message


@dataclass(frozen=True, slots=True)
class Refuse:
    """The sentences why there is none. ``code`` is stable."""

    ask: int
    code: str
    text: str
    text_zh: str


@dataclass(frozen=True, slots=True)
class Online:
    """Calls of this device may begin."""

    device: str


@dataclass(frozen=True, slots=True)
class Offline:
    """Its calls are over."""

    device: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The file that a playback of this channel sends is at its end (MediaStatus 121)."""

    device: str
    channel: str
    request: Request


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What a device says to a Notify Broadcast."""

    device: str
    sn: str
    accepted: bool


Out = Respond | Post | Learn | Forget | Tell | Settle | Refuse | Online | Offline | Ended | Broadcast


class Clocks:
    """Who wants to be called when. There is no taking back: who is called looks whether it is still time."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[float], None]]] = []
        self._number = 0

    @property
    def deadline(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def at(self, when: float, call: Callable[[float], None]) -> None:
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, call))

    def tick(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2](now)
