"""All receivers together: facts come in, are written in batches, and every receiver's delivery is woken."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from commhub import log as logs
from commhub.addresses import AllowList
from commhub.log import limited
from commhub.model import utc_ns
from commhub.store import Store, Transaction
from commhub.tasks import Tasks
from commhub.webhooks.beginnings import follow, left_over
from commhub.webhooks.delivery import Counts, Delivery
from commhub.webhooks.event import ENDS, Event, Receiver, event, event_id
from commhub.webhooks.lanes import Backoff, Lanes
from commhub.webhooks.outbox import Limits, Outbox
from commhub.webhooks.sender import Sender

log = logs.get(__name__)

GATHER_SECONDS = 0.02  # what happens within it is written together
BATCH = 1_000
HELD = 50_000  # events in memory while the database cannot be written
RETRY_SECONDS = 2.0
TIDY_SECONDS = 600.0


class Webhooks:
    """Without ``receivers`` it does nothing and costs nothing. ``give_up_after`` seconds an event that is not taken is dead;
    it has been tried at least once then. ``tls`` None: the system's authorities. Nobody is told of a room that is
    ``secret(name, key)``. ``utc`` is UTC ns, ``clock`` monotonic."""

    def __init__(
        self,
        store: Store,
        receivers: Sequence[Receiver],
        allow: AllowList,
        *,
        tls: ssl.SSLContext | None = None,
        give_up_after: float = 86_400.0,
        backoff: Backoff | None = None,
        side_by_side: int = 8,
        limits: Limits | None = None,
        secret: Callable[[str, str], bool] = lambda room, key: False,
        utc: Callable[[], int] = utc_ns,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._receivers = store, list(receivers)
        self._allow, self._tls, self._side_by_side = allow, tls, side_by_side
        self._give_up_after, self._backoff, self._limits = give_up_after, backoff or Backoff(), limits or Limits()
        self._secret = secret
        self._utc, self._clock = utc, clock
        self._outbox = Outbox(store)
        self._deliveries: dict[str, Delivery] = {}
        self._held: list[Event] = []
        self._more = asyncio.Event()
        self._tasks = Tasks("webhooks")
        self.lost = 0  # events that could not even be held

    async def start(self) -> None:
        names = [receiver.id for receiver in self._receivers]
        await self._outbox.abandon(names, self._utc())
        await self._outbox.tidy(names, self._limits, self._utc())
        for receiver in self._receivers:
            sender = Sender(receiver, self._allow, self._tls, self._side_by_side)
            lanes = Lanes(self._backoff, self._side_by_side)
            delivery = Delivery(
                receiver, self._outbox, sender, lanes, self._give_up_after, self._more.set, utc=self._utc, clock=self._clock
            )
            self._deliveries[receiver.id] = delivery
            await delivery.start()
        if self._receivers:
            self._tasks.spawn(self._write_all(), "outbox")
            self._tasks.spawn(self._tidy(), "tidy")

    async def close(self) -> None:
        """What has been said is written; what waits is sent by the next hub."""
        await self._tasks.close()
        for delivery in self._deliveries.values():
            await delivery.close()
        if self._deliveries:
            try:
                while self._held or any(delivery.taken() for delivery in self._deliveries.values()):
                    await self._flush()
            except SQLAlchemyError:
                log.exception("webhooks not written", number=len(self._held))

    @property
    def wanted(self) -> bool:
        """Is there anybody to tell?"""
        return bool(self._receivers)

    # ---- facts

    def emit(self, kind: str, **what: Any) -> None:
        """A fact (arguments as :func:`commhub.webhooks.event.event` has them, without ``at``). Never waits; it is in the
        database a moment later."""
        if not self._receivers or self._kept_quiet(what):
            return
        if len(self._held) >= HELD:
            self.lost += 1
            if (suppressed := limited("webhooks lost", 60)) is not None:
                log.error("webhook lost: the database cannot be written", kind=kind, suppressed=suppressed)
            return
        self._held.append(event(kind, self._utc(), **what))
        self._more.set()

    async def write(self, transaction: Transaction, kind: str, **what: Any) -> None:
        """As :meth:`emit`, in the transaction that makes it a fact: with it, or not at all."""
        if self._receivers and not self._kept_quiet(what):
            await self._put(transaction, [event(kind, self._utc(), **what)])

    def _kept_quiet(self, what: dict[str, Any]) -> bool:
        room = what.get("room")
        return room is not None and self._secret(room.name, what.get("key", ""))

    async def ends(self, going_on: Iterable[tuple[str, str]]) -> None:
        """Tell of everything that began and is not in ``going_on`` (kind and ``unique`` of its beginning) that it has ended.
        Once, when the hub has found again what goes on."""
        if not self._receivers:
            return
        living = {event_id(ENDS[kind], unique) for kind, unique in going_on}
        async with self._store.transaction() as transaction:
            living |= {held.end.id for held in self._held if held.end is not None}
            over = await left_over(transaction, living, self._utc())
            if over:
                await self._put(transaction, over)
                log.info("ends told that nobody saw", number=len(over))

    async def _put(self, transaction: Transaction, more: Sequence[Event] = ()) -> None:
        """Everything said so far comes first: order within a room is order of saying."""
        held = self._held[:] if more else self._held[:BATCH]
        taken = {name: delivery.taken() for name, delivery in self._deliveries.items()}
        events = await follow(transaction, [*held, *more])
        new = await self._outbox.put(transaction, events, self._receivers)
        for seqs in taken.values():
            await self._outbox.delivered(transaction, seqs, self._utc())

        def written() -> None:
            del self._held[: len(held)]
            for name, delivery in self._deliveries.items():
                delivery.known(taken[name])
                if rooms := new.get(name):
                    delivery.more(rooms)

        transaction.after(written)

    async def _flush(self) -> None:
        async with self._store.transaction() as transaction:
            await self._put(transaction)

    async def _write_all(self) -> None:
        while True:
            await self._more.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._more.clear()
            try:
                await self._flush()
            except SQLAlchemyError:
                # A full disk now may have room later; until then what is said is held.
                if (suppressed := limited("webhooks not written", 60)) is not None:
                    log.exception("webhooks not written", held=len(self._held), suppressed=suppressed)
                await asyncio.sleep(RETRY_SECONDS)
                self._more.set()
            if self._held:
                self._more.set()

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            try:
                given_up = await self._outbox.tidy(list(self._deliveries), self._limits, self._utc())
                for name, number in given_up.items():
                    self._deliveries[name].gave_up(number)
            except SQLAlchemyError:
                log.exception("webhooks not tidied")

    # ---- for people

    def counts(self) -> dict[str, Counts]:
        """By receiver id."""
        return {name: delivery.counts for name, delivery in self._deliveries.items()}

    def names(self) -> dict[str, str]:
        """Receiver id → what people call it: its host, and what tells it from others there."""
        return {one.id: f"{urlsplit(one.url).netloc}/{one.id[:4]}" for one in self._receivers}

    def down(self) -> dict[str, bool]:
        """Receiver id → it did not answer last time."""
        return {name: delivery.down for name, delivery in self._deliveries.items()}
