"""Terminals: consoles, walls, phones and pages that keep a socket (``/events``) to the hub and can be instructed by it.

For whoever commands (calls, groups, consultations) this page is the contract::

    terminals = Terminals()
    for terminal in terminals.of(person):                         # those that are there, most recently used first
        terminals.occupy(terminal.id, call, Presence.RINGING)     # presence follows; release(terminal.id, call) ends it
        outcome = await terminals.instruct(terminal.id, Instruction(new_id(), "ring", call, by={…}))
        outcome.state                                             # acknowledged, refused (reason), silent, gone
    end = terminals.listen(lambda terminal, before: …)            # every change of presence

``Terminal.id`` is the identity in rooms, ``<person id>:<ULID>``; the ULID in a request is the one's who asks:
``terminals.get(terminal_id(actor.id, body.terminal))``.
"""

from commhub.terminals.page import Page
from commhub.terminals.shapes import (
    AutoAnswer,
    Instruction,
    Kind,
    Listener,
    Outcome,
    Presence,
    Terminal,
    Verb,
)
from commhub.terminals.terminals import Terminals, terminal_id

__all__ = [
    "AutoAnswer",
    "Instruction",
    "Kind",
    "Listener",
    "Outcome",
    "Page",
    "Presence",
    "Terminal",
    "Terminals",
    "Verb",
    "terminal_id",
]
