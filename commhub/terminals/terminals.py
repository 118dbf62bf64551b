"""Who can be instructed: the terminals that keep a socket to this hub, what they are told, and what they answer."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from commhub import log as logs
from commhub.model import ULID_PATTERN
from commhub.terminals.delivery import Delivery
from commhub.terminals.page import Page
from commhub.terminals.presence import GRACE, Line, Sign, State, merged
from commhub.terminals.shapes import (
    GONE,
    SILENT,
    AutoAnswer,
    Instruction,
    Kind,
    Late,
    Listener,
    Outcome,
    Presence,
    Terminal,
)

log = logs.get(__name__)

WITHIN = 3.0  # seconds until a terminal that says nothing is said to be silent
NAME_LIMIT = 64  # characters
_ULID = re.compile(ULID_PATTERN)


@dataclass(slots=True, eq=False)
class _Known:
    id: str
    person: str
    kind: Kind
    name: str
    auto_answer: AutoAnswer
    since: int
    used: float
    page: Page | None = None
    state: State = field(default_factory=State)
    delivery: Delivery = field(default_factory=Delivery)
    shown: Presence = Presence.OFFLINE

    @property
    def terminal(self) -> Terminal:
        return Terminal(self.id, self.person, self.kind, self.name, self.shown, self.auto_answer, self.since)


class Terminals:
    """``now`` is monotonic seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: dict[str, _Known] = {}
        self._pages: dict[int, _Known] = {}
        self._listeners: list[Listener] = []
        self._late: list[Late] = []
        self._answers: dict[tuple[str, str], asyncio.Future[Outcome]] = {}

    # ---- what the hub asks and says

    def of(self, person: str) -> list[Terminal]:
        """Those that are there, most recently used first."""
        found = [one for one in self._known.values() if one.person == person and one.shown is not Presence.OFFLINE]
        return [one.terminal for one in sorted(found, key=lambda one: -one.used)]

    def get(self, terminal: str) -> Terminal | None:
        known = self._known.get(terminal)
        return known.terminal if known is not None else None

    def presence(self, person: str) -> Presence:
        """Of all terminals of a person together."""
        return merged(one.shown for one in self._known.values() if one.person == person)

    async def instruct(self, terminal: str, instruction: Instruction, within: float = WITHIN) -> Outcome:
        """Waits at most ``within`` seconds for the terminal's word. Who gets ``silent`` must show it: nothing is assumed. A
        word that comes later goes to :meth:`hear_late`."""
        known = self._known.get(terminal)
        if known is None or known.shown is Presence.OFFLINE:
            return GONE
        key = (terminal, instruction.id)
        if key not in self._answers:
            self._answers[key] = asyncio.get_running_loop().create_future()
            for one in known.delivery.give(instruction, self._now(), open=known.page is not None):
                _send(known, one)
        answer = self._answers[key]
        try:
            return await asyncio.wait_for(asyncio.shield(answer), within)
        except TimeoutError:
            return SILENT
        finally:
            self._answers.pop(key, None)

    def withdraw(self, terminal: str, instruction: str) -> None:
        """It is not worth sending again any more: answered elsewhere, cancelled."""
        if (known := self._known.get(terminal)) is not None:
            known.delivery.withdraw(instruction)

    def tell(self, terminal: str, message: dict[str, Any]) -> bool:
        """Something that is worth nothing later: no number, no history, no acknowledgement. False when it is not there."""
        known = self._known.get(terminal)
        if known is None or known.page is None:
            return False
        known.page.tell(message)
        return True

    def at(self, page: Page) -> Terminal | None:
        """Which one this socket is, once it has said so."""
        known = self._pages.get(page.number)
        return known.terminal if known is not None else None

    def occupied(self, terminal: str) -> set[str]:
        """With what (:meth:`occupy`)."""
        known = self._known.get(terminal)
        return set(known.state.reasons) if known is not None else set()

    def occupy(self, terminal: str, what: str, presence: Presence) -> None:
        """``what`` (a call's, group's, consultation's id) makes it ring or busy, until :meth:`release`. Again with the same
        ``what`` changes the reason."""
        if (known := self._known.get(terminal)) is not None:
            known.state.occupy(what, presence)
            self._show(known)

    def release(self, terminal: str, what: str) -> None:
        if (known := self._known.get(terminal)) is not None:
            known.state.release(what)
            self._show(known)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Gets every change of a terminal's presence; must not wait. Returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def hear_late(self, late: Late) -> Callable[[], None]:
        self._late.append(late)
        return lambda: self._late.remove(late)

    # ---- what pages say

    async def receive(self, page: Page, said: Mapping[str, Any]) -> None:
        match said["type"]:
            case "terminal":
                self._register(page, said)
            case "presence":
                if (known := self._pages.get(page.number)) is not None and said.get("state") in ("dnd", "idle"):
                    known.state.dnd = said["state"] == "dnd"
                    self._use(known)
            case "ack":
                if (known := self._pages.get(page.number)) is not None:
                    self._answered(known, said)

    def gone(self, page: Page) -> None:
        known = self._pages.pop(page.number, None)
        if known is None or known.page is not page:
            return
        known.page = None
        known.state.receive(Sign.CLOSED, self._now())
        asyncio.get_running_loop().call_later(GRACE, self._tick, known)

    # ---- inside

    def _register(self, page: Page, said: Mapping[str, Any]) -> None:
        told, person = said.get("id"), page.actor().id
        kind, name, auto = said.get("kind", "page"), said.get("name", ""), said.get("auto_answer", "never")
        if not isinstance(told, str) or not _ULID.fullmatch(told):
            raise ValueError("The id of a terminal is a ULID.")
        if kind not in get_args(Kind) or auto not in get_args(AutoAnswer) or not isinstance(name, str) or len(name) > NAME_LIMIT:
            raise ValueError("The terminal says of itself what cannot be.")
        id = terminal_id(person, told)
        known = self._known.get(id)
        if known is None:
            known = self._known[id] = _Known(id, person, kind, name, auto, time.time_ns(), self._now())
        known.kind, known.name, known.auto_answer = kind, name, auto
        if (before := known.page) is not None and before is not page:
            self._pages.pop(before.number, None)
            before.tell({"type": "replaced"})
        known.page = page
        self._pages[page.number] = known
        known.state.receive(Sign.OPENED, self._now())
        page.tell({"type": "terminal", "id": id})
        for one in known.delivery.resumed(self._now()):
            _send(known, one)
        self._use(known)

    def _answered(self, known: _Known, said: Mapping[str, Any]) -> None:
        id, ok, reason = said.get("id"), said.get("ok"), said.get("reason", "")
        if not isinstance(id, str) or not isinstance(ok, bool) or not isinstance(reason, str):
            raise ValueError("An acknowledgement has id, ok and reason.")
        self._use(known)
        found = known.delivery.answered(id, ok, reason)
        if found is None:
            return
        instruction, outcome = found
        future = self._answers.get((known.id, id))
        if future is not None and not future.done():
            future.set_result(outcome)
            return
        for late in list(self._late):
            late(known.terminal, instruction, outcome)

    def _use(self, known: _Known) -> None:
        known.used = self._now()
        self._show(known)

    def _tick(self, known: _Known) -> None:
        known.state.tick(self._now())
        if known.state.line is Line.GONE:
            self._show(known)

    def _show(self, known: _Known) -> None:
        before, known.shown = known.shown, known.state.presence
        if before is known.shown:
            return
        for listener in list(self._listeners):
            try:
                listener(known.terminal, before)
            except Exception:  # one listener's fault is not another's loss
                log.exception("listener of terminals failed")


def terminal_id(person: str, told: str) -> str:
    """A terminal as the hub and the media know it: nobody can take another's by choosing the same."""
    return f"{person}:{told}"


def _send(known: _Known, instruction: Instruction) -> None:
    if known.page is not None:
        known.page.tell(wire(instruction))


def wire(instruction: Instruction) -> dict[str, Any]:
    """The message of ``/events``."""
    said = {name: getattr(instruction, name) for name in Instruction.__slots__}
    return {"type": "instruction", **said}
