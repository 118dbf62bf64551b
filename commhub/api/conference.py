"""/consultations/{id}/…: conference control. Who chairs, who is heard, who waits, what everybody sees, when it ends."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from commhub.api.consultations import Body, Id, Ids, Title, revision
from commhub.api.routes import Call, Routes
from commhub.rooms import Entering, Leading
from commhub.views import Consultation, WaitingList


def _words(text: str) -> str:
    if not text.isprintable():
        raise ValueError("The text has control characters.")
    return text.strip()


Reason = Annotated[str, Field(max_length=200), AfterValidator(_words)]
#: A person's id, or the identity of a participant who is no person of the directory.
Who = Annotated[str, Field(min_length=1, max_length=200)]
_REV = {"If-Match": 'The revision of `control` it was read at, as "7".'}
_LEAD = "consultation.lead"
_IN = "consultation.join"


class Chair(Body):
    person: Id


class CoChairs(Body):
    people: Annotated[list[Id], Field(max_length=50)]


class Muting(Body):
    """``unmute``: whoever is muted may unmute himself; without it nothing of them is forwarded until they may speak."""

    muted: bool = True
    unmute: bool = True


class Named(Body):
    person: Who


class HandOrder(Body):
    order: Literal["rank", "time"]


class LobbyMode(Body):
    """``outside``: who was not invited by name and is not of the chair's organisation waits."""

    mode: Literal["off", "outside", "everybody"]


class Admission(Body):
    """People also before they come; of those who wait those with these posts or of these organisations, or ``everybody``."""

    people: Annotated[list[Who], Field(max_length=500)] = Field(default_factory=list)
    posts: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=50)] = Field(default_factory=list)
    organisations: Ids = Field(default_factory=list)
    everybody: bool = False


class Refusal(Body):
    person: Who
    reason: Reason = ""


class Stage(Body):
    """``spotlight`` is an identity. "" leaves it to everybody."""

    layout: Literal["", "grid", "speaker"] = ""
    spotlight: Annotated[str, Field(max_length=200)] = ""


class Broadcast(Body):
    """null: as it was before."""

    person: Who | None


class NewSide(Body):
    """``listen``: they go on hearing the others."""

    title: Title
    people: Annotated[list[Id], Field(max_length=100)]
    listen: bool = False


class PlannedEnd(Body):
    ends_at: AwareDatetime | None


class Extension(Body):
    minutes: Annotated[int, Field(ge=1, le=720)]


def _ns(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000) * 1_000_000


def routes(leading: Leading, entering: Entering) -> Routes:
    r = Routes()
    _chairing(r, leading)
    _hearing(r, leading)
    _hands(r, leading)
    _lobby(r, leading, entering)
    _ending(r, leading)
    return r


def _chairing(r: Routes, leading: Leading) -> None:
    @r.put("/consultations/{id}/chair", _LEAD, "Hand the chair on.", headers=_REV)
    async def chair(call: Call, body: Chair) -> Consultation:
        return await leading.hand_over(call.path("id"), call.actor, body.person, revision(call))

    @r.put(
        "/consultations/{id}/co-chairs",
        _LEAD,
        "Who leads beside the chair, and when it is lost: the first who is there.",
        headers=_REV,
    )
    async def co_chairs(call: Call, body: CoChairs) -> Consultation:
        return await leading.co_chairs(call.path("id"), call.actor, body.people, revision(call))

    @r.put("/consultations/{id}/stage", _LEAD, "Layout and main picture of everybody's page.", headers=_REV)
    async def stage(call: Call, body: Stage) -> Consultation:
        return await leading.stage(call.path("id"), call.actor, body.layout, body.spotlight, revision(call))


