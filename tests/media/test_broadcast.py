from __future__ import annotations

from typing import Any, cast

import pytest
from livekit.protocol import models

from commhub.media import messages as m
from tests.support.client import Offer
from tests.support.engine import Bench, FakeLink


def packet(**fields: Any) -> bytes:
    return models.DataPacket(**fields).SerializeToString()


class Ears:
    """What each peer is sent on its data channels."""

    def __init__(self, bench: Bench) -> None:
        self.heard: list[tuple[str, bool, models.DataPacket]] = []
        for peer in bench.engine.rooms["r"].peers.values():
            if peer.connection is not None:
                peer.connection.send = self._hear(peer.id)  # type: ignore[method-assign]
                peer.connection.takes = lambda: True  # type: ignore[method-assign]

    def _hear(self, peer: str) -> Any:
        def send(reliable: bool, data: bytes) -> None:
            self.heard.append((peer, reliable, models.DataPacket.FromString(data)))

        return send


async def said(bench: Bench, data: bytes, *, reliable: bool = True) -> Ears:
    bench.join("PA_c")
    bench.offer("PA_a", Offer())
    ears = Ears(bench)
    transport = bench.engine.transports.get(1)
    assert transport is not None
    bench.engine.transport_message(transport, reliable, data)
    return ears


async def test_data_goes_to_everybody_else_with_its_senders_name(bench: Bench) -> None:
    claims = packet(user=models.UserPacket(payload=b"hi", participant_sid="PA_x"), participant_identity="forged", sequence=9)
    ears = await said(bench, claims)
    assert [(peer, reliable) for peer, reliable, _ in ears.heard] == [("PA_b", True), ("PA_c", True)]
    got = ears.heard[0][2]
    assert (got.participant_identity, got.participant_sid, got.sequence) == ("id-PA_a", "PA_a", 9)
    assert (got.user.participant_identity, got.user.participant_sid, got.user.payload) == ("id-PA_a", "PA_a", b"hi")
    assert got.kind == models.DataPacket.RELIABLE


@pytest.mark.parametrize(
    "addressed",
    [
        {"chat_message": models.ChatMessage(message="psst"), "destination_identities": ["id-PA_c"]},
        {"user": models.UserPacket(payload=b"psst", destination_sids=["PA_c"])},
        {"user": models.UserPacket(payload=b"psst", destination_identities=["id-PA_c"])},
    ],
)
async def test_data_for_one_goes_to_one(bench: Bench, addressed: dict[str, Any]) -> None:
    recorder = FakeLink()
    bench.engine.recorder(cast(Any, recorder), m.OpenSink("r", "s"))
    ears = await said(bench, packet(**addressed), reliable=False)
    assert [(peer, reliable) for peer, reliable, _ in ears.heard] == [("PA_c", False)]
    assert recorder.of(m.SinkData) == []


@pytest.mark.parametrize("data", [b"\xff", packet(speaker=models.ActiveSpeakerUpdate()), packet()])
async def test_what_is_no_message_between_people_goes_nowhere(bench: Bench, data: bytes) -> None:
    assert (await said(bench, data)).heard == []


async def test_rights_of_data(bench: Bench) -> None:
    bench.tell(m.UpdatePeer("r", "PA_b", may_subscribe=False))
    assert [peer for peer, _, _ in (await said(bench, packet(user=models.UserPacket(payload=b"x")))).heard] == ["PA_c"]
    bench.tell(m.UpdatePeer("r", "PA_a", may_send_data=False))
    assert (await said(bench, packet(user=models.UserPacket(payload=b"x")))).heard == []


