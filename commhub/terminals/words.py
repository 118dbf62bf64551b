"""What pages say, read: ValueError with one sentence for what cannot be. No I/O, no clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from commhub.terminals.board import WATCHED_LIMIT
from commhub.terminals.shapes import AutoAnswer, Kind

NAME_LIMIT = 64  # characters
REASON_LIMIT = 200
ID_LIMIT = 64
#: As :data:`commhub.model.ULID_PATTERN`.
_ULID = re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}")


@dataclass(frozen=True, slots=True)
class Registration:
    id: str
    kind: Kind
    name: str
    auto_answer: AutoAnswer
    dnd: bool


@dataclass(frozen=True, slots=True)
class Ack:
    id: str
    ok: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Watched:
    orgs: frozenset[str]
    people: frozenset[str]


def registration(said: Mapping[str, Any]) -> Registration:
    id, name, dnd = said.get("id"), said.get("name", ""), said.get("dnd", False)
    kind, auto = said.get("kind", "page"), said.get("auto_answer", "never")
    if not isinstance(id, str) or not _ULID.fullmatch(id):
        raise ValueError("The id of a terminal is a ULID.")
    if kind not in get_args(Kind):
        raise ValueError("A terminal is a console, a wall, a phone or a page.")
    if auto not in get_args(AutoAnswer):
        raise ValueError("auto_answer is never, seat or always.")
    if not isinstance(name, str) or len(name) > NAME_LIMIT:
        raise ValueError(f"The name of a terminal has at most {NAME_LIMIT} characters.")
    if not isinstance(dnd, bool):
        raise ValueError("dnd is true or false.")
    return Registration(id, kind, name, auto, dnd)


def wants_peace(said: Mapping[str, Any]) -> bool:
    """Does who says his presence not want to be disturbed?"""
    state = said.get("state")
    if state not in ("dnd", "idle"):
        raise ValueError("A terminal says dnd or idle of itself; the rest follows from what it does.")
    return bool(state == "dnd")


def ack(said: Mapping[str, Any]) -> Ack:
    id, ok, reason = said.get("id"), said.get("ok"), said.get("reason", "")
    if not isinstance(id, str) or not 1 <= len(id) <= ID_LIMIT or not isinstance(ok, bool) or not isinstance(reason, str):
        raise ValueError("An acknowledgement has id, ok and reason.")
    return Ack(id, ok, reason[:REASON_LIMIT])


def watched(said: Mapping[str, Any]) -> Watched:
    return Watched(_ids(said.get("orgs", []), "orgs"), _ids(said.get("people", []), "people"))


def _ids(value: Any, name: str) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > WATCHED_LIMIT:
        raise ValueError(f"{name} is a list of at most {WATCHED_LIMIT} ids.")
    for one in value:
        if not isinstance(one, str) or not _ULID.fullmatch(one):
            raise ValueError(f"{name} is a list of ids.")
    return frozenset(value)
