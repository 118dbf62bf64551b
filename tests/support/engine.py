"""An engine on a plane that records, with people, a camera and a recorder to put into its rooms."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar, cast

from commhub.media import messages as m
from commhub.media.dtls import Certificate
from commhub.media.engine import Engine
from commhub.media.link import RECORD
from commhub.media.plane import Address
from tests.support.client import Offer
from tests.support.recording_plane import RecordingPlane

CERTIFICATE = Certificate.generateCertificate()
M = TypeVar("M")
H264 = m.Codec("video/H264", 90_000, fmtp="packetization-mode=1;profile-level-id=640028")


class FakeLink:
    """A bridge's or recorder's link: what is told to it, and its packet socket."""

    def __init__(self) -> None:
        self.told: list[m.Message] = []
        self.batches: list[bytes] = []
        self.packets = self
        self.full = False

    def tell(self, message: m.Message) -> None:
        self.told.append(message)

    def send(self, batch: bytes | bytearray) -> bool:
        if not self.full:
            self.batches.append(bytes(batch))
        return not self.full

    def of(self, kind: type[M]) -> list[M]:
        return [one for one in self.told if isinstance(one, kind)]


class Bench:
    """An engine with two people in a room, on a plane that records and a clock that stands."""

    def __init__(self) -> None:
        self.events: list[m.Message] = []
        self.now = 1000.0
        self.engine = Engine("media-0", RecordingPlane, self.events.append, certificate=CERTIFICATE, now=lambda: self.now)
        self.plane = cast(RecordingPlane, self.engine.plane)
        self.engine.open([Address("0.0.0.0", "192.0.2.1")], 7882)
        self.tell(m.OpenRoom("r"))

    def tell(self, message: m.Message) -> None:
        self.engine.command(message)

    def join(self, *names: str, **how: Any) -> None:
        for name in names:
            self.tell(m.AddPeer("r", name, f"id-{name}", **how))

    def offer(self, peer: str, offer: Offer) -> m.Answer:
        result = self.engine.command(m.Offer("r", peer, offer.text(), 7))
        assert isinstance(result, m.Answer)
        assert result.id == 7
        return result

    def announce(self, peer: str, track: str, kind: str, cid: str = "", **how: Any) -> None:
        source = "camera" if kind == "video" else "microphone"
        self.tell(m.Announce("r", peer, track, kind, source, {cid: ""} if cid else {}, **how))

    def publish(self, peer: str = "PA_a") -> Offer:
        """An audio track and a video track of three layers."""
        self.announce(peer, f"TR_audio_{peer}", "audio", "mic")
        self.announce(peer, f"TR_video_{peer}", "video", "cam")
        offer = Offer().send("audio", "mic").send("video", "cam", ["q", "h", "f"])
        self.offer(peer, offer)
        return offer

    def of(self, kind: type[M]) -> list[M]:
        return [event for event in self.events if isinstance(event, kind)]

    def take(self, kind: type[M]) -> list[M]:
        found = self.of(kind)
        self.events[:] = [event for event in self.events if not isinstance(event, kind)]
        return found

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.engine.tick()

    def track(self, name: str) -> Any:
        return self.engine.rooms["r"].tracks[name]

    def receiver(self, name: str) -> int:
        return cast(int, self.track(name).encodings[0].receiver)

    def subscription(self, peer: str, track: str) -> Any:
        return self.engine.rooms["r"].peers[peer].subscriptions[track]


async def settled() -> None:
    """What the engine does together, after everything that had arrived."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def watching(bench: Bench) -> int:
    """PA_b receives the video of PA_a; the route's number."""
    bench.publish()
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a"]))
    bench.offer("PA_b", Offer().receive("video"))
    await settled()
    return cast(int, bench.subscription("PA_b", "TR_video_PA_a").route)


def camera(bench: Bench, room: str = "r", peer: str = "PA_cam") -> None:
    bench.tell(m.AddPeer(room, peer, "camera", kind="bridge"))
    bench.tell(m.AttachSource(room, peer, "C1"))
    bench.tell(m.Announce(room, peer, f"TR_{peer}", "video", "camera"))


def push(bench: Bench, link: FakeLink, handle: int = 1, codec: m.Codec = H264) -> None:
    bench.engine.bridge(cast(Any, link), m.PushSource("C1", [m.SourceStream(handle, "video", codec)]))


def batch(*packets: tuple[int, bytes]) -> bytes:
    return b"".join(RECORD.pack(handle, 5, len(data)) + data for handle, data in packets)
