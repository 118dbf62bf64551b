"""The data plane over real loopback sockets, with libsrtp on the far side."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from commhub.media import plane
from commhub.media.forward import Forwarder
from commhub.wire import rtp
from tests.support.plane import CM, EXTENSIONS, GCM, Client, Events, Vp8Track, until

VIDEO = {96: "video/VP8"}


@pytest.fixture
async def events() -> Events:
    return Events()


@pytest.fixture
async def forwarder(events: Events) -> AsyncIterator[Forwarder]:
    forwarder = Forwarder(events, silence=0.5)
    yield forwarder
    assert forwarder.statistics()["failed"] == 0
    forwarder.close()


class Stage:
    """Clients that close themselves."""

    def __init__(self, forwarder: Forwarder) -> None:
        self.forwarder = forwarder
        self.port = forwarder.open([plane.Address("127.0.0.1", "127.0.0.1")], 0)[0][1]
        self.clients: list[Client] = []

    def client(self, profile: str = GCM) -> Client:
        client = Client(self.forwarder, len(self.clients) + 1, self.port, profile)
        self.clients.append(client)
        return client


@pytest.fixture
async def stage(forwarder: Forwarder) -> AsyncIterator[Stage]:
    stage = Stage(forwarder)
    yield stage
    for client in stage.clients:
        client.close()


def sequence_of(packet: bytes) -> int:
    return packet[2] << 8 | packet[3]


def timestamp_of(packet: bytes) -> int:
    return int.from_bytes(packet[4:8], "big")


def video_spec(transport: int, **more: object) -> plane.ReceiverSpec:
    spec = plane.ReceiverSpec(transport, "video", 90000, dict(VIDEO), {97: 96}, mid="v", extensions=dict(EXTENSIONS))
    for name, value in more.items():
        setattr(spec, name, value)
    return spec


@pytest.mark.parametrize("profile", [GCM, CM])
async def test_video_is_forwarded_from_a_key_frame_on(forwarder: Forwarder, stage: Stage, events: Events, profile: str) -> None:
    publisher, subscriber = stage.client(profile), stage.client(profile)
    forwarder.add_receiver(7, video_spec(publisher.number))
    forwarder.add_route(9, plane.RouteSpec(7, subscriber.number, 0xABCDEF01, 120, "3", {plane.MID: 11, plane.ABS_SEND_TIME: 12}))
    track = Vp8Track(5555, sequence=65530)
    for packet in track.frame():
        publisher.send(packet)  # nobody can begin here
    await until(lambda: events.of("first_packet") == [(7, 0)])
    await until(lambda: publisher.reports)  # asked for a key frame
    sent = [packet for number in range(10) for packet in track.frame(key=number == 0)]
    for packet in sent:
        publisher.send(packet)
    await until(lambda: len(subscriber.received) == 30)
    assert [rtp.payload(p) for p in subscriber.received] == [rtp.payload(p) for p in sent]
    first = sequence_of(subscriber.received[0])
    assert [sequence_of(p) - first & 0xFFFF for p in subscriber.received] == list(range(30))
    for ours, theirs in zip(subscriber.received, sent, strict=True):
        values = rtp.extensions(ours, rtp.header_size(ours, len(ours)))
        assert values[11] == b"3"
        assert len(values[12]) == 3
        assert set(values) == {11, 12}
        assert ours[8:12] == b"\xab\xcd\xef\x01"
        assert ours[1] == (theirs[1] & 0x80) | 120
        assert timestamp_of(ours) == timestamp_of(theirs)
    assert forwarder.counters(9).packets == 30
    assert forwarder.counters(9).layer == 0
    layer = forwarder.layers(7)[0]
    assert (layer.width, layer.height, layer.packets) == (640, 480, 33)
