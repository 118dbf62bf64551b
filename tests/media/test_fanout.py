from __future__ import annotations

from typing import Any, cast

from commhub.media.fanout import OF_ALL, OF_ONE, OVERHEAD, FanOut

ALICE, BOB = cast(Any, "alice"), cast(Any, "bob")


def test_what_is_reliable_goes_and_is_paid_for_later() -> None:
    fan_out = FanOut()
    cost = 60_000 + OVERHEAD
    assert fan_out.owe(ALICE, 60_000, 10, 100.0) == 0
    waits = [fan_out.owe(ALICE, 60_000, 10, 100.0) for _ in range(10)]
    assert abs(waits[-1] - (11 * 10 * cost / OF_ONE - 1)) < 0.01
    assert fan_out.owe(ALICE, 0, 0, 100.0 + waits[-1]) == 0


def test_what_is_lossy_goes_while_there_is_something_left_and_makes_no_debt() -> None:
    fan_out = FanOut()
    sent = sum(fan_out.afford(ALICE, 60_000, 10, 100.0) for _ in range(1000))
    assert 1 < sent < 6
    assert fan_out.owe(ALICE, 0, 0, 100.0) < 0.4  # the last one that went, not those that did not


def test_small_messages_cost_too() -> None:
    fan_out = FanOut()
    assert sum(fan_out.afford(ALICE, 1, 1, 100.0) for _ in range(100_000)) <= OF_ONE // OVERHEAD + 1


def test_all_together_have_a_limit_and_one_alone_does_not_reach_it() -> None:
    fan_out = FanOut()
    people = [cast(Any, f"p{number}") for number in range(20)]
    for person in people:
        fan_out.owe(person, OF_ONE, 1, 100.0)
    assert fan_out.owe(BOB, 1, 1, 100.0) > 0.5
    assert fan_out.owe(BOB, 1, 1, 100.0 + 20 * OF_ONE / OF_ALL) == 0
    fan_out.forget(BOB)
    assert BOB not in fan_out._peers
