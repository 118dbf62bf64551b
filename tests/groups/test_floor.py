from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commhub.groups.floor import (
    RULES,
    Asker,
    Asks,
    Closed,
    Dropped,
    Floor,
    Granted,
    Out,
    Over,
    Queued,
    Refused,
    State,
    Talker,
    Times,
    Verdict,
    Warned,
)
from tests.groups.floor_model import Model
from tests.support.proofs import Figure

A, B, C = Talker("a", level=5), Talker("b", level=5), Talker("c", level=3)
SOS = Talker("s", level=9, emergency=True)


def floor(**times: float) -> Floor:
    return Floor(Times(**times), 0.0)  # type: ignore[arg-type]


def told(outs: list[Out]) -> list[str]:
    """In the words of the model's log."""
    words: list[str] = []
    for out in outs:
        match out:
            case Granted():
                words.append(f"+{out.talker.id}")
            case Warned():
                words.append(f"!{out.talker.id}")
            case Closed():
                words.append(f"-{out.talker.id}:{out.reason}")
            case Queued():
                words.append(f"?{out.talker.id}@{out.place}")
            case Dropped():
                words.append(f"~{out.talker.id}:{out.reason}")
            case Refused():
                words.append(f"no:{out.talker.id}")
            case Over():
                words.append("x")
    return words


# ---- examples


def test_who_asks_first_speaks_and_the_next_follows() -> None:
    one = floor()
    assert one.request(A, 0) == [Granted(A, 30.0)]
    assert one.request(B, 1) == [Queued(B, 1)]
    assert one.release("a", 2) == [Closed(A, "released"), Granted(B, 32.0)]
    assert one.release("a", 3) == []
    assert (one.state, one.holder) == (State.TAKEN, B)


def test_the_queue_is_in_the_order_of_emergency_level_and_time() -> None:
    one = floor()
    one.request(Talker("x", level=1, emergency=True), 0)
    one.speaking("x", True, 0)
    assert told(one.request(A, 1)) == ["?a@1"]
    assert told(one.request(B, 2)) == ["?b@2"]
    assert told(one.request(C, 3)) == ["?c@1"]
    assert told(one.request(SOS, 4)) == ["?s@1"]
    assert [waiting.talker.id for waiting in one.queue] == ["s", "c", "a", "b"]


def test_who_talks_too_long_is_warned_and_then_cut() -> None:
    one = floor()
    one.request(A, 0)
    one.speaking("a", True, 0.5)
    one.request(B, 1)
    assert one.tick(29.9) == []
    assert one.deadline == 30.0
    assert one.tick(30) == [Warned(A, 31.0)]
    assert one.state is State.PENDING_REVOKE
    assert one.tick(30.9) == []
    assert told(one.tick(31)) == ["-a:limit", "+b"]


def test_who_says_nothing_gives_the_floor_back() -> None:
    one = floor()
    one.request(A, 0)
    one.speaking("a", True, 1)
    assert one.tick(20) == []
    one.speaking("a", False, 20)
    assert one.deadline == 24.0
    assert told(one.tick(24)) == ["-a:silence"]


def test_a_floor_that_stays_idle_ends_the_call() -> None:
    one = floor()
    one.request(A, 1)
    one.release("a", 2)
    assert one.deadline == 12.0
    assert told(one.tick(12)) == ["x"]
    assert one.request(A, 13) == [Refused(A, "over")]
    assert one.deadline is None


def test_a_higher_level_takes_the_floor_and_equals_never_do() -> None:
    one = floor()
    one.request(A, 0)
    assert told(one.override(B, 1)) == ["no:b"]
    assert told(one.override(C, 1)) == ["-a:overridden", "+c"]
    assert told(one.override(A, 1)) == ["no:a"]


def test_an_emergency_is_above_every_level_until_it_is_cancelled() -> None:
    one, chief = floor(), Talker("chief", level=1)
    one.request(chief, 0)
    assert told(one.request(SOS, 1)) == ["-chief:emergency", "+s"]
    assert told(one.override(chief, 2)) == ["no:chief"]
    one.calm(3)
    assert told(one.override(chief, 3)) == ["-s:overridden", "+chief"]


def test_a_revoked_floor_is_given_to_nobody() -> None:
    one = floor()
    one.request(A, 0)
    one.request(B, 1)
    assert told(one.revoke(B, 2)) == ["no:b"]
    assert one.revoke(C, 2) == [Closed(A, "revoked", C), Dropped(B, "revoked")]
    assert (one.state, one.queue) == (State.IDLE, [])


def test_a_full_queue_keeps_who_comes_first() -> None:
    one = floor(queue=1)
    one.request(Talker("x", level=1), 0)
    one.request(A, 1)
    assert one.request(B, 2) == [Refused(B, "queue_full")]
    assert told(one.request(C, 3)) == ["~a:displaced", "?c@1"]


