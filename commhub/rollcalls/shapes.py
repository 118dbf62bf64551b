"""Roll calls as pages and programs get them. Times are ISO 8601 UTC."""

from __future__ import annotations

from typing import Literal

from commhub.model import Label
from commhub.views import Member, OrgName, Time, View

Kind = Literal["speak", "sequence", "post"]
EntryState = Literal[
    "waiting", "called", "speaks", "done", "silent", "skipped", "absent", "asked", "reached", "present", "late", "unreachable"
]  # fmt: skip
Verb = Literal["call", "next", "skip", "repeat", "back", "release", "end"]


class RollEntry(View):
    """Somebody who is called, or a post. ``called_at`` … of their last turn; ``times``: how often it was theirs."""

    position: int
    person_id: str | None
    seat_id: str | None
    org_id: str
    org_name: str
    name: str
    post: str
    state: EntryState
    called_at: Time | None
    answered_at: Time | None
    closed_at: Time | None
    times: int


class RollHead(View):
    """``led_by``: who is heard besides whoever is called. ``at``: the position whose turn it is or was last, -1 before the
    first; ``until``: when the time that runs is over. ``closed``: the time of a roll call of posts is over, late answers are
    still taken. ``may``: what can be done with it now."""

    id: str
    kind: Kind
    state: Literal["live", "closed", "ended"]
    title: str
    consultation_id: str | None
    org: OrgName
    label: Label
    led_by: Member
    created_at: Time
    ended_at: Time | None
    phase: Literal["idle", "called", "speaks", "over"]
    at: int
    until: Time | None
    answer_seconds: float
    limit_seconds: float
    rev: int
    counts: dict[str, int]
    may: list[Verb]


class RollCall(RollHead):
    entries: list[RollEntry]


class RollQuestion(View):
    """A roll call of posts that asks the reader, and how it stands with them."""

    id: str
    title: str
    by: Member
    until: Time
    state: EntryState


class RollQuestions(View):
    items: list[RollQuestion]
