"""Domain names every layer shares: ids, labels, roles, permissions and who holds them. No I/O; records of the database
live in ``store``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NewType

from ulid import ULID

OrganisationId = NewType("OrganisationId", str)
PersonId = NewType("PersonId", str)
CameraId = NewType("CameraId", str)
ConsultationId = NewType("ConsultationId", str)  # also the LiveKit room name
SessionId = NewType("SessionId", str)  # one recording session

#: How a ULID reads: Crockford's alphabet, and the first character keeps it within 128 bits.
ULID_PATTERN = "[0-7][0-9A-HJKMNP-TV-Z]{25}"


def new_id() -> str:
    """A ULID: 26 characters that sort by time of making."""
    return str(ULID())


def utc_ns() -> int:
    return time.time_ns()


def iso(at: int) -> str:
    """UTC ns as the interfaces write it: ``2025-11-22T09:08:07.123Z``."""
    return datetime.fromtimestamp(at // 1_000_000 / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Label(StrEnum):
    """Grade of data on consultations, cameras and recordings, lowest first."""

    PUBLIC = "public"
    INTERNAL = "internal"
    SENSITIVE = "sensitive"

    @property
    def height(self) -> int:
        return list(Label).index(self)

    def up_to(self) -> list[Label]:
        return list(Label)[: self.height + 1]


class Role(StrEnum):
    PARTICIPANT = "participant"
    DISPATCHER = "dispatcher"
    REVIEWER = "reviewer"
    ADMIN = "admin"


_PARTICIPANT = frozenset({"consultation.list", "consultation.join", "directory.view", "seat.sign_on", "camera.list"}) | {
    "consultation.lead",  # what goes with the chair, for whoever holds one
    "call.list",
    "call.make",
    "call.answer",
    "group.list",
    "group.talk",
    "group.emergency",
    "roll.list",
    "roll.answer",
    "link.answer",
    "agenda.list",
    "agenda.reply",
}
_DISPATCHER = _PARTICIPANT | {
    "consultation.create",
    "consultation.invite",
    "consultation.change",
    "consultation.lock",
    "consultation.mute",
    "consultation.remove",
    "consultation.end",
    "consultation.diagnose",
    # Sees (and may walk into) consultations of the organisations in his scope without being invited.
    "consultation.oversee",
    "camera.open",
    "camera.move",  # pan, tilt, zoom
    "camera.control",  # presets, cruises, scans, guard, recording on the device, reboot
    "camera.playback",
    "camera.download",
    "camera.snapshot",
    "camera.voice",
    "alarm.list",
    "alarm.confirm",
    "device.list",
    "round.edit",
    "recording.control",
    "agenda.edit",
    "link.test",  # of organisations in his scope
    "roll.post",  # asks whether all posts are manned, in the organisations of his scope
    "group.edit",
    "group.revoke",  # takes the floor from lower levels
    "group.calm",  # answers and cancels emergencies
    "group.oversee",
    "call.oversee",  # sees calls of the organisations in his scope without being in them
    "call.priority",  # above the ordinary one
    "call.emergency",
    # What is forced on lines of those below; the table is in ``commhub.dispatch.policy``.
    "call.monitor",
    "call.whisper",
    "call.barge",
    "call.release",
    "call.takeover",
    "call.preempt",
    "terminal.auto_answer",  # terminals that answer by themselves may do so for him
    "directory.numbers",  # sees telephone numbers, and finds people by them
}
_REVIEWER = frozenset(
    {
        "call.list",
        "call.oversee",
        "roll.list",
        "agenda.list",
        "consultation.list",
        "consultation.oversee",
        "recording.list",
        "recording.view",
        "recording.mark",  # says something of a moment
        "recording.hold",  # sets and lifts legal holds
        "recording.delete",  # asks that one be deleted; another one confirms it
        "recording.export",  # takes it out, as film, tracks or bundle
        "storage.view",
        "directory.view",
    }
)

#: Permissions are data granted to roles; routes and messages name one each.
PERMISSIONS: dict[Role, frozenset[str]] = {
    Role.PARTICIPANT: _PARTICIPANT,
    Role.DISPATCHER: _DISPATCHER,
    Role.REVIEWER: _REVIEWER,
    Role.ADMIN: _DISPATCHER
    | _REVIEWER
    | {
        "audit.view",
        "call.monitor_silently",  # tells nobody on the line, with grounds
        "device.admit",
        "directory.edit",
        "key.view",
        "recording.policy",  # says what is always recorded, from the beginning, or never
        "metrics.view",
        "recording.approve",  # exports that somebody else asks for
        "recording.confirm",  # that one be deleted which somebody else wants deleted
        "storage.edit",  # quotas of organisations
    },
}

#: The highest label a role reaches by its scope; what somebody is invited to is another matter.
REACH: dict[Role, Label] = {
    Role.PARTICIPANT: Label.INTERNAL,
    Role.DISPATCHER: Label.SENSITIVE,
    Role.REVIEWER: Label.SENSITIVE,
    Role.ADMIN: Label.SENSITIVE,
}


class Tree:
    """Organisations by their parents. A loop in the data ends the walk instead of hanging it."""

    def __init__(self, parents: Mapping[str, str | None]) -> None:
        self._parents = dict(parents)

    def __len__(self) -> int:
        return len(self._parents)

    def above(self, org: str) -> Iterator[str]:
        """The organisation itself, then its parents up to the root."""
        seen: set[str] = set()
        at: str | None = org
        while at is not None and at not in seen:
            seen.add(at)
            yield at
            at = self._parents.get(at)

    def covers(self, scope: str, org: str) -> bool:
        return scope in self.above(org)

    def is_root(self, org: str) -> bool:
        return org in self._parents and self._parents[org] is None

    def below(self, scope: str) -> set[str]:
        """The organisation and its whole subtree."""
        return {org for org in self._parents if self.covers(scope, org)}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, within an organisation and its subtree."""

    role: Role
    org: str

    def holds(self, permissions: tuple[str, ...]) -> bool:
        return PERMISSIONS[self.role].issuperset(permissions)


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody signed in, and what he may do."""

    id: str
    name: str
    account: str
    post: str
    level: int
    org: str
    org_name: str
    grants: tuple[Grant, ...] = ()
    address: str = ""  # where this request came from
    tree: Tree = field(default_factory=lambda: Tree({}), repr=False, compare=False)

    def may(self, *permissions: str, org: str | None = None, label: Label | str = Label.PUBLIC) -> bool:
        """Does one grant hold all these permissions, there and at that label? Without ``org``: anywhere."""
        height = Label(label).height
        return any(
            grant.holds(permissions)
            and (org is None or (self.tree.covers(grant.org, org) and height <= REACH[grant.role].height))
            for grant in self.grants
        )

    def scopes(self, *permissions: str) -> list[tuple[set[str], list[Label]]]:
        """Where :meth:`may` says yes, for queries: organisations and labels of each grant that holds them."""
        return [(self.tree.below(grant.org), REACH[grant.role].up_to()) for grant in self.grants if grant.holds(permissions)]

    @property
    def permissions(self) -> list[str]:
        return sorted(set().union(*(PERMISSIONS[grant.role] for grant in self.grants)))


@dataclass(frozen=True, slots=True)
class By:
    """Who acts when it is no person signed in: an API key, the hub itself, an unknown at the door."""

    name: str
    id: str | None = None
    address: str = ""


HUB = By("系统")
