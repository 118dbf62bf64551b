"""An open socket, as those know it who hear what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from commhub.model import Actor


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """One open socket: who it is now, and how to tell it something; ``tell`` never waits. ``send`` is the same for a message
    that is JSON already because many get it."""

    number: int
    actor: Callable[[], Actor]
    tell: Callable[[dict[str, Any]], None]
    english: bool = False
    send: Callable[[str], None] | None = None
