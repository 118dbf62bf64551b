from __future__ import annotations

from commhub.media.history import KEPT_OCTETS, KEPT_SECONDS, OVERHEAD, History, Said

ALL: frozenset[str] = frozenset()


def say(history: History, sequence: int, sender: str = "PA_a", size: int = 1, now: float = 0.0) -> Said:
    return history.add(sender, sequence, bytes(size), ALL, ALL, now)


def test_what_is_kept_is_bounded_by_size_and_age() -> None:
    history = History()
    for sequence in range(1, 10):
        say(history, sequence, size=KEPT_OCTETS // 4 - OVERHEAD)
    assert [said.sequence for said in history.since(0)] == [6, 7, 8, 9]
    assert [said.sequence for said in history.since(7)] == [8, 9]
    history.trim(KEPT_SECONDS + 1)
    assert list(history.since(0)) == []
    assert say(history, 10).number == 9  # numbers go on


def test_many_small_ones_are_no_less_to_keep() -> None:
    history = History()
    for sequence in range(1, 20_000):
        say(history, sequence)
    assert len(list(history.since(0))) == KEPT_OCTETS // (OVERHEAD + 1)


def test_the_first_that_is_missing() -> None:
    history = History()
    for sequence in (1, 2, 3):
        say(history, sequence)
        say(history, sequence, "PA_b")
    assert history.missing({"PA_a": 3, "PA_b": 3}) is None
    assert history.missing({"PA_a": 2, "PA_b": 3}) == 4
    assert history.missing({}) is None  # one never heard is not missed


def test_whom_it_is_for() -> None:
    everybody = Said(0, "PA_a", 1, b"", ALL, ALL, 0.0)
    assert [everybody.is_for(peer, "x") for peer in ("PA_a", "PA_b")] == [False, True]
    one = Said(0, "PA_a", 1, b"", frozenset({"bob"}), frozenset({"PA_c"}), 0.0)
    assert [one.is_for(peer, name) for peer, name in (("PA_b", "bob"), ("PA_c", "c"), ("PA_d", "d"))] == [True, True, False]
