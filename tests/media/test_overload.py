"""Levels of overload over made-up time."""

from __future__ import annotations

from collections.abc import Iterable

from commhub.media.overload import Level, Overload, steps


class Worker:
    """Measured ten times a second."""

    def __init__(self) -> None:
        self.overload, self.now = Overload(), 1_000.0

    def run(self, seconds: float, lag: float = 0.0, waited: float = 0.0) -> list[Level]:
        """The levels it went through, each once."""
        levels = [self.overload.level]
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            level = self.overload.measure(lag, waited, self.now)
            if level is not levels[-1]:
                levels.append(level)
        return levels


def test_a_lasting_delay_sheds_layers_then_refuses_people() -> None:
    worker = Worker()
    assert worker.run(2.0, lag=0.300) == [Level.CALM]
    assert worker.run(1.5, lag=0.300) == [Level.CALM, Level.SHED]
    assert worker.run(4.0, lag=0.300) == [Level.SHED, Level.FULL]
    assert worker.run(60.0, lag=0.300) == [Level.FULL]


def test_people_are_refused_later_than_layers_are_shed() -> None:
    worker = Worker()
    assert worker.run(60.0, lag=0.200) == [Level.CALM, Level.SHED]
    assert worker.run(10.0, lag=0.300) == [Level.SHED, Level.FULL]


def test_both_limits_are_settings() -> None:
    worker = Worker()
    worker.overload = Overload(steps(shed=1.0, refuse=0.5))
    assert worker.run(60.0, lag=0.9) == [Level.CALM]
    assert worker.run(10.0, lag=1.1) == [Level.CALM, Level.SHED, Level.FULL]
    assert worker.run(60.0, lag=0.3) == [Level.FULL]
    assert worker.run(30.0, lag=0.2) == [Level.FULL, Level.SHED, Level.CALM]


def test_either_delay_counts() -> None:
    assert Worker().run(10.0, waited=0.300) == [Level.CALM, Level.SHED, Level.FULL]


def test_it_recovers_by_itself_step_by_step() -> None:
    worker = Worker()
    worker.run(10.0, waited=1.0)
    assert worker.overload.level is Level.FULL
    assert worker.run(5.0) == [Level.FULL]
    assert worker.run(30.0) == [Level.FULL, Level.SHED, Level.CALM]


def test_between_the_limits_nothing_changes() -> None:
    worker = Worker()
    assert worker.run(60.0, lag=0.080) == [Level.CALM]
    worker.run(3.5, lag=0.200)
    assert worker.run(60.0, lag=0.080) == [Level.SHED]
    assert worker.run(60.0, lag=0.040) == [Level.SHED, Level.CALM]


def test_hiccups_are_no_overload() -> None:
    worker = Worker()
    levels: set[Level] = set()
    for lag in _hiccups(seconds=60):
        worker.now += 0.1 + lag
        levels.add(worker.overload.measure(lag, 0.0, worker.now))
    assert levels == {Level.CALM}


def _hiccups(seconds: int) -> Iterable[float]:
    """0.3 s once every three seconds."""
    return (0.3 if number % 30 == 0 else 0.002 for number in range(seconds * 10))


def test_a_worker_that_recovers_and_is_overloaded_again_waits_as_long_again() -> None:
    worker = Worker()
    worker.run(3.5, lag=0.2)
    worker.run(30.0)
    assert worker.overload.level is Level.CALM
    assert worker.run(2.0, lag=0.2) == [Level.CALM]


def test_every_level_has_a_way_down() -> None:
    down = {step.at: step.to for step in steps() if not step.above}
    up = {step.at: step.to for step in steps() if step.above}
    assert down == {to: at for at, to in up.items()}
    for table in (steps(), steps(0.1, 5.0), steps(5.0, 0.1)):
        entered = min(step.limit for step in table if step.above)
        assert all(step.limit < entered for step in table if not step.above)
