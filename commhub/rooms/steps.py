"""What a chair decides, as steps from one :class:`~commhub.store.controls.Control` to the next. No I/O, no clock.

A step that would change nothing gives back what it got. One that is not possible raises ``NotNow``, which says what would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from msgspec.structs import replace

from commhub.errors import Conflict, NotFound, NotNow, Unfit
from commhub.store.controls import Control, Layout, Side

CO_CHAIRS = 8
SIDES = 16  # at once
MINUTE = 60_000_000_000  # ns
LONGEST_MINUTES = 24 * 60
WARNINGS: Final = (5, 1)  # minutes before the planned end

#: Steps and the states in which they mean something; what is not named is always possible.
POSSIBLE: Final[dict[str, Callable[[Control], bool]]] = {
    "chair": lambda now: True,
    "co_chairs": lambda now: True,
    "mute": lambda now: True,
    "unmute": lambda now: now.muted,
    "speaker": lambda now: now.muted,
    "speaker.end": lambda now: bool(now.speakers),
    "hand.raise": lambda now: True,
    "hand.call": lambda now: bool(now.hands),
    "hand.lower": lambda now: bool(now.hands),
    "lobby": lambda now: True,
    "admit": lambda now: now.lobby != "off",
    "refuse": lambda now: bool(now.waiting),
    "return": lambda now: now.lobby != "off",
    "stage": lambda now: True,
    "broadcast": lambda now: not now.sides,
    "broadcast.end": lambda now: bool(now.broadcast),
    "side": lambda now: not now.broadcast,
    "side.end": lambda now: bool(now.sides),
    "planned_end": lambda now: True,
    "extend": lambda now: now.ends_at > 0,
}


def allowed(now: Control) -> list[str]:
    """The steps that are possible."""
    return [verb for verb, possible in POSSIBLE.items() if possible(now)]


def need(now: Control, verb: str, message: str, message_zh: str) -> None:
    if not POSSIBLE[verb](now):
        raise NotNow(message, message_zh, allowed=allowed(now))


def at(now: Control, rev: int | None) -> None:
    """Conflict ``stale`` when somebody has decided something meanwhile. None: whatever it is."""
    if rev is not None and rev != now.rev:
        raise Conflict("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。", code="stale")


def decided(before: Control, after: Control) -> Control:
    """With the revision of what the chair has decided."""
    return after if after == before else replace(after, rev=before.rev + 1)


# ---- who chairs


def hand_over(now: Control, chair: str, person: str) -> Control:
    """``chair`` is who chairs now. Who hands it on leads no more, unless he is a co-chair."""
    if person == chair and not now.acting:
        return now
    return replace(now, chair=person, acting="", co_chairs=tuple(one for one in now.co_chairs if one != person))


def co_chairs(now: Control, chair: str, people: Iterable[str]) -> Control:
    wanted = tuple(one for one in dict.fromkeys(people) if one != chair)
    if len(wanted) > CO_CHAIRS:
        raise Unfit("people", f"There are at most {CO_CHAIRS} co-chairs.", f"最多 {CO_CHAIRS} 名联席主持人。")
    return replace(now, co_chairs=wanted, acting=now.acting if now.acting in wanted else "")


def represent(now: Control, chair: str, connected: set[str]) -> Control:
    """Who leads, by who is there: the chair; else the first co-chair who is; else it stays as it is."""
    if chair in connected:
        return replace(now, acting="")
    if now.acting in connected:
        return now
    there = next((one for one in now.co_chairs if one in connected), "")
    return replace(now, acting=there) if there else now


# ---- who is heard


def mute(now: Control, muted: bool, unmute: bool) -> Control:
    """Everybody but who chairs. Whom somebody had allowed to speak is muted too."""
    if not muted:
        need(now, "unmute", "Nobody is muted by the chair.", "当前没有全体静音。")
        return replace(now, muted=False, unmute=True, speakers=())
    return replace(now, muted=True, unmute=unmute, speakers=())


def allow(now: Control, person: str) -> Control:
    need(now, "speaker", "Everybody may speak: there is nothing to allow.", "未全体静音，所有人都可发言。")
    return now if person in now.speakers else replace(now, speakers=(*now.speakers, person))


def disallow(now: Control, person: str) -> Control:
    if person not in now.speakers:
        raise NotNow("This person was not allowed to speak.", "未允许该成员发言。", allowed=allowed(now))
    return replace(now, speakers=tuple(one for one in now.speakers if one != person))


def broadcast(now: Control, person: str | None) -> Control:
    """Only this one is heard; None: as it was before."""
    if person is None:
        need(now, "broadcast.end", "Nobody is being broadcast.", "当前没有在广播会场。")
        return replace(now, broadcast="")
    need(now, "broadcast", "People talk apart: call them back first.", "正在分组讨论，请先结束分组。")
    return replace(now, broadcast=person)


def stage(now: Control, layout: Layout, spotlight: str) -> Control:
    return replace(now, layout=layout, spotlight=spotlight)


# ---- apart


def side(now: Control, id: str, title: str, people: Iterable[str], listen: bool, since: int) -> Control:
    need(now, "side", "Somebody is being broadcast: end that first.", "正在广播会场，请先结束广播。")
    members = tuple(dict.fromkeys(people))
    if len(members) < 2:
        raise Unfit("people", "Two are needed to talk apart.", "分组讨论至少需要两人。")
    if len(now.sides) >= SIDES:
        raise Unfit("people", f"There are at most {SIDES} at once.", f"最多同时 {SIDES} 个分组。")
    taken = {one for there in now.sides for one in there.people}
    if taken.intersection(members):
        raise Unfit("people", "Somebody is in another one already.", "有成员已在其他分组中。", code="in_a_side")
    return replace(now, sides=(*now.sides, Side(id, title, members, listen, since)))


def end_side(now: Control, id: str) -> Control:
    if all(one.id != id for one in now.sides):
        raise NotFound("There is no such side consultation.", "没有这个分组。")
    return replace(now, sides=tuple(one for one in now.sides if one.id != id))


# ---- the end


def plan_end(now: Control, ends_at: int | None, at: int) -> Control:
    """``ends_at`` and ``at`` (now) in UTC ns; None: nobody says."""
    if ends_at is not None and not at < ends_at <= at + LONGEST_MINUTES * MINUTE:
        raise Unfit("ends_at", "It must end within the next 24 hours.", "结束时间须在未来 24 小时内。")
    return replace(now, ends_at=ends_at or 0, warned=0)


def extend(now: Control, minutes: int, at: int) -> Control:
    """From the planned end on, from now on when that has passed."""
    need(now, "extend", "No end is planned.", "尚未设置计划结束时间。")
    return plan_end(now, max(now.ends_at, at) + minutes * MINUTE, at)


def warn(now: Control, at: int) -> Control:
    """The last warning that is due; -1 once the end has come. Nothing is ended by it."""
    if not now.ends_at:
        return now
    left = now.ends_at - at
    due = -1 if left <= 0 else min((one for one in WARNINGS if left <= one * MINUTE), default=0)
    return replace(now, warned=due) if due and _after(due, now.warned) else now


def _after(due: int, warned: int) -> bool:
    order = (0, *WARNINGS, -1)
    return warned not in order or order.index(due) > order.index(warned)
