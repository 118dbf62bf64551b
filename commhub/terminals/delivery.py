"""Instructions on their way to one terminal: sent, sent once more after a resume, acknowledged. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from commhub.terminals.shapes import ACKNOWLEDGED, Instruction, Outcome

KEPT = 30.0  # seconds an instruction is worth sending again
WAITING_LIMIT = 64  # instructions of one terminal without an answer; the oldest goes


@dataclass(slots=True)
class _Waiting:
    instruction: Instruction
    until: float
    sent: int = 0


class Delivery:
    """``now`` is seconds of any clock."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}

    def give(self, instruction: Instruction, now: float, *, open: bool) -> list[Instruction]:
        """What to send now: nothing while the socket is not there, it is sent when it is back. The same id again is not sent
        again."""
        if instruction.id in self._waiting:
            return []
        while len(self._waiting) >= WAITING_LIMIT:
            del self._waiting[next(iter(self._waiting))]
        waiting = self._waiting[instruction.id] = _Waiting(instruction, now + KEPT)
        if not open:
            return []
        waiting.sent = 1
        return [instruction]

    def resumed(self, now: float) -> list[Instruction]:
        """The socket is there anew: what nobody has acknowledged, at most once more each."""
        self.tick(now)
        again = [one for one in self._waiting.values() if one.sent < 2]
        for one in again:
            one.sent += 1
        return [one.instruction for one in again]

    def answered(self, id: str, ok: bool, reason: str) -> tuple[Instruction, Outcome] | None:
        """None for what was never sent, or answered before."""
        waiting = self._waiting.pop(id, None)
        if waiting is None:
            return None
        return waiting.instruction, ACKNOWLEDGED if ok else Outcome("refused", reason)

    def withdraw(self, id: str) -> None:
        """Not worth sending again."""
        self._waiting.pop(id, None)

    def tick(self, now: float) -> None:
        for id in [id for id, one in self._waiting.items() if now >= one.until]:
            del self._waiting[id]
