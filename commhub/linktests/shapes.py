"""Link tests as pages and programs get them."""

from __future__ import annotations

from pydantic import Field

from commhub.linktests.verdict import Reason, State
from commhub.views import Member, OrgName, Time, View


class LinkReport(View):
    """What the terminal has measured. ``loss`` 0 to 1, ``round_trip`` ms, ``microphone`` 0 to 1: how loud it is at the terminal,
    none of which is sent; null: it may not be used."""

    joined: bool
    frames_sent: int = Field(default=0, ge=0, le=100_000)
    frames_received: int = Field(default=0, ge=0, le=100_000)
    sound_received: int = Field(default=0, ge=0, le=100_000)
    loss: float = Field(default=0.0, ge=0, le=1)
    round_trip: float = Field(default=0.0, ge=0, le=60_000)
    microphone: float | None = Field(default=None, ge=0, le=1)
    words: str = Field(default="", max_length=200)


class LinkTest(View):
    """``by`` null: by schedule. ``person``: at whose terminal. ``well`` and ``weak`` connect, ``failed`` and ``offline`` do not;
    ``busy`` and ``untestable`` say nothing of the line."""

    id: str
    org: OrgName
    by: Member | None
    person: Member | None
    began_at: Time
    ended_at: Time | None
    state: State
    reasons: list[Reason]
    report: LinkReport | None
