"""One bridge as :class:`~commhub.feeds.feeds.Feeds` sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlsplit

from commhub.conference import INGRESS
from commhub.errors import Unavailable
from commhub.media.messages import BridgeSnapshot, Message, Pull, SourceState

KINDS = ("rtsp", "gb28181")


def kind_of(url: str) -> str:
    """Which bridge opens this address."""
    return "gb28181" if urlsplit(url).scheme == "gb28181" else "rtsp"


class Hearing(Protocol):
    def came(self, bridge: Bridge) -> None: ...
    def went(self, bridge: Bridge) -> None: ...
    def heard(self, message: Message) -> None: ...
    def known(self, source: str) -> bool: ...


class Bridge:
    """A user of its link (:mod:`commhub.links`). ``strangers`` are Sources it pulls for nobody known, each as it is now."""

    def __init__(self, kind: str, hearing: Hearing) -> None:
        self.kind, self._hearing = kind, hearing
        self._tell: Callable[[Message], None] | None = None
        self.strangers: dict[str, SourceState] = {}
        #: Asks over the link; set by whoever makes it.
        self.asking: Callable[[Message, float], Awaitable[Message]] | None = None

    @property
    def up(self) -> bool:
        return self._tell is not None

    def tell(self, message: Message) -> None:
        """Lost while it is away: whoever cares tells it again when it comes."""
        if self._tell is not None:
            self._tell(message)

    async def ask(self, message: Message, within: float = 10.0) -> Message:
        """The bridge's answer or its refusal; Unavailable while it is away or silent."""
        if self.asking is None or not self.up:
            raise Unavailable("The process that does this is being restarted.", "负责该功能的进程正在重启。")
        return await self.asking(message, within)

    def end_strangers(self) -> None:
        for source in sorted(self.strangers):
            if not self._hearing.known(source):
                self.tell(Pull(source=source, url="", workers=[]))
        self.strangers.clear()

    def linked(self, snapshot: Message, tell: Callable[[Message], None]) -> None:
        self._tell = tell
        if isinstance(snapshot, BridgeSnapshot):
            for state in snapshot.sources:
                self._hearing.heard(state)
                if not self._hearing.known(state.source) and not state.source.startswith(INGRESS):
                    self.strangers[state.source] = state
        self._hearing.came(self)

    def unlinked(self) -> None:
        self._tell = None
        self.strangers.clear()
        self._hearing.went(self)

    def receive(self, message: Message) -> None:
        if isinstance(message, SourceState) and message.source in self.strangers:
            self.strangers[message.source] = message
        self._hearing.heard(message)
