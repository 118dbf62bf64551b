"""What is forced on calls, as steps without I/O."""

from __future__ import annotations

from commhub.calls import board, forced, machine
from commhub.calls.board import Candidate
from commhub.calls.machine import Call, End, Leg, Party, State

S = 1_000_000_000


def talking(id: str, *people: str, priority: int = 3, emergency: bool = False) -> Call:
    call = Call(id, "point", people[0], "O", 0, priority, emergency, parties=(Party("caller", people[0]),))
    call = machine.create(call, Leg(f"{id}.0", 0, people[0], f"{people[0]}:1"), 0)
    for number, person in enumerate(people[1:], 1):
        leg = Leg(f"{id}.{number}", 0, person, f"{person}:1")
        call = machine.invite(call, [Party("person", person)], [leg], 0)
        call = machine.answer(call, leg.id, 1, 9 * S)
    return call


def ends(call: Call) -> dict[str, str]:
    return {leg.person: leg.end or leg.state for leg in call.legs}


def test_released_nobody_is_left() -> None:
    over = forced.release({"C": talking("C", "a", "b")}, "C", "boss", 5)["C"]
    assert (over.state, over.end, ends(over)) == ("ended", "released", {"a": "released", "b": "released"})
    assert {leg.by for leg in over.legs} == {"boss"}


def test_who_barges_in_is_a_party_and_what_they_talked_in_is_held() -> None:
    calls = {"C": talking("C", "a", "b"), "D": talking("D", "boss", "c")}
    changed = forced.barge(calls, "C", Party("person", "boss"), Leg("new", 0, "boss", "boss:1"), 5)
    assert ends(changed["C"]) == {"a": "answered", "b": "answered", "boss": "answered"}
    assert (changed["C"].kind, len(changed["C"].parties), changed["C"].leg("new").party) == ("conference", 3, 2)
    assert ends(changed["D"]) == {"boss": "held", "c": "answered"}


def test_who_takes_over_is_there_in_the_place_of_one() -> None:
    changed = forced.take_over(
        {"C": talking("C", "a", "b")}, "C", "C.1", Party("person", "boss"), Leg("n", 0, "boss", "boss:1"), 5
    )
    assert (changed["C"].kind, changed["C"].state) == ("point", "active")
    assert ends(changed["C"]) == {"a": "answered", "b": "taken_over", "boss": "answered"}


def preempt(calls: dict[str, Call], priority: int, emergency: bool = False) -> dict[str, Call]:
    call = Call("N", "point", "boss", "O", 5, priority, emergency, parties=(Party("caller", "boss"),))
    return forced.preempt(
        calls, call, Leg("N.0", 0, "boss", "boss:1"), [Party("person", "b")], [Candidate("N.1", 0, "b", "b:1")], 60 * S, 5
    )


def test_a_higher_priority_ends_what_the_target_talks_in_and_rings() -> None:
    changed = preempt({"C": talking("C", "a", "b")}, 4)
    assert ends(changed["C"]) == {"a": "preempted", "b": "preempted"}
    assert (changed["N"].leg("N.1").state, changed["N"].leg("N.1").waiting) == (State.INVITING, False)
    both = preempt({"C": talking("C", "a", "b", "c")}, 4)
    assert ends(both["C"]) == {"a": "answered", "b": "preempted", "c": "answered"}


def test_ties_and_emergencies_do_not_give_way_to_priorities() -> None:
    for call in (talking("C", "a", "b", priority=4), talking("C", "a", "b", priority=9), talking("C", "a", "b", emergency=True)):
        changed = preempt({"C": call}, 4)
        assert "C" not in changed
        assert changed["N"].leg("N.1").waiting
    assert "C" in preempt({"C": talking("C", "a", "b", priority=9)}, 0, emergency=True)
    assert "C" not in preempt({"C": talking("C", "a", "b", emergency=True)}, 3, emergency=True)


def test_a_priority_ends_nothing_by_itself() -> None:
    calls = {"C": talking("C", "a", "b")}
    call = Call("N", "point", "boss", "O", 5, 9, parties=(Party("caller", "boss"),))
    legs, changed = board.legs(calls, call, [Candidate("N.1", 0, "b", "b:1")], 60 * S, 5)
    assert (changed, legs[0].waiting, End.PREEMPTED in {leg.end for leg in legs}) == ({}, True, False)
