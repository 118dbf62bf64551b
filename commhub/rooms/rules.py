"""Who may do what in a consultation. Pure: a record, a person, an answer."""

from __future__ import annotations

from typing import Final, NoReturn

from commhub.errors import Conflict, Forbidden
from commhub.events import Audience
from commhub.model import Actor
from commhub.rooms import lobby
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
    """Who is concerned, whether they may come in or have to wait."""
    people = [record.host.id, *sorted(record.chairs), *(one.id for one in record.people)]
    return Audience(list(dict.fromkeys(people)), [one.id for one in record.organisations])


def inside(record: Consultation) -> Audience:
    """Of those concerned: who does not wait in the lobby, nor would have to."""
    everybody, control = audience(record), record.control
    if control.lobby == "off":
        return everybody
    people = [*sorted(record.chairs), *control.admitted]
    orgs: list[str] = []
    if control.lobby == "outside":
        people += everybody.people
        orgs = [org for org in everybody.orgs if org == record.org_id]
    return Audience([one for one in dict.fromkeys(people) if one not in control.sent_back], orgs, list(control.sent_back))


def outside(record: Consultation) -> Audience | None:
    """The others, who are told no names; None when there is no lobby."""
    if record.control.lobby == "off":
        return None
    everybody = audience(record)
    people = dict.fromkeys((*everybody.people, *(one.person for one in record.control.waiting)))
    within = set(inside(record).people)
    return Audience([one for one in people if one not in within], everybody.orgs, sorted(within))


def must_wait(record: Consultation, person: Actor) -> bool:
    """Is the lobby between him and the room? Who chairs, and who oversees it, can never be locked out by it."""
    control = record.control
    if control.lobby == "off" or person.id in record.chairs or oversees(record, person, "consultation.join"):
        return False
    if person.id in control.sent_back:
        return True
    if person.id in control.admitted:
        return False
    return control.lobby == "everybody" or not (person.org == record.org_id or any(one.id == person.id for one in record.people))


def stranger_waits(record: Consultation, identity: str) -> bool:
    """The same for who comes with an API key's token."""
    return record.control.lobby != "off" and identity not in record.control.admitted


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
        raise Conflict("The consultation is locked.", "会商已锁定，请联系主持人。", code="locked")


def check_lobby(record: Consultation, person: Actor) -> None:
    """After :func:`check_entry`. Forbidden when the chair has refused him, Conflict ``waiting`` when he has to wait."""
    if must_wait(record, person):
        turned_away(record, person.id)


def turned_away(record: Consultation, who: str) -> NoReturn:
    reason = lobby.refusal(record.control, who)
    if reason is not None:
        said = f": {reason}" if reason else "."
        raise Forbidden(
            f"The chair did not let you in{said}", f"主持人未准许你入会{'：' + reason if reason else '。'}", code="refused"
        )
    raise Conflict("You wait in the lobby until the chair lets you in.", "请在等候室等待主持人准许入会。", code="waiting")
