"""The four transaction machines of RFC 3261 §17 with the corrections of RFC 6026, as tables. No I/O, no clock.

Rules: everything that decides what a transaction does next stands here; ``transaction`` only carries it out. What has no row in
``TABLE`` is absorbed without a word. ``CLOCKS`` says what runs while a transaction is in a state: a retransmission that grows,
and the
end of the state. Every state has an end, so every transaction ends, whatever the other side does.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Kind(enum.Enum):
    INVITE_CLIENT = enum.auto()
    CLIENT = enum.auto()
    INVITE_SERVER = enum.auto()
    SERVER = enum.auto()


class State(enum.Enum):
    CALLING = enum.auto()
    TRYING = enum.auto()
    PROCEEDING = enum.auto()
    COMPLETED = enum.auto()
    CONFIRMED = enum.auto()
    ACCEPTED = enum.auto()  # RFC 6026
    TERMINATED = enum.auto()


class Event(enum.Enum):
    REQUEST = enum.auto()  # the same request once more
    ACK = enum.auto()
    PROVISIONAL = enum.auto()  # responses: from the wire for clients, from the user for servers
    SUCCESS = enum.auto()
    FAILURE = enum.auto()
    RETRANSMIT = enum.auto()
    EXPIRE = enum.auto()
    LOST = enum.auto()  # the connection


class Do(enum.Enum):
    UP = enum.auto()  # give the response to the user
    AGAIN = enum.auto()  # a further 2xx: another branch's goes to the user, a repeated one gets its ACK once more
    ACK = enum.auto()  # acknowledge a refusal
    SEND = enum.auto()  # send the response
    RESEND = enum.auto()  # send once more what was sent last
    TRYING = enum.auto()  # say 100 when the user has said nothing yet
    CANCEL = enum.auto()  # send the CANCEL that had to wait for the first response
    ACKNOWLEDGED = enum.auto()  # the 2xx has arrived
    TIMEOUT = enum.auto()  # tell the user why this ended
    FAIL = enum.auto()
    UNACKNOWLEDGED = enum.auto()


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds (§17.1.1.1, §17.1.1.2.2). ``patience``: how long somebody may ring; ``trying``: what a user may take before 100
    is said."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    patience: float = 180.0
    trying: float = 0.2

    @property
    def timeout(self) -> float:
        return 64 * self.t1

    @property
    def silence(self) -> float:
        """Beyond a client's last repetition and its way through the network, so that none is taken as new by a server."""
        return self.timeout + self.t4

    @property
    def forever(self) -> float:
        return float("inf")


@dataclass(frozen=True, slots=True)
class Clock:
    """Names of ``Timers``. ``repeat``: first interval, doubled up to ``cap``; "" for none. ``life`` "" is what was left of the
    state
    before. ``lingers``: the state only catches what UDP repeats, it is over at once on TCP. ``always``: repeats on TCP too."""

    life: str
    repeat: str = ""
    cap: str = "forever"
    lingers: bool = False
    always: bool = False


CLOCKS: Mapping[tuple[Kind, State], Clock] = {
    (Kind.INVITE_CLIENT, State.CALLING): Clock("timeout", "t1"),  # A, B
    (Kind.INVITE_CLIENT, State.PROCEEDING): Clock("patience"),
    (Kind.INVITE_CLIENT, State.COMPLETED): Clock("timeout", lingers=True),  # D
    (Kind.INVITE_CLIENT, State.ACCEPTED): Clock("timeout"),  # M
    (Kind.CLIENT, State.TRYING): Clock("timeout", "t1", "t2"),  # E, F
    (Kind.CLIENT, State.PROCEEDING): Clock("", "t2", "t2"),
    (Kind.CLIENT, State.COMPLETED): Clock("t4", lingers=True),  # K
    (Kind.INVITE_SERVER, State.PROCEEDING): Clock("patience", "trying", always=True),
    (Kind.INVITE_SERVER, State.COMPLETED): Clock("silence", "t1", "t2"),  # G, H
    (Kind.INVITE_SERVER, State.CONFIRMED): Clock("t4", lingers=True),  # I
    # L; the 2xx is repeated until the ACK, also on TCP, since hops behind it may be UDP (§13.3.1.4).
    (Kind.INVITE_SERVER, State.ACCEPTED): Clock("timeout", "t1", "t2", always=True),
    (Kind.SERVER, State.TRYING): Clock("silence"),
    (Kind.SERVER, State.PROCEEDING): Clock(""),
    (Kind.SERVER, State.COMPLETED): Clock("silence", lingers=True),  # J
}

Row = tuple[State, tuple[Do, ...]]

