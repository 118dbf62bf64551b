"""A data plane with clients around it, for tests of what goes through it."""

from __future__ import annotations

from typing import Any

from commhub.media import plane
from commhub.media.forward import Forwarder
from commhub.wire import rtp, vp8
from commhub.wire.picture import Picture
from tests.support.plane import EXTENSIONS, GCM, Client, Events

VIDEO = {96: "video/VP8"}
AUDIO = {111: "audio/opus"}
OUT = 0xABCDEF01


class Stage:
    """One plane on one loopback socket, its events, and clients that :meth:`close` ends."""

    def __init__(self, silence: float = 15.0) -> None:
        self.events = Events()
        self.plane = Forwarder(self.events, silence=silence)
        self.port = self.plane.open([plane.Address("127.0.0.1", "127.0.0.1")], 0)[0][1]
        self.clients: list[Client] = []

    def client(self, profile: str = GCM) -> Client:
        client = Client(self.plane, len(self.clients) + 1, self.port, profile)
        self.clients.append(client)
        return client

    def video(self, receiver: int, publisher: Client, **more: Any) -> None:
        values: dict[str, Any] = {"rtx": {97: 96}, "mid": "v", "extensions": dict(EXTENSIONS), **more}
        self.plane.add_receiver(receiver, plane.ReceiverSpec(publisher.number, "video", 90000, dict(VIDEO), **values))

    def audio(self, receiver: int, publisher: Client, **more: Any) -> None:
        values: dict[str, Any] = {
            "payload_types": dict(AUDIO),
            "mid": "a",
            "extensions": dict(EXTENSIONS),
            "nack": False,
            **more,
        }
        self.plane.add_receiver(receiver, plane.ReceiverSpec(publisher.number, "audio", 48000, **values))

    def route(self, route: int, receiver: int, subscriber: Client, ssrc: int = OUT, payload_type: int = 120, **more: Any) -> None:
        self.plane.add_route(route, plane.RouteSpec(receiver, subscriber.number, ssrc, payload_type, **more))

    def statistic(self, name: str) -> int:
        return self.plane.statistics()[name]

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.plane.close()


def sequence_of(packet: bytes) -> int:
    return packet[2] << 8 | packet[3]


def timestamp_of(packet: bytes) -> int:
    return int.from_bytes(packet[4:8], "big")


def sequences(packets: list[bytes]) -> list[int]:
    """Sequence numbers relative to the first packet's."""
    first = sequence_of(packets[0])
    return [sequence_of(packet) - first & 0xFFFF for packet in packets]


def vp8_of(packet: bytes) -> Picture:
    return vp8.parse(rtp.payload(packet))


def body_of(packet: bytes) -> bytes:
    """The VP8 payload behind its descriptor, which a forwarder must not touch."""
    payload = rtp.payload(packet)
    return payload[vp8.parse(payload).size :]
