"""The hub's end of the links to its bridges and recorders: dialled, greeted, and dialled again for ever."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from commhub import log as logs
from commhub.errors import HubError, PeerError, Unavailable
from commhub.log import limited
from commhub.media.link import Link, dial
from commhub.media.messages import Counters, Hello, Message
from commhub.tasks import Tasks

log = logs.get(__name__)

Tell = Callable[[Message], None]


class User(Protocol):
    """Who speaks over a link."""

    def linked(self, snapshot: Message, tell: Tell) -> None: ...
    def unlinked(self) -> None: ...
    def receive(self, message: Message) -> None: ...


class Users:
    """Several on one link; each knows its own things by their ids and leaves the others' alone."""

    def __init__(self, *users: User) -> None:
        self._users = users

    def linked(self, snapshot: Message, tell: Tell) -> None:
        for user in self._users:
            user.linked(snapshot, tell)

    def unlinked(self) -> None:
        for user in self._users:
            user.unlinked()

    def receive(self, message: Message) -> None:
        for user in self._users:
            user.receive(message)


class Sharded(Protocol):
    """A user of several links of one kind, which are told apart by their numbers."""

    def linked(self, snapshot: Message, tell: Tell, shard: int, /) -> None: ...
    def unlinked(self, shard: int, /) -> None: ...
    def receive(self, message: Message) -> None: ...


class Shard:
    """One of the links of such a user."""

    def __init__(self, user: Sharded, shard: int) -> None:
        self._user, self._shard = user, shard

    def linked(self, snapshot: Message, tell: Tell) -> None:
        self._user.linked(snapshot, tell, self._shard)

    def unlinked(self) -> None:
        self._user.unlinked(self._shard)

    def receive(self, message: Message) -> None:
        self._user.receive(message)


class ChildLink:
    """``linked(snapshot, tell)`` is called first after every (re)connection, ``receive(message)`` for what follows, and
    ``unlinked()`` when it is gone. None of them may wait."""

    def __init__(
        self,
        folder: Path,
        name: str,
        epoch: int,
        *,
        linked: Callable[[Message, Tell], None],
        unlinked: Callable[[], None],
        receive: Callable[[Message], None],
    ) -> None:
        self._folder, self.name, self._epoch = folder, name, epoch
        self._linked, self._unlinked, self._receive = linked, unlinked, receive
        self._tasks = Tasks(f"link to {name}")
        self.up = False
        self._link: Link | None = None
        self.counters: dict[str, float] = {}  # as the process last said

    def start(self) -> None:
        self._tasks.spawn(self._run(), "dial")

    async def close(self) -> None:
        await self._tasks.close()

    async def ask(self, message: Message, within: float = 10.0) -> Message:
        """The answer; the process's own HubError, or Unavailable when it is not there or slow."""
        if self._link is None:
            raise Unavailable("The process that does this is being restarted.", "负责该功能的进程正在重启。")
        return await self._link.ask(message, within)

    async def _run(self) -> None:
        while True:
            try:
                await self._once()
            except OSError:
                pass  # not there yet, or being restarted
            except (HubError, PeerError) as error:
                # Refused (a newer hub is there), or it broke the protocol: once a minute is enough to say so.
                if limited((self.name, str(error)), 60) is not None:
                    log.warning("link refused", to=self.name, reason=str(error))
            await asyncio.sleep(random.uniform(0.1, 0.2))

    async def _once(self) -> None:
        # What follows the snapshot may be read before we run again, so it waits until the snapshot was handed on.
        early: list[Message] = []

        def handle(_: Link, message: Message) -> None:
            if isinstance(message, Counters):
                self.counters = message.values
            elif self.up:
                self._receive(message)
            else:
                early.append(message)

        link, reading = await dial(self._folder, self.name, handle)
        try:
            snapshot = await link.ask(Hello(role="hub", name="hub", epoch=self._epoch))
            self.up, self._link = True, link
            log.info("linked", to=self.name)
            self._linked(snapshot, link.tell)
            for message in early:
                self._receive(message)
            await reading
        finally:
            self._link = None
            link.close()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            if self.up:
                self.up, self._link = False, None
                log.warning("link lost", to=self.name)
                self._unlinked()
