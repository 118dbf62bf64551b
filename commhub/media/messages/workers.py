"""Media worker → hub: how it is, and that it ends."""

from __future__ import annotations

from commhub.media.messages.common import BaseMessage


class Load(BaseMessage, frozen=True):
    """Once a second and at every change of ``level`` (:class:`commhub.media.overload.Level`). Seconds."""

    level: int
    lag: float  # how late the worker's own clock was, at worst since the last one
    waited: float  # how long a datagram lay in the kernel, at worst since the last one


class Draining(BaseMessage, frozen=True):
    """The worker was told to end: it does so when its rooms are gone, ``within`` seconds at the latest."""

    within: float
