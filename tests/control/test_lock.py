"""Who has a camera, when: every row of the table, and the clock."""

from __future__ import annotations

import pytest

from commhub.control.lock import KEPT, RULES, Asker, Holder, Locks, State, Verdict

CHEN = Holder("chen", "陈××", "市应急局", 5)
LI = Holder("li", "李××", "市水务局", 5)
ZHOU = Holder("zhou", "周××", "运行中心", 2)


def test_every_row_of_the_table() -> None:
    locks = Locks()
    assert locks.ask("K12", LI, 0.0).verdict is Verdict.TAKEN
    assert locks.ask("K12", LI, 1.0).verdict is Verdict.KEPT
    assert locks.ask("K12", CHEN, 2.0).verdict is Verdict.REFUSED
    taken = locks.ask("K12", ZHOU, 3.0)
    assert taken.verdict is Verdict.TAKEN_OVER
    assert taken.before is not None
    assert (taken.before.holder, taken.lock.holder, taken.lock.since) == (LI, ZHOU, 3.0)
    assert locks.ask("K12", LI, 4.0).verdict is Verdict.REFUSED
    assert set(RULES) == {(State.FREE, Asker.ANYBODY), *((State.HELD, one) for one in Asker if one is not Asker.ANYBODY)}


def test_it_runs_out_after_the_last_word() -> None:
    locks = Locks()
    locks.ask("K12", LI, 0.0)
    locks.ask("K12", LI, 20.0)
    assert locks.deadline == 20.0 + KEPT
    assert locks.tick(20.0 + KEPT - 0.1) == []
    assert [lock.holder for lock in locks.tick(20.0 + KEPT)] == [LI]
    assert locks.of("K12", 51.0) is None
    assert locks.deadline is None


def test_one_that_ran_out_is_free_before_anybody_looks() -> None:
    locks = Locks()
    locks.ask("K12", LI, 0.0)
    assert locks.of("K12", KEPT) is None
    assert locks.ask("K12", CHEN, KEPT).verdict is Verdict.TAKEN


def test_only_the_holder_gives_it_back() -> None:
    locks = Locks()
    locks.ask("K12", LI, 0.0)
    assert not locks.release("K12", "chen", 1.0)
    assert locks.release("K12", "li", 1.0)
    assert not locks.release("K12", "li", 1.0)
    assert locks.ask("K12", CHEN, 1.0).verdict is Verdict.TAKEN


@pytest.mark.parametrize(("level", "granted"), [(1, True), (4, True), (5, False), (9, False)])
def test_rank_decides_and_the_same_rank_does_not(level: int, granted: bool) -> None:
    locks = Locks()
    locks.ask("K12", LI, 0.0)
    assert locks.ask("K12", Holder("x", "某", "某局", level), 1.0).granted is granted


def test_cameras_do_not_touch_each_other() -> None:
    locks = Locks()
    locks.ask("K12", LI, 0.0)
    assert locks.ask("K14", CHEN, 0.0).granted
