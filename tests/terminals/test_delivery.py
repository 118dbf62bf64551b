"""Instructions on their way: sent, once more after a resume, answered once."""

from __future__ import annotations

import random

from commhub.terminals.delivery import KEPT, WAITING_LIMIT, Delivery
from commhub.terminals.shapes import Instruction, Outcome


def ring(id: str) -> Instruction:
    return Instruction(id, "ring", "call")


def test_sent_once_and_once_more_after_a_resume() -> None:
    delivery = Delivery()
    assert delivery.give(ring("a"), 0, open=True) == [ring("a")]
    assert delivery.give(ring("a"), 0, open=True) == []
    assert delivery.resumed(1) == [ring("a")]
    assert delivery.resumed(2) == []


def test_what_was_given_while_the_socket_was_away_is_sent_when_it_is_back() -> None:
    delivery = Delivery()
    assert delivery.give(ring("a"), 0, open=False) == []
    assert delivery.resumed(1) == [ring("a")]
    assert delivery.resumed(2) == [ring("a")]
    assert delivery.resumed(3) == []


def test_an_answer_counts_once_and_only_for_what_was_asked() -> None:
    delivery = Delivery()
    delivery.give(ring("a"), 0, open=True)
    assert delivery.answered("b", True, "") is None
    assert delivery.answered("a", False, "busy") == (ring("a"), Outcome("refused", "busy"))
    assert delivery.answered("a", True, "") is None
    assert delivery.resumed(1) == []


def test_what_is_withdrawn_or_old_is_not_sent_again() -> None:
    delivery = Delivery()
    delivery.give(ring("a"), 0, open=True)
    delivery.give(ring("b"), 0, open=True)
    delivery.give(ring("c"), 1, open=True)
    delivery.withdraw("a")
    assert delivery.resumed(KEPT) == [ring("c")]


def test_a_terminal_that_answers_nothing_fills_no_memory() -> None:
    delivery = Delivery()
    for number in range(3 * WAITING_LIMIT):
        delivery.give(ring(str(number)), 0, open=False)
    kept = delivery.resumed(1)
    assert [one.id for one in kept] == [str(number) for number in range(2 * WAITING_LIMIT, 3 * WAITING_LIMIT)]


def test_a_client_that_does_each_once_does_everything_once_whatever_is_cut() -> None:
    chance = random.Random(3)
    for _ in range(200):
        delivery, done, answered, there = Delivery(), list[str](), set[str](), True
        for number in range(12):
            sent = delivery.give(ring(str(number)), number, open=there)
            if chance.random() < 0.3:
                there = False
            if not there and chance.random() < 0.5:
                there = True
                sent = delivery.resumed(number)
            for one in sent if there else []:
                if one.id not in done:
                    done.append(one.id)
                if chance.random() < 0.7 and delivery.answered(one.id, True, "") is not None:
                    assert one.id not in answered
                    answered.add(one.id)
        assert len(done) == len(set(done))
        assert answered <= set(done)
