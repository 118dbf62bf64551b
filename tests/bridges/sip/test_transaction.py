"""Transactions: the machines row by row, who belongs to which, and two elements with a network that loses and doubles."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from random import Random

import pytest

from bridges.sip.message import Headers, Message, Request, Response
from bridges.sip.states import BEGIN, CLOCKS, TABLE, Event, State, Timers
from bridges.sip.transaction import (
    Acknowledged,
    Answered,
    Asked,
    Cancelled,
    Failed,
    Flow,
    Key,
    Out,
    Send,
    Stray,
    Transactions,
)

UDP = Flow("UDP", "10.0.0.2", 5060, "10.0.0.1:5060")
TCP = Flow("TCP", "10.0.0.2", 40_000, "10.0.0.1:5060", 7)


def element(seed: int = 1, *, per_source: int = 4096) -> Transactions:
    random = Random(seed)
    return Transactions(lambda: f"{random.getrandbits(64):016x}", per_source=per_source)


def asking(method: str = "MESSAGE", number: int = 1, *, branch: str = "", call: str = "c1") -> Request:
    headers = Headers([("From", "<sip:a@x>;tag=a"), ("To", "<sip:b@x>"), ("Call-ID", call), ("CSeq", f"{number} {method}")])
    if branch:
        headers.first("Via", f"SIP/2.0/UDP 10.0.0.2:5060;branch={branch}")
    return Request(method, "sip:b@x", headers=headers)


def reply(one: Request, status: int, tag: str = "b") -> Response:
    return one.reply(status, tag=tag)


def sent(outs: list[Out]) -> list[Message]:
    return [out.message for out in outs if isinstance(out, Send)]


def told(outs: list[Out]) -> list[Out]:
    return [out for out in outs if not isinstance(out, Send)]


def run(one: Transactions, until: float) -> list[tuple[float, Out]]:
    found = []
    while (at := one.deadline) is not None and at <= until:
        found += [(round(at, 3), out) for out in one.tick(at)]
    return found


# ---- the tables


def test_every_state_can_be_left_and_has_an_end() -> None:
    assert set(TABLE) == set(CLOCKS)
    for (kind, state), rows in TABLE.items():
        assert rows[Event.EXPIRE][0] is State.TERMINATED
        assert rows[Event.LOST][0] is State.TERMINATED
        assert all(target is State.TERMINATED or (kind, target) in CLOCKS for target, _ in rows.values())
        assert CLOCKS[kind, state].life or any(CLOCKS[key].life for key in CLOCKS if key == (kind, BEGIN[kind]))


# ---- clients


def test_a_request_is_repeated_ever_slower_and_then_given_up() -> None:
    one = element()
    key, outs = one.request(asking(), UDP, 0.0)
    assert len(sent(outs)) == 1
    events = run(one, 100.0)
    assert [at for at, out in events if isinstance(out, Send)] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert [(at, out.key, out.reason) for at, out in events if isinstance(out, Failed)] == [(32.0, key, "timeout")]
    assert (len(one), one.deadline) == (0, None)


def test_an_invite_is_repeated_without_a_ceiling() -> None:
    one = element()
    one.request(asking("INVITE"), UDP, 0.0)
    assert [at for at, out in run(one, 100.0) if isinstance(out, Send)] == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]


def test_nothing_is_repeated_on_tcp() -> None:
    one = element()
    one.request(asking(), TCP, 0.0)
    assert [type(out) for _, out in run(one, 100.0)] == [Failed]


def test_an_answer_is_told_once() -> None:
    one = element()
    key, outs = one.request(asking(), UDP, 0.0)
    (request,) = sent(outs)
    assert isinstance(request, Request)
    assert (request.headers.get("Via"), request.headers.get("Max-Forwards")) == (
        f"SIP/2.0/UDP 10.0.0.1:5060;rport;branch={key[1]}",
        "70",
    )
    answer = reply(request, 200)
    assert one.receive(answer, UDP, 0.1) == [Answered(key, answer, UDP)]
    assert one.receive(answer, UDP, 0.2) == []
    assert run(one, 100.0) == []
    assert len(one) == 0


def test_a_provisional_answer_slows_the_repetitions_but_does_not_prolong_them() -> None:
    one = element()
    _, outs = one.request(asking(), UDP, 0.0)
    request = sent(outs)[0]
    assert isinstance(request, Request)
    one.receive(reply(request, 100), UDP, 0.1)
    events = run(one, 100.0)
    assert events[0][0] == 4.1
    assert events[-1][0] == 32.0


def test_a_refused_invite_is_acknowledged_each_time_and_told_once() -> None:
    one = element()
    key, outs = one.request(asking("INVITE"), UDP, 0.0)
    invite = sent(outs)[0]
    assert isinstance(invite, Request)
    refusal = reply(invite, 486)
    outs = one.receive(refusal, UDP, 0.1)
    (ack,) = sent(outs)
    assert isinstance(ack, Request)
    assert (ack.method, ack.uri, ack.cseq.number, ack.via.branch, ack.receiver.tag) == (
        "ACK",
        "sip:b@x",
        1,
        invite.via.branch,
        "b",
    )
    assert told(outs) == [Answered(key, refusal, UDP)]
    again = one.receive(refusal, UDP, 0.2)
    assert (sent(again), told(again)) == ([ack], [])


def test_an_accepted_invite_gets_its_ack_again_when_the_200_comes_again() -> None:
    one = element()
    key, outs = one.request(asking("INVITE"), UDP, 0.0)
    invite = sent(outs)[0]
    assert isinstance(invite, Request)
    ringing, accepted = reply(invite, 180), reply(invite, 200)
    assert told(one.receive(reply(invite, 100), UDP, 0.1)) == []
    assert told(one.receive(ringing, UDP, 0.2)) == [Answered(key, ringing, UDP)]
    assert told(one.receive(accepted, UDP, 0.3)) == [Answered(key, accepted, UDP)]
    assert one.receive(accepted, UDP, 0.4) == []  # its user is still thinking
    ack = asking("ACK")
    ack.headers.set("To", accepted.headers.get("To"))
    (first,) = sent(one.acknowledge(key, ack, UDP))
    assert sent(one.receive(accepted, UDP, 0.5)) == [first]
    forked = reply(invite, 200, "another")
    assert told(one.receive(forked, UDP, 0.6)) == [Answered(key, forked, UDP)]
    assert run(one, 100.0) == []
    assert one.receive(accepted, UDP, 101.0) == [Stray(accepted, UDP)]


def test_a_cancel_waits_for_the_first_answer() -> None:
    one = element()
    key, outs = one.request(asking("INVITE"), UDP, 0.0)
    invite = sent(outs)[0]
    assert isinstance(invite, Request)
    assert one.cancel(key, 0.1) == []
    (cancel,) = sent(one.receive(reply(invite, 100), UDP, 0.2))
    assert isinstance(cancel, Request)
    assert (cancel.method, str(cancel.cseq), cancel.via) == ("CANCEL", "1 CANCEL", invite.via)
    assert one.cancel(key, 0.3) == []
    assert one.receive(reply(cancel, 200), UDP, 0.4) == []
    ended = reply(invite, 487)
    assert told(one.receive(ended, UDP, 0.5)) == [Answered(key, ended, UDP)]


def test_a_cancelled_invite_ends_though_nobody_answers() -> None:
    one = element()
    key, outs = one.request(asking("INVITE"), UDP, 0.0)
    invite = sent(outs)[0]
    assert isinstance(invite, Request)
    one.receive(reply(invite, 180), UDP, 1.0)
    one.cancel(key, 2.0)
    assert told([out for _, out in run(one, 300.0)]) == [Failed(key, invite, "timeout")]
    assert len(one) == 0


# ---- servers


def test_a_repeated_request_is_answered_by_the_transaction() -> None:
    one = element()
    request = asking(branch="z9hG4bK1")
    (asked,) = one.receive(request, UDP, 0.0)
    assert isinstance(asked, Asked)
    assert one.receive(request, UDP, 0.1) == []
    answer = reply(request, 200)
    assert sent(one.respond(asked.key, answer, 0.2)) == [answer]
    assert one.respond(asked.key, reply(request, 500), 0.3) == []
    moved = Flow("UDP", "10.0.0.2", 6000)
    assert one.receive(request, moved, 0.4) == [Send(answer, moved)]
    assert run(one, 100.0) == []
    assert len(one) == 0


@pytest.mark.parametrize("branch", ["z9hG4bK1", "1", ""])
def test_an_invite_is_said_to_be_tried_and_its_refusal_repeated_until_the_ack(branch: str) -> None:
    one = element()
    invite = asking("INVITE", branch=branch or "old")
    (asked,) = one.receive(invite, UDP, 0.0)
    assert isinstance(asked, Asked)
    trying = run(one, 0.3)
    assert [(at, out.message.status) for at, out in trying if isinstance(out, Send) and isinstance(out.message, Response)] == [
        (0.2, 100)
    ]
    refusal = reply(invite, 486)
    one.respond(asked.key, refusal, 0.5)
    assert [at for at, _ in run(one, 4.1)] == [1.0, 2.0, 4.0]
    assert sent(one.receive(invite, UDP, 4.2)) == [refusal]
    ack = asking("ACK", branch=branch or "old")
    ack.headers.set("To", refusal.headers.get("To"))
    assert one.receive(ack, UDP, 4.3) == []
    assert run(one, 100.0) == []


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_a_200_is_repeated_until_its_ack_which_is_told_once(flow: Flow) -> None:
    one = element()
    invite = asking("INVITE", branch="z9hG4bK1")
    (asked,) = one.receive(invite, flow, 0.0)
    assert isinstance(asked, Asked)
    one.respond(asked.key, reply(invite, 200), 0.0)
    assert [at for at, _ in run(one, 4.0)] == [0.5, 1.5, 3.5]
    assert one.receive(invite, flow, 4.1) == []
    ack = asking("ACK", branch="z9hG4bK2")  # a transaction of its own
    assert one.receive(ack, flow, 4.2) == [Acknowledged(asked.key, ack, flow)]
    assert one.receive(ack, flow, 4.3) == []
    assert run(one, 100.0) == []
    assert len(one) == 0


def test_a_200_without_ack_is_told() -> None:
    one = element()
    invite = asking("INVITE", branch="z9hG4bK1")
    (asked,) = one.receive(invite, UDP, 0.0)
    assert isinstance(asked, Asked)
    one.respond(asked.key, reply(invite, 200), 0.0)
    assert told([out for _, out in run(one, 100.0)]) == [Failed(asked.key, invite, "unacknowledged")]


def test_a_cancel_ends_an_invite_that_nobody_has_answered() -> None:
    one = element()
    invite, cancel = asking("INVITE", branch="z9hG4bK1"), asking("CANCEL", branch="z9hG4bK1")
    (asked,) = one.receive(invite, UDP, 0.0)
    assert isinstance(asked, Asked)
    outs = one.receive(cancel, UDP, 0.1)
    assert [(m.status, m.cseq.method) for m in sent(outs) if isinstance(m, Response)] == [(200, "CANCEL"), (487, "INVITE")]
    assert told(outs) == [Cancelled(asked.key)]
    assert one.respond(asked.key, reply(invite, 200), 0.2) == []
    assert [m.status for m in sent(one.receive(asking("CANCEL", branch="z9hG4bK9"), UDP, 0.3)) if isinstance(m, Response)] == [
        481
    ]


def test_a_branch_that_never_changes_does_not_mix_requests() -> None:
    one = element()
    requests = [asking(number=number, branch="z9hG4bKalways") for number in (1, 2)] + [asking(branch="z9hG4bKalways", call="c2")]
    assert [type(one.receive(request, UDP, 0.0)[0]) for request in requests] == [Asked] * 3


def test_nobody_meets_the_transaction_of_another_address() -> None:
    one = element()
    request = asking(branch="z9hG4bK1")
    (asked,) = one.receive(request, UDP, 0.0)
    assert isinstance(asked, Asked)
    one.respond(asked.key, reply(request, 200), 0.0)
    assert isinstance(one.receive(request, Flow("UDP", "10.6.6.6", 5060), 0.1)[0], Asked)


def test_one_address_holds_a_bounded_number() -> None:
    one = element(per_source=10)
    asked = []
    for number in range(10):
        (out,) = one.receive(asking("INVITE" if number < 2 else "MESSAGE", number, branch=f"z9hG4bK{number}"), UDP, 0.0)
        assert isinstance(out, Asked)
        asked.append(out)
    refused = sent(one.receive(asking(number=99, branch="z9hG4bK99"), UDP, 0.0))
    assert [m.status for m in refused if isinstance(m, Response)] == [503]
    assert isinstance(one.receive(asking(branch="z9hG4bKx"), Flow("UDP", "10.0.0.3", 1), 0.0)[0], Asked)
    one.respond(asked[5].key, reply(asked[5].request, 200), 0.1)  # what is answered makes room
    assert isinstance(one.receive(asking(number=100, branch="z9hG4bK100"), UDP, 0.2)[0], Asked)
    assert (len(one), one.refused) == (11, 1)


def test_with_its_connection_a_transaction_is_lost() -> None:
    one = element()
    key, _ = one.request(asking(), TCP, 0.0)
    other, _ = one.request(asking(), UDP, 0.0)
    assert [(out.key, out.reason) for out in one.lost(7, 1.0) if isinstance(out, Failed)] == [(key, "lost")]
    assert len(one) == 1
    assert other != key


# ---- two of them


class Pair:
    """A caller and a callee; each datagram is lost, delayed or doubled as the seed says. Nothing sleeps."""

    def __init__(self, seed: int, loss: float, *, reliable: bool = False) -> None:
        self.random, self.loss, self.now = Random(seed), loss, 0.0
        kind = "TCP" if reliable else "UDP"
        self.flows = [Flow(kind, "10.0.0.2", 5060, "10.0.0.1:5060", 1), Flow(kind, "10.0.0.1", 5060, "10.0.0.2:5060", 1)]
        self.reliable = reliable
        self.sides = [element(seed * 2 + 1), element(seed * 2 + 2)]
        self.wire: list[tuple[float, int, int, Message]] = []
        self.order = itertools.count()
        self.asked: Counter[Key] = Counter()
        self.acknowledged: Counter[Key] = Counter()
        self.finals: Counter[tuple[Key, str]] = Counter()
        self.ended: Counter[Key] = Counter()
        self.statuses: Counter[int | str] = Counter()

    def ask(self, request: Request) -> Key:
        key, outs = self.sides[0].request(request, self.flows[0], self.now)
        self.carry(0, outs)
        return key

    def carry(self, side: int, outs: list[Out]) -> None:
        for out in outs:
            match out:
                case Send():
                    copies = 1 if self.reliable else 0 if self.random.random() < self.loss else self.random.choice((1, 1, 1, 2))
                    for _ in range(copies):
                        delay = 0.02 if self.reliable else self.random.choice((0.02, 0.05, 0.7))
                        heapq.heappush(self.wire, (self.now + delay, next(self.order), 1 - side, out.message))
                case Asked():
                    self.asked[out.request.call_id, out.request.method] += 1
                    status = self.random.choice((200, 200, 404))
                    if out.request.method == "INVITE" and self.random.random() < 0.5:
                        self.carry(side, self.sides[side].respond(out.key, reply(out.request, 180, "b"), self.now))
                    if self.random.random() < 0.9:  # some users never answer
                        self.carry(side, self.sides[side].respond(out.key, reply(out.request, status, "b"), self.now))
                case Answered() if out.response.final:
                    self.finals[out.key, out.response.receiver.tag] += 1
                    self.ended[out.key] += 1
                    self.statuses[out.response.status] += 1
                    if out.key[2] == "INVITE" and out.response.status < 300:
                        ack = asking("ACK", out.response.cseq.number, call=out.response.call_id)
                        ack.headers.set("To", out.response.headers.get("To"))
                        self.carry(side, self.sides[side].acknowledge(out.key, ack, self.flows[side]))
                case Failed() if side == 0:
                    self.ended[out.key] += 1
                    self.statuses[out.reason] += 1
                case Acknowledged():
                    self.acknowledged[out.key] += 1

    def run(self, until: float) -> None:
        while True:
            times = [one.deadline for one in self.sides] + [self.wire[0][0] if self.wire else None]
            at = min((time for time in times if time is not None), default=None)
            if at is None or at > until:
                return
            self.now = max(self.now, at)
            if self.wire and self.wire[0][0] <= self.now:
                _, _, side, message = heapq.heappop(self.wire)
                self.carry(side, self.sides[side].receive(message, self.flows[side], self.now))
            for side, one in enumerate(self.sides):
                self.carry(side, one.tick(self.now))


def talk(seed: int, loss: float, count: int, *, reliable: bool = False) -> Pair:
    pair = Pair(seed, loss, reliable=reliable)
    keys = []
    for number in range(count):
        method = pair.random.choice(("INVITE", "MESSAGE", "REGISTER"))
        key = pair.ask(asking(method, number + 1, call=f"call{number}"))
        keys.append(key)
        if method == "INVITE" and pair.random.random() < 0.3:
            pair.run(pair.now + 0.03)
            pair.carry(0, pair.sides[0].cancel(key, pair.now))
        pair.run(pair.now + pair.random.choice((0.0, 0.1, 1.0)))
    pair.run(pair.now + 1_000.0)
    assert [len(one) for one in pair.sides] == [0, 0], "Every transaction ends."
    assert pair.wire == []
    assert set(pair.ended) == set(keys), "Every user hears of its request's end,"
    assert set(pair.ended.values()) == {1}, "once."
    assert set(pair.asked.values()) <= {1}, "No request is told twice."
    assert set(pair.finals.values()) <= {1}
    assert set(pair.acknowledged.values()) <= {1}
    return pair


@pytest.mark.parametrize("loss", [0.0, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_every_transaction_ends_and_nothing_is_told_twice(seed: int, loss: float) -> None:
    pair = talk(seed, loss, 60)
    assert loss > 0.4 or pair.statuses[200] + pair.statuses[404] > 30
    assert loss < 0.9 or pair.statuses["timeout"] > 10


def test_the_same_on_tcp() -> None:
    assert talk(3, 0.0, 60, reliable=True).statuses[200] > 15


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_ten_thousand_transactions_on_a_bad_network() -> None:
    for seed in range(100, 150):
        talk(seed, 0.3, 200)


def test_timers_are_the_standards() -> None:
    assert (Timers().timeout, Timers(t1=0.25).timeout) == (32.0, 16.0)
