"""On whose way packets were lost."""

from __future__ import annotations

import pytest

from commhub.media.losses import Losses
from commhub.media.plane import Reception, RouteCounters


def test_of_the_first_look_nothing_is_said_and_then_of_what_came_since() -> None:
    losses = Losses()
    assert losses.up(1, Reception(1000, 500, 500)) == (0.0, 0.0)
    assert losses.up(1, Reception(1100, 575, 505, nacks=30)) == (0.25, 0.05)
    assert losses.up(1, Reception(1110, 575, 505)) == (0.0, 0.0)  # ten packets are too few
    assert losses.down(7, RouteCounters(highest=5000, lost=100)) == 0.0
    assert losses.down(7, RouteCounters(highest=5100, lost=120)) == 0.2
    assert losses.down(7, RouteCounters(highest=5100, lost=120)) == 0.0  # he said nothing new


def test_what_nobody_asks_for_again_is_gone() -> None:
    losses = Losses()
    losses.up(1, Reception(0, 0))
    assert losses.up(1, Reception(100, 80)) == (0.2, 0.2)


def test_a_viewers_report_may_be_of_the_time_before() -> None:
    losses = Losses()
    losses.up(1, Reception(0, 0))
    losses.up(1, Reception(100, 70))
    assert losses.missing(1) == 0.3
    losses.up(1, Reception(200, 170))
    assert losses.missing(1) == 0.3
    losses.up(1, Reception(300, 270))
    assert losses.missing(1) == 0.0
    assert losses.missing(99) == 0.0


@pytest.mark.parametrize("after", [Reception(10, 10), Reception(1 << 30, 900), Reception(1100, 10)])
def test_a_stream_that_began_anew_says_nothing(after: Reception) -> None:
    losses = Losses()
    losses.up(1, Reception(1000, 900))
    assert losses.up(1, after) == (0.0, 0.0)


def test_late_repairs_are_no_gain() -> None:
    losses = Losses()
    losses.down(7, RouteCounters(highest=100, lost=50))
    assert losses.down(7, RouteCounters(highest=200, lost=20)) == 0.0
    losses.up(1, Reception(100, 100))
    assert losses.up(1, Reception(200, 260)) == (0.0, 0.0)  # more than were expected: resent on the same stream


def test_what_has_gone_is_forgotten() -> None:
    losses = Losses()
    for number in (1, 2):
        losses.up(number, Reception(0, 0))
        losses.up(number, Reception(100, 50))
        losses.down(number, RouteCounters(highest=1))
    losses.keep({2}, ())
    assert (losses.missing(1), losses.missing(2)) == (0.0, 0.5)
    assert losses.down(2, RouteCounters(highest=500, lost=400)) == 0.0
