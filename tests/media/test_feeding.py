"""Packets of Sources in runs: whatever comes, what is taken quickly is what would be taken one by one."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from commhub.media import uplink
from commhub.media.forward import Forwarder
from commhub.media.uplink import Layer
from commhub.wire import rtp
from tests.support.plane import Events
from tests.support.stage import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


NOW = 1_700_000_000_000_000_000


#: By codec: slices, fragments that begin a key frame, go on, and end one, parameter sets, key frames, rubbish, and in one packet.
PAYLOADS = {
    "video/H264": [b"\x41\x9a" + bytes(40), b"\x7c\x85" + bytes(40), b"\x7c\x05" + bytes(40), b"\x7c\x45", b"\x67\x42\0\x1f",
                   b"\x65\x88" + bytes(9), b"\x41", b"", b"\x78\0\x02\x67\x42\0\x03\x65\x88\x80"],
    "video/H265": [b"\x02\x01\xd0" + bytes(40), b"\x62\x01\x93" + bytes(40), b"\x62\x01\x13" + bytes(40), b"\x62\x01\x53\0",
                   b"\x42\x01\x01\0", b"\x26\x01\xaf" + bytes(9), b"\x02", b"",
                   b"\x60\x01\0\x04\x40\x01\x0c\x01\0\x03\x26\x01\xaf"],
}  # fmt: skip


def film(seed: int, mime: str) -> list[bytes]:
    """A camera's packets: key frames, slices, fragments, parameter sets; some are lost, come twice, late, from another sender, or
    are torn."""
    chance = random.Random(seed)
    out: list[bytes] = []
    sequence, ssrc = chance.randrange(1 << 16), 7
    for number in range(chance.randrange(300, 400)):
        sequence += 1 if chance.random() < 0.97 else chance.randrange(2, 400)
        if chance.random() < 0.005:
            ssrc += 1
        payload = chance.choices(PAYLOADS[mime], [60, 2, 30, 4, 1, 2, 2, 1, 1])[0]
        packet = rtp.build(payload, ssrc=ssrc, sequence=sequence, timestamp=number // 4 * 3600, payload_type=96,
                           marker=number % 4 == 3, values=[(1, b"x")] if chance.random() < 0.02 else None)  # fmt: skip
        out.append(packet[: chance.randrange(20)] if chance.random() < 0.01 else packet)
        if chance.random() < 0.01:
            out.append(chance.choice(out[-5:]))
        if chance.random() < 0.01:
            out[-2:] = reversed(out[-2:])
    return out


def kept(plane: Forwarder, seen: list[bytes]) -> tuple[Any, ...]:
    """All that is known afterwards; when a packet left is not alike."""
    layer = plane._receivers[5].layers[0]
    assert layer.kept is not None
    cache = [None if packet is None else packet._replace(sent=b"") for packet in layer.cache]
    newest = [packet._replace(sent=b"") for packet in layer.kept.packets]
    counters = (layer.counters.packets, layer.counters.octets, layer.counters.lost, layer.last_ns, layer.highest)
    window = layer.stream and (layer.stream.window.highest, layer.stream.window.mask)
    return cache, newest, layer.kept.octets, counters, window, layer._top, layer.shift, plane._count, seen


def play(plane: Forwarder, packets: list[bytes], run: int, mime: str) -> tuple[Any, ...]:
    seen: list[bytes] = []
    plane.add_fed_receiver(5, "video", mime, 90_000)
    plane.add_tap(3, 5, lambda packet, at: seen.append(bytes(packet[:4]) + bytes(packet[12:]) + at.to_bytes(8, "big")))
    plane._taps_by_number[3].first_number = lambda: 100  # type: ignore[method-assign]
    for begin in range(0, len(packets), run):
        data, places = b"", []
        for number, packet in enumerate(packets[begin : begin + run], begin):
            places.append((NOW + number * 10_000_000, len(data), len(data) + len(packet)))
            data += packet
        plane.feed(5, data, places)
        plane.flush()
    return kept(plane, seen)


@pytest.mark.parametrize("mime", sorted(PAYLOADS))
@pytest.mark.parametrize("seed", range(12))
async def test_a_run_is_taken_as_its_packets_one_by_one(seed: int, mime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    packets = film(seed, mime)
    quick, slow = Forwarder(Events()), Forwarder(Events())
    try:
        taken = play(quick, packets, 1 + seed * 7, mime)
        monkeypatch.setattr(Layer, "steady", False)
        assert taken == play(slow, packets, 1, mime)
        assert taken[-1]
    finally:
        quick.close()
        slow.close()


async def test_what_is_kept_of_a_run_has_its_bound(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplink, "KEPT_OCTETS", 5_000)
    plane = stage.plane
    plane.add_fed_receiver(5, "video", "video/H264", 90_000)
    layer = plane._receivers[5].layers[0]
    for sequence in range(20):
        packet = rtp.build(b"\x65" + bytes(600) if not sequence else b"\x41" + bytes(600), ssrc=1, sequence=sequence, timestamp=9,
                           payload_type=96)  # fmt: skip
        plane.feed(5, packet, [(time.time_ns(), 0, len(packet))])
        assert layer.kept is not None
        assert layer.kept.octets == (0 if sequence > 7 else 601 * (sequence + 1))


async def test_one_tap_that_fails_does_not_stop_a_run(stage: Stage) -> None:
    plane, seen = stage.plane, list[bytes]()

    def sink(packet: Any, at: int) -> None:
        seen.append(bytes(packet))
        if len(seen) == 3:
            raise RuntimeError

    plane.add_fed_receiver(5, "video", "video/H264", 90_000)
    plane.add_tap(3, 5, sink)
    packets = [rtp.build(b"\x65x" if not at else b"\x41xx", ssrc=1, sequence=at, timestamp=9, payload_type=96) for at in range(9)]
    data = b"".join(packets)
    places = [(1, data.index(packet), data.index(packet) + len(packet)) for packet in packets]
    plane.feed(5, data, places)
    assert len(seen) == 9
    assert stage.statistic("failed") == 1
