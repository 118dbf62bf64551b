"""What pages say: every wrong word has its sentence."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from commhub.model import ULID_PATTERN
from commhub.terminals import words

ID = "01J00000000000000000000001"
PARSERS: dict[str, Callable[[Any], object]] = {
    "terminal": words.registration, "presence": words.wants_peace, "ack": words.ack, "watch": words.watched,
}  # fmt: skip


def test_well_said() -> None:
    assert words.registration({"id": ID}) == words.Registration(ID, "page", "", "never", False)
    full = {"id": ID, "kind": "wall", "name": "大屏", "auto_answer": "seat", "dnd": True}
    assert words.registration(full) == words.Registration(ID, "wall", "大屏", "seat", True)
    assert words.wants_peace({"state": "dnd"})
    assert not words.wants_peace({"state": "idle"})
    assert words.ack({"id": "i", "ok": False, "reason": "x" * 500}) == words.Ack("i", False, "x" * 200)
    assert words.watched({"orgs": [ID, ID]}) == words.Watched(frozenset([ID]), frozenset())


def test_an_id_is_what_ids_are_everywhere() -> None:
    assert words._ULID.pattern == ULID_PATTERN


@pytest.mark.parametrize(
    ("read", "said", "text"),
    [
        (words.registration, {}, "The id of a terminal is a ULID."),
        (words.registration, {"id": ID + "\n"}, "The id of a terminal is a ULID."),
        (words.registration, {"id": ID, "kind": "rocket"}, "A terminal is a console, a wall, a phone or a page."),
        (words.registration, {"id": ID, "auto_answer": True}, "auto_answer is never, seat or always."),
        (words.registration, {"id": ID, "name": "x" * 65}, "The name of a terminal has at most 64 characters."),
        (words.registration, {"id": ID, "dnd": "yes"}, "dnd is true or false."),
        (words.wants_peace, {"state": "busy"}, "A terminal says dnd or idle of itself; the rest follows from what it does."),
        (words.ack, {"id": "i"}, "An acknowledgement has id, ok and reason."),
        (words.ack, {"id": "x" * 65, "ok": True}, "An acknowledgement has id, ok and reason."),
        (words.watched, {"orgs": [ID] * 201}, "orgs is a list of at most 200 ids."),
        (words.watched, {"people": ["x"]}, "people is a list of ids."),
    ],
)
def test_what_cannot_be(read: Callable[[Any], object], said: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError) as raised:
        read(said)
    assert str(raised.value) == text


def test_any_json_is_read_or_has_a_sentence() -> None:
    chance = random.Random(2611)
    odd: list[Any] = [
        None,
        True,
        0,
        -1,
        1e308,
        10**400,
        "",
        "x" * 9000,
        ID,
        "\u0000",
        [],
        [[]],
        [ID],
        {},
        {"id": ID},
        "dnd",
        "wall",
    ]
    names = ["id", "kind", "name", "auto_answer", "dnd", "state", "ok", "reason", "orgs", "people"]
    for _ in range(3000):
        said = {name: chance.choice(odd) for name in chance.sample(names, 6)}
        for read in PARSERS.values():
            sentence = "."
            try:
                read(said)
            except ValueError as error:
                sentence = str(error)
            assert sentence.endswith(".")
