"""What terminals and rooms are told of a call. The record stands already when any of this is done, and it can be done again."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from commhub import log as logs
from commhub.calls.effects import Close, Effect, Enter, Gates, Go, Hush, Ring
from commhub.calls.machine import Call, Leg
from commhub.conference import Conference
from commhub.errors import HubError
from commhub.model import Actor, new_id
from commhub.rooms import Hearing, InternalKey
from commhub.tasks import Tasks
from commhub.terminals import Instruction, Outcome, Presence, Terminals

log = logs.get(__name__)

#: Asks who somebody is now; None: he may no longer sign in.
Who = Callable[[str], Awaitable[Actor | None]]
#: Gets what came of ringing.
Rung = Callable[[str, Leg, Outcome], Awaitable[None]]


class Ringing:
    """``rung`` hears what a terminal said to a ring."""

    def __init__(
        self, conference: Conference, hearing: Hearing, terminals: Terminals, key: InternalKey, who: Who, rung: Rung
    ) -> None:
        self._conference, self._terminals, self._key, self._who, self._rung = conference, terminals, key, who, rung
        self._hearing = hearing
        self._tasks = Tasks("ringing")

    async def close(self) -> None:
        await self._tasks.close()

    async def carry_out(self, call: Call, effects: list[Effect], news: dict[str, Any], now: Callable[[], Call]) -> None:
        """``news`` is the call as events have it; ``now`` is the call as it is by then."""
        for effect in effects:
            match effect:
                case Gates():
                    self.gate(now())
                case Ring(leg):
                    self.ring(call, leg, news)
                case Enter(leg, told):
                    self._terminals.occupy(leg.terminal, call.id, Presence.BUSY)
                    if told:
                        self._tasks.spawn(self._bring(call, leg, news), "bring")
                case Hush(leg):
                    self._terminals.withdraw(leg.terminal, leg.id)
                    self._leave(call, leg)
                case Go(leg):
                    self._leave(call, leg)
                    if call.live and call.at(leg.terminal) is None:
                        await self.put_out(call.id, leg.terminal)
                case Close():
                    await self._conference.close(call.id)
                    self._hearing.forget(call.id)

    def gate(self, call: Call) -> None:
        """Whoever is held neither hears nor is heard."""
        held = call.held
        apart = (lambda publisher, viewer: publisher in held or viewer in held) if held else None
        self._hearing.apart(call.id, "held", apart)

    def ring(self, call: Call, leg: Leg, news: dict[str, Any]) -> None:
        self._terminals.occupy(leg.terminal, call.id, Presence.RINGING)
        self._tasks.spawn(self._ring(call, leg, news), "ring")

    async def _ring(self, call: Call, leg: Leg, news: dict[str, Any]) -> None:
        caller = await self._who(call.created_by)
        auto = caller is not None and not leg.waiting and self._terminals.auto(leg.terminal, caller)
        by, why = news["created_by"], "recall" if call.recalls(leg) else ""
        instruction = Instruction(
            leg.id, "ring", call.id, room=call.id, by=by, auto=auto, reason=why, data={"call": news, "leg": leg.id}
        )
        outcome = await self._terminals.instruct(leg.terminal, instruction)
        await self._rung(call.id, leg, outcome)

    async def _bring(self, call: Call, leg: Leg, news: dict[str, Any]) -> None:
        """Somebody who talks already goes on in this call."""
        actor = await self._who(leg.person)
        if actor is None:
            return
        token = self.ticket(call, actor, leg.terminal)
        said = Instruction(
            new_id(), "join", call.id, room=call.id, token=token, auto=True, reason="transfer", data={"call": news}
        )
        outcome = await self._terminals.instruct(leg.terminal, said)
        if not outcome.ok:
            log.warning("terminal did not come into the call", call=call.id, outcome=outcome.state)

    def ticket(self, call: Call, actor: Actor, identity: str) -> str:
        sources = ["microphone", "camera", "screen_share", "screen_share_audio"] if call.video else ["microphone"]
        grants = {"canPublish": True, "canPublishSources": sources, "canSubscribe": True, "canPublishData": True}
        return self._key.ticket(call.id, actor, identity, **grants)

    def _leave(self, call: Call, leg: Leg) -> None:
        if call.at(leg.terminal) is not None:
            return  # it is in it by another leg
        self._terminals.release(leg.terminal, call.id)
        said = Instruction(new_id(), "leave", call.id, reason=leg.end or "", data={"leg": leg.id, "by": leg.by})
        self._tasks.spawn(self._say(leg.terminal, said), "leave")

    async def _say(self, terminal: str, said: Instruction) -> None:
        await self._terminals.instruct(terminal, said)

    async def put_out(self, call: str, identity: str) -> None:
        with contextlib.suppress(HubError):  # gone by himself meanwhile
            await self._conference.remove(call, identity)
