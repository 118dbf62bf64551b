"""The table of forced verbs, and what must hold for whatever it says."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from commhub.dispatch import policy
from commhub.dispatch.listening import apart
from commhub.dispatch.policy import GROUNDS, Scope, Standing, Verb, decide, frees, standing
from commhub.dispatch.records import Act
from commhub.model import PERMISSIONS, Role

VERBS = st.sampled_from(list(Verb))
SCOPES = st.sampled_from(list(Scope))
STANDINGS = st.sampled_from(list(Standing))
RANKS = st.tuples(st.booleans(), st.integers(0, 9))


def test_the_table_written_out() -> None:
    """Own organisation or branch, and strictly above: nothing else, for every verb."""
    yes = {
        (verb, scope, level)
        for verb, scope, level in itertools.product(Verb, Scope, Standing)
        if decide(verb, scope, level).allowed
    }
    assert yes == {(verb, scope, Standing.ABOVE) for verb in Verb for scope in (Scope.OWN, Scope.BRANCH)}
    refused = {decide(verb, Scope.OUTSIDE, level).code for verb in Verb for level in Standing}
    assert refused == {"outside_scope"}
    assert {decide(verb, Scope.OWN, Standing.EQUAL).code for verb in Verb} == {"level"}
    assert {verb for verb in Verb if policy.POLICY[verb].runs} == {Verb.MONITOR, Verb.WHISPER}
    assert {verb for verb in Verb if policy.POLICY[verb].silent} == {Verb.MONITOR}
    assert {verb for verb in Verb if not policy.POLICY[verb].recorded} == {Verb.WHISPER}


def test_every_verb_has_a_permission_that_somebody_below_the_administrator_holds_and_silence_that_nobody_does() -> None:
    for rule in policy.POLICY.values():
        assert rule.permission in PERMISSIONS[Role.DISPATCHER]
        assert rule.permission not in PERMISSIONS[Role.PARTICIPANT] | PERMISSIONS[Role.REVIEWER]
    assert [role for role in Role if policy.SILENT_PERMISSION in PERMISSIONS[role]] == [Role.ADMIN]


@given(VERBS, SCOPES, STANDINGS, st.lists(STANDINGS, max_size=5), st.booleans(), st.booleans(), st.sampled_from(["", *GROUNDS]))
def test_nobody_above_is_ever_forced_and_nobody_is_left_in_the_dark(
    verb: Verb, scope: Scope, target: Standing, others: list[Standing], silent: bool, entitled: bool, grounds: str
) -> None:
    decision = decide(verb, scope, target, others, silent=silent, entitled=entitled, grounds=grounds)
    if decision.allowed:
        assert target is Standing.ABOVE
        assert Standing.BELOW not in others
        assert scope is not Scope.OUTSIDE
        if not decision.told:
            assert (silent, entitled, grounds in GROUNDS, verb) == (True, True, True, Verb.MONITOR)
    else:
        assert decision.code in policy.SENTENCES
        # Asked again with somebody else on the line who is above, it is still refused.
        assert not decide(verb, scope, target, [*others, Standing.BELOW]).allowed


@given(SCOPES, STANDINGS, st.lists(STANDINGS, max_size=5))
def test_an_emergency_is_above_levels(scope: Scope, target: Standing, others: list[Standing]) -> None:
    assert decide(Verb.PREEMPT, scope, target, others, emergency=True).allowed
    others_than_preempt = [verb for verb in Verb if verb is not Verb.PREEMPT]
    assert [decide(verb, scope, target, others, emergency=True) for verb in others_than_preempt] == [
        decide(verb, scope, target, others) for verb in others_than_preempt
    ]


@given(RANKS, st.lists(RANKS, max_size=5))
def test_ties_never_preempt_and_emergency_is_above_every_priority(rank: tuple[bool, int], lines: list[tuple[bool, int]]) -> None:
    assert not frees(rank, [*lines, rank])
    if frees(rank, lines):
        assert all(not frees(line, [rank]) for line in lines)
    if rank[0]:
        assert frees(rank, [line for line in lines if not line[0]])


@given(st.integers(1, 9), st.integers(1, 9))
def test_level_one_is_the_highest(one: int, other: int) -> None:
    mirrored = {Standing.ABOVE: Standing.BELOW, Standing.BELOW: Standing.ABOVE, Standing.EQUAL: Standing.EQUAL}
    assert standing(other, one) is mirrored[standing(one, other)]
    assert (standing(one, other) is Standing.ABOVE) == (one < other)


def act(id: str, verb: Verb, actor: str, target: str) -> Act:
    return Act(id, verb, "call", "C", "", actor, target, "O", "internal", "why")


def test_who_hears_whom_on_a_line() -> None:
    acts = [act("M", Verb.MONITOR, "m", "a"), act("W", Verb.WHISPER, "w", "a")]
    people = ["a:1", "a:2", "b:1", "m:M", "w:W", ""]
    parted = apart(acts, True)
    reached = {(one, other) for one in people for other in people if one and one != other and not parted(one, other)}
    assert {(one, other) for one, other in reached if one == "w:W"} == {("w:W", "a:1"), ("w:W", "a:2")}
    talk = {(one, other) for one in ("a:1", "a:2", "b:1") for other in people if one != other}
    assert talk <= reached  # all of it is heard and recorded
    alone = apart(acts, False)
    listeners = ("m:M", "w:W")
    assert not [(one, other) for one in ("a:1", "b:1") for other in listeners if not alone(one, other)]
    assert [(one, other) for one in ("a:1", "b:1") for other in ("a:2", "") if alone(one, other)] == []
