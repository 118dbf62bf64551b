"""What programs outside see of groups. Times are ISO 8601 UTC, seconds of the floor 0 for without end."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from commhub.model import ULID_PATTERN, Label
from commhub.views import Org, OrgName, Time, View

Kind = Literal["fixed", "temporary", "dynamic", "patched", "broadcast"]
EmergencyKind = Literal["call", "alarm"]
Action = Literal["request", "release", "override", "revoke", "queue_leave"]
Id = Annotated[str, Field(pattern=f"^{ULID_PATTERN}$")]
Ids = Annotated[list[Id], Field(max_length=1000)]
Seconds = Annotated[float, Field(ge=0, le=3600)]


class Times(View):
    """``limit``: how long one may talk, ``silence``: how long one may hold the floor and say nothing, ``hang``: how long the
    floor may be idle before the call ends."""

    limit: Seconds = 30.0
    silence: Seconds = 4.0
    hang: Seconds = 10.0
    queue: Annotated[int, Field(ge=0, le=200)] = 20


class Rule(View):
    """Whom a dynamic group consists of: everybody of these organisations and their subtrees, with one of these posts (or any)."""

    organisations: Ids = Field(default_factory=list)
    posts: Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=50)] = Field(
        default_factory=list
    )


class Member(View):
    """``reach``: what came of calling them; silent is a terminal that does not answer, put_out is out of this call by
    force."""

    id: str
    name: str
    post: str
    level: int
    org: Org
    talks: bool
    affiliated: bool
    present: bool
    reach: Literal["", "called", "acknowledged", "joined", "silent", "refused", "offline", "busy", "put_out"] = ""


class Speaker(View):
    """``id`` is the person's."""

    id: str
    name: str
    org_name: str
    level: int
    emergency: bool = False


class FloorView(View):
    """``until``: when the holder's time is up."""

    state: Literal["idle", "taken", "pending_revoke", "over"]
    holder: Speaker | None = None
    queue: list[Speaker] = Field(default_factory=list)
    until: Time | None = None


class Emergency(View):
    id: str
    kind: EmergencyKind
    group_id: str
    group_name: str
    person: Speaker
    reason: str
    at: Time
    step: int
    acknowledged_by: str | None = None
    acknowledged_at: Time | None = None
    cancelled_at: Time | None = None


class Group(View):
    """``groups`` are those that a patched one joins. ``patches``: the patched ones this one is joined by at the moment."""

    id: str
    kind: Kind
    name: str
    org: OrgName
    label: Label
    priority: int
    times: Times
    rule: Rule
    live: bool
    live_since: Time | None = None
    affiliated: bool
    selected: bool
    talks: bool
    floor: FloorView
    emergency: Emergency | None = None
    patches: list[str] = Field(default_factory=list)
    members: list[Member] = Field(default_factory=list)
    groups: list[OrgName] = Field(default_factory=list)
    rev: int


class GroupList(View):
    items: list[Group]


class EmergencyList(View):
    items: list[Emergency]


class GroupJoining(View):
    url: str
    token: str
    room: str
    identity: str


class Answer(View):
    """What came of a word about the floor, for who said it. ``place`` in the queue counts from 1; ``reason`` says why not."""

    group: str
    state: Literal["idle", "taken", "pending_revoke", "over"]
    holder: Speaker | None = None
    queue: list[Speaker] = Field(default_factory=list)
    until: Time | None = None
    you: Literal["idle", "queued", "granted", "pending_revoke", "revoked", "refused"] = "idle"
    place: int = 0
    reason: str = ""
    by: Speaker | None = None
