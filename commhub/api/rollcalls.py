"""/roll-calls: one after another speaks in a consultation; are all posts manned?"""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from commhub.api.consultations import Body, Id, Ids, Title, once, revision
from commhub.api.routes import Call, Routes
from commhub.model import Label
from commhub.rollcalls import Act, RollCall, RollCalls, RollQuestions, Wanted, sheet
from commhub.views import Page

Post = Annotated[str, Field(min_length=1, max_length=100)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
_KEY = {"Idempotency-Key": "A repeated request with the same key is answered without doing it twice."}
_REV = {"If-Match": 'The revision it was read at, as "7".'}


class NewRollCall(Body):
    """``people`` in the order they are called, none is everybody there by rank; seconds: 0 is without end."""

    kind: Literal["speak", "sequence"]
    people: Ids = Field(default_factory=list)
    answer_seconds: Seconds = 20
    limit_seconds: Seconds = 60


class NewPosts(Body):
    """Of ``organisations`` those whom an invitation reaches, or their seats; ``posts``: only people of these posts."""

    title: Title
    organisations: Ids = Field(default_factory=list)
    people: Ids = Field(default_factory=list)
    seats: Ids = Field(default_factory=list)
    of: Literal["people", "seats", "both"] = "people"
    below: bool = False
    posts: Annotated[list[Post], Field(max_length=50)] = Field(default_factory=list)
    window_seconds: Annotated[float, Field(ge=1, le=3600)] = 60
    late_seconds: Annotated[float, Field(ge=0, le=86_400)] = 600
    label: Label = Label.INTERNAL


class RollStep(Body):
    """``person``: whom ``call`` calls."""

    action: Literal["call", "next", "skip", "repeat", "back", "release", "end"]
    person: Id | None = None


class RollCallListing(Body):
    consultation: Id | None = None
    state: Literal["live", "closed", "ended"] | None = None


def routes(rollcalls: RollCalls) -> Routes:
    r = Routes()

    @r.post("/consultations/{id}/roll-calls", "consultation.lead", "Call the roll in a consultation.", status=201, headers=_KEY)
    async def begin(call: Call, body: NewRollCall) -> RollCall:
        return await rollcalls.begin(
            call.actor, call.path("id"), body.kind, body.people, answer=body.answer_seconds, limit=body.limit_seconds,
            once=once(call, body),
        )  # fmt: skip

    @r.post("/roll-calls", "roll.post", "Ask whether all posts are manned.", status=201, headers=_KEY)
    async def ask(call: Call, body: NewPosts) -> RollCall:
        wanted = Wanted(
            body.title, body.organisations, body.people, body.seats, body.of, body.below, body.posts, body.window_seconds,
            body.late_seconds, body.label,
        )  # fmt: skip
        return await rollcalls.posts.begin(call.actor, wanted, once(call, body))

    @r.get("/roll-calls", "roll.list", "Roll calls the reader may see, newest first; the last hundred.")
    async def listing(call: Call, query: RollCallListing) -> Page[RollCall]:
        return Page(items=await rollcalls.listed(call.actor, consultation=query.consultation, state=query.state))

    @r.get("/roll-calls/asked", "roll.answer", "Those of posts that ask the reader now.")
    async def asked(call: Call) -> RollQuestions:
        return RollQuestions(items=await rollcalls.posts.questions(call.actor))

    @r.get("/roll-calls/{id}", "roll.list", "One roll call, with everybody in it.")
    async def one(call: Call) -> RollCall:
        return await rollcalls.one(call.path("id"), call.actor)

    @r.post("/roll-calls/{id}/step", "consultation.lead", "Call somebody, go on, end it.", headers=_REV)
    async def step(call: Call, body: RollStep) -> RollCall:
        return await rollcalls.act(call.actor, call.path("id"), revision(call), Act(body.action), body.person or "")

    @r.post("/roll-calls/{id}/answer", "roll.answer", "Here I am.", status=204)
    async def answer(call: Call) -> None:
        await rollcalls.answer(call.actor, call.path("id"))

    @r.get("/roll-calls/{id}/report", "roll.list", "Its results, a CSV.", media="text/csv")
    async def report(call: Call) -> web.StreamResponse:
        record = await rollcalls.record(call.path("id"), call.actor)
        name = f"roll-call-{record.id}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return web.Response(body=sheet(record), content_type="text/csv", charset="utf-8", headers=headers)

    return r
