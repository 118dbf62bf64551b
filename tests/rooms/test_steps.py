"""The tables of conference control: steps, hands, lobby, and the gates that follow from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commhub.conference import RECORDER
from commhub.errors import Busy, Conflict, NotFound, NotNow, Unfit
from commhub.rooms import gates, lobby, raised, steps
from commhub.store.controls import NONE, Control, Hand, Side, Waiting, read, written

MINUTE = steps.MINUTE


def hand(person: str, level: int, at: int) -> Hand:
    return Hand(person, person.upper(), "Org", level, at)


def waiting(*people: str, post: str = "", org: str = "") -> tuple[Waiting, ...]:
    return tuple(Waiting(one, one, post, org) for one in people)


def test_what_is_not_possible_says_what_would_be() -> None:
    talking_apart = replace(NONE, sides=(Side("s", "S", ("a", "b")),))
    for now, act, missing in (
        (NONE, lambda now: steps.mute(now, False, True), "unmute"),
        (NONE, lambda now: steps.allow(now, "li"), "speaker"),
        (NONE, lambda now: steps.extend(now, 5, 0), "extend"),
        (NONE, lambda now: lobby.admit(now, ["li"], [], lambda org: False, False), "admit"),
        (NONE, lambda now: lobby.send_back(now, "li"), "return"),
        (NONE, lambda now: raised.lower(now, None), "hand.lower"),
        (talking_apart, lambda now: steps.broadcast(now, "li"), "broadcast"),
        (replace(NONE, broadcast="li"), lambda now: steps.side(now, "s", "S", ["a", "b"], False, 0), "side"),
    ):
        with pytest.raises(NotNow) as refused:
            act(now)
        assert missing not in refused.value.allowed
        assert refused.value.allowed == steps.allowed(now)
        assert {"chair", "mute", "lobby", "stage"} <= set(refused.value.allowed)


def test_a_stale_revision_and_one_that_goes_on_with_what_is_decided() -> None:
    steps.at(NONE, 0)
    steps.at(NONE, None)
    with pytest.raises(Conflict, match="Somebody changed it"):
        steps.at(NONE, 1)
    after = steps.decided(NONE, steps.mute(NONE, True, False))
    assert after.rev == 1
    assert steps.decided(after, after).rev == 1


def test_the_chair_is_handed_on_and_represented() -> None:
    now = steps.co_chairs(NONE, "zhou", ["li", "zhou", "wang", "li"])
    assert now.co_chairs == ("li", "wang")
    assert steps.hand_over(now, "zhou", "li").co_chairs == ("wang",)
    assert steps.hand_over(now, "zhou", "zhou") is now
    lost = steps.represent(now, "zhou", {"wang"})
    assert lost.acting == "wang"
    assert steps.represent(lost, "zhou", {"li", "wang"}).acting == "wang"  # who leads goes on
    assert steps.represent(lost, "zhou", {"li"}).acting == "li"
    assert steps.represent(lost, "zhou", set()).acting == "wang"  # nobody better is there
    assert steps.represent(lost, "zhou", {"zhou", "wang"}).acting == ""
    assert steps.hand_over(lost, "zhou", "zhou").acting == ""
    assert steps.co_chairs(lost, "zhou", ["li"]).acting == ""
    with pytest.raises(Unfit):
        steps.co_chairs(NONE, "zhou", [str(one) for one in range(9)])


def test_muted_people_and_who_may_speak() -> None:
    there = ["zhou:t", "li:t", "li:u", "wang:t", "EX_robot"]
    now = steps.mute(NONE, True, False)
    assert gates.muted(now, {"zhou"}, there) == frozenset({"zhou:t"})
    now = steps.allow(now, "li")
    assert gates.muted(now, {"zhou"}, there) == frozenset({"zhou:t", "li:t", "li:u"})
    assert gates.muted(steps.allow(now, "EX_robot"), {"zhou"}, there) == frozenset({"zhou:t", "li:t", "li:u", "EX_robot"})
    assert gates.muted(steps.disallow(now, "li"), {"zhou"}, there) == frozenset({"zhou:t"})
    assert steps.mute(now, True, False).speakers == ()
    assert gates.muted(steps.mute(NONE, True, True), {"zhou"}, there) is None  # they may unmute themselves
    assert gates.muted(steps.mute(now, False, True), {"zhou"}, there) is None
    with pytest.raises(NotNow):
        steps.disallow(NONE, "li")


def test_one_is_broadcast() -> None:
    there = ["zhou:t", "li:t"]
    assert gates.broadcast(NONE, there) is None
    now = steps.broadcast(NONE, "li")
    assert gates.broadcast(now, there) == frozenset({"li:t"})
    assert gates.broadcast(now, ["zhou:t"]) == frozenset()  # not there: nobody
    assert steps.broadcast(now, None) == NONE


def test_those_who_talk_apart() -> None:
    now = steps.side(NONE, "s1", "A", ["li", "wang", "li"], False, 1)
    now = steps.side(now, "s2", "B", ["zhao", "qian"], True, 2)
    apart = gates.apart(now, ["cam:bridge"])
    assert apart is not None
    heard = {(a, b) for a in ("li:1", "wang:1", "zhao:1", "zhou:1", "cam:bridge") for b in ("li:1", "wang:1", "zhao:1", "zhou:1")}
    heard = {pair for pair in heard if not apart(*pair)}
    assert ("li:1", "wang:1") in heard
    assert ("zhou:1", "zhao:1") in heard  # they listen
    assert ("cam:bridge", "li:1") in heard
    for pair in (("li:1", "zhou:1"), ("zhou:1", "li:1"), ("li:1", "zhao:1"), ("zhao:1", "li:1"), ("zhao:1", "zhou:1")):
        assert pair not in heard
    assert not apart("li:1", RECORDER)
    muted = replace(now, muted=True, unmute=False)
    assert gates.muted(muted, {"zhou"}, ["li:1", "zhou:1", "sun:1"]) == frozenset({"li:1", "zhou:1"})
    assert gates.apart(NONE, []) is None
    assert steps.end_side(steps.end_side(now, "s1"), "s2") == NONE
    with pytest.raises(NotFound):
        steps.end_side(now, "s3")
    for people, code in ((["li", "sun"], "in_a_side"), (["sun"], "unfit")):
        with pytest.raises(Unfit) as refused:
            steps.side(now, "s3", "C", people, False, 3)
        assert refused.value.code == code


def test_the_planned_end_is_announced_and_put_off() -> None:
    now = steps.plan_end(NONE, 10 * MINUTE, 0)
    assert steps.warn(now, 4 * MINUTE) is now
    warned = steps.warn(now, 5 * MINUTE)
    assert warned.warned == 5
    assert steps.warn(warned, 8 * MINUTE) is warned
    last = steps.warn(warned, 9 * MINUTE)
    over = steps.warn(last, 10 * MINUTE)
    assert (last.warned, over.warned) == (1, -1)
    assert steps.warn(over, 20 * MINUTE) is over
    assert steps.warn(now, 11 * MINUTE).warned == -1  # a hub that was not there says the last one alone
    assert steps.extend(last, 15, 9 * MINUTE) == replace(now, ends_at=25 * MINUTE, warned=0)
    assert steps.extend(over, 5, 20 * MINUTE).ends_at == 25 * MINUTE
    assert steps.plan_end(over, None, 0) == NONE
    for end in (0, 24 * 60 * MINUTE + 1):
        with pytest.raises(Unfit):
            steps.plan_end(NONE, end, 0)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 9), st.integers(0, 99)), max_size=20))
def test_hands_stand_in_order(found: list[tuple[str, int, int]]) -> None:
    now = NONE
    for person, level, at in found:
        now = raised.up(now, hand(person, level, at))
    assert len({one.person for one in now.hands}) == len(now.hands)
    by_rank, by_time = raised.ordered(now), raised.ordered(raised.sort(now, "time"))
    assert [(one.level, one.at) for one in by_rank] == sorted((one.level, one.at) for one in now.hands)
    assert [one.at for one in by_time] == sorted(one.at for one in now.hands)


def test_a_hand_is_called_on_and_lowered() -> None:
    now = raised.up(raised.up(NONE, hand("li", 5, 1)), hand("wang", 3, 2))
    assert raised.up(now, hand("li", 5, 9)) is now
    called = raised.call_on(now, "li")
    assert ([one.person for one in called.hands], called.speakers) == (["wang"], ())
    assert raised.call_on(replace(now, muted=True), "li").speakers == ("li",)
    assert raised.lower(now, None).hands == ()
    assert raised.gone(now, {"wang"}).hands == (hand("wang", 3, 2),)
    assert raised.down(now, "nobody") == now
    for act in (raised.call_on, raised.lower):
        with pytest.raises(NotNow):
            act(called, "li")
    full = replace(NONE, hands=tuple(hand(str(one), 5, one) for one in range(raised.HANDS)))
    with pytest.raises(Busy):
        raised.up(full, hand("li", 1, 1))


def test_who_waits_is_let_in_by_name_post_and_organisation() -> None:
    now = lobby.set_mode(NONE, "everybody", ["zhou"])
    assert now.admitted == ("zhou",)
    for one in (*waiting("li", post="值班长", org="water"), *waiting("wang", org="fire"), *waiting("zhao")):
        now = lobby.knock(now, one)
    assert lobby.knock(now, Waiting("li", "again")) is now

    def let_in(**how: object) -> list[str]:
        about = {"people": [], "posts": [], "within": lambda org: False, "everybody": False} | how
        return lobby.admit(now, **about)[1]  # type: ignore[arg-type]

    assert let_in(people=["qian"]) == ["qian"]  # before he comes
    assert let_in(posts=["值班长"]) == ["li"]
    assert let_in(within=lambda org: org == "fire") == ["wang"]
    assert let_in(everybody=True) == ["li", "wang", "zhao"]
    with pytest.raises(NotNow):
        let_in(posts=["局长"])
    after, _ = lobby.admit(now, ["li"], [], lambda org: False, False)
    assert [one.person for one in after.waiting] == ["wang", "zhao"]
    assert after.admitted == ("zhou", "li")
    back = lobby.send_back(after, "li")
    assert (back.admitted, back.sent_back) == (("zhou",), ("li",))
    assert lobby.knock(back, Waiting("li", "Li")).waiting[-1].returned
    assert lobby.admit(back, ["li"], [], lambda org: False, False)[0].sent_back == ()


def test_who_is_refused_waits_no_more_until_invited_again() -> None:
    now = lobby.knock(lobby.set_mode(NONE, "everybody", []), Waiting("li", "Li"))
    now = lobby.refuse(now, "li", "无关人员")
    assert (now.waiting, lobby.refusal(now, "li"), lobby.refusal(now, "wang")) == ((), "无关人员", None)
    assert lobby.refusal(lobby.forgive(now, ["li"]), "li") is None
    assert lobby.refusal(lobby.admit(now, ["li"], [], lambda org: False, False)[0], "li") is None
    with pytest.raises(NotNow):
        lobby.refuse(now, "li", "")
    assert lobby.set_mode(now, "off", []) == NONE


def test_the_record_is_read_as_it_was_written_and_an_old_one_is_the_beginning() -> None:
    now = Control(
        3, "zhou", "li", ("li",), True, False, ("wang",), "time", (hand("a", 1, 2),), "outside", waiting("b"), ends_at=9
    )
    assert read(written(now)) == now
    assert read(None) == read("") == read("{}") == NONE
