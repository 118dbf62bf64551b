"""Thinned presence: in turns, only what has changed, only to who watches."""

from __future__ import annotations

import random

import pytest

from commhub.terminals.board import EVERY, SOON, WATCHED_LIMIT, Board, Told
from commhub.terminals.shapes import Presence

IDLE, BUSY, OFFLINE = Presence.IDLE, Presence.BUSY, Presence.OFFLINE


def orgs(*names: str) -> frozenset[str]:
    return frozenset(names)


def turn(board: Board, now: float = 0.0) -> list[Told]:
    return list(board.turn(now, lambda page, org: True))


def there(people: dict[str, Presence]) -> dict[str, Presence]:
    return {id: state for id, state in people.items() if state is not OFFLINE}


def test_a_first_change_is_told_soon_and_the_next_in_its_turn() -> None:
    board = Board()
    assert board.deadline(0) is None
    board.set("li", "water", IDLE)
    assert board.deadline(5) == 5 + SOON
    turn(board, 5)
    board.set("li", "water", BUSY)
    assert board.deadline(5.1) == 5 + EVERY
    assert board.deadline(9) == 9 + SOON


def test_what_changes_back_is_not_told() -> None:
    board = Board()
    board.watch(1, orgs("water"), orgs())
    board.set("li", "water", IDLE)
    assert turn(board) == [Told([1], {"li": IDLE})]
    board.set("li", "water", BUSY)
    board.set("li", "water", IDLE)
    assert board.deadline(1) is None
    assert turn(board) == []


def test_pages_with_the_same_organisations_get_the_same_message() -> None:
    board = Board()
    board.watch(1, orgs("water", "police"), orgs())
    board.watch(2, orgs("water"), orgs())
    board.watch(3, orgs("police"), orgs())
    board.set("li", "water", IDLE)
    assert turn(board) == [Told([1, 2], {"li": IDLE})]
    board.leave(1)
    board.set("li", "water", OFFLINE)
    assert turn(board) == [Told([2], {"li": OFFLINE})]


def test_who_moves_to_another_organisation_is_gone_from_the_first() -> None:
    board = Board()
    board.watch(1, orgs("water"), orgs())
    board.watch(2, orgs("police"), orgs())
    board.watch(3, orgs("water", "police"), orgs())
    board.set("li", "water", IDLE)
    turn(board)
    board.set("li", "police", IDLE)
    told = {page: one.people for one in turn(board) for page in one.pages}
    assert told == {1: {"li": OFFLINE}, 2: {"li": IDLE}, 3: {"li": IDLE}}


def test_people_watched_by_name_are_told_to_who_may_see_their_organisation() -> None:
    board = Board()
    board.watch(1, orgs(), orgs("li"))
    board.watch(2, orgs("water"), orgs("li"))
    board.set("li", "water", IDLE)
    asked: list[tuple[int, str]] = []

    def sees(page: int, org: str) -> bool:
        asked.append((page, org))
        return False

    assert list(board.turn(0, sees)) == [Told([2], {"li": IDLE})]
    assert asked == [(1, "water"), (2, "water")]


def test_a_page_watches_so_many() -> None:
    board = Board()
    with pytest.raises(ValueError, match="A page watches at most 200 organisations and people"):
        board.watch(1, orgs(*map(str, range(WATCHED_LIMIT))), orgs("li"))


def test_whatever_happens_pages_know_what_is_so_after_each_turn() -> None:
    chance = random.Random(5000)
    places = ["water", "police", "ops"]
    for _ in range(100):
        board, pages, watched = Board(), dict[int, dict[str, Presence]](), dict[int, frozenset[str]]()
        is_so: dict[str, tuple[str, Presence]] = {}
        for step in range(60):
            match chance.randrange(3):
                case 0:
                    page = chance.randrange(4)
                    watched[page] = orgs(*chance.sample(places, 2))
                    pages[page] = dict(board.watch(page, watched[page], orgs()))
                case 1:
                    person, org, presence = chance.choice("abcdef"), chance.choice(places), chance.choice(list(Presence))
                    board.set(person, org, presence)
                    is_so[person] = org, presence
                case 2:
                    for told in turn(board, step):
                        assert told.people
                        for page in told.pages:
                            pages[page] |= told.people
                    for page, known in pages.items():
                        expected = {
                            id: state for id, (org, state) in is_so.items() if org in watched[page] and state is not OFFLINE
                        }
                        assert {id: state for id, state in known.items() if state is not OFFLINE} == expected
