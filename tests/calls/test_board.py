"""Calls that meet at terminals, and what holds whatever people do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from commhub.calls import board, machine
from commhub.calls.board import Candidate
from commhub.calls.machine import TABLE, Call, End, Leg, NotAllowed, Party, State

RING, COME = 45, 15
PEOPLE = "abcd"


class Desk:
    """Calls as the hub keeps them, driven by steps that people could take."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.over: dict[str, Call] = {}
        self.now, self.numbers = 1_000, 0

    def fresh(self) -> str:
        self.numbers += 1
        return str(self.numbers)

    def keep(self, changed: Mapping[str, Call]) -> None:
        for id, call in changed.items():
            self.check(self.calls.get(id), call)
            (self.over if not call.live else self.calls)[id] = call
            if not call.live:
                self.calls.pop(id, None)

    def check(self, before: Call | None, after: Call) -> None:
        """Every step of every leg is one of the table; who has ended stays as he was."""
        known = {leg.id: leg for leg in before.legs} if before is not None else {}
        for leg in after.legs:
            was = known.pop(leg.id, None)
            assert (leg.state is State.ENDED) == (leg.end is not None) == (leg.ended_at > 0)
            if was is not None and not was.live:
                assert was == leg
            elif was is not None and was.state is not leg.state:
                assert leg.state in TABLE[was.state].values()
        assert not known, "a leg vanished"

    def call(self, caller: str, people: list[str], *, emergency: bool = False, priority: int = 3, presence: str = "idle") -> str:
        id = self.fresh()
        leg = Leg(self.fresh(), 0, caller[0], caller, deadline=self.now + COME)
        call = Call(id, "point", caller[0], "org", self.now, priority, emergency, parties=(Party("caller", caller[0]),))
        changed = board.start(self.calls, call, leg, self.now)
        self.keep({**changed, **self.invite({**self.calls, **changed}, changed[id], people, presence)})
        return id

    def invite(self, calls: Mapping[str, Call], call: Call, people: list[str], presence: str = "idle") -> dict[str, Call]:
        candidates = [
            Candidate(self.fresh(), index, person, f"{person}:{terminal}", presence)
            for index, person in enumerate(people)
            for terminal in (1, 2)
        ]
        legs, others = board.legs(calls, call, candidates, self.now + RING, self.now)
        return {**others, call.id: machine.invite(call, [Party("person", one) for one in people], legs, self.now)}

    def leg(self, call: str, terminal: str) -> Leg:
        found = next(leg for leg in reversed((self.calls.get(call) or self.over[call]).legs) if leg.terminal == terminal)
        assert isinstance(found, Leg)
        return found

    def answer(self, call: str, terminal: str) -> None:
        self.keep(board.answer(self.calls, call, self.leg(call, terminal).id, self.now, self.now + COME))
        self.keep({call: machine.came(self.calls[call], self.leg(call, terminal).id)})


def states(desk: Desk, call: str) -> dict[str, str]:
    return {leg.terminal: leg.end or leg.state for leg in (desk.calls.get(call) or desk.over[call]).legs}


def test_who_is_talking_hears_that_somebody_waits() -> None:
    desk = Desk()
    first = desk.call("a:1", ["b"])
    desk.answer(first, "b:1")
    second = desk.call("c:1", ["b"])
    assert desk.leg(second, "b:1").waiting
    assert not desk.leg(second, "b:2").waiting
    desk.answer(second, "b:1")
    assert states(desk, first) == {"a:1": "answered", "b:1": "held", "b:2": "answered_elsewhere"}
    assert states(desk, second)["b:1"] == "answered"
    desk.keep(board.resume(desk.calls, first, desk.leg(first, "b:1").id, desk.now))
    assert (states(desk, first)["b:1"], states(desk, second)["b:1"]) == ("answered", "held")


def test_the_third_who_knocks_finds_it_busy() -> None:
    desk = Desk()
    for caller in ("a:1", "c:1"):
        desk.call(caller, ["b"])
    third = desk.call("d:1", ["b"])
    assert (desk.over[third].end, set(states(desk, third).values())) == (End.BUSY, {"busy"})


def test_who_does_not_want_to_be_disturbed_is_by_an_emergency_only() -> None:
    desk = Desk()
    assert desk.over[desk.call("a:1", ["b"], presence="dnd")].end is End.DND
    assert desk.calls[desk.call("a:1", ["b"], presence="dnd", emergency=True)].live


def test_an_emergency_ends_what_is_below_it_and_says_so() -> None:
    desk = Desk()
    low, tie = desk.call("a:1", ["b"], priority=9), ""
    desk.answer(low, "b:1")
    alarm = desk.call("c:1", ["b"], emergency=True)
    assert states(desk, low) == {"a:1": "preempted", "b:1": "preempted", "b:2": "answered_elsewhere"}
    assert desk.over[low].leg(desk.leg(low, "a:1").id).by == "c"
    desk.answer(alarm, "b:1")
    tie = desk.call("d:1", ["b"], emergency=True)
    assert states(desk, alarm)["b:1"] == "answered"
    assert desk.leg(tie, "b:1").waiting


def test_an_attended_transfer() -> None:
    desk = Desk()
    first = desk.call("a:1", ["b"])
    desk.answer(first, "b:1")
    second = desk.call("a:1", ["c"])
    assert states(desk, first)["a:1"] == "held"
    desk.answer(second, "c:2")
    leg = desk.leg(first, "a:1").id
    desk.keep(board.connect(desk.calls, first, leg, second, desk.now, desk.now + COME, "new"))
    assert states(desk, first) == {"a:1": "transferred", "b:1": "answered", "b:2": "answered_elsewhere", "c:2": "answered"}
    assert set(states(desk, second).values()) == {"transferred", "answered_elsewhere"}
    assert (desk.over[second].end, desk.calls[first].live) == (End.TRANSFERRED, True)


