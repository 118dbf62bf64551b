"""/calls: who calls whom, answers, holds, transfers; what calls there were."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from commhub.api.consultations import Body, Id, once, revision
from commhub.api.gate import Gate
from commhub.api.routes import Call, Routes
from commhub.calls import Calls, Wish
from commhub.calls.asked import Asked
from commhub.calls.shapes import CallJoining, CallView, Verb
from commhub.terminals import terminal_id
from commhub.views import Page


class CallTarget(Body):
    """Exactly one of these."""

    person: Id | None = None
    endpoint: Id | None = None
    seat: Id | None = None
    org: Id | None = None

    @model_validator(mode="after")
    def _one(self) -> CallTarget:
        if sum(one is not None for one in (self.person, self.endpoint, self.seat, self.org)) != 1:
            raise ValueError("Exactly one of person, endpoint, seat and org is to be called.")
        return self

    def asked(self) -> Asked:
        return next(Asked(kind, id) for kind in ("person", "endpoint", "seat", "org") if (id := getattr(self, kind)) is not None)


CallTargets = Annotated[list[CallTarget], Field(min_length=1, max_length=50)]


class NewCall(Body):
    """``terminal`` is the ULID of the page that calls; ``priority`` 0–9, higher first."""

    to: CallTargets
    terminal: Id
    kind: Literal["point", "conference"] = "point"
    priority: Annotated[int, Field(ge=0, le=9)] = 3
    emergency: bool = False
    video: bool = True


class CallPlace(Body):
    """The terminal that acts; without it the one at which the person is in the call."""

    terminal: Id | None = None


class CallHere(Body):
    terminal: Id


class CallAddition(CallPlace):
    to: CallTargets


class CallTransfer(CallPlace):
    """``to``: blind. ``call``: whom one talks to in that other call goes on in this one."""

    to: CallTarget | None = None
    call: Id | None = None

    @model_validator(mode="after")
    def _one(self) -> CallTransfer:
        if (self.to is None) == (self.call is None):
            raise ValueError("Either to or call says where the call goes.")
        return self


class CallListing(Body):
    mine: bool = False
    state: Literal["ringing", "active", "live", "ended"] | None = None
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


_KEY = {"Idempotency-Key": "A repeated request with the same key is answered without doing it twice."}
_REV = {"If-Match": 'The revision that is meant, as "7"; without it, whatever it is now.'}


def _rev(call: Call) -> int | None:
    return revision(call) if "If-Match" in call.request.headers else None


def _at(call: Call, terminal: str | None) -> str | None:
    return terminal_id(call.actor.id, terminal) if terminal is not None else None


def routes(gate: Gate, calls: Calls) -> Routes:
    r = Routes()

    @r.get("/calls", "call.list", "Calls the reader may see, newest first.")
    async def listing(call: Call, query: CallListing) -> Page[CallView]:
        return await calls.listed(call.actor, mine=query.mine, state=query.state, before=query.cursor, limit=query.limit)

    @r.post("/calls", "call.make", "Call somebody; their terminals ring.", status=201, headers=_KEY)
    async def create(call: Call, body: NewCall) -> CallView:
        to = [target.asked() for target in body.to]
        here = terminal_id(call.actor.id, body.terminal)
        return await calls.create(
            call.actor, Wish(to, here, body.kind, body.priority, body.emergency, body.video), once(call, body)
        )

    @r.get("/calls/{id}", "call.list", "One call.")
    async def get(call: Call) -> CallView:
        return await calls.find(call.path("id"), call.actor)

    def verb(name: Verb, permission: str, summary: str) -> None:
        async def act(call: Call, body: CallPlace) -> CallView:
            return await calls.act(name, call.path("id"), call.actor, _at(call, body.terminal), _rev(call))

        r.post(f"/calls/{{id}}/{name}", permission, summary, headers=_REV)(act)

    verb("answer", "call.answer", "Answer at this terminal; the others stop ringing.")
    verb("decline", "call.answer", "Decline at all terminals.")
    verb("hangup", "call.answer", "Go out of it.")
    verb("hold", "call.answer", "Hold it: neither hears the other.")
    verb("resume", "call.answer", "Go on; what else is talked in at this terminal is held.")

    @r.post("/calls/{id}/add", "call.make", "Call others into it: a conference.", headers=_REV)
    async def add(call: Call, body: CallAddition) -> CallView:
        to = [target.asked() for target in body.to]
        return await calls.add(call.path("id"), call.actor, _at(call, body.terminal), to, _rev(call))

    @r.post("/calls/{id}/transfer", "call.make", "CallTransfer it, blind or to somebody one has talked to.", headers=_REV)
    async def transfer(call: Call, body: CallTransfer) -> CallView:
        here = _at(call, body.terminal)
        if body.to is not None:
            return await calls.transfer(call.path("id"), call.actor, here, body.to.asked(), _rev(call))
        return await calls.connect(call.path("id"), call.actor, here, body.call or "", _rev(call))

    @r.post("/calls/{id}/redial", "call.make", "Call again whom this call was with.", status=201, headers=_KEY)
    async def redial(call: Call, body: CallHere) -> CallView:
        here = terminal_id(call.actor.id, body.terminal)
        return await calls.redial(call.path("id"), call.actor, here, once(call, body))

    @r.post("/calls/{id}/join", "call.answer", "A ticket into the call's room, for ten minutes.")
    async def join(call: Call, body: CallHere) -> CallJoining:
        scheme = "wss" if gate.scheme(call.request) == "https" else "ws"
        here = terminal_id(call.actor.id, body.terminal)
        return await calls.join(call.path("id"), call.actor, here, f"{scheme}://{call.request.host}")

    return r
