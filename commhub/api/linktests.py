"""/link-tests: can organisations connect?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from commhub.api.consultations import Body, Id
from commhub.api.routes import Call, Routes
from commhub.linktests import LinkReport, LinkTest, LinkTests
from commhub.views import Page


class NewLinkTests(Body):
    organisations: Annotated[list[Id], Field(min_length=1, max_length=500)]


class LinkTestChoice(Body):
    """Of one organisation its history; of none the last test of each."""

    organisation: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


def routes(tests: LinkTests) -> Routes:
    r = Routes()

    @r.get("/link-tests", "link.test", "Newest first.")
    async def listed(call: Call, query: LinkTestChoice) -> Page[LinkTest]:
        return Page(items=await tests.listed(call.actor, query.organisation, query.limit))

    @r.post("/link-tests", "link.test", "Test whether organisations can connect; what runs goes on.", status=201)
    async def begin(call: Call, body: NewLinkTests) -> Page[LinkTest]:
        return Page(items=await tests.begin(call.actor, body.organisations))

    @r.post("/link-tests/{id}/result", "link.answer", "What the tested terminal has measured.", status=204)
    async def result(call: Call, body: LinkReport) -> None:
        await tests.result(call.actor, call.path("id"), body)

    return r
