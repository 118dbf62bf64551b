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
