"""Link tests as pages and programs get them."""

from __future__ import annotations

from commhub.linktests.verdict import LinkReport, Reason, State
from commhub.views import Member, OrgName, Time, View


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
