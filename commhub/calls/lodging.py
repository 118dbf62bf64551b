"""Calls in their rooms: who may come in, who is there, who is gone, and what a restarted hub finds.

Every room of a call is looked at while somebody is waited for in it; whoever is in one without a leg is put out, and a room whose
call is over is closed, also when the hub that ended it died half-way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from typing import Protocol

from commhub import log as logs
from commhub.auth import Auth
from commhub.calls import machine, records, shapes
from commhub.calls.machine import Call, End, Leg
from commhub.calls.ringing import Ringing
from commhub.conference import Conference, Presence, Ticket
from commhub.errors import Forbidden
from commhub.model import ULID_PATTERN
from commhub.rooms import InternalKey, member_of
from commhub.store import Store
from commhub.terminals import Presence as Shown
from commhub.terminals import Terminal, Terminals

log = logs.get(__name__)

SECOND = 1_000_000_000
BACK_SECONDS = 5  # for who was cut off, after the time in which his session could be resumed
LEFT_SECONDS = 3  # for who left by himself: a page that is loaded again comes back
# A restarted hub. Together with what it takes to start, all of it is over within ten seconds:
BACK_AGAIN_SECONDS = 4  # from when workers have told who is there: for who does not show, neither by socket nor by media
RINGING_AGAIN_SECONDS = 6  # for terminals that rang: pages connect again within a few seconds
RESTART_SECONDS = 8  # the longest, when no worker says anything
SWEEP_SECONDS = 2.0  # between looks for rooms without a call, at first; later
SWEEP_LATER_SECONDS = 30.0
_ULID = re.compile(ULID_PATTERN)


class Live(Protocol):
    """The calls, as far as this page needs them."""

    @property
    def live(self) -> Mapping[str, Call]: ...
    def now(self) -> int: ...
    async def change(self, call: str, step: Callable[[Call, int], Call]) -> None: ...


class Lodging:
    """A :class:`~commhub.rooms.House`."""

    def __init__(
        self,
        store: Store,
        auth: Auth,
        conference: Conference,
        terminals: Terminals,
        key: InternalKey,
        ringing: Ringing,
        calls: Live,
    ) -> None:
        self._store, self._auth, self._conference, self._terminals = store, auth, conference, terminals
        self._key, self._ringing, self._calls = key, ringing, calls
        self._again: dict[str, int] = {}  # legs of before that ring anew when their terminal is there, and their deadlines
        self._began = self._swept = 0
        self._told: int | None = None  # since when workers have told a restarted hub what they carry
        self._doubted: set[str] = set()  # calls of before in which somebody is waited for
        #: Is somebody of this identity in the room of a call by a right of their own?
        self.guests: Callable[[str, str], bool] = lambda call, identity: False
        terminals.listen(self._shown)

    # ---- the door

    def owns(self, room: str) -> bool:
        return room in self._calls.live

    async def admit(self, ticket: Ticket) -> None:
        call = self._calls.live.get(ticket.room)
        leg = call.at(ticket.identity) if call is not None else None
        if ticket.key != self._key.name or leg is None or not leg.active:
            raise Forbidden("You are not in this call.", "你不在该通话中。")
        if await self._auth.actor(leg.person) is None:
            raise Forbidden("This person may no longer sign in.", "该人员已停用。")

    async def joined(self, room: str, presence: Presence) -> None:
        if presence.kind != "person":
            return
        leg = self._leg(room, presence.identity)
        if leg is None or not leg.active:
            await self._ringing.put_out(room, presence.identity)
            return
        await self._calls.change(room, lambda call, now: machine.came(call, leg.id))

    async def left(self, room: str, presence: Presence, reason: str) -> None:
        leg = self._leg(room, presence.identity) if presence.kind == "person" else None
        if leg is None or not leg.active:
            return
        seconds, why = (LEFT_SECONDS, End.HANGUP) if reason.lower() == "client_initiated" else (BACK_SECONDS, End.LOST)
        await self._calls.change(room, lambda call, now: machine.went(call, leg.id, now + seconds * SECOND, why))

    def _leg(self, room: str, identity: str) -> Leg | None:
        call = self._calls.live.get(room)
        return call.at(identity) if call is not None else None

    # ---- a restarted hub

    async def take_up(self) -> None:
        """Calls of before, and nobody known to be in them yet. Gates stand before a worker tells who is there."""
        now = self._began = self._calls.now()
        until, ringing = now + RESTART_SECONDS * SECOND, now + RINGING_AGAIN_SECONDS * SECOND
        for call in list(self._calls.live.values()):
            await self._conference.open(call.id, key=self._key.name)
            self._ringing.gate(call)
            self._again |= {leg.id: leg.deadline for leg in call.pending}
            await self._calls.change(call.id, lambda this, _: _wait(this, until, ringing))
            self._doubted.add(call.id)
        if self._calls.live:
            log.info("calls taken up", calls=len(self._calls.live))

    async def look(self) -> None:
        """Who is waited for may be there; whose call is over may be there still."""
        for call in list(self._calls.live.values()):
            if any(leg.active and leg.deadline for leg in call.legs):
                here = {one.identity for one in self._conference.present(call.id, unseen=True, connected=True)}
                if any(leg.active and leg.deadline and leg.terminal in here for leg in call.legs):
                    await self._calls.change(call.id, lambda this, _, here=here: _found(this, here))  # type: ignore[misc]
            for leg in call.pending:
                if leg.id in self._again and self._terminals.get(leg.terminal) is not None:
                    await self._ring_again(call, leg)
        if self._doubted:
            await self._reconcile()
        now = self._calls.now()
        every = SWEEP_SECONDS if now - self._began < SWEEP_LATER_SECONDS * SECOND else SWEEP_LATER_SECONDS
        if now - self._swept >= every * SECOND:
            self._swept = now
            await self._sweep()

    async def _reconcile(self) -> None:
        """Who is not there is known, and need not be waited for: a client sends media or checks its path, and whoever's worker
        has heard neither for a moment is gone. Who is on the way back, or in, gets that moment."""
        for id in list(self._doubted):
            call, now = self._calls.live.get(id), self._calls.now()
            if call is None or not any(map(_awaited, call.legs)):
                self._doubted.discard(id)
                continue
            if self._told is not None and now < self._told + BACK_AGAIN_SECONDS * SECOND:
                return
            here = await self._conference.reached(id)
            if here is not None and self._told is None:
                self._told = now
            elif here is not None:
                await self._calls.change(id, lambda this, now, here=here: _reconciled(this, here, now))  # type: ignore[misc]
                self._doubted.discard(id)

    async def _sweep(self) -> None:
        rooms = [room for room in self._conference.named("") if _ULID.fullmatch(room) and not self.owns(room)]
        if rooms:
            async with self._store.reading() as reading:
                over = await records.ended_among(reading, rooms)
            for room in over:
                log.info("room of an ended call closed", call=room)
                await self._conference.close(room)
        for call in list(self._calls.live.values()):
            for one in self._conference.present(call.id, unseen=True):
                leg = call.at(one.identity)
                stray = (leg is None or not leg.active) and not self.guests(call.id, one.identity)
                if one.kind == "person" and stray and member_of(one.identity) != one.identity:
                    await self._ringing.put_out(call.id, one.identity)

    async def _ring_again(self, call: Call, leg: Leg) -> None:
        deadline = self._again.pop(leg.id)

        def step(this: Call, now: int) -> Call:
            return machine.expect(this, leg.id, max(deadline, now + SECOND), End.NO_ANSWER)

        await self._calls.change(call.id, step)
        async with self._store.reading() as reading:
            names = await records.names(reading, call.people())
        self._ringing.ring(call, leg, shapes.news(call, names).model_dump(mode="json"))

    def _shown(self, terminal: Terminal, before: Shown) -> None:
        """A terminal that has come is busy with what it is in."""
        if before is not Shown.OFFLINE:
            return
        for call in self._calls.live.values():
            if (leg := call.at(terminal.id)) is not None:
                self._terminals.occupy(terminal.id, call.id, Shown.BUSY if leg.active else Shown.RINGING)


def _wait(call: Call, until: int, ringing: int) -> Call:
    for leg in call.legs:
        if leg.live:
            call = machine.expect(call, leg.id, until if leg.active else ringing, End.RESTART)
    return call


def _awaited(leg: Leg) -> bool:
    """Was in it when the hub died, and has not been seen since."""
    return leg.active and leg.deadline > 0 and leg.overdue is End.RESTART


def _reconciled(call: Call, here: Set[str], now: int) -> Call:
    for leg in filter(_awaited, call.legs):
        call = machine.came(call, leg.id) if leg.terminal in here else machine.expect(call, leg.id, now, End.RESTART)
    return machine.tick(call, now)


def _found(call: Call, here: Set[str]) -> Call:
    for leg in call.active:
        if leg.deadline and leg.terminal in here:
            call = machine.came(call, leg.id)
    return call
