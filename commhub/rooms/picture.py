"""A consultation as pages get it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from commhub.conference import Presence
from commhub.feeds import Feeds, seat_of
from commhub.model import Actor, iso
from commhub.rooms.rules import may
from commhub.store.consultations import Consultation
from commhub.views import Consultation as ConsultationView
from commhub.views import ConsultationCamera, ConsultationNews, Member, Org, Present, RecordingLight


def member_of(identity: str) -> str:
    """The person or camera behind an identity."""
    return identity.partition(":")[0]


def light(record: Consultation) -> RecordingLight:
    since = iso(record.recording_since) if record.recording_since else None
    why = {"reason": record.recording_reason, "reason_en": record.recording_reason_en}
    return RecordingLight.model_validate({"state": record.recording_state, "since": since, **why})


def news(record: Consultation, present: Sequence[Presence], feeds: Feeds) -> ConsultationNews:
    """As everybody in it sees it."""
    return ConsultationNews.model_validate(_fields(record, present, feeds))


def view(record: Consultation, present: Sequence[Presence], feeds: Feeds, reader: Actor) -> ConsultationView:
    """And what the reader may do."""
    return ConsultationView.model_validate({**_fields(record, present, feeds), "may": may(record, reader)})


def _fields(record: Consultation, present: Sequence[Presence], feeds: Feeds) -> dict[str, Any]:
    return {
        "id": record.id,
        "code": record.code,
        "title": record.title,
        "state": record.state,
        "label": record.label,
        "host": Member(id=record.host.id, name=record.host.name, org_name=record.host.org_name),
        "locked": record.locked,
        "recording": light(record),
        "created_at": iso(record.created_at),
        "ended_at": iso(record.ended_at) if record.ended_at else None,
        "rev": record.rev,
        "organisations": [Org(id=one.id, name=one.name, short=one.short) for one in record.organisations],
        "people": [Member(id=one.id, name=one.name, org_name=one.org_name) for one in record.people],
        "present": [_present(one) for one in present],
        "cameras": [
            ConsultationCamera.model_validate(
                {
                    "id": one.id,
                    "name": one.name,
                    "org_name": one.org_name,
                    "state": feeds.condition(one.id).state if record.live else "idle",
                    "identity": seat_of(one.id),
                }
            )
            for one in record.cameras
        ],
        "recordings": list(record.recordings),
    }


def _present(one: Presence) -> Present:
    return Present(
        identity=one.identity,
        name=one.name,
        org_name=one.org,
        kind="camera" if one.kind == "camera" else "person",
        joined_at=iso(one.joined_at),
    )
