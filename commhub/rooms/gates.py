"""From what the chair has decided to who is heard by whom: the reasons that conference control has (``hearing``). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from commhub.conference import RECORDER
from commhub.rooms.picture import member_of
from commhub.store.controls import Control

MUTE, BROADCAST, SIDE = "mute", "broadcast", "side"


def named(people: Iterable[str], identities: Iterable[str]) -> frozenset[str]:
    """The identities of these people, and of who is named by the identity itself."""
    wanted = set(people)
    return frozenset(one for one in identities if one in wanted or member_of(one) in wanted)


def muted(now: Control, chairs: Iterable[str], identities: Iterable[str]) -> frozenset[str] | None:
    """Who is heard although all are muted; None when nobody is kept silent. Who talks apart is heard there, and only there."""
    if not now.muted or now.unmute:
        return None
    apart = (one for side in now.sides for one in side.people)
    return named((*chairs, *now.speakers, *apart), identities)


def broadcast(now: Control, identities: Iterable[str]) -> frozenset[str] | None:
    return named([now.broadcast], identities) if now.broadcast else None


def apart(now: Control, cameras: Iterable[str]) -> Callable[[str, str], bool] | None:
    """Those who talk apart and everybody else. ``cameras`` (identities) are seen by all."""
    if not now.sides:
        return None
    sides = {person: side for side in now.sides for person in side.people}
    common = frozenset(cameras)

    def parted(publisher: str, viewer: str) -> bool:
        if viewer == RECORDER or publisher in common:  # the light is on for all of them, and tells the truth
            return False
        theirs, mine = sides.get(member_of(publisher)), sides.get(member_of(viewer))
        if theirs is mine:
            return False
        return not (theirs is None and mine is not None and mine.listen)

    return parted
