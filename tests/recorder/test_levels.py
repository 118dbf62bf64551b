"""Levels of speakers, a fact a second."""

from __future__ import annotations

import random

from commhub.media.messages import Speaker
from recorder.levels import PEOPLE, Levels

MS = 1_000_000
START = 1_700_000_000_000 * MS


def speaker(identity: str, level: float) -> Speaker:
    return Speaker(f"PA_{identity}", identity, level, level > 0.1)


def test_ten_reports_are_one_fact() -> None:
    levels = Levels()
    outs = [levels.hear(START + n * 100 * MS, [speaker("a", n / 10), speaker("b", 1.0)][: 1 if n % 2 else 2]) for n in range(11)]
    assert outs[:10] == [None] * 10
    assert outs[10] is not None
    assert outs[10][0] == START
    assert outs[10][1]["levels"] == {"b": [100, 0, 100, 0, 100, 0, 100, 0, 100], "a": [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]}
    assert levels.flush() == (START + 1000 * MS, {"step_ms": 100, "levels": {"a": [100], "b": [100]}})
    assert levels.flush() is None


def test_silence_is_nothing_and_a_clock_that_goes_back_is_a_new_second() -> None:
    levels = Levels()
    assert levels.hear(START, [speaker("a", 0.0)]) is None
    assert levels.flush() is None
    levels.hear(START, [speaker("a", 0.5)])
    assert levels.hear(START - 500 * MS, [speaker("a", 0.7)]) == (START, {"step_ms": 100, "levels": {"a": [50]}})


def test_whatever_is_said_the_fact_stays_small() -> None:
    dice = random.Random(3)
    levels, at = Levels(), START
    for _ in range(300):
        at += dice.randrange(-300 * MS, 700 * MS)
        heard = [speaker(f"p{dice.randrange(1000)}", dice.uniform(-5, 5)) for _ in range(40)]
        if (out := levels.hear(at, heard)) is not None:
            assert len(out[1]["levels"]) <= PEOPLE
            assert all(len(steps) <= 10 and all(0 <= one <= 100 for one in steps) for steps in out[1]["levels"].values())
