"""All at once, seeded: three layers, loss both ways, disorder, padding probes, layer changes, gates; one faultless stream out."""

from __future__ import annotations

import asyncio
import random

import pytest

from commhub.wire import rtcp, rtp
from tests.support.plane import Client, Vp8Track, until
from tests.support.stage import OUT, Stage, sequence_of, timestamp_of, vp8_of
from tests.support.stage import body_of as body

RTX_OUT = 0x777


class Viewer:
    """Keeps what arrives by number, loses some of it, asks for what is missing as browsers do."""

    def __init__(self, client: Client, rng: random.Random, loss: float) -> None:
        self.client, self.random, self.loss = client, rng, loss
        self.packets: dict[int, bytes] = {}
        self.highest = -1
        self._read = 0

    def number(self, sequence: int) -> int:
        if self.highest < 0:
            return sequence
        return self.highest + ((sequence - self.highest + 0x8000 & 0xFFFF) - 0x8000)

    def take(self) -> None:
        for packet in self.client.received[self._read :]:
            if self.random.random() < self.loss:
                continue
            payload = rtp.payload(packet)
            sequence = sequence_of(packet)
            if int.from_bytes(packet[8:12], "big") == RTX_OUT:
                sequence = int.from_bytes(payload[:2], "big")
                packet = packet[:2] + payload[:2] + packet[4:12] + payload[2:]
                packet = b"\x80" + packet[1:]
            else:
                packet = b"\x80" + packet[1:12] + payload
            number = self.number(sequence)
            assert self.packets.setdefault(number, packet)[12:] == packet[12:]
            self.highest = max(self.highest, number)
        self._read = len(self.client.received)

    def missing(self) -> list[int]:
        return [number for number in range(min(self.packets), self.highest) if number not in self.packets] if self.packets else []

    def ask(self) -> None:
        lost = self.missing()
        if lost:
            self.client.send_rtcp(rtcp.build_nack(1, OUT, [number & 0xFFFF for number in lost[:100]]))


class Publisher:
    def __init__(self, client: Client, rng: random.Random, loss: float) -> None:
        self.client, self.random, self.loss = client, rng, loss
        self.tracks = [
            Vp8Track(100 + n, rid="qhf"[n], sequence=rng.randrange(1 << 16), timestamp=rng.randrange(1 << 32), seed=n)
            for n in range(3)
        ]
        self.sent: dict[tuple[int, int], bytes] = {}
        self.rtx = [0, 0, 0]
        self.bodies: set[bytes] = set()

    def frame(self, key: bool) -> None:
        batch: list[bytes] = []
        for track in self.tracks:
            packets = track.frame(self.random.randrange(1, 5), key=key or self.random.random() < 0.05, size=40)
            self.bodies.update(body(packet) for packet in packets)
            if self.random.random() < 0.2:
                packets.append(track.packet(b"", padding=50))
            self.sent.update({(track.ssrc, sequence_of(packet)): packet for packet in packets})
            batch += packets
        order = sorted(range(len(batch)), key=lambda place: place + self.random.random() * 3)
        for place in order:
            packet = batch[place]
            if packet[0] & 0x20 or self.random.random() >= self.loss:  # nobody resends a lost probe
                self.client.send(packet)

    def answer(self) -> None:
        reports, self.client.reports = self.client.reports, []
        for report in reports:
            if isinstance(report, rtcp.KeyFrameRequest):
                track = self.tracks[report.ssrc - 100]
                for packet in track.frame(2, key=True, size=40):
                    self.sent[track.ssrc, sequence_of(packet)] = packet
                    self.bodies.add(body(packet))
                    self.client.send(packet)
            elif isinstance(report, rtcp.Nack):
                for sequence in report.lost:
                    packet = self.sent[report.ssrc, sequence]
                    if packet[0] & 0x20:
                        continue
                    layer = report.ssrc - 100
                    values = [(1, b"v"), (3, b"qhf"[layer : layer + 1])]
                    self.rtx[layer] += 1
                    if self.random.random() >= self.loss:
                        self.client.send(
                            rtp.build(
                                packet[2:4] + rtp.payload(packet),
                                ssrc=200 + layer,
                                sequence=self.rtx[layer],
                                timestamp=timestamp_of(packet),
                                payload_type=97,
                                marker=bool(packet[1] >> 7),
                                values=values,
                            )
                        )


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_one_faultless_stream(seed: int) -> None:
    rng = random.Random(seed)
    stage = Stage()
    try:
        publisher = Publisher(stage.client(), rng, 0.05)
        viewer = Viewer(stage.client(), rng, 0.05 if seed != 2 else 0.0)  # libsrtp refuses what it opened before
        stage.video(1, publisher.client, layers=3, rids={"q": 0, "h": 1, "f": 2})
        rtx = (RTX_OUT, 121) if seed != 2 else (0, 0)
        stage.route(5, 1, viewer.client, rtx_ssrc=rtx[0], rtx_payload_type=rtx[1])
        for number in range(150):
            publisher.frame(number == 0)
            if number % 15 == 10:
                stage.plane.set_layer(5, rng.randrange(3))
            if number % 40 == 30:
                stage.plane.set_open(1, False)
            if number % 40 == 33:
                stage.plane.set_open(1, True)
            await asyncio.sleep(0.004)
            publisher.answer()
            viewer.take()
            viewer.ask()
        viewer.loss = publisher.loss = 0.0

        def whole() -> bool:
            publisher.answer()
            viewer.take()
            viewer.ask()
            return not viewer.missing() and stage.plane.counters(5).layer >= 0

        await until(whole, 5)
        in_order = [viewer.packets[number] for number in sorted(viewer.packets)]
        assert len(in_order) > 60
        content = [packet for packet in in_order if len(packet) > 12]
        assert {body(packet) for packet in content} <= publisher.bodies
        assert len({body(packet) for packet in content}) == len(content)  # nothing twice
        pictures = [vp8_of(packet).picture_id for packet in content]
        times = [timestamp_of(packet) for packet in content]
        for place in range(1, len(content)):
            step = pictures[place] - pictures[place - 1] & 0x7FFF
            ahead = times[place] - times[place - 1] & 0xFFFFFFFF
            assert step in (0, 1), f"a picture is missing at {place}"
            assert (ahead == 0) if step == 0 else (0 < ahead < 1 << 31), f"time does not go on at {place}"
        assert stage.statistic("failed") == 0
    finally:
        stage.close()
