"""The dead-man's handle: what moves, and what stops it."""

from __future__ import annotations

from typing import Any

import pytest

from commhub.control.hands import HELD, STILL, Drive, Hands, Motion, motion_of

LEFT, UP = Motion(pan=-0.5), Motion(tilt=1.0)


def test_a_motion_leaves_once_and_lasts_while_it_is_said() -> None:
    hands = Hands()
    assert hands.receive(1, "K12", LEFT, 0.0) == [Drive("K12", LEFT)]
    for tenth in range(25, 1000, 25):
        assert hands.receive(1, "K12", LEFT, tenth / 100) == []
        assert hands.tick(tenth / 100 + 0.2) == []
    assert hands.receive(1, "K12", UP, 10.0) == [Drive("K12", UP)]
    assert hands.receive(1, "K12", STILL, 10.1) == [Drive("K12", STILL)]
    assert hands.receive(1, "K12", STILL, 10.2) == []


def test_it_stops_soon_after_the_last_word() -> None:
    hands = Hands()
    hands.receive(1, "K12", LEFT, 5.0)
    assert hands.deadline == 5.0 + HELD
    assert HELD <= 0.7
    assert hands.tick(5.0 + HELD - 0.01) == []
    assert hands.tick(5.0 + HELD) == [Drive("K12", STILL)]
    assert hands.tick(9.0) == []
    assert hands.deadline is None


def test_it_stops_at_once_when_the_page_is_gone() -> None:
    hands = Hands()
    hands.receive(1, "K12", LEFT, 0.0)
    hands.receive(1, "K14", UP, 0.0)
    hands.receive(2, "K16", UP, 0.0)
    assert hands.moves(1) == 2
    assert hands.let_go(1) == [Drive("K12", STILL), Drive("K14", STILL)]
    assert hands.let_go(1) == []
    assert hands.tick(HELD) == [Drive("K16", STILL)]


def test_the_newer_hand_moves_it_and_the_older_one_stops_nothing() -> None:
    hands = Hands()
    hands.receive(1, "K12", LEFT, 0.0)
    assert hands.receive(2, "K12", UP, 0.1) == [Drive("K12", UP)]
    assert hands.receive(1, "K12", STILL, 0.2) == []
    assert hands.let_go(1) == []
    assert hands.holder("K12") == 2
    assert hands.free("K12") == [Drive("K12", STILL)]


@pytest.mark.parametrize(
    ("said", "motion"),
    [
        ({}, STILL),
        ({"pan": 1, "tilt": -0.25}, Motion(pan=1.0, tilt=-0.25)),
        ({"zoom": 1, "focus": -1, "iris": 0.5}, Motion(zoom=1.0, focus=-1.0, iris=0.5)),
    ],
)
def test_what_a_page_says(said: dict[str, Any], motion: Motion) -> None:
    assert motion_of(said) == motion


@pytest.mark.parametrize(
    "wrong", [1.01, -2, True, None, "1", [1], float("nan"), float("inf"), 10**400], ids=lambda wrong: str(wrong)[:8]
)
def test_what_is_no_motion(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"^tilt must be a number from -1 to 1\.$"):
        motion_of({"pan": 0.5, "tilt": wrong})
