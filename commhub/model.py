"""Domain names every layer shares: ids, labels, roles and permissions. No I/O; records of the database live in ``store``."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import NewType

from ulid import ULID

OrganisationId = NewType("OrganisationId", str)
PersonId = NewType("PersonId", str)
CameraId = NewType("CameraId", str)
ConsultationId = NewType("ConsultationId", str)  # also the LiveKit room name
SessionId = NewType("SessionId", str)  # one recording session


def new_id() -> str:
    """A ULID: 26 characters that sort by time of making."""
    return str(ULID())


def utc_ns() -> int:
    return time.time_ns()


class Label(StrEnum):
    """Grade of data on consultations, cameras and recordings, lowest first."""

    PUBLIC = "public"
    INTERNAL = "internal"
    SENSITIVE = "sensitive"


class Role(StrEnum):
    PARTICIPANT = "participant"
    DISPATCHER = "dispatcher"
    REVIEWER = "reviewer"
    ADMIN = "admin"


_PARTICIPANT = frozenset({"consultation.list", "consultation.join", "directory.view", "camera.list"})
_DISPATCHER = _PARTICIPANT | {
    "consultation.create",
    "consultation.invite",
    "consultation.lock",
    "consultation.mute",
    "consultation.remove",
    "consultation.end",
    "camera.open",
    "recording.control",
}
_REVIEWER = frozenset({"consultation.list", "recording.list", "recording.view", "directory.view"})

#: Permissions are data granted to roles; routes and messages name one each.
PERMISSIONS: dict[Role, frozenset[str]] = {
    Role.PARTICIPANT: _PARTICIPANT,
    Role.DISPATCHER: _DISPATCHER,
    Role.REVIEWER: _REVIEWER,
    Role.ADMIN: _DISPATCHER | _REVIEWER | {"audit.view", "directory.edit", "key.view"},
}
