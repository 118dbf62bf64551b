"""Who of the directory sees and changes what. Pure: a person, organisations, an answer.

*His*: the subtrees in which a role of his holds the permission. Of everybody else he knows what is *listed* (name, post, kinds of
endpoints: what an address book has to say so that people can call each other), and nothing at all of the rest. Whoever asks for
what he may not know is answered as for what is not there: with 403 while there are organisations that he does not reach, 404 when
there are none.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from commhub.errors import Forbidden, HubError, NotFound
from commhub.model import Actor
from commhub.store import tables

_NOUNS = {
    "organisation": ("organisation", "单位"),
    "place": ("place", "场所"),
    "seat": ("seat", "坐席"),
    "person": ("person", "人员"),
    "endpoint": ("endpoint", "终端"),
    "entry": ("entry", "条目"),
}


def his(person: Actor, permission: str) -> frozenset[str]:
    """The organisations in which he holds the permission."""
    return frozenset().union(*(orgs for orgs, _ in person.scopes(permission)))


def everything(person: Actor, permission: str) -> bool:
    """He holds it at the root: nothing is hidden from him."""
    return any(person.tree.is_root(grant.org) for grant in person.grants if grant.holds((permission,)))


def nothing(person: Actor, type: str, permission: str = "directory.view") -> HubError:
    """The answer for what is not there or not his: the same one, so that nobody learns which."""
    noun, noun_zh = _NOUNS[type]
    sentence = f"There is no such {noun}.", f"没有这个{noun_zh}。"
    return NotFound(*sentence) if everything(person, permission) else Forbidden(*sentence, code="not_found")


def knows(person: Actor | None, org: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Is an entry of this organisation in his address book? None is the hub itself."""
    if person is None or everything(person, "directory.view"):
        return sa.true()
    o = tables.organisations.c
    return sa.or_(org.in_(sorted(his(person, "directory.view") | own(person))), org.in_(sa.select(o.id).where(o.listed)))


def own(person: Actor) -> frozenset[str]:
    """His own organisation and those above it: he knows for whom he works."""
    return frozenset(person.tree.above(person.org))


def reads(person: Actor, org: str) -> bool:
    """May he look at the record, with endpoints and all, of what belongs to this organisation?"""
    return person.may("directory.view", org=org)


def edits(person: Actor, org: str) -> bool:
    return person.may("directory.edit", org=org)


def numbers(person: Actor, org: str) -> bool:
    return person.may("directory.numbers", org=org)


def check_reads(person: Actor, type: str, org: str | None) -> None:
    """``org`` is None for what is not there."""
    if org is None or not reads(person, org):
        raise nothing(person, type)


def check_edits(person: Actor, type: str, orgs: Collection[str | None]) -> None:
    """All of ``orgs`` must be his to edit; of what he may look at he is told that it is not."""
    for org in orgs:
        if org is None or not (edits(person, org) or reads(person, org)):
            raise nothing(person, type, "directory.edit")
    if not all(org is not None and edits(person, org) for org in orgs):
        raise Forbidden("This is not yours to change.", "没有修改该条目的权限。")
