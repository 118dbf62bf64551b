"""Who may do what with a group. Pure: a record, a person, an answer."""

from __future__ import annotations

from commhub.errors import Conflict, Forbidden, NotFound
from commhub.groups.records import Record
from commhub.model import Actor, Label

#: What whoever is in charge of a group may do by which permission.
EDIT, REVOKE, CALM, OVERSEE = "group.edit", "group.revoke", "group.calm", "group.oversee"


def concerns(record: Record, person: Actor) -> bool:
    """Is it one of theirs?"""
    if record.kind != "dynamic":
        return person.id in record.members
    within = any(person.tree.covers(org, person.org) for org in record.rule.organisations)
    return within and (not record.rule.posts or person.post in record.rule.posts)


def oversees(record: Record, person: Actor, *permissions: str) -> bool:
    return person.may(OVERSEE, *permissions, org=record.org, label=record.label)


def visible(record: Record | None, person: Actor) -> Record:
    """NotFound for what somebody may not see, too: they may not know that it is there."""
    if record is None or record.removed or not (concerns(record, person) or oversees(record, person)):
        raise NotFound("There is no such group.", "没有这个群组。")
    return record


def controllable(record: Record | None, person: Actor, permission: str) -> Record:
    found = visible(record, person)
    if not oversees(found, person, permission):
        raise Forbidden("Only who is in charge of the group may do this.", "只有主管该群组的调度员可以这样做。")
    return found


def own(record: Record | None, person: Actor) -> Record:
    found = visible(record, person)
    if not concerns(found, person):
        raise Forbidden("You are not a member of this group.", "你不是该群组成员。", code="no_member")
    return found


def may_make(org: str, label: Label, person: Actor) -> None:
    if not person.may(EDIT, OVERSEE, org=org, label=label):
        raise Forbidden("You may not make groups of this grade here.", "没有在该单位建立该密级群组的权限。")


def stale(record: Record, rev: int) -> None:
    if record.rev != rev:
        raise Conflict("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。", code="stale")


def callable_by(record: Record, person: Actor) -> None:
    """Who may start a call of it: who may talk in it, and who is in charge."""
    talks = concerns(record, person) and record.members.get(person.id, True)
    if not talks and not oversees(record, person):
        raise Forbidden("Only who may talk in this group may call it.", "只有可发言的成员可以呼叫该群组。", code="listener")
