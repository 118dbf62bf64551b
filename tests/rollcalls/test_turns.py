"""Whose turn it is: the table, and that there are never two open microphones besides the chair's."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.rollcalls import turns
from commhub.rollcalls.turns import Act, Entry, Phase, Refused, Roll, State

EVERYBODY = {"a", "b", "c"}


def sequence(*people: str, **more: Any) -> Roll:
    return Roll("sequence", tuple(Entry(one) for one in people or "abc"), **more)


def states(roll: Roll) -> str:
    return " ".join(one.state for one in roll.entries)


def test_one_after_another() -> None:
    roll = turns.step(sequence(answer=10, limit=100), Act.NEXT, 5, EVERYBODY)
    assert (roll.called, roll.until, states(roll)) == ("a", 15, "called waiting waiting")
    roll = turns.step(roll, Act.ANSWER, 7, EVERYBODY)
    assert (roll.phase, roll.until) == (Phase.SPEAKS, 107)
    roll = turns.step(roll, Act.NEXT, 50, EVERYBODY)
    assert (roll.called, states(roll)) == ("b", "done called waiting")
    roll = turns.settle(roll, 60, EVERYBODY)  # b says nothing
    assert (roll.called, roll.until, states(roll)) == ("c", 70, "done silent called")
    roll = turns.step(turns.step(roll, Act.ANSWER, 61, EVERYBODY), Act.NEXT, 62, EVERYBODY)
    assert (roll.called, roll.phase, states(roll)) == (None, Phase.IDLE, "done silent done")


def test_who_is_not_there_is_marked_and_passed_over() -> None:
    roll = turns.step(sequence(), Act.NEXT, 1, {"c"})
    assert (roll.called, states(roll)) == ("c", "absent absent called")
    with pytest.raises(Refused) as refused:
        turns.step(roll, Act.BACK, 2, {"c"})
    assert refused.value.why == "not_there"
    assert states(turns.step(roll, Act.CALL, 2, {"a", "c"}, "a")) == "called absent silent"  # a has come meanwhile


def test_skip_repeat_back() -> None:
    roll = turns.step(turns.step(sequence(), Act.NEXT, 1, EVERYBODY), Act.SKIP, 2, EVERYBODY)
    assert states(roll) == "skipped called waiting"
    roll = turns.step(roll, Act.REPEAT, 3, EVERYBODY)
    assert (roll.called, roll.entries[1].times, roll.entries[1].called_at) == ("b", 2, 3)
    roll = turns.step(roll, Act.BACK, 4, EVERYBODY)
    assert (roll.called, states(roll)) == ("a", "called waiting waiting")
    assert turns.step(roll, Act.NEXT, 5, EVERYBODY).called == "b"
    with pytest.raises(Refused):
        turns.step(turns.step(sequence(), Act.NEXT, 1, EVERYBODY), Act.BACK, 2, EVERYBODY)


def test_the_chair_names_who_speaks() -> None:
    roll = turns.step(Roll("speak"), Act.CALL, 1, EVERYBODY, "b")
    assert roll.called == "b"
    roll = turns.step(roll, Act.CALL, 2, EVERYBODY, "a")
    assert (roll.called, [one.person for one in roll.entries], states(roll)) == ("a", ["b", "a"], "silent called")
    roll = turns.settle(roll, 3, {"b", "c"})
    assert (roll.called, roll.phase, states(roll)) == (None, Phase.IDLE, "silent absent")
    with pytest.raises(Refused) as refused:
        turns.step(roll, Act.NEXT, 4, EVERYBODY)
    assert refused.value.why == "not_now"
    assert turns.allowed(roll) == [Act.CALL, Act.REPEAT, Act.END]


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("act", list(Act))
def test_the_table_is_what_happens(phase: Phase, act: Act) -> None:
    entries = (Entry("a", State.DONE), Entry("b", State.CALLED), Entry("c"))
    roll = replace(sequence(), entries=entries, phase=phase, at=1)
    if (phase, act) not in turns.TABLE:
        with pytest.raises(Refused):
            turns.step(roll, act, 9, EVERYBODY, "c")
        return
    state, then = turns.TABLE[phase, act]
    after = turns.step(roll, act, 9, EVERYBODY, "c")
    called = {"named": "c", "next": "c", "again": "b", "before": "a", "nobody": None, "over": None, "stays": "b"}[then]
    assert after.called == called
    if state is not None and then not in ("again",):
        assert after.entries[1].state is state


def test_over_is_over() -> None:
    roll = turns.step(turns.step(sequence(), Act.NEXT, 1, EVERYBODY), Act.END, 2, EVERYBODY)
    assert turns.heard(roll, ["chair"], {"chair:1": 1, "a:1": 1}) is None
    assert turns.allowed(roll) == []
    assert turns.settle(roll, 1 << 60, ()) == roll


def test_of_several_terminals_one_is_open() -> None:
    roll = turns.step(sequence(), Act.NEXT, 1, EVERYBODY)
    present = {"chair:1": 1, "chair:2": 2, "a:1": 3, "a:2": 4, "b:1": 5}
    assert turns.heard(roll, ["chair"], present) == frozenset({"chair:1", "chair:2", "a:2"})
    assert turns.heard(roll, ["chair"], present, "a:1") == frozenset({"chair:1", "chair:2", "a:1"})
    del present["a:1"]
    assert turns.heard(roll, ["chair"], present, "a:1") == frozenset({"chair:1", "chair:2", "a:2"})


def walk(seed: int, steps: int) -> int:
    """Random words of everybody: what holds after each of them. How many turns there were."""
    rng = random.Random(seed)
    people = [f"p{n}" for n in range(rng.randint(1, 8))]
    roll = Roll(rng.choice(("speak", "sequence")), answer=rng.choice((0, 5)), limit=rng.choice((0, 9)))
    if roll.kind == "sequence":
        roll = replace(roll, entries=tuple(Entry(one) for one in people))
    present: dict[str, int] = {"chair:0": 0}
    held, now, called = "", 0, 0
    for _ in range(steps):
        now += rng.randint(0, 3)
        if rng.random() < 0.4:  # somebody comes, or goes
            one = f"{rng.choice(people)}:{rng.randint(0, 2)}"
            if one in present:
                del present[one]
            else:
                present[one] = now
        there = {turns.person_of(one) for one in present}
        before = roll.called
        try:
            roll = turns.step(roll, rng.choice(list(Act)[: 6 if rng.random() < 0.97 else 10]), now, there, rng.choice(people))
        except Refused:
            pass
        roll = turns.settle(roll, now, there)
        heard = turns.heard(roll, ["chair"], present, held)
        if heard is None:
            assert roll.phase is Phase.OVER
            return called
        besides = heard - {"chair:0"}
        assert len(besides) == (1 if roll.called is not None else 0)
        assert {turns.person_of(one) for one in besides} <= {roll.called}
        in_turn = [one.person for one in roll.entries if one.state in (State.CALLED, State.SPEAKS)]
        assert in_turn == ([roll.called] if roll.called is not None else [])
        assert len({one.person for one in roll.entries}) == len(roll.entries)
        assert not roll.until or roll.until > now
        held = next(iter(besides), "")
        called += roll.called not in (None, before)
    return called


@given(st.integers(0, 1 << 32))
def test_never_two_open_microphones_besides_the_chair(seed: int) -> None:
    walk(seed, 60)


def test_random_walks_do_call_people() -> None:
    assert sum(walk(seed, 60) for seed in range(50)) > 200
