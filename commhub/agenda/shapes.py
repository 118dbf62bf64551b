"""Scheduled consultations as pages and programs get them. Times are ISO 8601 UTC; pages show China's."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from commhub.agenda.series import Frequency
from commhub.model import Label
from commhub.views import Member, Org, OrgName, Time, View

Reply = Literal["accepted", "declined", "tentative"]
OccurrenceState = Literal["planned", "started", "ended", "failed"]


class Repeats(View):
    """``days`` of a weekly one: 0 is Monday. ``count`` 0 and no ``until``: without end."""

    frequency: Frequency = "once"
    interval: int = Field(default=1, ge=1, le=52)
    days: list[int] = Field(default_factory=list, max_length=7)
    count: int = Field(default=0, ge=0, le=1000)
    until: Time | None = None


class Occurrence(View):
    """``at`` names it for good: its start by the rule, unix seconds. ``moved``: it takes place at another time than the rule
    says. ``reply`` is the reader's. ``enters_at``: from when on people may enter."""

    item_id: str
    at: int
    title: str
    starts_at: Time
    ends_at: Time
    enters_at: Time
    label: Label
    host: Member
    cancelled: bool
    moved: bool
    series: bool
    state: OccurrenceState
    consultation_id: str | None
    reply: Reply | None


class ReplyOf(View):
    person: Member
    reply: Reply
    comment: str
    at: int | None
    replied_at: Time


class Material(View):
    id: str
    name: str
    type: str
    size: int
    digest: str
    added_by: Member
    added_at: Time


class AgendaItem(View):
    """``may``: edit, start, reply."""

    id: str
    title: str
    notes: str
    org: OrgName
    label: Label
    host: Member
    starts_at: Time
    minutes: int
    repeats: Repeats
    begins: Literal["self", "chair"]
    early_minutes: int
    record: bool
    cancelled: bool
    rev: int
    organisations: list[Org]
    people: list[Member]
    occurrences: list[Occurrence]
    replies: list[ReplyOf]
    materials: list[Material]
    may: list[Literal["edit", "start", "reply"]]


class Agenda(View):
    items: list[Occurrence]


class Clash(View):
    """Somebody who is invited to something else at that time; what that is says only who may see it."""

    person: Member
    title: str | None
    starts_at: Time
    ends_at: Time


class Clashes(View):
    items: list[Clash]


class Attendee(View):
    """``how``: entered, signed (by hand), absent. ``guest``: was there without being invited by name or organisation."""

    person: Member
    org_id: str
    how: Literal["entered", "signed", "absent"]
    at: Time | None
    left_at: Time | None
    guest: bool


class OrgAttendance(View):
    org: OrgName
    present: int
    people: list[Attendee]


class Attendance(View):
    """By organisation; one of which nobody was there has ``present`` 0."""

    organisations: list[OrgAttendance]
    present: int
    invited: int


class Minutes(View):
    """``rev`` 0: nothing is written yet."""

    rev: int
    text: str
    written_by: Member | None
    written_at: Time | None
    signed_by: Member | None
    signed_at: Time | None
    revisions: list[Time]
