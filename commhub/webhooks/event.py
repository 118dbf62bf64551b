"""What a webhook says and how it is signed (LiveKit's protocol: ``livekit.WebhookEvent`` as JSON, a JWT over its SHA-256).

No I/O; time is a parameter.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import jwt
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from livekit.protocol import egress, ingress, models, webhook

from commhub.log import Secret

#: The kinds of LiveKit's open server that have a meaning here.
KINDS = frozenset(
    {
        "room_started",
        "room_finished",
        "participant_joined",
        "participant_left",
        "participant_connection_aborted",
        "track_published",
        "track_unpublished",
        "egress_started",
        "egress_updated",
        "egress_ended",
        "ingress_started",
        "ingress_ended",
    }
)
#: What begins → what ends it, under the same ``unique``.
ENDS = {"room_started": "room_finished", "participant_joined": "participant_left", "track_published": "track_unpublished"}
NS = 1_000_000_000
CONTENT_TYPE = "application/webhook+json"
TOKEN_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where events go, and the API key they are signed with. ``reaches(key of the room)``: does this key see that room?"""

    url: str
    key: str
    secret: Secret[str]
    reaches: Callable[[str], bool] = field(default=lambda key: True, compare=False)

    @property
    def id(self) -> str:
        """Stays the same over restarts; the secret may be changed without losing what waits."""
        return hashlib.sha256(f"{self.url}\n{self.key}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Event:
    """``room`` orders: one event of a room at a time. ``key`` is the API key the room belongs to. ``at`` is UTC ns."""

    id: str
    kind: str
    room: str
    key: str
    at: int
    body: str
    end: Event | None = None  # of a beginning: what ends it, without a date


def event(
    kind: str,
    at: int,
    *,
    room: models.Room | None = None,
    key: str = "",
    participant: models.ParticipantInfo | None = None,
    track: models.TrackInfo | None = None,
    egress_info: egress.EgressInfo | None = None,
    ingress_info: ingress.IngressInfo | None = None,
    unique: str = "",
) -> Event:
    """One event of :data:`KINDS`; ValueError for another. ``unique``: the same text of the same kind gives the same id, so a
    fact that is told again (by a restarted hub) is the same event."""
    if kind not in KINDS:
        raise ValueError(f"{kind} is no kind of webhook.")
    said = webhook.WebhookEvent(event=kind, id=event_id(kind, unique), created_at=at // NS)
    parts: list[tuple[Message, Message | None]] = [
        (said.room, room),
        (said.participant, participant),
        (said.track, track),
        (said.egress_info, egress_info),
        (said.ingress_info, ingress_info),
    ]
    for place, part in parts:
        if part is not None:
            place.CopyFrom(part)
    name = said.room.name or said.egress_info.room_name or said.ingress_info.room_name
    body = MessageToJson(said, indent=None)
    if not unique or kind not in ENDS:
        return Event(said.id, kind, name, key, at, body)
    over = ENDS[kind]
    said.event, said.id, said.created_at = over, event_id(over, unique), 0
    end = Event(said.id, over, name, key, 0, MessageToJson(said, indent=None))
    return Event(event_id(kind, unique), kind, name, key, at, body, end)


def event_id(kind: str, unique: str) -> str:
    """The same for the same fact; without ``unique`` a new one."""
    digest = hashlib.sha256(f"{kind}\n{unique}".encode()).digest() if unique else secrets.token_bytes(32)
    return "EV_" + base64.b32encode(digest[:15]).decode().lower()


def authorization(receiver: Receiver, body: bytes, now: float) -> str:
    """The token for this body: issuer is the key, ``sha256`` the base64 of the body's digest. ``now`` is unix seconds."""
    claims = {
        "iss": receiver.key,
        "nbf": int(now) - 5,
        "exp": int(now) + TOKEN_SECONDS,
        "sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
    }
    return jwt.encode(claims, receiver.secret.reveal(), algorithm="HS256")
