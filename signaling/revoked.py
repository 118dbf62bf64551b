"""Tokens that died a moment ago, as this process knows it. No I/O, no clock.

The hub's records know all of them for good (``Host.admit`` asks there). But between that question and the join there is a wait,
and the records may be slow: what happened within it is known here, at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from commhub.conference import Ticket
from commhub.errors import Unauthenticated

KEPT_SECONDS = 120.0  # longer than anybody waits between the question and the join


class Revoked:
    def __init__(self) -> None:
        self._tokens: dict[str, float] = {}  # id → when it is forgotten here
        self._removed: dict[tuple[str, str], tuple[float, float]] = {}  # (room, identity) → issued before, forgotten

    def add(self, room: str, tickets: Iterable[Ticket], before: float, now: float) -> None:
        """These are dead, and whatever was issued to the same identities for ``room`` before ``before`` (unix seconds)."""
        self._tokens = {name: until for name, until in self._tokens.items() if until > now}
        self._removed = {who: known for who, known in self._removed.items() if known[1] > now}
        for ticket in tickets:
            self._tokens[ticket.token_id] = now + KEPT_SECONDS
            known, _ = self._removed.get((room, ticket.identity), (0.0, 0.0))
            self._removed[room, ticket.identity] = (max(before, known), now + KEPT_SECONDS)

    def check(self, room: str, ticket: Ticket) -> None:
        """Unauthenticated when the ticket is dead."""
        before, _ = self._removed.get((room, ticket.identity), (0.0, 0.0))
        if ticket.token_id in self._tokens or ticket.issued_before(before):
            raise Unauthenticated("This token was revoked.", "该令牌已作废。", code="revoked")
