"""Cameras that are moved: words on the wire, stops, what overtakes what. Without sockets."""

from __future__ import annotations

from commhub.media.messages import (
    Move,
)
from tests.support.gb_platform import CHANNEL, DEVICE, Table, there


def words(table: Table) -> list[str]:
    return [one.get("PTZCmd") for one in table.documents("DeviceControl")]


def move(table: Table, **axes: float) -> None:
    table.take(table.platform.move(Move(DEVICE, CHANNEL, **axes), table.now))


STOP = "A50F0100000000B5"


def test_a_move_is_on_its_way_at_once_and_is_not_said_too_often() -> None:
    table, _ = there()
    move(table, pan=0.25)
    assert len(words(table)) == 1
    for _ in range(3):
        table.wait(0.25)
        move(table, pan=0.25)
    assert len(words(table)) == 1
    table.wait(0.3)
    move(table, pan=0.25)
    assert len(words(table)) == 2
    move(table, pan=0.5)
    move(table)
    assert len(words(table)) == 4
    assert words(table)[-1] == STOP


def test_a_stop_is_always_said() -> None:
    table, _ = there()
    move(table)
    move(table)
    assert words(table) == [STOP, STOP]


def test_focus_and_iris_stop_by_their_own_word() -> None:
    table, _ = there()
    move(table, focus=1, iris=-1)
    move(table)
    assert words(table) == ["A50F0149FFFF00FC", "A50F0140000000F5"]


def test_a_move_that_was_overtaken_by_its_stop_is_stopped_again() -> None:
    table, _ = there()
    move(table, pan=1)
    first = table.posts()[-1]
    table.wait(0.2)
    move(table)
    table.answer(table.posts()[-1])
    table.wait(0.8)
    table.answer(first)  # it was sent again in the meantime
    assert words(table)[1:] == [STOP, STOP]


def test_by_tcp_nothing_is_overtaken_and_a_quick_answer_is_none() -> None:
    table, _ = there()
    move(table, pan=1)
    move(table)
    table.wait(0.1)
    table.answer_all()
    assert len(words(table)) == 2


def test_a_stop_without_an_answer_is_said_again() -> None:
    table, _ = there()
    move(table, pan=1)
    table.answer_all()
    move(table)
    table.take(table.platform.failed(table.posts()[-1].number, "timeout", table.now))
    assert words(table)[1:] == [STOP, STOP]


def test_everything_stops_with_the_hub() -> None:
    table, _ = there()
    move(table, pan=1)
    table.take(table.platform.move(Move(DEVICE, "34020000001320000002", focus=1), table.now))
    table.take(table.platform.move(Move(DEVICE, "34020000001320000003"), table.now))
    table.forget()
    table.take(table.platform.stop_all(table.now))
    assert sorted(words(table)) == [STOP, "A50F0140000000F5"]
