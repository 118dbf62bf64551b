"""What becomes of recordings: legal holds, deletion by two people."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from commhub.api.consultations import Body, once, revision
from commhub.api.routes import Call, Routes
from commhub.recordings.keeper import Keeper
from commhub.recordings.keeping_rows import KeptRecording
from commhub.views import Page, Recording

_KEY = {"Idempotency-Key": "A repeated request with the same key is answered without doing it twice."}
_REV = {"If-Match": 'The revision of its keeping that was seen, as "7".'}


def _words(text: str) -> str:
    text = " ".join(text.split())
    if not text or not text.isprintable():
        raise ValueError("The text is empty or has control characters.")
    return text


class Grounds(Body):
    """Why; it stands in the audit, and on a tombstone."""

    reason: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_words)]


def routes(keeper: Keeper) -> Routes:
    r = Routes()

    async def shown(call: Call) -> KeptRecording:
        return await keeper.detail(call.actor, call.path("id"), call.english)

    @r.get("/recordings/{id}/keeping", "recording.view", "How long it is kept, its holds, and what the reader may do.")
    async def keeping(call: Call) -> KeptRecording:
        return await shown(call)

    @r.post("/recordings/{id}/holds", "recording.hold", "Set a legal hold: nothing deletes it.", status=201, headers=_KEY)
    async def hold(call: Call, body: Grounds) -> KeptRecording:
        await keeper.hold(call.actor, call.path("id"), body.reason, once(call, body))
        return await shown(call)

    @r.post("/recordings/{id}/holds/{hold}/lift", "recording.hold", "Lift one hold; others go on.")
    async def lift(call: Call, body: Grounds) -> KeptRecording:
        await keeper.lift(call.actor, call.path("id"), call.path("hold"), body.reason)
        return await shown(call)

    @r.post("/recordings/{id}/deletion", "recording.delete", "Ask that it be deleted.", status=201, headers=_KEY)
    async def ask(call: Call, body: Grounds) -> KeptRecording:
        await keeper.ask(call.actor, call.path("id"), body.reason, once(call, body))
        return await shown(call)

    @r.post(
        "/recordings/{id}/deletion/confirm",
        "recording.confirm",
        "Confirm what somebody else asks: it is deleted, a tombstone stays.",
        headers=_REV,
    )
    async def confirm(call: Call) -> KeptRecording:
        await keeper.confirm(call.actor, call.path("id"), revision(call))
        return await shown(call)

    @r.post(
        "/recordings/{id}/deletion/refuse",
        "recording.delete",
        "Refuse what somebody asks, or withdraw what oneself asked.",
        headers=_REV,
    )
    async def refuse(call: Call, body: Grounds) -> KeptRecording:
        await keeper.refuse(call.actor, call.path("id"), revision(call), body.reason)
        return await shown(call)

    @r.get("/deletions", "recording.delete", "Recordings that somebody wants deleted, what lapses first at the top.")
    async def deletions(call: Call) -> Page[Recording]:
        return await keeper.asked(call.actor, call.english)

    return r
