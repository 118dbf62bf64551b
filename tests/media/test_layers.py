"""Layers inside a stream, seen by a decoder that knows what every frame refers to: through real sockets, with loss."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Iterator

import pytest

from commhub.media import plane
from commhub.wire import dependency, rtcp, rtp, vp8
from tests.support.layered import Sent, Vp8Layers, described, trailer
from tests.support.plane import EXTENSIONS, Client, Vp8Track, until
from tests.support.proofs import Figure
from tests.support.stage import OUT, Stage, sequence_of, timestamp_of

RTX_OUT = 0x777
IN = 5555


class Decoder:
    """A viewer who loses packets, asks for them, and knows which frames the forwarded ones need."""

    def __init__(self, client: Client, rng: random.Random, loss: float) -> None:
        self.client, self.random, self.loss = client, rng, loss
        self.packets: dict[int, bytes] = {}  # number → RTP packet with extensions
        self.highest = -1
        self._read = 0

    def _number(self, sequence: int) -> int:
        return sequence if self.highest < 0 else self.highest + ((sequence - self.highest + 0x8000 & 0xFFFF) - 0x8000)

    def take(self) -> None:
        for packet in self.client.received[self._read :]:
            if self.packets and self.random.random() < self.loss:  # nobody knows what was before the first one
                continue
            sequence, payload = sequence_of(packet), rtp.payload(packet)
            if int.from_bytes(packet[8:12], "big") == RTX_OUT:
                sequence = int.from_bytes(payload[:2], "big")
                header = rtp.header_size(packet, len(packet))
                packet = packet[:header] + payload[2:]
            number = self._number(sequence)
            self.packets.setdefault(number, packet)
            self.highest = max(self.highest, number)
        self._read = len(self.client.received)

    def missing(self) -> list[int]:
        return [number for number in range(min(self.packets), self.highest) if number not in self.packets] if self.packets else []

    def ask(self) -> None:
        if lost := self.missing():
            self.client.send_rtcp(rtcp.build_nack(1, OUT, [number & 0xFFFF for number in lost[:100]]))

    def bodies(self) -> list[tuple[int, bytes, bytes]]:
        """(number, packet, payload) of those with content, in order."""
        return [(number, packet, body) for number, packet in sorted(self.packets.items()) if (body := rtp.payload(packet))]


class Publisher:
    """Sends pictures, loses some packets, mixes them up, repairs what is asked for."""

    def __init__(self, client: Client, rng: random.Random, loss: float) -> None:
        self.client, self.random, self.loss = client, rng, loss
        self.sequence, self.rtx = rng.randrange(1 << 16), 0
        self.kept: dict[int, bytes] = {}
        self.frames: dict[int, Sent] = {}
        self.parts: dict[int, int] = {}
        self.key_wanted = False
        self.marked: set[int] = set()  # time stamps

    def _packet(self, sent: Sent, payload: bytes, ssrc: int, sequence: int, payload_type: int) -> bytes:
        return rtp.build(
            payload,
            ssrc=ssrc,
            sequence=sequence,
            timestamp=sent.timestamp & 0xFFFFFFFF,
            payload_type=payload_type,
            marker=sent.marker,
            values=self._values(sent),
        )

    def _values(self, sent: Sent) -> list[tuple[int, bytes]]:
        values = [(EXTENSIONS[plane.MID], b"v")]
        return [*values, (EXTENSIONS[plane.DEPENDENCY], sent.descriptor)] if sent.descriptor else values

    def send(self, picture: list[Sent]) -> None:
        batch = []
        for sent in picture:
            again = self.sequence.to_bytes(2, "big") + sent.payload
            packet = self._packet(sent, sent.payload, IN, self.sequence, 96)
            self.kept[self.sequence] = self._packet(sent, again, IN + 1, 0, 97)
            self.sequence = self.sequence + 1 & 0xFFFF
            if sent.marker:
                self.marked.add(sent.timestamp & 0xFFFFFFFF)
            number, _, parts = trailer(sent.payload)
            self.frames.setdefault(number, sent)
            self.parts[number] = parts
            batch.append(packet)
        for place in sorted(range(len(batch)), key=lambda place: place + self.random.random() * (2 if self.loss else 0)):
            if self.random.random() >= self.loss:
                self.client.send(batch[place])

    def answer(self) -> None:
        reports, self.client.reports = self.client.reports, []
        for report in reports:
            if isinstance(report, rtcp.KeyFrameRequest):
                self.key_wanted = True
            elif isinstance(report, rtcp.Nack):
                for sequence in report.lost:
                    packet = self.kept[sequence]
                    self.rtx += 1
                    self.client.send(packet[:2] + (self.rtx & 0xFFFF).to_bytes(2, "big") + packet[4:])


def vp8_pictures(rng: random.Random, publisher: Publisher, count: int) -> Iterator[list[Sent]]:
    layers = Vp8Layers(sync=rng.choice([1, 2, 4]))
    for number in range(count):
        yield layers.picture(rng.randrange(1, 4), key=number == 0 or publisher.key_wanted)
        publisher.key_wanted = False


def judge(publisher: Publisher, decoder: Decoder) -> set[int]:
    """The frames that came. Every one of them came whole and can be decoded (nobody can know what is missing of the last)."""
    seen: dict[int, set[int]] = {}
    order: list[int] = []
    for _, _, body in decoder.bodies():
        number, part, _ = trailer(body)
        if number not in seen:
            order.append(number)
        seen.setdefault(number, set()).add(part)
    assert order == sorted(order)
    for number in order:
        assert len(seen[number]) == publisher.parts[number] or number == order[-1], number
        for needed in publisher.frames[number].references:
            assert needed in seen, (number, needed, publisher.frames[number])
    return set(seen)


def judge_pictures(publisher: Publisher, decoder: Decoder) -> None:
    """Numbers without holes, time that never goes back, one marker at the end of each picture and nowhere else (where the
    encoder gave up its highest layer at the last moment, the publisher had none)."""
    assert not decoder.missing()
    bodies = decoder.bodies()
    stamps = [timestamp_of(packet) for _, packet, _ in bodies]
    for (_, packet, _), stamp, following in zip(bodies, stamps, stamps[1:], strict=False):
        assert bool(packet[1] >> 7) == (stamp != following) or stamp not in publisher.marked
        assert (following - stamp & 0xFFFFFFFF) < 1 << 31


async def played(
    stage: Stage, publisher: Publisher, decoder: Decoder, pictures: Iterator[list[Sent]], rng: random.Random, top: int
) -> None:
    """Everything is sent while the viewer's wish changes; then all repairs are waited for."""
    for number, picture in enumerate(pictures):
        publisher.send(picture)
        if number % 9 == 5:
            stage.plane.set_layer(5, rng.randrange(top + 1), rng.randrange(3))
        await asyncio.sleep(0.002)
        if number % 4 == 0:
            publisher.answer()
            decoder.take()
            decoder.ask()
    for _ in range(200):
        await asyncio.sleep(0.02)
        publisher.answer()
        decoder.take()
        if not decoder.missing() and not stage.plane._gaps:
            break
        decoder.ask()