def test_who_leaves_holds_nothing_and_waits_for_nothing() -> None:
    one = floor()
    one.request(A, 0)
    one.request(B, 1)
    one.request(C, 1)
    assert told(one.leave("c", 2)) == ["~c:left"]
    assert told(one.leave("a", 2)) == ["-a:left", "+b"]


def test_the_table_is_whole() -> None:
    for what in Asks:
        assert (State.IDLE, what, Asker.ANYBODY) in RULES
        for state in (State.TAKEN, State.PENDING_REVOKE):
            for asker in set(Asker) - {Asker.ANYBODY}:
                assert (state, what, asker) in RULES
    assert RULES[State.TAKEN, Asks.OVERRIDE, Asker.OTHER] is Verdict.REFUSED


# ---- any sequence

Step = tuple[str, Talker, float, bool]

_people = [Talker(name, level=level) for name, level in (("a", 1), ("b", 3), ("c", 3), ("d", 5), ("e", 9))]
_everybody = [*_people, *(Talker(one.id, level=one.level, emergency=True) for one in _people[1:4])]
_verbs = ["request", "request", "request", "override", "revoke", "release", "unqueue", "leave", "speaking", "tick", "calm"]
_steps = st.lists(
    st.tuples(
        st.sampled_from(_verbs),
        st.sampled_from(_everybody),
        st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 9.0, 30.0]),
        st.booleans(),
    ),
    max_size=80,
)
_times = st.builds(
    Times,
    limit=st.sampled_from([0.0, 5.0, 30.0]),
    grace=st.sampled_from([0.0, 1.0]),
    silence=st.sampled_from([0.0, 4.0]),
    hang=st.sampled_from([0.0, 10.0, 60.0]),
    queue=st.sampled_from([0, 1, 2, 20]),
)


def _do(one: Floor, step: Step, now: float) -> list[Out]:
    verb, talker, _, speaks = step
    if verb == "tick":
        return one.tick(now)
    if verb == "calm":
        return one.calm(now)
    if verb == "speaking":
        return one.speaking(talker.id, speaks, now)
    if verb in ("request", "override", "revoke"):
        asked: Callable[[Talker, float], list[Out]] = getattr(one, verb)
        return asked(talker, now)
    said: Callable[[str, float], list[Out]] = getattr(one, verb)
    return said(talker.id, now)


@given(_times, _steps)
@settings(max_examples=300, deadline=None)
def test_there_are_never_two_holders(times: Times, steps: list[Step]) -> None:
    one, now = Floor(times, 0.0), 0.0
    open_now: set[str] = set()
    for step in steps:
        now += step[2]
        for out in _do(one, step, now):
            if isinstance(out, Closed):
                open_now.remove(out.talker.id)
            elif isinstance(out, Granted):
                open_now.add(out.talker.id)
            assert len(open_now) <= 1
        assert open_now == ({one.holder.id} if one.holder else set())
        # Nobody waits for a floor that is free, nobody waits twice, and the queue is bounded.
        assert not one.queue or one.holder
        assert len({waiting.talker.id for waiting in one.queue}) == len(one.queue) <= times.queue
        assert (one.holder is not None) == (one.state in (State.TAKEN, State.PENDING_REVOKE))


def _equal_to_the_model(seed: int) -> None:
    rng = random.Random(seed)
    times = Times(
        limit=rng.choice([0.0, 5.0, 30.0]),
        grace=rng.choice([0.0, 1.0]),
        silence=rng.choice([0.0, 4.0]),
        hang=rng.choice([0.0, 10.0, 60.0]),
        queue=rng.choice([0, 1, 2, 20]),
    )
    one, model, now = Floor(times, 0.0), Model(times, 0.0), 0.0
    happened: list[str] = []
    for number in range(rng.randint(1, 120)):
        step = (
            rng.choice(_verbs),
            rng.choice(_everybody),
            rng.choice([0.0, 0.125, 0.5, 1.0, 2.0, 4.0, 9.0, 30.0]),
            rng.random() < 0.5,
        )
        now += step[2]
        happened += told(_do(one, step, now))
        verb, talker = step[0], step[1]
        if verb == "tick":
            model.pass_time(now)
        elif verb == "calm":
            model.calm(now)
        elif verb == "speaking":
            model.speaking(talker.id, step[3], now)
        elif verb in ("request", "override", "revoke"):
            getattr(model, verb)(talker, now)
        else:
            getattr(model, verb)(talker.id, now)
        assert happened == model.log, f"seed {seed}, step {number}: {step}"
        assert [waiting.talker.id for waiting in one.queue] == model.in_order()


@pytest.mark.parametrize("part", range(4))
def test_a_thousand_sequences_equal_the_reference_model(part: int) -> None:
    for seed in range(part * 250, part * 250 + 250):
        _equal_to_the_model(seed)


@pytest.mark.prove
def test_a_hundred_thousand_sequences_equal_the_reference_model(figure: Figure) -> None:
    same = 0
    for seed in range(1_000, 101_000):
        _equal_to_the_model(seed)
        same += 1
    assert figure("floor: random sequences, all equal to the reference model", same, "sequences", goal="≥ 1,000")
