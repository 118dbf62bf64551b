"""Who may do what in a consultation. Pure: a record, a person, an answer."""

from __future__ import annotations

from typing import Final

from commhub.errors import Conflict, Forbidden
from commhub.events import Audience
from commhub.model import Actor
from commhub.store.consultations import Consultation
from commhub.views import May

#: What a chair, or whoever oversees the consultation, may do by which permission.
CONTROLS: Final[dict[May, str]] = {
    "lead": "consultation.lead",
    "chair": "consultation.lead",
    "lock": "consultation.lock",
    "remove": "consultation.remove",
    "mute": "consultation.mute",
    "record": "recording.control",
    "invite": "consultation.invite",
    "end": "consultation.end",
    "diagnose": "consultation.diagnose",
}


#: What goes with the chair, whatever else somebody's role allows: a co-chair may all but what the second set names.
BY_CHAIR: Final[frozenset[May]] = frozenset({"lead", "chair", "lock", "remove", "mute", "end", "diagnose"})
LEADER_ONLY: Final[frozenset[May]] = frozenset({"chair", "end"})
LEAD = "consultation.lead"


def chairs(record: Consultation, person: str, what: May) -> bool:
    """By the chair that they hold. The chair may all of it, a co-chair the rest only while he leads."""
    if person in (record.chair, record.leader):
        return True
    return person in record.chairs and what not in LEADER_ONLY


def oversees(record: Consultation, person: Actor, *permissions: str) -> bool:
    """By a role that reaches the host's organisation and the label, and holds these permissions too."""
    return person.may("consultation.oversee", *permissions, org=record.org_id, label=record.label)


def may_see(record: Consultation, person: Actor) -> bool:
    return record.concerns(person) or oversees(record, person)


def may_enter(record: Consultation, person: Actor) -> bool:
    """Lock and end apart."""
    if person.id in record.excluded:
        return False
    invited = record.concerns(person) and person.may("consultation.join")
    return invited or oversees(record, person, "consultation.join")


def may_control(record: Consultation, person: Actor, what: May) -> bool:
    permission = CONTROLS[what]
    held = LEAD if what in BY_CHAIR else permission
    return (chairs(record, person.id, what) and person.may(held)) or oversees(record, person, permission)


def may_bring_cameras(record: Consultation, person: Actor) -> bool:
    """Which cameras is the camera's matter."""
    return person.may("camera.open") and (may_enter(record, person) or oversees(record, person))


def may(record: Consultation, person: Actor) -> list[May]:
    """All of it, for a page's buttons."""
    if not record.live:
        return []
    able: list[May] = ["join"] if may_enter(record, person) else []
    able += [what for what in CONTROLS if may_control(record, person, what)]
    return [*able, "camera"] if may_bring_cameras(record, person) else able


def audience(record: Consultation) -> Audience:
    people = [record.host.id, *sorted(record.chairs), *(one.id for one in record.people)]
    return Audience(list(dict.fromkeys(people)), [one.id for one in record.organisations])


def live(record: Consultation) -> Consultation:
    """Conflict ``ended`` when it is over."""
    if not record.live:
        raise Conflict("The consultation has ended.", "会商已结束。", code="ended")
    return record


def check_entry(record: Consultation, person: Actor, was_present: bool) -> None:
    """May he come in now? Forbidden or Conflict. ``was_present``: was he let in before?"""
    if person.id in record.excluded:
        raise Forbidden("You were removed from this consultation.", "你已被移出会商，再次受邀后可加入。", code="removed")
    if not may_enter(record, person):
        raise Forbidden("You may not join this consultation.", "没有加入该会商的权限。")
    if record.locked and person.id not in record.chairs and not was_present:
        raise Conflict("The consultation is locked.", "会商已锁定，请联系发起人。", code="locked")
