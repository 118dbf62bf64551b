"""Calls as pages get them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from commhub.calls import machine
from commhub.calls.machine import Call
from commhub.model import Actor, iso
from commhub.views import Member, View

Verb = Literal["answer", "decline", "hangup", "hold", "resume", "transfer", "add", "join", "redial"]


class PartyView(View):
    """Who was asked for."""

    kind: Literal["caller", "person", "seat", "org"]
    id: str
    name: str


class LegView(View):
    """One terminal in the call; ``party`` counts the call's parties from 0."""

    id: str
    party: int
    person: Member
    terminal: str
    state: Literal["inviting", "ringing", "answered", "held", "ended"]
    end: str | None
    ended_by: str | None
    waiting: bool
    silent: bool
    invited_at: str | None
    ringing_at: str | None
    answered_at: str | None
    held_at: str | None
    ended_at: str | None


class CallNews(View):
    """As everybody concerned sees it; the room's name is the call's id."""

    id: str
    kind: Literal["point", "conference"]
    state: Literal["ringing", "active", "ended"]
    end: str | None
    priority: int
    emergency: bool
    video: bool
    room: str
    created_by: Member
    created_at: str
    answered_at: str | None
    ended_at: str | None
    rev: int
    parties: list[PartyView]
    legs: list[LegView]


class CallView(CallNews):
    """And what the reader may do with it now."""

    may: list[Verb]


class CallJoining(View):
    """A ticket into the call's room."""

    url: str
    token: str
    room: str
    identity: str


Names = Mapping[str, tuple[str, str]]


def _member(person: str, names: Names) -> Member:
    name, org = names.get(person, ("", ""))
    return Member(id=person, name=name, org_name=org)


def _at(at: int) -> str | None:
    return iso(at) if at else None


def news(call: Call, names: Names) -> CallNews:
    return CallNews.model_validate(_fields(call, names))


def view(call: Call, names: Names, reader: Actor) -> CallView:
    mine = next((leg for leg in call.legs if leg.person == reader.id and leg.live), None)
    return CallView.model_validate({**_fields(call, names), "may": machine.allowed(call, mine)})


def _fields(call: Call, names: Names) -> dict[str, Any]:
    return {
        "id": call.id,
        "kind": call.kind,
        "state": call.state,
        "end": call.end.value if call.end else None,
        "priority": call.priority,
        "emergency": call.emergency,
        "video": call.video,
        "room": call.id,
        "created_by": _member(call.created_by, names),
        "created_at": iso(call.created_at),
        "answered_at": _at(call.answered_at),
        "ended_at": _at(call.ended_at),
        "rev": call.rev,
        "parties": [PartyView.model_validate({"kind": one.kind, "id": one.id, "name": one.name}) for one in call.parties],
        "legs": [
            LegView.model_validate(
                {
                    "id": leg.id,
                    "party": leg.party,
                    "person": _member(leg.person, names),
                    "terminal": leg.terminal,
                    "state": leg.state.value,
                    "end": leg.end.value if leg.end else None,
                    "ended_by": leg.by or None,
                    "waiting": leg.waiting,
                    "silent": leg.silent,
                    "invited_at": _at(leg.invited_at),
                    "ringing_at": _at(leg.ringing_at),
                    "answered_at": _at(leg.answered_at),
                    "held_at": _at(leg.held_at),
                    "ended_at": _at(leg.ended_at),
                }
            )
            for leg in call.legs
        ],
    }
