"""Who can be instructed: the terminals that keep a socket to this hub, what they are told, and what they answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from commhub import log as logs
from commhub.errors import Busy
from commhub.model import Actor
from commhub.terminals import words
from commhub.terminals.answering import PERMISSION, Mode, answers
from commhub.terminals.board import Board
from commhub.terminals.delivery import Delivery
from commhub.terminals.page import Page
from commhub.terminals.presence import Line, Sign, State, merged
from commhub.terminals.shapes import GONE, SILENT, Instruction, Late, Listener, Outcome, Presence, Terminal

log = logs.get(__name__)

WITHIN = 3.0  # seconds until a terminal that says nothing is said to be silent
PER_PERSON = 16  # terminals, those within their grace included


@dataclass(slots=True, eq=False)
class _Known:
    id: str
    about: words.Registration
    actor: Actor
    since: int
    state: State
    used: float = 0.0
    page: Page | None = None
    delivery: Delivery = field(default_factory=Delivery)
    shown: Presence = Presence.OFFLINE

    @property
    def terminal(self) -> Terminal:
        about = self.about
        return Terminal(self.id, self.actor.id, about.kind, about.name, self.shown, about.auto_answer, self.since)


class Terminals:
    """``now`` is monotonic seconds. Loses nothing that matters with the process: clients register again, and whoever knows why
    a terminal is busy says so again (:meth:`occupy`), before or after."""

    #: What pages may say, and the permission that each word needs.
    WORDS: Mapping[str, str] = {
        "terminal": "signed-in",
        "presence": "signed-in",
        "used": "signed-in",
        "ack": "signed-in",
        "watch": "directory.view",
    }

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: dict[str, _Known] = {}
        self._people: dict[str, dict[str, _Known]] = {}
        self._states: dict[str, State] = {}  # also of terminals that are not there and yet occupied
        self._pages: dict[int, _Known] = {}
        self._listeners: list[Listener] = []
        self._late: list[Late] = []
        self._answers: dict[tuple[str, str], list[asyncio.Future[Outcome]]] = {}
        self._board = Board()
        self._watching: dict[int, tuple[Page, Actor, words.Watched]] = {}
        self._turn: asyncio.TimerHandle | None = None

    # ---- what the hub asks and says

    def of(self, person: str) -> list[Terminal]:
        """Those that are there, most recently used first."""
        return [one.terminal for one in sorted(self._people.get(person, {}).values(), key=lambda one: -one.used)]

    def get(self, terminal: str) -> Terminal | None:
        known = self._known.get(terminal)
        return known.terminal if known is not None else None

    def at(self, page: Page) -> Terminal | None:
        """Which one this socket is, once it has said so."""
        known = self._pages.get(page.number)
        return known.terminal if known is not None else None

    def presence(self, person: str) -> Presence:
        """Of all terminals of a person together."""
        return merged(one.shown for one in self._people.get(person, {}).values())

    async def instruct(self, terminal: str, instruction: Instruction, within: float = WITHIN) -> Outcome:
        """Waits at most ``within`` seconds for the terminal's word. Who gets ``silent`` must show it: nothing is assumed. A
        word that comes later goes to :meth:`hear_late`."""
        known = self._known.get(terminal)
        if known is None:
            return GONE
        key, answer = (terminal, instruction.id), asyncio.get_running_loop().create_future()
        self._answers.setdefault(key, []).append(answer)
        for one in known.delivery.give(instruction, self._now(), open=known.page is not None):
            _send(known, one)
        try:
            return await asyncio.wait_for(answer, within)
        except TimeoutError:
            return SILENT
        finally:
            waiting = self._answers[key]
            waiting.remove(answer)
            if not waiting:
                del self._answers[key]

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

    def auto(self, terminal: str, by: Actor, mode: Mode = "peace") -> bool:
        """Does it answer by itself when ``by`` calls? The instruction says so (:attr:`Instruction.auto`)."""
        known = self._known.get(terminal)
        if known is None or known.state.dnd:
            return False
        entitled = by.may(PERMISSION, org=known.actor.org)
        about, called = known.about, known.actor.level
        return answers(about.auto_answer, about.kind, mode, entitled=entitled, caller=by.level, called=called)

    def occupied(self, terminal: str) -> set[str]:
        """With what (:meth:`occupy`)."""
        state = self._states.get(terminal)
        return set(state.reasons) if state is not None else set()

    def occupy(self, terminal: str, what: str, presence: Presence) -> None:
        """``what`` (a call's, group's, consultation's id) makes it ring or busy, until :meth:`release`. Again with the same
        ``what`` changes the reason. It counts for a terminal that is not there, too, from when it is."""
        self._states.setdefault(terminal, State()).occupy(what, presence)
        self._show(terminal)

    def release(self, terminal: str, what: str) -> None:
        if (state := self._states.get(terminal)) is not None:
            state.release(what)
            self._show(terminal)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Gets every change of a terminal's presence; must not wait. Returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def hear_late(self, late: Late) -> Callable[[], None]:
        """Gets words that come after :meth:`instruct` has said ``silent``. Returns what ends it."""
        self._late.append(late)
        return lambda: self._late.remove(late)

    # ---- what pages say

    async def receive(self, page: Page, said: Mapping[str, Any]) -> None:
        """ValueError with a sentence, Busy."""
        if said["type"] == "terminal":
            self._register(page, words.registration(said))
        elif said["type"] == "watch":
            self._watch(page, words.watched(said))
        elif (known := self._pages.get(page.number)) is None:
            raise ValueError("The page has not said which terminal it is.")
        else:
            if said["type"] == "presence":
                known.state.dnd = words.wants_peace(said)
            elif said["type"] == "ack":
                self._answered(known, words.ack(said))
            known.used = self._now()
            self._show(known.id)

    def gone(self, page: Page) -> None:
        """The socket is closed. Nobody is told of the terminal before its grace is over."""
        self._board.leave(page.number)
        self._watching.pop(page.number, None)
        known = self._pages.pop(page.number, None)
        if known is None or known.page is not page:
            return
        known.page = None
        self._leave(known)

    # ---- inside

    def _register(self, page: Page, about: words.Registration) -> None:
        actor = page.actor()
        id = terminal_id(actor.id, about.id)
        known = self._known.get(id)
        if known is None:
            self._make_room(actor.id)
            known = _Known(id, about, actor, time.time_ns(), self._states.setdefault(id, State()))
            self._known[id] = self._people.setdefault(actor.id, {})[id] = known
        if (other := self._pages.pop(page.number, None)) is not None and other is not known:
            other.page = None
            self._leave(other)
        if known.page is not None and known.page is not page:
            self._pages.pop(known.page.number, None)
            known.page.tell({"type": "replaced", "id": about.id})
        known.about, known.actor, known.page, known.used = about, actor, page, self._now()
        self._pages[page.number] = known
        known.state.dnd = about.dnd
        known.state.receive(Sign.OPENED, self._now())
        page.tell({"type": "terminal", "id": about.id, "identity": id})
        for one in known.delivery.resumed(self._now()):
            _send(known, one)
        self._show(id)

    def _make_room(self, person: str) -> None:
        """Busy: the person has too many, and all of them are there."""
        mine = self._people.get(person, {})
        if len(mine) < PER_PERSON:
            return
        away = [one for one in mine.values() if one.page is None]
        if not away:
            raise Busy(f"You have {PER_PERSON} terminals already.", f"你已有 {PER_PERSON} 台终端在线。")
        self._drop(min(away, key=lambda one: one.used))

    def _leave(self, known: _Known) -> None:
        known.state.receive(Sign.CLOSED, self._now())
        if (deadline := known.state.deadline) is not None:
            asyncio.get_running_loop().call_later(deadline - self._now(), self._expired, known)

    def _expired(self, known: _Known) -> None:
        known.state.tick(self._now())
        if known.state.line is Line.GONE:
            self._drop(known)
        elif (deadline := known.state.deadline) is not None:  # it was there in between
            asyncio.get_running_loop().call_later(max(0.0, deadline - self._now()), self._expired, known)

    def _drop(self, known: _Known) -> None:
        if self._known.pop(known.id, None) is not known:
            return
        mine = self._people[known.actor.id]
        del mine[known.id]
        if not mine:
            del self._people[known.actor.id]
        known.state.line, known.state.dnd = Line.GONE, False
        for (terminal, _), waiting in self._answers.items():
            if terminal == known.id:
                for answer in waiting:
                    _settle(answer, GONE)
        self._shown(known)
        self._forget(known.id)

    def _answered(self, known: _Known, said: words.Ack) -> None:
        found = known.delivery.answered(said.id, said.ok, said.reason)
        if found is None:
            return
        instruction, outcome = found
        for answer in (waiting := self._answers.get((known.id, said.id), [])):
            _settle(answer, outcome)
        if waiting:
            return
        for late in list(self._late):
            try:
                late(known.terminal, instruction, outcome)
            except Exception:  # one listener's fault is not another's loss
                log.exception("listener of late answers failed")

    def _show(self, terminal: str) -> None:
        if (known := self._known.get(terminal)) is not None:
            self._shown(known)
        else:
            self._forget(terminal)

    def _forget(self, terminal: str) -> None:
        state = self._states.get(terminal)
        if state is not None and terminal not in self._known and not state.reasons:
            del self._states[terminal]

    def _shown(self, known: _Known) -> None:
        before, known.shown = known.shown, known.state.presence
        if before is known.shown:
            return
        self._board.set(known.actor.id, known.actor.org, self.presence(known.actor.id))
        self._arm()
        for listener in list(self._listeners):
            try:
                listener(known.terminal, before)
            except Exception:
                log.exception("listener of terminals failed")

    # ---- who watches whom

    def _watch(self, page: Page, wanted: words.Watched) -> None:
        """Organisations that are not there and those that are not his to see get the same answer: nobody is there."""
        actor = page.actor()
        orgs = frozenset(org for org in wanted.orgs if sees(actor, org))
        there = self._board.watch(page.number, orgs, wanted.people)
        self._watching[page.number] = page, actor, wanted
        people = {id: str(state) for id, state in there.items() if id not in wanted.people or self._sees(page.number, id)}
        page.tell({"type": "presence", "people": people, "whole": True})

    def _sees(self, page: int, person: str) -> bool:
        mine = self._people.get(person, {})
        return any(sees(self._watching[page][1], one.actor.org) for one in mine.values())

    def _arm(self) -> None:
        if self._turn is None and (deadline := self._board.deadline(self._now())) is not None:
            self._turn = asyncio.get_running_loop().call_later(max(0.0, deadline - self._now()), self._tell)

    def _tell(self) -> None:
        self._turn = None
        for number, (page, actor, wanted) in self._watching.items():
            if (now := page.actor()) is not actor:  # rights may have changed
                self._watching[number] = page, now, wanted
                self._board.watch(number, frozenset(org for org in wanted.orgs if sees(now, org)), wanted.people)
        for told in self._board.turn(self._now(), lambda page, org: sees(self._watching[page][1], org)):
            message = {"type": "presence", "people": told.people}
            text = json.dumps(message)
            for number in told.pages:
                page = self._watching[number][0]
                if page.send is not None:
                    page.send(text)
                else:
                    page.tell(message)


def terminal_id(person: str, told: str) -> str:
    """A terminal as the hub and the media know it: nobody can take another's by choosing the same."""
    return f"{person}:{told}"


def sees(actor: Actor, org: str) -> bool:
    """May he know who of this organisation is there?"""
    return org == actor.org or actor.may("directory.view", org=org)


def _settle(answer: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not answer.done():
        answer.set_result(outcome)


def _send(known: _Known, instruction: Instruction) -> None:
    if known.page is not None:
        known.page.tell(wire(instruction))


def wire(instruction: Instruction) -> dict[str, Any]:
    """The message of ``/events``."""
    said = {name: getattr(instruction, name) for name in Instruction.__slots__}
    return {"type": "instruction", **said}
