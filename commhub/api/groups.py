"""/groups: made, listened to, called; the floor of a call; emergencies."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from commhub.api.consultations import Body, Id, Title, once, revision
from commhub.api.gate import Gate
from commhub.api.routes import Call, Routes
from commhub.groups import Groups, Pictures, Wanted
from commhub.groups.shapes import (
    Action,
    Answer,
    Emergency,
    EmergencyKind,
    EmergencyList,
    Group,
    GroupJoining,
    GroupList,
    Ids,
    Kind,
    Rule,
    Times,
)
from commhub.model import Label
from commhub.terminals import terminal_id

Priority = Annotated[int, Field(ge=0, le=9)]


def _words(text: str) -> str:
    if not text.isprintable():
        raise ValueError("The text has control characters.")
    return text.strip()


Reason = Annotated[str, Field(max_length=200), AfterValidator(_words)]
_KEY = {"Idempotency-Key": "A repeated request with the same key is answered without doing it twice."}
_REV = {"If-Match": 'The revision it was read at, as "7".'}


class NewGroup(Body):
    """``members`` talk and listen, ``listeners`` only listen; ``groups`` are those that a patched one joins."""

    name: Title
    kind: Kind = "fixed"
    label: Label = Label.INTERNAL
    organisation: Id | None = None
    priority: Priority = 3
    times: Times | None = None
    rule: Rule | None = None
    members: Ids = Field(default_factory=list)
    listeners: Ids = Field(default_factory=list)
    groups: Ids = Field(default_factory=list)


class GroupChange(Body):
    name: Title | None = None
    priority: Priority | None = None
    times: Times | None = None
    rule: Rule | None = None
    members: Ids | None = None
    listeners: Ids | None = None
    groups: Ids | None = None


class Listening(Body):
    """``terminal``: where it is to be heard, any when it is not given; ``selected``: this is the group one talks in."""

    terminal: Id | None = None
    selected: bool = False


class Calling(Body):
    """``everybody``: also members who do not listen to it."""

    everybody: bool = False


class Entering(Body):
    terminal: Id


class Word(Body):
    """``override`` and ``revoke`` need a reason."""

    action: Action
    terminal: Id
    reason: Reason = ""


class Alarm(Body):
    kind: EmergencyKind = "call"
    terminal: Id | None = None
    reason: Reason = ""


class Calm(Body):
    reason: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_words)]


def routes(gate: Gate, groups: Groups, pictures: Pictures) -> Routes:
    r = Routes()

    @r.get("/groups", "group.list", "Groups of the reader, and those whoever is in charge oversees.")
    async def listed(call: Call) -> GroupList:
        return await pictures.listed(call.actor)

    @r.post("/groups", "group.edit", "Make a group.", status=201, headers=_KEY)
    async def create(call: Call, body: NewGroup) -> Group:
        wanted = Wanted(
            body.name, body.kind, body.label, body.organisation or "", body.priority, body.times, body.rule,
            body.members, body.listeners, body.groups,
        )  # fmt: skip
        group = await groups.create(call.actor, wanted, once(call, body))
        return await pictures.one(group, call.actor)

    @r.get("/groups/{id}", "group.list", "One group, with everybody in it.")
    async def one(call: Call) -> Group:
        return await pictures.one(call.path("id"), call.actor)

    @r.patch("/groups/{id}", "group.edit", "Change it.", headers=_REV)
    async def change(call: Call, body: GroupChange) -> Group:
        said = {name: getattr(body, name) for name in GroupChange.model_fields}
        await groups.change(call.actor, call.path("id"), revision(call), **said)
        return await pictures.one(call.path("id"), call.actor)

    @r.delete("/groups/{id}", "group.edit", "Remove it; a patched one: its groups part.")
    async def remove(call: Call) -> None:
        await groups.remove(call.actor, call.path("id"))

    @r.post("/groups/{id}/affiliate", "group.talk", "Listen to it; who does so while it is called is called.")
    async def affiliate(call: Call, body: Listening) -> Group:
        await groups.affiliate(call.actor, call.path("id"), body.terminal or "", selected=body.selected)
        return await pictures.one(call.path("id"), call.actor)

    @r.post("/groups/{id}/unaffiliate", "group.talk", "Listen to it no longer.")
    async def unaffiliate(call: Call) -> Group:
        await groups.unaffiliate(call.actor, call.path("id"))
        return await pictures.one(call.path("id"), call.actor)

    @r.post("/groups/{id}/call", "group.talk", "Call it: the terminals of all who listen are told to come.")
    async def begin(call: Call, body: Calling) -> Group:
        await groups.call(call.actor, call.path("id"), everybody=body.everybody)
        return await pictures.one(call.path("id"), call.actor)

    @r.post("/groups/{id}/join", "group.talk", "A ticket into the running call, for ten minutes.")
    async def join(call: Call, body: Entering) -> GroupJoining:
        scheme = "wss" if gate.scheme(call.request) == "https" else "ws"
        return await groups.join(call.actor, call.path("id"), body.terminal, f"{scheme}://{call.request.host}")

    @r.post("/groups/{id}/end", "group.talk", "End the call.")
    async def end(call: Call) -> Group:
        await groups.end(call.actor, call.path("id"))
        return await pictures.one(call.path("id"), call.actor)

    @r.post("/groups/{id}/floor", "group.talk", "Ask for the floor, give it back, take it.")
    async def floor(call: Call, body: Word) -> Answer:
        identity = terminal_id(call.actor.id, body.terminal)
        return await groups.floor(call.actor, call.path("id"), body.action, identity, body.reason)

    @r.post("/groups/{id}/emergency", "group.emergency", "Raise an emergency: a call to everybody, or an alarm.", status=201)
    async def alarm(call: Call, body: Alarm) -> Emergency:
        return await groups.emergency(call.actor, call.path("id"), body.kind, body.terminal or "", body.reason)

    @r.post("/groups/{id}/emergency/cancel", "group.calm", "The emergency is over.")
    async def calm(call: Call, body: Calm) -> Group:
        await groups.calm(call.actor, call.path("id"), body.reason)
        return await pictures.one(call.path("id"), call.actor)

    @r.get("/emergencies", "group.list", "Emergencies of the reader's groups that are not over.")
    async def emergencies(call: Call) -> EmergencyList:
        return EmergencyList(items=await groups.emergencies.listed(call.actor))

    @r.post("/emergencies/{id}/acknowledge", "group.calm", "Somebody has it in hand: it goes no further up.")
    async def acknowledge(call: Call) -> Emergency:
        return await groups.emergencies.acknowledge(call.actor, call.path("id"))

    return r
