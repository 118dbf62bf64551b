"""What is recorded, whoever decides it: one table. Pure: rules, what somebody said by hand, an answer.

A room's *mode* is, in this order: ``always`` if its label is one that is always recorded; the mode of that very room; the mode of
its kind. What the mode makes of what was said by hand is :data:`TABLE`, what it refuses :data:`REFUSED`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, get_args

from commhub.errors import Conflict

Kind = Literal["consultation", "call", "group", "camera"]
Mode = Literal["always", "start", "hand", "never"]
Said = Literal["", "on", "off"]
Act = Literal["start", "stop", "pause", "resume"]
Outcome = Literal["off", "recording", "paused"]
Why = Literal["label", "room", "kind"]
Layers = Literal["", "best", "watched"]

KINDS: Final = get_args(Kind)
MODES: Final = get_args(Mode)

#: Is it recorded? By mode, and what was said by hand last: nothing, on, off.
TABLE: Final[dict[tuple[Mode, Said], bool]] = {
    ("always", ""): True,
    ("always", "on"): True,
    ("always", "off"): True,
    ("start", ""): True,
    ("start", "on"): True,
    ("start", "off"): False,
    ("hand", ""): False,
    ("hand", "on"): True,
    ("hand", "off"): False,
    ("never", ""): False,
    ("never", "on"): False,
    ("never", "off"): False,
}

#: What nobody may do, whatever their rights.
REFUSED: Final[dict[tuple[Mode, Act], str]] = {
    ("always", "stop"): "always_recorded",
    ("always", "pause"): "always_recorded",
    ("never", "start"): "never_recorded",
}
_SENTENCES = {
    "always_recorded": (
        "This is always recorded: recording can be neither stopped nor paused.",
        "按规定必须全程录制，不能停止或暂停。",
    ),
    "never_recorded": ("This must not be recorded.", "按规定不得录制。"),
}


class Ruling(NamedTuple):
    """A room's mode, and by what: its label, its own policy, or that of its kind."""

    mode: Mode
    why: Why


@dataclass(frozen=True, slots=True)
class Rules:
    """``labels`` are always recorded; of cameras only the room's own mode counts, for there are thousands.
    ``layers`` is the recorder's own."""

    labels: frozenset[str] = frozenset()
    kinds: Mapping[Kind, Mode] = field(default_factory=dict)
    layers: Literal["best", "watched"] = "best"

    def ruling(self, kind: Kind, label: str, own: Mode | None) -> Ruling:
        if kind != "camera" and label in self.labels:
            return Ruling("always", "label")
        if own is not None:
            return Ruling(own, "room")
        return Ruling(self.of(kind), "kind")

    def of(self, kind: Kind) -> Mode:
        """Of those about which nobody said anything."""
        return self.kinds.get(kind, "hand") if kind != "camera" else "hand"


def outcome(mode: Mode, said: Said, paused: bool, here: bool) -> Outcome:
    """``here``: is there anything to record (somebody in the room; of a camera always)? What is always recorded is not paused."""
    if not here or not TABLE[mode, said]:
        return "off"
    return "paused" if paused and mode != "always" else "recording"


def check(mode: Mode, act: Act) -> None:
    """Conflict with the code of :data:`REFUSED`."""
    if (code := REFUSED.get((mode, act))) is not None:
        raise Conflict(*_SENTENCES[code], code=code)
