"""Tables of presence: each row, and what follows from them."""

from __future__ import annotations

import itertools
import random

import pytest

from commhub.terminals.answering import TABLE, Mode, answers
from commhub.terminals.presence import GRACE, LINES, ORDER, SHOWN, Line, Sign, State, merged
from commhub.terminals.shapes import AutoAnswer, Kind, Presence


@pytest.mark.parametrize(("line", "sign"), list(itertools.product(Line, Sign)))
def test_every_sign_in_every_line(line: Line, sign: Sign) -> None:
    state = State()
    state.line = line
    state.receive(sign, 0)
    assert state.line is LINES.get((line, sign), line)


def test_the_table_of_what_is_shown_is_complete() -> None:
    reasons = (Presence.IDLE, Presence.RINGING, Presence.BUSY)
    assert set(SHOWN) == set(itertools.product((True, False), (True, False), reasons))
    assert all((shown is Presence.OFFLINE) is not there for (there, _, _), shown in SHOWN.items())


def test_nobody_is_told_within_the_grace() -> None:
    state = State()
    assert str(state.presence) == Presence.OFFLINE
    state.receive(Sign.OPENED, 0)
    state.receive(Sign.CLOSED, 5)
    state.tick(5 + GRACE - 0.01)
    assert str(state.presence) == Presence.IDLE
    state.receive(Sign.OPENED, 14)
    state.tick(100)
    assert str(state.presence) == Presence.IDLE
    state.receive(Sign.CLOSED, 100)
    state.tick(100 + GRACE)
    assert (state.presence, state.deadline) == (Presence.OFFLINE, None)


def test_reasons_count_by_what_they_are_about() -> None:
    state = State()
    state.receive(Sign.OPENED, 0)
    state.occupy("call", Presence.RINGING)
    state.occupy("group", Presence.BUSY)
    state.release("group")
    state.dnd = True
    assert str(state.presence) == Presence.RINGING
    state.release("call")
    state.release("never there")
    assert str(state.presence) == Presence.DND
    with pytest.raises(ValueError, match="occupied by ringing or by being busy"):
        state.occupy("call", Presence.DND)


def test_of_several_terminals_the_busiest_counts() -> None:
    assert merged([]) is Presence.OFFLINE
    assert set(ORDER) == set(Presence) - {Presence.OFFLINE}
    for several in itertools.product(Presence, repeat=3):
        first = next((one for one in ORDER if one in several), Presence.OFFLINE)
        assert merged(several) is first


def test_random_lives_end_as_a_plain_model_says() -> None:
    chance = random.Random(64)
    for _ in range(300):
        state, now, there, lost, dnd = State(), 0.0, False, None, False
        reasons: dict[str, Presence] = {}
        for _ in range(40):
            now += chance.choice([0.1, 1, GRACE / 2, GRACE])
            state.tick(now)
            if lost is not None and now >= lost + GRACE:
                there, lost = False, None
            match chance.randrange(5):
                case 0:
                    state.receive(Sign.OPENED, now)
                    there, lost = True, None
                case 1:
                    state.receive(Sign.CLOSED, now)
                    lost = now if there and lost is None else lost
                case 2:
                    what, how = chance.choice("abc"), chance.choice([Presence.RINGING, Presence.BUSY])
                    state.occupy(what, how)
                    reasons[what] = how
                case 3:
                    what = chance.choice("abc")
                    state.release(what)
                    reasons.pop(what, None)
                case 4:
                    dnd = state.dnd = chance.random() < 0.5
            held = reasons.values()
            expected = (
                Presence.OFFLINE if not there
                else Presence.BUSY if Presence.BUSY in held
                else Presence.RINGING if Presence.RINGING in held
                else Presence.DND if dnd else Presence.IDLE
            )  # fmt: skip
            assert state.presence is expected


@pytest.mark.parametrize(("said", "mode"), TABLE)
def test_who_answers_by_himself(said: AutoAnswer, mode: Mode) -> None:
    kinds, rank = TABLE[said, mode]
    every: tuple[Kind, ...] = ("console", "wall", "phone", "page")
    for kind in every:
        assert not answers(said, kind, mode, entitled=False, caller=1, called=9)
        assert answers(said, kind, mode, entitled=True, caller=4, called=4) is (kind in kinds)
        assert answers(said, kind, mode, entitled=True, caller=5, called=4) is (kind in kinds and not rank)


def test_never_is_never_and_an_open_microphone_at_home_is_no_seat() -> None:
    """Written down once more, so that a changed table has to be meant."""
    yes = {
        (said, mode, kind)
        for said, mode in TABLE
        for kind in ("console", "wall", "phone", "page")
        if answers(said, kind, mode, entitled=True, caller=9, called=1)
    }
    assert yes == {
        ("seat", "war", "console"), ("seat", "war", "wall"),
        ("always", "war", "console"), ("always", "war", "wall"), ("always", "war", "phone"), ("always", "war", "page"),
    }  # fmt: skip
