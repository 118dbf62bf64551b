"""Forced verbs on lines. What each means and who may is in docs/dispatch.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from commhub.api.consultations import Body, Id, once
from commhub.api.gate import Gate
from commhub.api.routes import Call, Routes
from commhub.dispatch import Aim, Dispatch, Order, Verb
from commhub.dispatch.policy import POLICY
from commhub.dispatch.shapes import ActList, AllowedVerbs, DispatchDone
from commhub.terminals import terminal_id

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=200)]


class ForcedAim(Body):
    """Whom it is about; ``call``, ``consultation`` or ``group``: on which line, else on the one they are on."""

    person: Id
    call: Id | None = None
    consultation: Id | None = None
    group: Id | None = None

    @model_validator(mode="after")
    def _one(self) -> ForcedAim:
        if len([one for one in (self.call, self.consultation, self.group) if one is not None]) > 1:
            raise ValueError("A line is a call, a consultation or a group.")
        return self

    def aim(self) -> Aim:
        return Aim(self.person, self.call or "", self.consultation or "", self.group or "")


class ForcedOrder(ForcedAim):
    """``terminal``: the ULID of the terminal at which the actor is. ``reason`` goes to the audit, and to whom it concerns."""

    terminal: Id
    reason: Reason


class MonitorOrder(ForcedOrder):
    """``silent``: nobody on the line is told, on these ``grounds``; a right of its own."""

    silent: bool = False
    grounds: Literal["", "security", "complaint", "drill"] = ""


class ReleaseOrder(ForcedOrder):
    """``only``: the person alone is put out of the call of a group, which goes on."""

    only: bool = False


class PreemptOrder(ForcedOrder):
    """The new call's. It must be above that of what the target is in; ``emergency`` is above all."""

    priority: Annotated[int, Field(ge=0, le=9)] = 9
    emergency: bool = False
    video: bool = False


_KEY = {"Idempotency-Key": "A repeated request with the same key is answered without doing it twice."}
_SUMMARIES = {
    Verb.MONITOR: "Hear a line without being heard; goes on until it is deleted.",
    Verb.WHISPER: "Hear a line and be heard by one party only; goes on until it is deleted.",
    Verb.BARGE: "Join a line as a full third party.",
    Verb.RELEASE: "End a line for everybody; the call of a group also for one.",
    Verb.TAKEOVER: "Go on in the place of one party.",
    Verb.PREEMPT: "End the target's line for them, and call them.",
}


def routes(gate: Gate, dispatch: Dispatch) -> Routes:
    r = Routes()

    @r.get("/dispatch", "call.list", "What goes on and concerns the reader: what he does, what he was told of.")
    async def listing(call: Call) -> ActList:
        return ActList(items=await dispatch.listed(call.actor))

    @r.get("/dispatch/allowed", "call.monitor", "What may be forced on somebody's line now, who would be told, why not.")
    async def allowed(call: Call, query: ForcedAim) -> AllowedVerbs:
        return await dispatch.allowed(call.actor, query.aim(), call.english)

    async def force(call: Call, order: Order, body: Body) -> DispatchDone:
        scheme = "wss" if gate.scheme(call.request) == "https" else "ws"
        return await dispatch.force(call.actor, order, f"{scheme}://{call.request.host}", once(call, body))

    def verb(name: Verb) -> None:
        async def act(call: Call, body: ForcedOrder) -> DispatchDone:
            here = terminal_id(call.actor.id, body.terminal)
            return await force(call, Order(name, body.aim(), here, body.reason), body)

        r.post(f"/dispatch/{name}", POLICY[name].permission, _SUMMARIES[name], status=201, headers=_KEY)(act)

    @r.post("/dispatch/monitor", POLICY[Verb.MONITOR].permission, _SUMMARIES[Verb.MONITOR], status=201, headers=_KEY)
    async def monitor(call: Call, body: MonitorOrder) -> DispatchDone:
        here = terminal_id(call.actor.id, body.terminal)
        order = Order(Verb.MONITOR, body.aim(), here, body.reason, silent=body.silent, grounds=body.grounds)
        return await force(call, order, body)

    for name in (Verb.WHISPER, Verb.BARGE, Verb.TAKEOVER):
        verb(name)

    @r.post("/dispatch/release", POLICY[Verb.RELEASE].permission, _SUMMARIES[Verb.RELEASE], status=201, headers=_KEY)
    async def release(call: Call, body: ReleaseOrder) -> DispatchDone:
        here = terminal_id(call.actor.id, body.terminal)
        return await force(call, Order(Verb.RELEASE, body.aim(), here, body.reason, only=body.only), body)

    @r.post("/dispatch/preempt", POLICY[Verb.PREEMPT].permission, _SUMMARIES[Verb.PREEMPT], status=201, headers=_KEY)
    async def preempt(call: Call, body: PreemptOrder) -> DispatchDone:
        here = terminal_id(call.actor.id, body.terminal)
        order = Order(
            Verb.PREEMPT, body.aim(), here, body.reason, priority=body.priority, emergency=body.emergency, video=body.video
        )
        return await force(call, order, body)

    @r.delete("/dispatch/{id}", "call.monitor", "End what one does oneself: monitoring, whispering.")
    async def end(call: Call) -> None:
        await dispatch.end(call.actor, call.path("id"))

    return r
