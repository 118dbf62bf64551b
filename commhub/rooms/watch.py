"""Conference control by the clock: a co-chair leads when the chair is lost, hands of who has left come down, who waits and is
silent is forgotten, the planned end is announced. Nobody is put out and no consultation ended by it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from commhub import log as logs
from commhub.model import HUB
from commhub.rooms import raised, rules, steps
from commhub.rooms.entering import Entering
from commhub.rooms.leading import Leading, Word
from commhub.store import consultations
from commhub.store.consultations import Consultation
from commhub.store.controls import Control
from commhub.tasks import Tasks

log = logs.get(__name__)

TICK = 0.5  # seconds
LOST_SECONDS = 3.0  # that a chair may be away before a co-chair leads
SETTLE_SECONDS = 20.0  # after a restart, until whoever is not there is really gone


class Watch:
    """``clock`` is monotonic seconds."""

    def __init__(self, leading: Leading, entering: Entering, clock: Callable[[], float] = time.monotonic) -> None:
        self._leading, self._entering, self._clock = leading, entering, clock
        self._tasks = Tasks("conference control")
        self._settled = 0.0
        self._lost: dict[str, float] = {}  # since when nobody has led, by room
        self._known = False

    def start(self) -> None:
        self._settled = self._clock() + SETTLE_SECONDS
        self._tasks.spawn(self._run(), "clock")

    async def close(self) -> None:
        await self._tasks.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            for room in list(self._leading.led):
                try:
                    await self.look(room)
                except Exception:  # the other consultations go on
                    log.exception("conference control's clock failed", room=room)

    async def look(self, room: str) -> None:
        """Whatever is due in one consultation."""
        now = self._clock()
        settled = now >= self._settled
        if settled and not self._known:
            self._known = True
            self._leading.settled()
        self._leading.gate(room)
        record = self._leading.led.get(room)
        if record is None:
            return
        if settled:
            await self._entering.forget_silent(record)
            await self._tidy(record)
            await self._represent(record, now)
        at = self._leading.now()
        if steps.warn(record.control, at) != record.control:
            minutes = max(0, steps.warn(record.control, at).warned)
            word = Word("ending", "ending", f"{minutes} min", {"minutes": minutes})
            await self._change(room, word, lambda now, _: steps.warn(now, at))

    async def _tidy(self, record: Consultation) -> None:
        """What is left of those who have left."""
        here, control = self._leading.here(record), record.control
        if raised.gone(control, here) != control:
            await self._change(record.id, Word("hand", "lower_hand", "left"), lambda now, _: raised.gone(now, here))
        if control.broadcast and control.broadcast not in here:
            word = Word("broadcast", "broadcast", "left", {"person": None})
            await self._change(record.id, word, lambda now, _: steps.broadcast(now, None) if now.broadcast else now)

    async def _represent(self, record: Consultation, now: float) -> None:
        if not record.control.co_chairs:
            self._lost.pop(record.id, None)
            return
        connected = self._leading.here(record, connected=True)
        if record.leader in connected and not (record.control.acting and record.chair in connected):
            self._lost.pop(record.id, None)
            return
        back = record.chair in connected
        if not back and now - self._lost.setdefault(record.id, now) < LOST_SECONDS:
            return
        word = Word("chair", "chair", "back" if back else "lost", {"chair": record.chair})
        await self._change(record.id, word, lambda now, there: steps.represent(now, there.chair, connected))

    async def _change(self, room: str, word: Word, step: Callable[[Control, Consultation], Control]) -> None:
        """By the hub itself; nothing is written when nothing changes."""
        async with self._leading.store.transaction() as transaction:
            record = await consultations.one(transaction, room)
            if record is None or not record.live:
                self._leading.forget(room)
                return
            after = step(record.control, record)
            if after != record.control:
                await self._leading.write(transaction, rules.live(record), after, HUB, word)
