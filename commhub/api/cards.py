"""/cameras/{id}/diagnosis and /retry: why a camera shows nothing."""

from __future__ import annotations

from commhub.api.routes import Call, Routes
from commhub.desk.card import Card, Cards, Retrying


def routes(cards: Cards) -> Routes:
    r = Routes()

    @r.get("/cameras/{id}/diagnosis", "camera.open", "What was tried to open it, where it stopped, what works beside it.")
    async def diagnosis(call: Call) -> Card:
        return await cards.card(call.path("id"), call.actor, english=call.english)

    @r.post("/cameras/{id}/retry", "camera.open", "Open it anew, now.", status=202)
    async def retry(call: Call) -> Retrying:
        return await cards.retry(call.path("id"), call.actor)

    return r
