"""The lobby: who waits at the door until the chair lets them in. Steps of a :class:`~commhub.store.controls.Control`, without I/O
and clock.

Nobody who waits has a connection to the room; they have no token for it either. Who never waits (the chair, co-chairs, whoever
oversees the consultation) is decided in ``rules``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from commhub.errors import Busy, NotNow
from commhub.rooms.steps import allowed, need
from commhub.store.controls import Control, LobbyMode, Refusal, Waiting

WAITING = 1000
KEPT_SECONDS = 60  # somebody who waits and says nothing any more


def set_mode(now: Control, mode: LobbyMode, here: Iterable[str]) -> Control:
    """Who is in the room when it is turned on stays. Turned off, nobody waits any more."""
    if mode == now.lobby:
        return now
    if mode == "off":
        return replace(now, lobby=mode, waiting=(), admitted=(), sent_back=(), refused=())
    return replace(now, lobby=mode, admitted=tuple(dict.fromkeys((*now.admitted, *here))))


def knock(now: Control, who: Waiting) -> Control:
    """Again while they wait changes nothing."""
    if any(one.person == who.person for one in now.waiting):
        return now
    if len(now.waiting) >= WAITING:
        raise Busy("Too many people are waiting.", "等候人数过多，请稍后再试。")
    return replace(now, waiting=(*now.waiting, replace(who, returned=who.person in now.sent_back)))


def leave(now: Control, people: Iterable[str]) -> Control:
    """They wait no more, by themselves."""
    gone = set(people)
    return replace(now, waiting=tuple(one for one in now.waiting if one.person not in gone))


def admit(
    now: Control, people: Iterable[str], posts: Iterable[str], within: Callable[[str], bool], everybody: bool
) -> tuple[Control, list[str]]:
    """Named people, also before they come; of those who wait those with these posts, of organisations that are ``within``, or
    all. And who they are. NotNow when nobody is meant."""
    need(now, "admit", "There is no lobby.", "未开启等候室。")
    named, by_post = list(dict.fromkeys(people)), set(posts)
    found = [one.person for one in now.waiting if everybody or one.post in by_post or (one.org and within(one.org))]
    entering = list(dict.fromkeys([*named, *found]))
    if not entering:
        raise NotNow("Nobody who waits is meant by that.", "等候室中没有符合条件的人员。", allowed=allowed(now))
    gone = set(entering)
    after = replace(
        leave(now, gone),
        admitted=tuple(dict.fromkeys((*now.admitted, *entering))),
        sent_back=tuple(one for one in now.sent_back if one not in gone),
        refused=tuple(one for one in now.refused if one.person not in gone),
    )
    return after, entering


def refuse(now: Control, person: str, reason: str) -> Control:
    if all(one.person != person for one in now.waiting):
        raise NotNow("This person is not waiting.", "该人员不在等候室中。", allowed=allowed(now))
    return replace(leave(now, [person]), refused=(*now.refused, Refusal(person, reason)))


def send_back(now: Control, person: str) -> Control:
    need(now, "return", "There is no lobby to send anybody to.", "未开启等候室。")
    return replace(
        now,
        admitted=tuple(one for one in now.admitted if one != person),
        sent_back=tuple(dict.fromkeys((*now.sent_back, person))),
    )


def forgive(now: Control, people: Iterable[str]) -> Control:
    """Who is invited again may knock again."""
    again = set(people)
    return replace(now, refused=tuple(one for one in now.refused if one.person not in again))


def refusal(now: Control, person: str) -> str | None:
    return next((one.reason for one in now.refused if one.person == person), None)