@pytest.mark.parametrize("loss", [0.0, 0.04])
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_temporal_layers_of_vp8(seed: int, loss: float) -> None:
    await temporal_layers_of_vp8(seed, loss)


async def temporal_layers_of_vp8(seed: int, loss: float) -> None:
    rng, stage = random.Random(seed), Stage()
    try:
        publisher = Publisher(stage.client(), rng, loss)
        decoder = Decoder(stage.client(), rng, loss)
        stage.video(1, publisher.client, ssrcs={IN: 0}, rtx_ssrcs={IN + 1: IN})
        stage.route(5, 1, decoder.client, rtx_ssrc=RTX_OUT, rtx_payload_type=121)
        await played(stage, publisher, decoder, vp8_pictures(rng, publisher, 300), rng, 0)
        seen = judge(publisher, decoder)
        judge_pictures(publisher, decoder)
        assert 60 < len(seen) < 290
        pictures = [(vp8.parse(body), trailer(body)[0]) for _, _, body in decoder.bodies()]
        for (one, number), (following, later) in itertools.pairwise(pictures):
            ahead = following.picture_id - one.picture_id & 0x7FFF
            # Where a whole frame that was to be left out was lost and came too late, its number stays free.
            assert ahead == 1 if later != number and not loss else ahead == 0 or later != number
            assert (following.tl0 - one.tl0 & 0xFF) == (1 if later != number and not following.temporal else 0)
    finally:
        stage.close()