_CALLER: dict[Event, Row] = {
    Event.PROVISIONAL: (State.PROCEEDING, (Do.UP, Do.CANCEL)),
    Event.SUCCESS: (State.ACCEPTED, (Do.UP,)),
    Event.FAILURE: (State.COMPLETED, (Do.ACK, Do.UP)),
    Event.EXPIRE: (State.TERMINATED, (Do.TIMEOUT,)),
    Event.LOST: (State.TERMINATED, (Do.FAIL,)),
}
_ASKER: dict[Event, Row] = {
    Event.PROVISIONAL: (State.PROCEEDING, (Do.UP,)),
    Event.SUCCESS: (State.COMPLETED, (Do.UP,)),
    Event.FAILURE: (State.COMPLETED, (Do.UP,)),
    Event.EXPIRE: (State.TERMINATED, (Do.TIMEOUT,)),
    Event.LOST: (State.TERMINATED, (Do.FAIL,)),
}
_ANSWERER: dict[Event, Row] = {
    Event.PROVISIONAL: (State.PROCEEDING, (Do.SEND,)),
    Event.SUCCESS: (State.COMPLETED, (Do.SEND,)),
    Event.FAILURE: (State.COMPLETED, (Do.SEND,)),
    Event.EXPIRE: (State.TERMINATED, (Do.TIMEOUT,)),
    Event.LOST: (State.TERMINATED, (Do.FAIL,)),
}
_OVER: dict[Event, Row] = {Event.EXPIRE: (State.TERMINATED, ()), Event.LOST: (State.TERMINATED, ())}

TABLE: Mapping[tuple[Kind, State], Mapping[Event, Row]] = {
    (Kind.INVITE_CLIENT, State.CALLING): {**_CALLER, Event.RETRANSMIT: (State.CALLING, (Do.RESEND,))},
    (Kind.INVITE_CLIENT, State.PROCEEDING): {**_CALLER, Event.PROVISIONAL: (State.PROCEEDING, (Do.UP,))},
    (Kind.INVITE_CLIENT, State.COMPLETED): {**_OVER, Event.FAILURE: (State.COMPLETED, (Do.ACK,))},
    (Kind.INVITE_CLIENT, State.ACCEPTED): {**_OVER, Event.SUCCESS: (State.ACCEPTED, (Do.AGAIN,))},
    (Kind.CLIENT, State.TRYING): {**_ASKER, Event.RETRANSMIT: (State.TRYING, (Do.RESEND,))},
    (Kind.CLIENT, State.PROCEEDING): {**_ASKER, Event.RETRANSMIT: (State.PROCEEDING, (Do.RESEND,))},
    (Kind.CLIENT, State.COMPLETED): _OVER,
    (Kind.INVITE_SERVER, State.PROCEEDING): {
        **_ANSWERER,
        Event.SUCCESS: (State.ACCEPTED, (Do.SEND,)),
        Event.REQUEST: (State.PROCEEDING, (Do.RESEND,)),
        Event.RETRANSMIT: (State.PROCEEDING, (Do.TRYING,)),
    },
    (Kind.INVITE_SERVER, State.COMPLETED): {
        Event.REQUEST: (State.COMPLETED, (Do.RESEND,)),
        Event.RETRANSMIT: (State.COMPLETED, (Do.RESEND,)),
        Event.ACK: (State.CONFIRMED, ()),
        Event.EXPIRE: (State.TERMINATED, ()),  # whoever was refused and says nothing is no loss
        Event.LOST: (State.TERMINATED, ()),
    },
    (Kind.INVITE_SERVER, State.CONFIRMED): _OVER,
    (Kind.INVITE_SERVER, State.ACCEPTED): {
        Event.RETRANSMIT: (State.ACCEPTED, (Do.RESEND,)),
        Event.ACK: (State.ACCEPTED, (Do.ACKNOWLEDGED,)),
        Event.EXPIRE: (State.TERMINATED, (Do.UNACKNOWLEDGED,)),
        Event.LOST: (State.TERMINATED, (Do.UNACKNOWLEDGED,)),
    },
    (Kind.SERVER, State.TRYING): _ANSWERER,
    (Kind.SERVER, State.PROCEEDING): {**_ANSWERER, Event.REQUEST: (State.PROCEEDING, (Do.RESEND,))},
    (Kind.SERVER, State.COMPLETED): {**_OVER, Event.REQUEST: (State.COMPLETED, (Do.RESEND,))},
}

BEGIN: Mapping[Kind, State] = {
    Kind.INVITE_CLIENT: State.CALLING,
    Kind.CLIENT: State.TRYING,
    Kind.INVITE_SERVER: State.PROCEEDING,
    Kind.SERVER: State.TRYING,
}
