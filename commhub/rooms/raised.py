"""Raised hands: in order of rank or of time. Steps of a :class:`~commhub.store.controls.Control`, without I/O and clock."""

from __future__ import annotations

from msgspec.structs import replace

from commhub.errors import Busy, NotNow
from commhub.rooms.steps import allowed, need
from commhub.store.controls import Control, Hand, Order

HANDS = 500


def ordered(now: Control) -> tuple[Hand, ...]:
    """Who is next comes first. By rank: level 1 first, of equals whoever was first."""
    if now.order == "time":
        return tuple(sorted(now.hands, key=lambda one: one.at))
    return tuple(sorted(now.hands, key=lambda one: (one.level, one.at)))


def up(now: Control, hand: Hand) -> Control:
    """A hand that is up stays where it is."""
    if any(one.person == hand.person for one in now.hands):
        return now
    if len(now.hands) >= HANDS:
        raise Busy("Too many hands are up.", "举手人数过多。")
    return replace(now, hands=(*now.hands, hand))


def down(now: Control, person: str) -> Control:
    """One's own; it may be down already."""
    return replace(now, hands=tuple(one for one in now.hands if one.person != person))


def lower(now: Control, person: str | None) -> Control:
    """By the chair; None: all."""
    need(now, "hand.lower", "No hand is up.", "当前没有人举手。")
    if person is None:
        return replace(now, hands=())
    _raised(now, person)
    return down(now, person)


def call_on(now: Control, person: str) -> Control:
    """The word is theirs: the hand comes down, and who was muted may speak."""
    _raised(now, person)
    after = down(now, person)
    if after.muted and person not in after.speakers:
        after = replace(after, speakers=(*after.speakers, person))
    return after


def sort(now: Control, order: Order) -> Control:
    return replace(now, order=order)


def gone(now: Control, here: set[str]) -> Control:
    """Who has left holds up no hand."""
    return replace(now, hands=tuple(one for one in now.hands if one.person in here))


def _raised(now: Control, person: str) -> None:
    if all(one.person != person for one in now.hands):
        raise NotNow("This person's hand is not up.", "该成员没有举手。", allowed=allowed(now))