DESCRIBED = [("vp9_k", "video/VP9"), ("vp9_f", "video/VP9"), ("av1_k", "video/AV1")]


@pytest.mark.parametrize("loss", [0.0, 0.04])
@pytest.mark.parametrize(("name", "mime"), DESCRIBED)
async def test_spatial_layers_by_dependency_descriptor(name: str, mime: str, loss: float) -> None:
    await by_dependency_descriptor(name, mime, 7, loss)


async def by_dependency_descriptor(name: str, mime: str, seed: int, loss: float) -> None:
    rng, stage = random.Random(seed), Stage()
    try:
        publisher = Publisher(stage.client(), rng, loss)
        decoder = Decoder(stage.client(), rng, loss)
        spec = plane.ReceiverSpec(publisher.client.number, "video", 90000, {96: mime}, {97: 96}, "v", {IN: 0}, {IN + 1: IN})
        spec.extensions = dict(EXTENSIONS)
        stage.plane.add_receiver(1, spec)
        stage.route(5, 1, decoder.client, rtx_ssrc=RTX_OUT, rtx_payload_type=121, extensions=dict(EXTENSIONS))
        await played(stage, publisher, decoder, described(name, 4), rng, 2)
        seen = judge(publisher, decoder)
        judge_pictures(publisher, decoder)
        sizes = {publisher.frames[number].spatial for number in seen}
        assert sizes >= {0, 1}
        assert len(seen) < len(publisher.frames)
        structure: dependency.Structure | None = None
        numbers = []
        for _, packet, body in decoder.bodies():
            values = rtp.extensions(packet, rtp.header_size(packet, len(packet)))
            frame = dependency.parse(values[EXTENSIONS[plane.DEPENDENCY]], structure)
            structure = frame.structure or structure
            numbers.append((frame.number - trailer(body)[0] & 0xFFFF, frame.fdiffs))
            assert frame.active is None or frame.active > 0
        assert len({offset for offset, _ in numbers}) == 1  # references keep their distance
    finally:
        stage.close()


async def by_payload_descriptor(name: str, seed: int, loss: float) -> None:
    """VP9 whose publisher has no dependency descriptor: layers as its own descriptor says them."""
    rng, stage = random.Random(seed), Stage()
    try:
        publisher = Publisher(stage.client(), rng, loss)
        decoder = Decoder(stage.client(), rng, loss)
        spec = plane.ReceiverSpec(
            publisher.client.number, "video", 90000, {96: "video/VP9"}, {97: 96}, "v", {IN: 0}, {IN + 1: IN}
        )
        stage.plane.add_receiver(1, spec)
        stage.route(5, 1, decoder.client, rtx_ssrc=RTX_OUT, rtx_payload_type=121)
        await played(stage, publisher, decoder, described(name, 5, descriptors=False), rng, 2)
        seen = judge(publisher, decoder)
        judge_pictures(publisher, decoder)
        assert len(seen) < len(publisher.frames)
    finally:
        stage.close()