async def test_too_much_lossy_data_is_lost_and_reliable_data_slows_its_sender_down(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ears = await said(bench, packet(user=models.UserPacket(payload=b"x")))
    transport = bench.engine.transports.get(1)
    assert transport is not None
    held: list[float] = []
    monkeypatch.setattr(transport.session, "delay", held.append)
    large = packet(user=models.UserPacket(payload=bytes(60_000)))
    for _ in range(40):
        bench.engine.transport_message(transport, False, large)
    lossy = len(ears.heard)
    assert 2 < lossy < 2 + 2 * 40
    bench.engine.transport_message(transport, True, large)
    assert len(ears.heard) == lossy + 2
    assert held[-1] > 0


async def test_the_hubs_own_data(bench: Bench) -> None:
    ears = Ears(bench)
    recorder = FakeLink()
    bench.engine.recorder(cast(Any, recorder), m.OpenSink("r", "s"))
    data = packet(user=models.UserPacket(payload=b"x"))
    bench.tell(m.SendData("r", data, True))
    bench.tell(m.SendData("r", data, False, ["PA_b"]))
    assert [(peer, reliable) for peer, reliable, _ in ears.heard] == [("PA_a", True), ("PA_b", True), ("PA_b", False)]
    assert [one.packet for one in recorder.of(m.SinkData)] == [data]


class Line:
    """A room whose people take reliable data or do not, as the test says; ``heard`` is what each was given."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.open: dict[str, bool] = {}
        self.heard: dict[str, list[bytes]] = {}
        bench.join("PA_c")
        for name in ("PA_a", "PA_b", "PA_c"):
            bench.offer(name, Offer())
            self.open[name], self.heard[name] = True, []
            self.wire(name)

    def wire(self, name: str) -> None:
        connection = self.bench.engine.rooms["r"].peers[name].connection
        assert connection is not None
        connection.takes = lambda: self.open[name]  # type: ignore[method-assign]
        connection.send = lambda reliable, data: self._hear(name, data)  # type: ignore[method-assign]

    def _hear(self, name: str, data: bytes) -> None:
        said = models.DataPacket.FromString(data)
        self.heard[name].append(said.user.payload)

    def say(self, payload: bytes, sequence: int = 0, *, by: int = 1, to: list[str] | None = None) -> None:
        transport = self.bench.engine.transports.get(by)
        assert transport is not None
        data = packet(user=models.UserPacket(payload=payload), sequence=sequence, destination_identities=to or [])
        self.bench.engine.transport_message(transport, True, data)


async def test_who_cannot_listen_gets_everything_later_and_in_order(bench: Bench) -> None:
    line = Line(bench)
    line.open["PA_b"] = False
    line.say(b"1", 1)
    line.say(b"2")
    line.say(b"for c", 2, to=["id-PA_c"])
    bench.tell(m.SendData("r", packet(user=models.UserPacket(payload=b"server")), True))
    line.open["PA_b"] = True
    line.say(b"3", 3)
    assert line.heard["PA_b"] == []  # not before what came earlier
    transport = bench.engine.transports.get(2)
    assert transport is not None
    bench.engine.transport_writable(transport)
    assert line.heard["PA_b"] == [b"1", b"2", b"server", b"3"]
    assert line.heard["PA_c"] == [b"1", b"2", b"for c", b"server", b"3"]
    line.say(b"4", 4)
    assert line.heard["PA_b"][-1] == b"4"


async def test_who_takes_only_some_gets_the_rest_with_the_clock(bench: Bench) -> None:
    line = Line(bench)
    line.open["PA_b"] = False
    for number in range(5):
        line.say(bytes([number]), number + 1)
    left = iter([True, True, False])
    connection = bench.engine.rooms["r"].peers["PA_b"].connection
    assert connection is not None
    connection.takes = lambda: next(left, False)  # type: ignore[method-assign]
    bench.pass_time(0.6)
    assert line.heard["PA_b"] == [b"\0"]
    line.wire("PA_b")
    line.open["PA_b"] = True
    bench.pass_time(0.6)
    assert line.heard["PA_b"] == [bytes([number]) for number in range(5)]


async def test_what_is_sent_again_is_passed_on_once(bench: Bench) -> None:
    line = Line(bench)
    for sequence in (1, 2, 3, 2, 3, 4):
        line.say(bytes([sequence]), sequence)
    assert line.heard["PA_b"] == [b"\1", b"\2", b"\3", b"\4"]
    bench.pass_time(0.6)
    assert bench.take(m.DataReceived) == [m.DataReceived("r", "PA_a", 4)]
    assert bench.engine.snapshot().rooms[0].peers[0].received == 4
    bench.pass_time(1)
    assert not bench.of(m.DataReceived)


async def test_over_a_new_connection_comes_what_the_client_says_it_has_not(bench: Bench) -> None:
    line = Line(bench)
    for sequence in (1, 2, 3):
        line.say(bytes([sequence]), sequence)
    line.say(b"uncounted")
    bench.tell(m.Resend("r", "PA_b", {"PA_a": 1}))
    assert len(line.heard["PA_b"]) == 4  # the connection it was given to still lives
    transport = bench.engine.transports.get(2)
    assert transport is not None
    bench.engine.transports.lost(transport, "over")
    bench.offer("PA_b", Offer())
    line.heard["PA_b"].clear()
    bench.tell(m.Resend("r", "PA_b", {"PA_a": 1}))
    assert line.heard["PA_b"] == [b"\2", b"\3"]
    bench.tell(m.Resend("r", "PA_b", {"PA_a": 1}))
    assert len(line.heard["PA_b"]) == 2


async def test_a_newcomer_gets_what_was_said_since(bench: Bench) -> None:
    line = Line(bench)
    line.say(b"before", 1)
    bench.join("PA_d")
    line.open["PA_d"], line.heard["PA_d"] = False, []
    bench.offer("PA_d", Offer())
    line.wire("PA_d")
    line.say(b"after", 2)
    line.open["PA_d"] = True
    bench.pass_time(0.6)
    assert line.heard["PA_d"] == [b"after"]


@pytest.mark.parametrize("how", ["joined", "moved"])
async def test_whoever_came_later_claims_nothing_of_what_was_said_before(bench: Bench, how: str) -> None:
    """A new connection and a made-up ``sync_state`` are no key to it."""
    line = Line(bench)
    for sequence in (1, 2, 3):
        line.say(bytes([sequence]), sequence)
    if how == "moved":
        bench.tell(m.AddPeer("s", "PA_d", "id-PA_d"))
    else:
        bench.join("PA_d")
    line.open["PA_d"], line.heard["PA_d"] = True, []
    if how == "moved":
        bench.tell(m.MovePeer("s", "PA_d", "r"))
    bench.offer("PA_d", Offer())
    line.wire("PA_d")
    line.say(b"after", 4)
    transport = bench.engine.rooms["r"].peers["PA_d"].connection.publisher  # type: ignore[union-attr]
    assert transport is not None
    bench.engine.transports.lost(transport, "over")
    bench.offer("PA_d", Offer())
    bench.tell(m.Resend("r", "PA_d", {"PA_a": 1}))
    assert line.heard["PA_d"] == [b"after", b"after"]
