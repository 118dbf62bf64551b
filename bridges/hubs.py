"""The hubs that are linked to a bridge. There is one at a time; for a moment, while one takes over, there are two, and the one
with the greater epoch counts."""

from __future__ import annotations

from collections.abc import Callable

from commhub.errors import Conflict
from commhub.media.link import Link
from commhub.media.messages import Hello, Message


class Hubs:
    """``gone`` is called when one is gone, also when another one has taken over: what its people held nobody holds now."""

    def __init__(self, gone: Callable[[], None] = lambda: None) -> None:
        self._links: dict[Link, int] = {}  # link → epoch
        self._epoch = 0
        self._gone = gone

    @property
    def links(self) -> list[Link]:
        return list(self._links)

    def connected(self, link: Link) -> None:
        link.on_close.append(self._disconnected)

    def hello(self, link: Link, hello: Hello) -> None:
        """Conflict for one that has been replaced."""
        if hello.epoch < self._epoch:
            raise Conflict("A newer hub has taken over.", "新的中心进程已接管。", code="stale_epoch")
        self._epoch = hello.epoch
        for other, epoch in list(self._links.items()):
            if epoch < hello.epoch:
                other.close()
        self._links[link] = hello.epoch

    def obeys(self, link: Link) -> bool:
        """Whether what comes from there counts."""
        return self._links.get(link, -1) >= self._epoch

    def tell(self, message: Message) -> bool:
        """Whether there was anybody to tell it."""
        told = [link for link, epoch in self._links.items() if epoch >= self._epoch and not link.closed.is_set()]
        for link in told:
            link.tell(message)
        return bool(told)

    def _disconnected(self, link: Link) -> None:
        if self._links.pop(link, None) is not None:
            self._gone()
