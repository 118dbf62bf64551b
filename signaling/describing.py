"""What participants say of themselves: name, metadata, attributes, within LiveKit's limits. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping

from livekit.protocol import models, rtc

from commhub.conference import Ticket
from commhub.errors import Invalid
from signaling import tokens
from signaling.participant import RESERVED, Participant
from signaling.tokens import MAX_IDENTITY, MAX_TEXT

MAX_ATTRIBUTES = 1_000  # each of them costs more than its octets, for everybody, with every change


def describe(person: Participant, name: str, metadata: str, attributes: Mapping[str, str]) -> None:
    """Empty texts leave what is there; an attribute set to '' is removed (LiveKit's rules). Invalid when it gets too long."""
    merged = _merged(person.info.attributes, attributes)
    check(name, metadata, merged)
    person.info.name = name or person.info.name
    person.info.metadata = metadata or person.info.metadata
    if attributes:
        person.info.attributes.clear()
        person.info.attributes.update(merged)


def _merged(known: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in {**known, **more}.items() if value}


def check(name: str, metadata: str, attributes: Mapping[str, str]) -> None:
    """Invalid, with LiveKit's own sentences."""
    if len(name) > MAX_IDENTITY:
        raise Invalid("exceeds name length limit", "名称过长。")
    if len(metadata.encode()) > MAX_TEXT:
        raise Invalid("exceeds metadata size limit", "元数据过长。")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in attributes.items())
    if size > MAX_TEXT or len(attributes) > MAX_ATTRIBUTES:
        raise Invalid("exceeds attributes size limit", "属性过长。")


def introduced(ticket: Ticket, request: rtc.JoinRequest) -> tuple[str, dict[str, str]]:
    """Metadata and attributes somebody enters with: the token's, and what the join request adds where the token allows
    that. Invalid when they are too long."""
    attributes = dict(ticket.attributes)
    if not tokens.permission(ticket.grants).can_update_metadata:
        return ticket.metadata, attributes
    attributes = _merged(attributes, dict(request.participant_attributes))
    attributes.update({name: value for name, value in ticket.attributes.items() if name in RESERVED})
    metadata = request.metadata or ticket.metadata
    check("", metadata, attributes)
    return metadata, attributes


def may(person: Participant, request: rtc.UpdateParticipantMetadata, *, kept: bool) -> str:
    """Why somebody may not change this of themselves; '' when they may. In a consultation (``kept``) pages show everybody's
    organisation, also that of a service; in their own rooms API keys use such names as they like."""
    permission: models.ParticipantPermission = person.info.permission
    if not permission.can_update_metadata:
        return "does not have permission to update own metadata"
    if (kept or person.person) and RESERVED & set(request.attributes):
        return "the organisation is not what one says of oneself"
    return ""
