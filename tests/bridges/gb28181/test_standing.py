from __future__ import annotations

from bridges.gb28181.standing import Teller
from bridges.timeline import SECOND
from commhub.media.messages import Standing

BEGAN = 1_700_000_000 * SECOND


def test_only_what_nobody_could_count_is_told() -> None:
    teller = Teller()
    assert teller.look(0.0, 1.0, False, BEGAN) == Standing(0.0, BEGAN)
    assert teller.look(0.04, 1.0, True, BEGAN + SECOND) == Standing(0.04, BEGAN + SECOND, playing=True)
    for second in range(2, 60):
        assert teller.look(second - 0.9, 1.0, True, BEGAN + second * SECOND) is None
    # It stands still although it should play.
    assert teller.look(58.1, 1.0, True, BEGAN + 60 * SECOND) == Standing(58.1, BEGAN + 60 * SECOND, playing=True)
    assert teller.look(58.1, 1.0, True, BEGAN + 61 * SECOND) is None
    assert teller.look(58.1, 1.0, True, BEGAN + 62 * SECOND) is not None


def test_an_act_is_told_at_once_and_a_fast_recording_may_be_less_even() -> None:
    teller = Teller()
    teller.look(0.0, 1.0, True, BEGAN)
    assert teller.look(100.0, 1.0, True, BEGAN + SECOND // 10) is None
    assert teller.look(100.0, 1.0, True, BEGAN + SECOND // 10, sure=True) == Standing(100.0, BEGAN + SECOND // 10, 1.0, True)
    assert teller.look(100.1, 8.0, True, BEGAN + SECOND // 5) == Standing(100.1, BEGAN + SECOND // 5, 8.0, True)
    assert teller.look(123.0, 8.0, True, BEGAN + SECOND // 5 + 3 * SECOND) is None
    assert teller.look(119.0, 8.0, True, BEGAN + SECOND // 5 + 3 * SECOND) is not None
