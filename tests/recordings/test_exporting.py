"""What may become of an export: the table."""

from __future__ import annotations

import itertools

import pytest

from commhub.recordings.exporting import OPEN, PENDING, STEPS, Act, Refused, State, first, step


@pytest.mark.parametrize(("state", "act"), list(itertools.product(State, Act)))
def test_every_pair_is_a_step_or_refused(state: State, act: Act) -> None:
    if (state, act) in STEPS:
        assert step(state, act, asked_by="a", by="b") is STEPS[state, act]
    else:
        with pytest.raises(Refused):
            step(state, act, asked_by="a", by="b")


def test_nobody_decides_on_their_own() -> None:
    for act in (Act.APPROVE, Act.REFUSE):
        with pytest.raises(Refused, match="same_person"):
            step(State.ASKED, act, asked_by="a", by="a")
    assert step(State.ASKED, Act.CANCEL, asked_by="a", by="a") is State.CANCELLED


def test_what_is_over_stays_over() -> None:
    over = set(State) - set(PENDING) - {State.DONE}
    assert not [pair for pair in STEPS if pair[0] in over]
    assert all((state, Act.MAKE) in STEPS for state in OPEN)


def test_a_label_that_asks_for_it_begins_with_a_question() -> None:
    assert first("sensitive", frozenset({"sensitive"})) is State.ASKED
    assert first("internal", frozenset({"sensitive"})) is State.WAITING