STEPS: dict[str, Callable[[Desk, Call, Leg, str], Any]] = {
    "alert": lambda d, c, leg, p: d.keep({c.id: machine.alert(c, leg.id, d.now)}),
    "silence": lambda d, c, leg, p: d.keep({c.id: machine.silence(c, leg.id)}),
    "answer": lambda d, c, leg, p: d.keep(board.answer(d.calls, c.id, leg.id, d.now, d.now + COME)),
    "decline": lambda d, c, leg, p: d.keep({c.id: machine.decline(c, leg.id, d.now)}),
    "hang up": lambda d, c, leg, p: d.keep({c.id: machine.hang_up(c, leg.id, d.now)}),
    "hold": lambda d, c, leg, p: d.keep({c.id: machine.hold(c, leg.id, d.now)}),
    "resume": lambda d, c, leg, p: d.keep(board.resume(d.calls, c.id, leg.id, d.now)),
    "came": lambda d, c, leg, p: d.keep({c.id: machine.came(c, leg.id)}),
    "went": lambda d, c, leg, p: d.keep({c.id: machine.went(c, leg.id, d.now + COME)}),
    "lost": lambda d, c, leg, p: d.keep({c.id: machine.end_leg(c, leg.id, End.LOST, d.now)}),
    "release": lambda d, c, leg, p: d.keep({c.id: machine.end_all(c, End.RELEASED, d.now, p)}),
    "add": lambda d, c, leg, p: d.keep(
        d.invite(d.calls, machine.add(c, leg.id, [], [], d.now), [p]),
    ),
    "transfer": lambda d, c, leg, p: _transfer(d, c, leg, p),
    "connect": lambda d, c, leg, p: _connect(d, c, leg),
}


def _transfer(desk: Desk, call: Call, leg: Leg, person: str) -> None:
    candidate = Candidate(desk.fresh(), 0, person, f"{person}:1")
    legs, others = board.legs(desk.calls, call, [candidate], desk.now + RING, desk.now)
    desk.keep({**others, call.id: machine.transfer(call, leg.id, [Party("person", person)], legs, desk.now)})


def _connect(desk: Desk, call: Call, leg: Leg) -> None:
    for other in list(desk.calls.values()):
        if other.id != call.id and other.at(leg.terminal) is not None:
            desk.keep(board.connect(desk.calls, call.id, leg.id, other.id, desk.now, desk.now + COME, desk.fresh()))
            return


USUAL = ["answer", "came", "hold", "connect"]
step = st.one_of(
    st.tuples(st.just("call"), st.sampled_from(PEOPLE), st.sampled_from([["b"], ["c"], ["b", "c"], ["d"]]), st.booleans()),
    st.tuples(st.just("tick"), st.integers(1, 60)),
    st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 5), st.integers(0, 11), st.sampled_from(PEOPLE)),
    # The usual steps more often, so that calls get anywhere.
    st.tuples(
        st.sampled_from(["answer", "came", "hold", "connect"]), st.integers(0, 5), st.integers(0, 11), st.sampled_from(PEOPLE)
    ),
)


def play(desk: Desk, one: tuple[Any, ...]) -> None:
    desk.now += 1
    if one[0] == "call":
        _, caller, people, emergency = one
        desk.call(f"{caller}:1", [person for person in people if person != caller] or ["a"], emergency=emergency)
    elif one[0] == "tick":
        desk.now += one[1]
        for call in list(desk.calls.values()):
            desk.keep({call.id: machine.tick(call, desk.now)})
    elif desk.calls:
        name, which, leg, person = one
        call = list(desk.calls.values())[which % len(desk.calls)]
        try:
            STEPS[name](desk, call, call.legs[leg % len(call.legs)], person)
        except NotAllowed:
            pass  # nothing has changed


def sound(desk: Desk) -> None:
    for call in desk.calls.values():
        assert len(call.active) >= 2 or (call.active and call.pending), "nobody is left in it"
        assert call.end is None
        people = [leg.person for leg in call.active]
        assert len(people) == len(set(people)), "one person twice in a call"
        met = {leg.party for leg in call.legs if leg.answered_at}
        assert not any(leg.party in met or leg.person in people for leg in call.pending), "it rings on though it is answered"
    for call in desk.over.values():
        assert call.end is not None
        assert all(leg.end is not None for leg in call.legs)
    talking = [leg.terminal for call in desk.calls.values() for leg in call.legs if leg.state is State.ANSWERED]
    assert len(talking) == len(set(talking)), "two calls talked in at one terminal"


@settings(max_examples=300, deadline=None)
@given(st.lists(step, max_size=40))
def test_every_leg_ends_once_and_no_call_lives_alone(steps: list[tuple[Any, ...]]) -> None:
    desk = Desk()
    for one in steps:
        play(desk, one)
        sound(desk)
    # Whatever was left: time ends it all.
    for call in list(desk.calls.values()):
        for leg in call.active:
            desk.keep({call.id: machine.went(desk.calls[call.id], leg.id, desk.now + 1)} if call.id in desk.calls else {})
    desk.now += 1_000
    for call in list(desk.calls.values()):
        desk.keep({call.id: machine.tick(call, desk.now)})
    assert desk.calls == {}
    sound(desk)