@pytest.mark.parametrize("name", ["vp9_k", "vp9_f"])
@pytest.mark.parametrize("loss", [0.0, 0.04])
async def test_spatial_layers_by_payload_descriptor(name: str, loss: float) -> None:
    await by_payload_descriptor(name, 3, loss)


@pytest.mark.prove
@pytest.mark.timeout(900)
async def test_every_forwarded_frame_can_be_decoded(figure: Figure) -> None:
    """Twenty seeds of each; one frame whose references were not forwarded fails it."""
    runs = 0
    for seed in range(100, 120):
        for loss in (0.0, 0.03):
            await temporal_layers_of_vp8(seed, loss)
            await by_payload_descriptor("vp9_f", seed, loss)
            for name, mime in DESCRIBED:
                await by_dependency_descriptor(name, mime, seed, loss)
            runs += 2 + len(DESCRIBED)
    assert figure("streams with changing layers of which every forwarded frame could be decoded", runs, "runs", goal="≥ 200")


async def test_a_viewer_without_the_extension_gets_the_same_frames() -> None:
    rng, stage = random.Random(1), Stage()
    try:
        publisher = Publisher(stage.client(), rng, 0)
        decoder = Decoder(stage.client(), rng, 0)
        spec = plane.ReceiverSpec(publisher.client.number, "video", 90000, {96: "video/AV1"}, ssrcs={IN: 0})
        spec.extensions = dict(EXTENSIONS)
        stage.plane.add_receiver(1, spec)
        stage.route(5, 1, decoder.client)
        stage.plane.set_layer(5, 0, 0)
        for picture in described("av1_k", 2):
            publisher.send(picture)
            await asyncio.sleep(0.002)
        await until(lambda: len(decoder.client.received) > 20)
        decoder.take()
        assert {
            (publisher.frames[number].spatial, publisher.frames[number].temporal) for number in judge(publisher, decoder)
        } == {(0, 0)}
        judge_pictures(publisher, decoder)
        assert all(not packet[0] & 0x10 for packet in decoder.client.received)
    finally:
        stage.close()


async def test_what_layers_cost_is_measured() -> None:
    rng, stage = random.Random(1), Stage()
    try:
        publisher = Publisher(stage.client(), rng, 0)
        spec = plane.ReceiverSpec(publisher.client.number, "video", 90000, {96: "video/VP9"}, ssrcs={IN: 0})
        spec.extensions = dict(EXTENSIONS)
        stage.plane.add_receiver(1, spec)
        for picture in described("vp9_f", 3):
            publisher.send(picture)
            await asyncio.sleep(0.01)
        found = stage.plane.layers(1)
        assert [(layer.width, layer.height) for layer in found] == [(240, 135), (480, 270), (960, 540)]
        assert found[0].bitrate < found[1].bitrate < found[2].bitrate
        for layer in found:
            assert layer.temporal == sorted(layer.temporal)
            assert layer.rates == sorted(layer.rates)
            assert layer.temporal[-1] == layer.bitrate
    finally:
        stage.close()


@pytest.mark.parametrize("best_comes", [True, False])
async def test_a_tap_waits_a_moment_for_the_best_layer(best_comes: bool) -> None:
    """Publishers start their layers one after the other; every layer is another file."""
    stage = Stage()
    try:
        client = stage.client()
        low, high = Vp8Track(100, rid="q"), Vp8Track(200, rid="f", seed=2)
        stage.video(1, client, layers=3, rids={"q": 0, "h": 1, "f": 2})
        heard: list[bytes] = []
        stage.plane.add_tap(7, 1, lambda packet, at: heard.append(bytes(packet)))
        began, keys = time.monotonic(), 0
        while not heard and time.monotonic() - began < 5:
            for packet in low.frame(2, key=True):
                client.send(packet)
            keys += 1
            if best_comes and keys == 8:
                for packet in high.frame(2, key=True, size=300):
                    client.send(packet)
            await asyncio.sleep(0.05)
        assert (len(rtp.payload(heard[0])) > 300) is best_comes
    finally:
        stage.close()