def _hearing(r: Routes, leading: Leading) -> None:
    @r.put("/consultations/{id}/muting", _LEAD, "Mute all but who chairs; or no more.", headers=_REV)
    async def mute(call: Call, body: Muting) -> Consultation:
        return await leading.mute(call.path("id"), call.actor, body.muted, body.unmute, revision(call))

    @r.post("/consultations/{id}/speakers", _LEAD, "Somebody may speak although all are muted.")
    async def allow(call: Call, body: Named) -> Consultation:
        return await leading.allow(call.path("id"), call.actor, body.person)

    @r.delete("/consultations/{id}/speakers/{person}", _LEAD, "He may speak no more.")
    async def disallow(call: Call) -> None:
        await leading.disallow(call.path("id"), call.actor, call.path("person"))

    @r.put("/consultations/{id}/broadcast", _LEAD, "One is heard and seen by all, all others are silent.", headers=_REV)
    async def broadcast(call: Call, body: Broadcast) -> Consultation:
        return await leading.broadcast(call.path("id"), call.actor, body.person, revision(call))

    @r.post("/consultations/{id}/sides", _LEAD, "A few talk apart.")
    async def side(call: Call, body: NewSide) -> Consultation:
        return await leading.side(call.path("id"), call.actor, body.title, body.people, body.listen)

    @r.delete("/consultations/{id}/sides/{side}", _LEAD, "They come back.")
    async def end_side(call: Call) -> None:
        await leading.end_side(call.path("id"), call.actor, call.path("side"))


def _hands(r: Routes, leading: Leading) -> None:
    @r.post("/consultations/{id}/hand", _IN, "Raise one's hand.")
    async def up(call: Call) -> Consultation:
        return await leading.raise_hand(call.path("id"), call.actor)

    @r.delete("/consultations/{id}/hand", _IN, "Lower one's hand.")
    async def down(call: Call) -> None:
        await leading.lower_own(call.path("id"), call.actor)

    @r.put("/consultations/{id}/hands", _LEAD, "The order in which hands stand.", headers=_REV)
    async def order(call: Call, body: HandOrder) -> Consultation:
        return await leading.sort(call.path("id"), call.actor, body.order, revision(call))

    @r.delete("/consultations/{id}/hands", _LEAD, "Lower all hands.")
    async def lower_all(call: Call) -> None:
        await leading.lower(call.path("id"), call.actor, None)

    @r.post("/consultations/{id}/hands/{person}/call", _LEAD, "Call on somebody: the hand comes down, and he may speak.")
    async def call_on(call: Call) -> Consultation:
        return await leading.call_on(call.path("id"), call.actor, call.path("person"))

    @r.delete("/consultations/{id}/hands/{person}", _LEAD, "Lower somebody's hand.")
    async def lower(call: Call) -> None:
        await leading.lower(call.path("id"), call.actor, call.path("person"))


def _lobby(r: Routes, leading: Leading, entering: Entering) -> None:
    @r.get("/consultations/{id}/lobby", _LEAD, "Who waits, in the order in which they came.")
    async def waiting(call: Call) -> WaitingList:
        return await leading.waiting(call.path("id"), call.actor)

    @r.put("/consultations/{id}/lobby", _LEAD, "Who has to wait until the chair lets them in.", headers=_REV)
    async def mode(call: Call, body: LobbyMode) -> Consultation:
        return await entering.set_mode(call.path("id"), call.actor, body.mode, revision(call))

    @r.post("/consultations/{id}/lobby/admit", _LEAD, "Let people in.")
    async def admit(call: Call, body: Admission) -> Consultation:
        return await entering.admit(call.path("id"), call.actor, body.people, body.posts, body.organisations, body.everybody)

    @r.post("/consultations/{id}/lobby/refuse", _LEAD, "Send somebody away who waits, until invited again.", status=204)
    async def refuse(call: Call, body: Refusal) -> None:
        await entering.refuse(call.path("id"), call.actor, body.person, body.reason)

    @r.post("/consultations/{id}/lobby/return", _LEAD, "Send somebody back to the lobby.", status=204)
    async def send_back(call: Call, body: Named) -> None:
        await entering.send_back(call.path("id"), call.actor, body.person)

    @r.delete("/consultations/{id}/wait", _IN, "Wait no more.")
    async def give_up(call: Call) -> None:
        await entering.give_up(call.path("id"), call.actor)


def _ending(r: Routes, leading: Leading) -> None:
    @r.put("/consultations/{id}/planned-end", _LEAD, "When it is to end: everybody is warned, nobody is cut off.", headers=_REV)
    async def plan(call: Call, body: PlannedEnd) -> Consultation:
        return await leading.plan_end(call.path("id"), call.actor, _ns(body.ends_at), revision(call))

    @r.post("/consultations/{id}/extension", _LEAD, "Minutes more.")
    async def extend(call: Call, body: Extension) -> Consultation:
        return await leading.extend(call.path("id"), call.actor, body.minutes)
