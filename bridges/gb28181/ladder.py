"""What a play does next, as a table, and in which order ways are tried. No I/O, no clock."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from bridges.gb28181.offer import ACTIVE, PASSIVE, UDP


class State(enum.Enum):
    IDLE = enum.auto()
    ABSENT = enum.auto()  # the device is not registered
    CALLING = enum.auto()  # INVITE is out
    OPENING = enum.auto()  # answered, no picture yet
    LIVE = enum.auto()
    RESTING = enum.auto()  # until the next attempt


class Event(enum.Enum):
    WANTED = enum.auto()
    UNWANTED = enum.auto()
    PRESENT = enum.auto()  # the device has registered
    GONE = enum.auto()
    ANSWERED = enum.auto()
    FAILED = enum.auto()  # this attempt: refused, no answer, no media, hung up, undecodable
    PICTURE = enum.auto()
    ENDED = enum.auto()  # a recording is over
    EXPIRED = enum.auto()  # the time of the state


class Do(enum.Enum):
    INVITE = enum.auto()
    HANG = enum.auto()  # hang up, close the sockets
    JUDGE = enum.auto()  # note what happened, choose what and when to try next
    WAIT = enum.auto()  # say that the device is not there
    SHOW = enum.auto()  # say that the picture is there
    LOOK = enum.auto()  # whether the time is really over
    FINISH = enum.auto()  # say that the recording is over


Row = tuple[State, tuple[Do, ...]]

_OUT: dict[Event, Row] = {
    Event.UNWANTED: (State.IDLE, (Do.HANG,)),
    Event.GONE: (State.ABSENT, (Do.HANG, Do.WAIT)),
}
_TRYING: dict[Event, Row] = {
    **_OUT,
    Event.FAILED: (State.RESTING, (Do.HANG, Do.JUDGE)),
    Event.ENDED: (State.IDLE, (Do.HANG, Do.FINISH)),
}
TABLE: Mapping[State, Mapping[Event, Row]] = {
    State.IDLE: {Event.WANTED: (State.CALLING, (Do.INVITE,))},
    State.ABSENT: {
        Event.UNWANTED: (State.IDLE, ()),
        Event.PRESENT: (State.CALLING, (Do.INVITE,)),
        Event.EXPIRED: (State.CALLING, (Do.INVITE,)),
    },
    State.CALLING: {
        **_TRYING,
        Event.ANSWERED: (State.OPENING, ()),
        Event.EXPIRED: (State.CALLING, (Do.LOOK,)),
    },
    State.OPENING: {
        **_TRYING,
        Event.PICTURE: (State.LIVE, (Do.SHOW,)),
        Event.EXPIRED: (State.OPENING, (Do.LOOK,)),
    },
    State.LIVE: {**_TRYING, Event.EXPIRED: (State.LIVE, (Do.LOOK,))},
    State.RESTING: {
        Event.UNWANTED: (State.IDLE, ()),
        Event.GONE: (State.ABSENT, (Do.WAIT,)),
        Event.PRESENT: (State.CALLING, (Do.INVITE,)),
        Event.EXPIRED: (State.CALLING, (Do.INVITE,)),
    },
}

LADDER = (UDP, PASSIVE, ACTIVE)
PATIENCE = (2.0, 5.0, 12.0)  # s for the first packet in each round: a device that takes one way only is found in the first
ALONE = 12.0  # where there is nothing else to try


class Ladder:
    """The ways that are tried, in rounds: first what worked last time. ``way`` is fixed where the terms of the device say one."""

    def __init__(self, fixed: str = "", worked: str = "") -> None:
        self._ways = (fixed,) if fixed in LADDER else tuple(sorted(LADDER, key=lambda way: way != worked))
        self._worked = worked
        self._at = 0
        self.round = 0

    @property
    def way(self) -> str:
        return self._ways[self._at]

    @property
    def patience(self) -> float:
        """How long to wait for the first packet."""
        if len(self._ways) == 1:
            return ALONE
        return PATIENCE[min(self.round, len(PATIENCE) - 1)] * (2 if self.way == self._worked and not self.round else 1)

    def climb(self) -> bool:
        """The next way; False when a round is over and the first one is tried again."""
        self._at += 1
        if self._at < len(self._ways):
            return True
        self.restart()
        self.round += 1
        return False

    def restart(self) -> None:
        """The first way again, at the next attempt."""
        self._at = 0
