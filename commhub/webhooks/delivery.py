"""Sends one receiver its events: rooms side by side, a room's events one after another, again until it takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from commhub import log as logs
from commhub.log import limited
from commhub.tasks import Tasks
from commhub.webhooks.event import NS, Receiver
from commhub.webhooks.lanes import Lanes
from commhub.webhooks.outbox import Outbox, Row
from commhub.webhooks.sender import Outcome, Sender

log = logs.get(__name__)

TURN = 32  # events of one room before another room has its turn
EXPIRE_SECONDS = 60.0
PAUSE_SECONDS = 2.0  # after the database failed


@dataclass(slots=True)
class Counts:
    """``waiting`` now; the others since this hub started."""

    waiting: int = 0
    delivered: int = 0
    failures: int = 0  # tries that failed
    dead: int = 0  # given up


class Delivery:
    """``marked`` is called when events were taken: the table has to be told (:meth:`taken`), many at a time."""

    def __init__(
        self,
        receiver: Receiver,
        outbox: Outbox,
        sender: Sender,
        lanes: Lanes,
        give_up_after: float,
        marked: Callable[[], None],
        *,
        utc: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self.receiver, self.counts = receiver, Counts()
        self._outbox, self._sender, self._lanes = outbox, sender, lanes
        self._give_up_after, self._marked, self._utc, self._clock = give_up_after, marked, utc, clock
        self._taken: dict[str, set[int]] = {}  # room → events taken that the table does not know of yet
        self._wake = asyncio.Event()
        self._expired_at: float | None = None
        self._tasks = Tasks(f"webhooks {receiver.id}")

    async def start(self) -> None:
        waiting = await self._outbox.waiting(self.receiver.id)
        self.counts.waiting = sum(waiting.values())
        self._lanes.add(waiting)
        self._tasks.spawn(self._run(), "lanes")

    async def close(self) -> None:
        await self._tasks.close()
        await self._sender.close()

    @property
    def down(self) -> bool:
        return self._lanes.failures > 0

    def more(self, rooms: list[str]) -> None:
        """New rows, one room each."""
        self.counts.waiting += len(rooms)
        self._lanes.add(rooms)
        self._wake.set()

    def taken(self) -> set[int]:
        return {seq for seqs in self._taken.values() for seq in seqs}

    def known(self, seqs: set[int]) -> None:
        """The table knows by now that these were taken."""
        for room, mine in list(self._taken.items()):
            mine -= seqs
            if not mine:
                del self._taken[room]

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            while (room := self._lanes.take(self._clock())) is not None:
                self._tasks.spawn(self._turn(room), "room")
            deadline = self._lanes.deadline()
            wait = None if deadline is None else max(0.0, deadline - self._clock())
            try:
                await asyncio.wait_for(self._wake.wait(), wait)
            except TimeoutError:
                pass  # somebody is due

    async def _turn(self, room: str) -> None:
        try:
            # A copy: what is marked while the table is being read may still read as waiting.
            known = frozenset(self._taken.get(room, ()))
            rows = await self._outbox.ahead(self.receiver.id, room, known, TURN)
            for row in rows:
                outcome = await self._sender.post(row.body.encode())
                if outcome is not Outcome.TAKEN:
                    await self._failed(room, row, unanswered=outcome is Outcome.UNANSWERED)
                    return
                self._lanes.succeeded(room)
                self.counts.delivered += 1
                self.counts.waiting -= 1
                self._taken.setdefault(room, set()).add(row.seq)
                self._marked()
            self._lanes.done(room, empty=len(rows) < TURN)
        except Exception:  # the database is away; the other rooms' events are not lost for that
            if (suppressed := limited("webhook lane", 60)) is not None:
                log.exception("webhook not sent", receiver=self.receiver.id, suppressed=suppressed)
            await asyncio.sleep(PAUSE_SECONDS)
            self._lanes.done(room, empty=False)
        finally:
            self._wake.set()

    async def _failed(self, room: str, row: Row, *, unanswered: bool) -> None:
        self.counts.failures += 1
        if (suppressed := limited(("webhook", self.receiver.id, unanswered), 600)) is not None:
            what = "webhook receiver does not answer" if unanswered else "webhook receiver refuses an event"
            log.warning(what, receiver=self.receiver.id, event_id=row.id, waiting=self.counts.waiting, suppressed=suppressed)
        now, utc = self._clock(), self._utc()
        before = utc - int(self._give_up_after * NS)
        if row.at < before and not unanswered:
            await self._outbox.give_up(row.seq, utc)
            self.gave_up(1)
            self._lanes.done(room, empty=False)  # what stands behind it has its own tries
            return
        if row.at < before and (self._expired_at is None or now - self._expired_at >= EXPIRE_SECONDS):
            self._expired_at = now
            self.gave_up(await self._outbox.expire(self.receiver.id, before, utc))
        self._lanes.failed(room, self._clock(), unanswered=unanswered)

    def gave_up(self, number: int) -> None:
        if number:
            self.counts.dead += number
            self.counts.waiting -= number
            log.error("webhooks given up", receiver=self.receiver.id, number=number)
