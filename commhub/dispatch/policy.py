"""Forced verbs: who may do which to whom, as one table of level × scope × verb. No I/O and no clock.

A verb is done to one *target* on a *line*: a call, a consultation, or the call of a group. The table says how the actor must
stand to the target, by level (1 is the highest) and by organisation, and how to everybody else on the line; who is told;
whether the actor is heard, and whether a recording of the line has what they say. Priority belongs to a call and level to a
person: they never meet here but in :func:`frees`, which knows priorities alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal


class Verb(StrEnum):
    MONITOR = "monitor"  # 监听: hear, not heard
    WHISPER = "whisper"  # 密语: heard by one party only
    BARGE = "barge"  # 强插: a full third party
    RELEASE = "release"  # 强拆: the line ends
    TAKEOVER = "takeover"  # 拦截: in the place of one party
    PREEMPT = "preempt"  # 抢呼: the target's line ends for them, and they are called


class Standing(StrEnum):
    """Of the actor to somebody else, by level."""

    ABOVE = "above"
    EQUAL = "equal"
    BELOW = "below"


class Scope(StrEnum):
    """Where the target's organisation is, seen from the roles by which the actor holds the verb's permission."""

    OWN = "own"  # the actor's own
    BRANCH = "branch"  # another one within the reach of such a role
    OUTSIDE = "outside"


LineKind = Literal["call", "consultation", "group"]
Heard = Literal["nobody", "target", "everybody"]
#: Why nobody on the line needs to know that it is monitored.
Grounds = Literal["security", "complaint", "drill"]
GROUNDS: Final[tuple[Grounds, ...]] = ("security", "complaint", "drill")
MONITORING_PERMISSION: Final = "call.monitor"
SILENT_PERMISSION: Final = "call.monitor_silently"
EMERGENCY_PERMISSION: Final = "call.emergency"


@dataclass(frozen=True, slots=True)
class Rule:
    """``target``: by scope, how the actor must stand to the target; a scope that is missing is refused. ``others``: how to
    everybody else on the line. ``silent``: the permission by which, with grounds, nobody is told; else the whole line is.
    ``runs``: until somebody ends it; others are done at once. ``recorded``: a recording of the line has the actor's voice."""

    permission: str
    lines: frozenset[LineKind]
    target: Mapping[Scope, frozenset[Standing]]
    others: frozenset[Standing]
    heard: Heard
    silent: str = ""
    runs: bool = False
    recorded: bool = True


_BOTH: Final[frozenset[LineKind]] = frozenset({"call", "consultation"})
#: A group has a floor: whispers would not be heard, and nobody is replaced or called out of it.
_ALL: Final[frozenset[LineKind]] = _BOTH | {"group"}
_ABOVE: Final = frozenset({Standing.ABOVE})
_NOT_BELOW: Final = frozenset({Standing.ABOVE, Standing.EQUAL})
_ANY: Final = frozenset(Standing)
_OWN_TREE: Final = MappingProxyType({Scope.OWN: _ABOVE, Scope.BRANCH: _ABOVE})

#: The table. Equals never force anything; whoever stands above the actor is never overheard, cut off or spoken over.
POLICY: Final[Mapping[Verb, Rule]] = MappingProxyType(
    {
        Verb.MONITOR: Rule(
            MONITORING_PERMISSION, _ALL, _OWN_TREE, _NOT_BELOW, heard="nobody", silent=SILENT_PERMISSION, runs=True
        ),
        # The recorder stands beside the third party: what only one is to hear is in no recording of the line.
        Verb.WHISPER: Rule("call.whisper", _BOTH, _OWN_TREE, _NOT_BELOW, heard="target", runs=True, recorded=False),
        Verb.BARGE: Rule("call.barge", _ALL, _OWN_TREE, _NOT_BELOW, heard="everybody"),
        Verb.RELEASE: Rule("call.release", _ALL, _OWN_TREE, _NOT_BELOW, heard="nobody"),
        Verb.TAKEOVER: Rule("call.takeover", _BOTH, _OWN_TREE, _NOT_BELOW, heard="everybody"),
        Verb.PREEMPT: Rule("call.preempt", _BOTH, _OWN_TREE, _NOT_BELOW, heard="everybody"),
    }
)
#: Emergency is a flag above levels and priorities: whom somebody may call, they may call out of another line.
EMERGENCY: Final = Rule(
    EMERGENCY_PERMISSION, _BOTH, MappingProxyType(dict.fromkeys(Scope, _ANY)), _ANY, heard="everybody"
)  # fmt: skip
#: A consultation is no call and has no priority; it gives way to calls above this one.
CONSULTATION_PRIORITY: Final = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """``code`` is why not; empty: it may be done. ``told``: everybody on the line is."""

    code: str = ""
    told: bool = True

    @property
    def allowed(self) -> bool:
        return not self.code


#: Every answer but yes, for people: English, Chinese.
SENTENCES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "outside_scope": ("This person is not in your charge.", "该人员不在你的管辖范围内。"),
        "level": ("Only somebody of a higher level may do this to them.", "只有级别更高的人员才能对其执行该操作。"),
        "others_above": ("Somebody of a higher level than yours is on this line.", "该通话中有级别高于你的人员。"),
        "line_kind": ("This cannot be done on a line of this kind.", "该类通话不支持此操作。"),
        "silent": ("You may not do this without telling them.", "没有不告知对方的权限。"),
        "grounds": ("Whoever does not tell them must say on which grounds.", "不告知对方时须说明依据。"),
        "no_line": ("They are on no line that goes on.", "对方当前没有正在进行的通话。"),
        "tie": ("Only a call of higher priority pre-empts: equals never do.", "只有优先级更高的呼叫才能抢呼，同级不能。"),
        "own_line": ("You are on this line yourself.", "你自己就在该通话中。"),
        "emergency": ("There is an emergency in this group: cancel that first.", "群组处于紧急状态，请先解除。"),
        "host": ("The host of a consultation cannot be replaced.", "不能拦截会商的发起人。"),
        "oneself": ("Nobody does this to himself.", "不能对自己执行该操作。"),
    }
)


def standing(actor: int, other: int) -> Standing:
    """Of two levels, 1 the highest."""
    return Standing.EQUAL if actor == other else Standing.ABOVE if actor < other else Standing.BELOW


def rule(verb: Verb, *, emergency: bool = False) -> Rule:
    return EMERGENCY if emergency and verb is Verb.PREEMPT else POLICY[verb]


def decide(
    verb: Verb,
    scope: Scope,
    target: Standing,
    others: Collection[Standing] = (),
    line: LineKind = "call",
    *,
    emergency: bool = False,
    silent: bool = False,
    entitled: bool = False,
    grounds: str = "",
) -> Decision:
    """Of somebody who holds the rule's permission. ``entitled``: and the rule's ``silent`` one, there."""
    said = rule(verb, emergency=emergency)
    if scope not in said.target:
        return Decision("outside_scope")
    if target not in said.target[scope]:
        return Decision("level")
    if line not in said.lines:  # on which kind of line somebody is, is nothing for strangers
        return Decision("line_kind")
    if not said.others.issuperset(others):
        return Decision("others_above")
    if silent:
        if not said.silent or not entitled:
            return Decision("silent")
        if grounds not in GROUNDS:
            return Decision("grounds")
    return Decision(told=not silent)


def frees(rank: tuple[bool, int], lines: Iterable[tuple[bool, int]]) -> bool:
    """Does a call of this rank (emergency, priority 0–9) end all those? Ties never."""
    return all(rank > other for other in lines)
