"""Who may do what with a scheduled consultation. Pure: a record, a person, an answer."""

from __future__ import annotations

from commhub.agenda.records import Record
from commhub.errors import Conflict, Forbidden, NotFound
from commhub.events import Audience
from commhub.model import Actor

EDIT = "agenda.edit"


def oversees(record: Record, person: Actor, *permissions: str) -> bool:
    return person.may("consultation.oversee", *permissions, org=record.org.id, label=record.label)


def visible(record: Record | None, person: Actor) -> Record:
    """NotFound for what somebody may not see, too: they may not know that it is there."""
    if record is None or not (record.concerns(person) or oversees(record, person)):
        raise NotFound("There is no such scheduled consultation.", "没有这个预约会商。")
    return record


def may_edit(record: Record, person: Actor) -> bool:
    return (person.id == record.host.id and person.may(EDIT)) or oversees(record, person, EDIT)


def editable(record: Record | None, person: Actor) -> Record:
    found = visible(record, person)
    if not may_edit(found, person):
        raise Forbidden("Only who is in charge of it may do this.", "只有发起人或主管调度员可以这样做。")
    if found.cancelled:
        raise Conflict("It was cancelled.", "预约已取消。", code="cancelled")
    return found


def stale(record: Record, rev: int) -> None:
    if record.rev != rev:
        raise Conflict("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。", code="stale")


def audience(record: Record) -> Audience:
    people = [record.host.id, *(one.id for one in record.people)]
    return Audience(list(dict.fromkeys(people)), [one.id for one in record.organisations])
