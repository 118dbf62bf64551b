"""Several reasons side by side: whoever is heard is heard by all of them, and taking one back leaves the others."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from commhub.rooms import Hearing
from tests.support.hubs import FakeConference

PEOPLE = ("chair", "li", "wang", "zhao")


def made() -> tuple[Hearing, FakeConference]:
    conference = FakeConference()
    return Hearing(conference), conference


def test_heard_is_who_is_heard_by_every_reason() -> None:
    hearing, conference = made()
    hearing.only("r", "mute", ["chair", "li"])
    assert conference.speakers["r"] == frozenset({"chair", "li"})
    hearing.only("r", "roll", ["li", "wang"])
    assert conference.speakers["r"] == hearing.speakers("r") == frozenset({"li"})
    hearing.only("r", "mute", None)
    assert conference.speakers["r"] == frozenset({"li", "wang"})
    hearing.only("r", "roll", None)
    assert conference.speakers.get("r") is None
    assert hearing.speakers("r") is None


def test_nobody_is_not_everybody() -> None:
    hearing, conference = made()
    hearing.only("r", "mute", [])
    assert conference.speakers["r"] == frozenset()
    hearing.only("r", "never said", None)
    assert conference.speakers["r"] == frozenset()


def test_apart_by_any_reason_and_rooms_do_not_know_each_other() -> None:
    hearing, conference = made()
    hearing.apart("r", "held", lambda publisher, viewer: "li" in (publisher, viewer))
    hearing.apart("r", "side", lambda publisher, viewer: (publisher, viewer) == ("wang", "chair"))
    apart = conference.apart["r"]
    assert apart is not None
    assert apart("li", "wang")
    assert apart("wang", "chair")
    assert not apart("chair", "wang")
    assert hearing.parted("r", "wang", "chair")
    assert not hearing.parted("other", "wang", "chair")
    hearing.apart("r", "held", None)
    left = conference.apart["r"]
    assert left is not None
    assert not left("li", "wang")
    assert left("wang", "chair")
    hearing.apart("r", "side", None)
    assert conference.apart["r"] is None
    assert "other" not in conference.apart


def test_a_room_that_is_over_is_forgotten() -> None:
    hearing, _ = made()
    hearing.only("r", "mute", ["chair"])
    hearing.apart("r", "side", lambda publisher, viewer: True)
    hearing.forget("r")
    assert hearing.speakers("r") is None
    assert not hearing.parted("r", "a", "b")


def _pairs(pairs: set[tuple[str, str]]) -> Callable[[str, str], bool]:
    return lambda publisher, viewer: (publisher, viewer) in pairs


WORDS = st.lists(
    st.tuples(
        st.sampled_from(("mute", "roll", "broadcast")),
        st.none() | st.sets(st.sampled_from(PEOPLE)),
        st.none() | st.sets(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE))),
    ),
    max_size=12,
)


@given(WORDS)
def test_any_order_of_words_equals_the_last_word_of_each(
    words: list[tuple[str, set[str] | None, set[tuple[str, str]] | None]],
) -> None:
    hearing, conference = made()
    only: dict[str, set[str] | None] = {}
    parted: dict[str, set[tuple[str, str]] | None] = {}
    for reason, speakers, pairs in words:
        hearing.only("r", reason, speakers)
        hearing.apart("r", reason, None if pairs is None else _pairs(pairs))
        only[reason], parted[reason] = speakers, pairs
    for one in PEOPLE:
        heard = all(said is None or one in said for said in only.values())
        now = conference.speakers.get("r")
        assert (now is None or one in now) == heard
        for other in PEOPLE:
            apart = conference.apart.get("r")
            wanted = any(said is not None and (one, other) in said for said in parted.values())
            assert (apart is not None and apart(one, other)) == wanted
