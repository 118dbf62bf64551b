"""Which terminals answer by themselves: a table. No I/O, no clock.

What the terminal's person has said decides which terminals, the caller's scope and rank decide whose calls: he must hold
:data:`PERMISSION` where the called person belongs, and in peacetime must not rank below him.
"""

from __future__ import annotations

from typing import Literal

from commhub.terminals.shapes import AutoAnswer, Kind

Mode = Literal["peace", "war"]
PERMISSION = "terminal.auto_answer"

#: (what the person has said, mode) → the kinds of terminals that answer, and whether the caller's rank counts.
TABLE: dict[tuple[AutoAnswer, Mode], tuple[frozenset[Kind], bool]] = {
    ("never", "peace"): (frozenset(), True),
    ("never", "war"): (frozenset(), True),
    ("seat", "peace"): (frozenset({"console", "wall"}), True),
    ("seat", "war"): (frozenset({"console", "wall"}), False),
    ("always", "peace"): (frozenset({"console", "wall", "phone", "page"}), True),
    ("always", "war"): (frozenset({"console", "wall", "phone", "page"}), False),
}


def answers(said: AutoAnswer, kind: Kind, mode: Mode, *, entitled: bool, caller: int, called: int) -> bool:
    """``entitled``: the caller holds the permission there. ``caller`` and ``called`` are levels of people; 1 is the highest."""
    kinds, rank = TABLE[said, mode]
    return entitled and kind in kinds and (not rank or caller <= called)
