"""A call by itself: the table of steps, and that every leg ends once, with a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from commhub.calls import machine
from commhub.calls.effects import Close, Effect, Enter, Gates, Go, Hush, Ring, effects, kind_of
from commhub.calls.machine import TABLE, Call, End, Leg, NotAllowed, Party, Recall, State

NOW = 1_000


def calling(*people: str, terminals: int = 1) -> Call:
    """A calls these people at ``terminals`` terminals each; legs are ``caller``, ``b1``, ``b2`` …"""
    call = Call("call", "point" if len(people) == 1 else "conference", "a", "org", NOW, parties=(Party("caller", "a"),))
    call = machine.create(call, Leg("caller", 0, "a", "a:1"), NOW)
    legs = [
        Leg(f"{person}{n}", index, person, f"{person}:{n}", deadline=NOW + 45)
        for index, person in enumerate(people)
        for n in range(1, terminals + 1)
    ]
    return machine.invite(call, [Party("person", one) for one in people], legs, NOW)


def ends(call: Call) -> dict[str, str | None]:
    return {leg.id: leg.end.value if leg.end else None for leg in call.legs}


def talking() -> Call:
    return machine.answer(calling("b"), "b1", NOW + 1, NOW + 15)


def test_a_call_that_is_answered_and_hung_up() -> None:
    call = machine.alert(calling("b"), "b1", NOW + 1)
    assert (call.state, call.leg("b1").state, call.leg("caller").state) == ("ringing", State.RINGING, State.ANSWERED)
    call = machine.answer(call, "b1", NOW + 2, NOW + 15)
    assert (call.state, call.answered_at, call.leg("b1").deadline) == ("active", NOW + 2, NOW + 15)
    call = machine.hang_up(call, "caller", NOW + 9)
    assert (call.state, call.end, ends(call)) == ("ended", End.HANGUP, {"caller": "hangup", "b1": "hangup"})
    assert call.leg("b1").by == "a"


def test_the_terminal_that_answers_silences_the_others() -> None:
    call = machine.answer(calling("b", terminals=3), "b2", NOW + 1, 0)
    assert ends(call) == {"caller": None, "b1": "answered_elsewhere", "b2": None, "b3": "answered_elsewhere"}
    assert call.leg("b1").by == "b"


def test_of_an_organisation_who_answers_is_the_party() -> None:
    call = Call("call", "point", "a", "org", NOW, parties=(Party("caller", "a"),))
    call = machine.create(call, Leg("caller", 0, "a", "a:1"), NOW)
    call = machine.invite(call, [Party("org", "water")], [Leg("b1", 0, "b", "b:1"), Leg("c1", 0, "c", "c:1")], NOW)
    declined = machine.decline(call, "b1", NOW + 1)
    assert (declined.live, ends(declined)) == (True, {"caller": None, "b1": "declined", "c1": None})
    assert ends(machine.answer(call, "c1", NOW + 1, 0)) == {"caller": None, "b1": "answered_elsewhere", "c1": None}


@pytest.mark.parametrize(
    ("happens", "told"),
    [
        (lambda call: machine.decline(call, "b1", NOW + 1), "declined"),
        (lambda call: machine.tick(call, NOW + 45), "no_answer"),
        (lambda call: machine.hang_up(call, "caller", NOW + 1), "cancelled"),
        (lambda call: machine.end_leg(call, "b1", End.PREEMPTED, NOW + 1, "z"), "preempted"),
    ],
)
def test_who_is_left_alone_is_told_why(happens: object, told: str) -> None:
    call = happens(calling("b"))  # type: ignore[operator]
    assert (call.state, call.end) == ("ended", End(told))
    assert ends(call)["b1"] == told
    assert ends(call)["caller"] == ("hangup" if told == "cancelled" else told)


def test_nobody_can_be_rung() -> None:
    call = Call("call", "point", "a", "org", NOW, parties=(Party("caller", "a"),))
    call = machine.create(call, Leg("caller", 0, "a", "a:1"), NOW)
    call = machine.invite(call, [Party("person", "b")], [Leg("b1", 0, "b", "", end=End.UNREACHABLE)], NOW)
    assert (call.state, call.end, ends(call)) == ("ended", End.UNREACHABLE, {"caller": "unreachable", "b1": "unreachable"})


def test_hold_and_resume() -> None:
    call = machine.hold(talking(), "caller", NOW + 3)
    assert call.held == {"a:1"}
    assert (call.live, call.leg("caller").held_at) == (True, NOW + 3)
    with pytest.raises(NotAllowed) as refused:
        machine.hold(call, "caller", NOW + 4)
    assert refused.value.allowed == ["hangup", "join", "add", "resume", "transfer"]
    assert machine.resume(call, "caller").held == frozenset()


def test_a_blind_transfer() -> None:
    call = machine.transfer(talking(), "caller", [Party("person", "c")], [Leg("c1", 0, "c", "c:1", deadline=NOW + 99)], NOW + 5)
    assert (call.live, ends(call)) == (True, {"caller": "transferred", "b1": None, "c1": None})
    assert call.leg("c1").party == 2
    through = machine.hang_up(machine.answer(call, "c1", NOW + 6, 0), "c1", NOW + 7)
    assert ends(through) == {"caller": "transferred", "b1": "hangup", "c1": "hangup"}
    in_vain = machine.tick(machine.came(call, "b1"), NOW + 99)
    assert ends(in_vain) == {"caller": "transferred", "b1": "no_answer", "c1": "no_answer"}


def test_a_blind_transfer_that_nobody_answers_rings_where_it_came_from() -> None:
    to, legs = [Party("person", "c")], [Leg("c1", 0, "c", "c:1", deadline=NOW + 99)]
    call = machine.transfer(talking(), "caller", to, legs, NOW + 5, Recall("caller", "again", 30))
    call = machine.came(call, "b1")
    assert not call.recalls(call.leg("c1"))
    back = machine.decline(call, "c1", NOW + 50)
    assert (back.live, ends(back)) == (True, {"caller": "transferred", "b1": None, "c1": "declined", "again": None})
    leg = back.leg("again")
    assert (leg.terminal, leg.party, leg.deadline, back.recalls(leg), back.recall) == ("a:1", 0, NOW + 80, True, None)
    assert [type(one).__name__ for one in effects(call, back)] == ["Hush", "Ring"]
    assert kind_of(call, back) == "call.recalled"
    again = machine.answer(back, "again", NOW + 60, NOW + 75)
    assert [one.id for one in again.active] == ["b1", "again"]
    in_vain = machine.tick(back, NOW + 80)  # once
    assert ends(in_vain) == {"caller": "transferred", "b1": "no_answer", "c1": "declined", "again": "no_answer"}
    assert machine.hang_up(back, "b1", NOW + 60).end is End.CANCELLED


def test_a_blind_transfer_that_is_answered_recalls_nobody() -> None:
    to, legs = [Party("person", "c")], [Leg("c1", 0, "c", "c:1", deadline=NOW + 99)]
    call = machine.transfer(talking(), "caller", to, legs, NOW + 5, Recall("caller", "again", 30))
    through = machine.answer(call, "c1", NOW + 6, 0)
    assert through.recall is None
    assert machine.hang_up(through, "c1", NOW + 7).state == "ended"


def test_who_is_added_makes_it_a_conference() -> None:
    call = machine.add(talking(), "caller", [Party("person", "c")], [Leg("c1", 0, "c", "c:1")], NOW + 5)
    call = machine.answer(call, "c1", NOW + 6, 0)
    assert (call.kind, len(call.active), machine.transferable(call)) == ("conference", 3, False)
    two = machine.hang_up(call, "b1", NOW + 7)
    assert (two.live, ends(two)) == (True, {"caller": None, "b1": "hangup", "c1": None})
    assert machine.hang_up(two, "caller", NOW + 8).state == "ended"


def test_who_never_comes_or_does_not_come_back() -> None:
    assert ends(machine.tick(talking(), NOW + 15))["b1"] == "failed"
    there = machine.came(talking(), "b1")
    assert machine.tick(there, NOW + 1_000_000) == there
    assert ends(machine.tick(machine.went(there, "b1", NOW + 30), NOW + 30)) == {"caller": "lost", "b1": "lost"}
    assert ends(machine.tick(machine.went(there, "b1", NOW + 30, End.RESTART), NOW + 30))["b1"] == "restart"
    back = machine.came(machine.went(there, "b1", NOW + 30), "b1")
    assert machine.tick(back, NOW + 30).live


def test_what_would_be_allowed_is_said() -> None:
    ringing, ended = calling("b"), machine.hang_up(talking(), "b1", NOW + 2)
    assert machine.allowed(ringing, ringing.leg("b1")) == ["answer", "decline"]
    assert machine.allowed(ringing, ringing.leg("caller")) == ["hangup", "join", "add", "hold"]
    assert machine.allowed(talking(), None) == []
    assert machine.allowed(ended, None) == ["redial"]
    for act in (machine.answer, machine.hold, machine.hang_up):
        with pytest.raises(NotAllowed) as refused:
            act(ended, "b1", *[NOW] * (2 if act is machine.answer else 1))
        assert refused.value.allowed == ["redial"]


def test_every_state_ends_and_nothing_follows_the_end() -> None:
    assert {state for state in State if "end" in TABLE[state]} == set(State) - {State.ENDED}
    assert TABLE[State.ENDED] == {}
    assert {after for steps in TABLE.values() for after in steps.values()} == set(State) - {State.INVITING}


@pytest.mark.parametrize(
    ("one", "other", "ends_it"),
    [
        ((False, 9), (False, 0), False),  # a priority alone ends nobody's call
        ((True, 3), (False, 9), True),
        ((True, 3), (True, 3), False),
        ((True, 4), (True, 3), True),
        ((True, 3), (True, 4), False),
    ],
)
def test_ties_never_preempt(one: tuple[bool, int], other: tuple[bool, int], ends_it: bool) -> None:
    base = calling("b")
    first, second = (replace(base, emergency=emergency, priority=priority) for emergency, priority in (one, other))
    assert machine.preempts(first, second) is ends_it
    assert not (machine.outranks(first, second) and machine.outranks(second, first))


def names(found: list[Effect]) -> list[str]:
    return [type(one).__name__ + (f" {one.leg.id}" if isinstance(one, Ring | Hush | Enter | Go) else "") for one in found]


def test_what_is_to_be_done_is_the_difference() -> None:
    ringing = calling("b", terminals=2)
    assert names(effects(None, ringing)) == ["Enter caller", "Ring b1", "Ring b2"]
    answered = machine.answer(ringing, "b1", NOW, 0)
    assert names(effects(ringing, answered)) == ["Enter b1", "Hush b2"]
    held = machine.hold(answered, "b1", NOW)
    assert effects(answered, held) == [Gates()]
    over = machine.hang_up(held, "caller", NOW)
    assert names(effects(held, over)) == ["Gates", "Go caller", "Go b1", "Close"]
    assert effects(over, over) == []
    assert isinstance(effects(held, over)[-1], Close)
    kinds = [kind_of(None, ringing), kind_of(ringing, answered), kind_of(answered, held), kind_of(held, over)]
    assert kinds == ["call.created", "call.answered", "call.held", "call.ended"]
