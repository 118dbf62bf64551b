"""Terminals of people in a test's hub: they acknowledge what they are told, and remember it."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from commhub.calls import Wish
from commhub.calls.asked import Asked
from commhub.calls.shapes import CallView
from commhub.model import new_id
from commhub.terminals import Page, terminal_id
from tests.support import until
from tests.support.hubs import Hub, ticket_of

_numbers = itertools.count(10_000)


class Telephone:
    """One terminal; ``deaf``: it acknowledges nothing, ``refuses``: it says no, and why."""

    def __init__(self, hub: Hub, actor: Any, *, deaf: bool = False, refuses: str = "") -> None:
        self.hub, self.actor, self.deaf, self.refuses = hub, actor, deaf, refuses
        self.told = new_id()
        self.id = terminal_id(actor.id, self.told)
        self.heard: list[dict[str, Any]] = []
        self._page = Page(next(_numbers), lambda: self.actor, self._hear)
        self._tasks: set[asyncio.Task[None]] = set()

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] != "instruction":
            return
        self.heard.append(message)
        if not self.deaf:
            ok = message["verb"] != "ring" or not self.refuses
            self._say({"type": "ack", "id": message["id"], "ok": ok, "reason": "" if ok else self.refuses})

    def _say(self, said: dict[str, Any]) -> None:
        task = asyncio.ensure_future(self.hub.parts.terminals.receive(self._page, said))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def plug_in(self, auto: str = "never") -> Telephone:
        said = {"type": "terminal", "id": self.told, "kind": "page", "auto_answer": auto}
        await self.hub.parts.terminals.receive(self._page, said)
        return self

    async def dnd(self) -> None:
        await self.hub.parts.terminals.receive(self._page, {"type": "presence", "state": "dnd"})

    def verbs(self, call: str) -> list[str]:
        return [one["verb"] for one in self.heard if one["subject"] == call]

    async def rings(self, call: str) -> dict[str, Any]:
        await until(lambda: "ring" in self.verbs(call), what="ringing")
        return next(one for one in self.heard if one["subject"] == call and one["verb"] == "ring")

    @property
    def presence(self) -> str:
        terminal = self.hub.parts.terminals.get(self.id)
        return terminal.presence if terminal is not None else "offline"

    async def call(self, *people: str, **more: Any) -> CallView:
        to = [Asked("person", self.hub.ids[one]) for one in people]
        return await self.hub.parts.calls.create(self.actor, Wish(to, self.id, **more))

    async def act(self, verb: Any, call: str, rev: int | None = None) -> CallView:
        return await self.hub.parts.calls.act(verb, call, self.actor, self.id, rev)

    async def enter(self, call: str) -> str:
        """Into the room, as signalling does it."""
        joining = await self.hub.parts.calls.join(call, self.actor, self.id, "ws://hub")
        ticket = ticket_of(joining.token)
        await self.hub.door.admit(ticket)
        await self.hub.conference.enter(call, ticket.identity, ticket.name, "person")
        return ticket.identity

    async def answer(self, call: str) -> CallView:
        await self.rings(call)
        answered = await self.act("answer", call)
        await self.enter(call)
        return answered


async def telephone(hub: Hub, account: str, **more: Any) -> Telephone:
    return await Telephone(hub, await hub.person(account), **more).plug_in()


def states(call: CallView) -> dict[str, str]:
    """Name of each leg's person → its end, or its state."""
    return {leg.person.name: leg.end or leg.state for leg in call.legs}
