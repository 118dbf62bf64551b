"""A consultation as pages get it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from commhub.conference import Presence
from commhub.feeds import Feeds, seat_of
from commhub.model import Actor, iso
from commhub.rooms.raised import ordered
from commhub.rooms.rules import may, must_wait
from commhub.rooms.steps import allowed
from commhub.store.consultations import Consultation
from commhub.views import Consultation as ConsultationView
from commhub.views import (
    ConsultationCamera,
    ConsultationNews,
    Control,
    HandView,
    Member,
    Org,
    Present,
    RecordingLight,
    SideView,
    WaitingView,
)


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
    """And what the reader may do; who has to wait in the lobby sees nobody."""
    there = news(record, present, feeds).model_dump(mode="json") if not must_wait(record, reader) else None
    shown = there if there is not None else thin(news(record, (), feeds))
    return ConsultationView.model_validate({**shown, "may": may(record, reader)})


def thin(there: ConsultationNews) -> dict[str, Any]:
    """As those know it who would have to wait: that there is one, which, and whose. No names, nobody who is there, no cameras."""
    host = Member(id="", name="", org_name=there.host.org_name)
    control = Control(lobby=there.control.lobby, allowed=[])
    hidden = {"host": host, "control": control, "people": [], "organisations": [], "present": [], "cameras": [], "recordings": []}
    return there.model_copy(update=hidden).model_dump(mode="json")


def control(record: Consultation) -> Control:
    """How it is led."""
    now = record.control
    return Control(
        rev=now.rev,
        chair=record.chair,
        acting=now.acting,
        co_chairs=list(now.co_chairs),
        muted=now.muted,
        unmute=now.unmute,
        speakers=list(now.speakers),
        order=now.order,
        hands=[
            HandView(person=one.person, name=one.name, org_name=one.org, level=one.level, at=iso(one.at)) for one in ordered(now)
        ],
        lobby=now.lobby,
        layout=now.layout,
        spotlight=now.spotlight,
        broadcast=now.broadcast,
        ends_at=iso(now.ends_at) if now.ends_at else None,
        sides=[SideView(id=one.id, title=one.title, people=list(one.people), listen=one.listen) for one in now.sides],
        allowed=allowed(now) if record.live else [],
    )


def waiting(record: Consultation) -> list[WaitingView]:
    """For who chairs."""
    return [
        WaitingView(
            person=one.person, name=one.name, post=one.post, org_name=one.org_name, level=one.level, since=iso(one.since),
            returned=one.returned,
            org_id=one.org,
        )
        for one in record.control.waiting
    ]  # fmt: skip


def _fields(record: Consultation, present: Sequence[Presence], feeds: Feeds) -> dict[str, Any]:
    return {
        "id": record.id,
        "code": record.code,
        "title": record.title,
        "state": record.state,
        "label": record.label,
        "host": Member(id=record.host.id, name=record.host.name, org_name=record.host.org_name),
        "locked": record.locked,
        "control": control(record),
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
