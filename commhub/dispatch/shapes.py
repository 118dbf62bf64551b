"""Forced verbs as programs outside see them."""

from __future__ import annotations

from typing import Literal

from commhub.calls.shapes import CallView
from commhub.views import Member, Time, View

VerbName = Literal["monitor", "whisper", "barge", "release", "takeover", "preempt"]


class ActLine(View):
    kind: Literal["call", "consultation", "group"]
    id: str
    title: str


class ActView(View):
    """What was or is done to a line. ``told``: who learns of it, besides the actor. ``end``: why it is over; ``done`` for what
    has no duration, ``put_out`` when the target alone left the call of a group."""

    id: str
    verb: VerbName
    line: ActLine
    actor: Member
    target: Member
    reason: str
    silent: bool
    grounds: str
    told: list[Member]
    began_at: Time
    ended_at: Time | None
    end: str | None


class ActList(View):
    """What goes on and concerns the reader: his own, and what he was told of."""

    items: list[ActView]


class DispatchJoining(View):
    """A ticket into the line's room, for this act alone."""

    url: str
    token: str
    room: str
    identity: str


class DispatchDone(View):
    """``joining``: monitor and whisper. ``call``: the call as it is then, where there is one."""

    act: ActView
    joining: DispatchJoining | None = None
    call: CallView | None = None


class LineView(View):
    kind: Literal["call", "consultation", "group"]
    id: str
    title: str
    people: list[Member]
    priority: int
    emergency: bool


class AllowedVerb(View):
    """``code`` and ``text``: why not. ``told``: who would be. ``silent``: telling nobody is possible, with grounds.
    ``emergency``: pre-empting by an emergency is."""

    verb: VerbName
    allowed: bool
    code: str
    text: str | None
    told: list[Member]
    silent: bool = False
    emergency: bool = False


class AllowedVerbs(View):
    """``line``: the one it would be done to; null: the target is on none that the reader may know of."""

    line: LineView | None
    verbs: list[AllowedVerb]
