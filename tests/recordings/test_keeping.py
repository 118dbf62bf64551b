"""The table of what may become of a recording: every state by every act."""

from __future__ import annotations

import pytest

from commhub.recordings.keeping import DAY, STEPS, Act, Refused, State, Terms, step

#: Written down once more: state → act → state after it. Everything else is refused with the sentence's code.
TABLE = {
    "kept": {"hold": "held", "ask": "asked", "announce": "expiring"},
    "expiring": {"hold": "held", "ask": "asked", "relent": "kept", "expire": "deleting"},
    "held": {"hold": "held", "lift": "kept"},
    "asked": {"hold": "held", "confirm": "deleting", "refuse": "kept", "lapse": "kept"},
    "deleting": {"removed": "deleted"},
    "deleted": {},
}


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("act", list(Act))
def test_the_table(state: State, act: Act) -> None:
    wanted = TABLE[state].get(act)
    if wanted is not None:
        assert step(state, act, asked_by="a", by="b") == wanted
        return
    with pytest.raises(Refused) as raised:
        step(state, act, asked_by="a", by="b")
    code = raised.value.code
    assert (code == "gone") is (state in ("deleting", "deleted"))
    assert (code == "held") is (state == "held" and act in ("ask", "confirm", "announce", "expire"))


def test_nothing_leads_out_of_what_was_deleted() -> None:
    assert {after for (state, _), after in STEPS.items() if state in (State.DELETING, State.DELETED)} == {State.DELETED}


def test_nobody_confirms_what_he_asked() -> None:
    with pytest.raises(Refused, match="same_person"):
        step(State.ASKED, Act.CONFIRM, asked_by="a", by="a")


@pytest.mark.parametrize(
    ("state", "act"),
    [(State.KEPT, Act.ASK), (State.ASKED, Act.CONFIRM), (State.KEPT, Act.ANNOUNCE), (State.EXPIRING, Act.EXPIRE)],
)
def test_what_goes_on_is_not_deleted_but_may_be_held(state: State, act: Act) -> None:
    with pytest.raises(Refused, match="running"):
        step(state, act, running=True, asked_by="a", by="b")
    assert step(State.KEPT, Act.HOLD, running=True) == State.HELD


def test_retention_is_announced_and_never_at_short_notice() -> None:
    terms = Terms({"internal": 100, "public": 0}, notice=14 * DAY)
    assert terms.until("internal", 5) == 100 * DAY + 5
    assert terms.until("public", 5) is None
    assert terms.until("sensitive", 5) is None
    assert terms.until("internal", None) is None  # still going on
    assert terms.announces("internal", 5, 86 * DAY) is None
    assert terms.announces("internal", 5, 86 * DAY + 5) == 100 * DAY + 5
    assert terms.announces("internal", 5, 400 * DAY) == 414 * DAY  # made shorter yesterday
    assert terms.announces("public", 5, 400 * DAY) is None


def test_a_longer_retention_takes_an_announcement_back() -> None:
    terms = Terms({"internal": 100})
    assert not terms.relents("internal", 5, 100 * DAY + 5)
    assert not terms.relents("internal", 5, 414 * DAY)
    assert Terms({"internal": 200}).relents("internal", 5, 100 * DAY + 5)
    assert Terms().relents("internal", 5, 100 * DAY + 5)
