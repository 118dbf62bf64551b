"""Which room's webhooks may be sent now: the schedule alone."""

from __future__ import annotations

from commhub.webhooks import Backoff
from commhub.webhooks.lanes import Lanes


def lanes(side_by_side: int = 2) -> Lanes:
    return Lanes(Backoff(1, 8), side_by_side)


def test_one_event_of_a_room_at_a_time_and_some_rooms_side_by_side() -> None:
    schedule = lanes()
    schedule.add(["a", "b", "c"])
    assert (schedule.take(0), schedule.take(0), schedule.take(0)) == ("a", "b", None)
    schedule.succeeded("a")
    schedule.done("a", empty=True)
    assert (schedule.take(0), schedule.take(0)) == ("c", None)


def test_what_came_while_a_room_was_busy_is_not_forgotten() -> None:
    schedule = lanes()
    schedule.add(["a"])
    assert schedule.take(0) == "a"
    schedule.add(["a"])
    assert schedule.take(0) is None
    schedule.done("a", empty=True)
    assert schedule.take(0) == "a"
    schedule.done("a", empty=True)
    assert schedule.take(0) is None
    assert len(schedule) == 0


def test_a_receiver_that_does_not_answer_is_asked_by_one_room_at_a_time_and_ever_rarer() -> None:
    schedule = lanes()
    schedule.add(["a", "b", "c"])
    assert (schedule.take(0), schedule.take(0)) == ("a", "b")
    schedule.failed("a", 0, unanswered=True)
    schedule.failed("b", 0.5, unanswered=True)  # it was under way already: the same failure
    assert schedule.deadline() == 1
    assert schedule.take(0.9) is None
    assert (schedule.take(1), schedule.take(1)) == ("c", None)
    schedule.failed("c", 1, unanswered=True)
    assert schedule.deadline() == 3
    tried = []
    now = 3.0
    for _ in range(4):
        room = schedule.take(now)
        assert room is not None
        tried.append(room)
        schedule.failed(room, now, unanswered=True)
        deadline = schedule.deadline()
        assert deadline is not None
        assert deadline - now <= 8
        now = deadline
    assert now - 3 == 4 + 8 + 8 + 8
    assert tried == ["a", "b", "c", "a"]
    room = schedule.take(now)
    assert room is not None
    schedule.succeeded(room)
    assert schedule.take(now) is not None  # all of them again


def test_an_event_that_is_refused_holds_its_own_room_only() -> None:
    schedule = lanes()
    schedule.add(["bad", "good"])
    assert (schedule.take(0), schedule.take(0)) == ("bad", "good")
    schedule.failed("bad", 0, unanswered=False)
    schedule.done("good", empty=False)
    assert (schedule.take(0.5), schedule.take(0.5)) == ("good", None)
    schedule.done("good", empty=True)
    assert schedule.deadline() == 1
    assert schedule.take(1) == "bad"
    schedule.failed("bad", 1, unanswered=False)
    assert schedule.deadline() == 3
