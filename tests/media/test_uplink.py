"""One layer without sockets: numbering under padding, loss and disorder; asking again; counting."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from commhub.media.srtp import Window
from commhub.media.uplink import CACHE, NACK_DELAY, NACK_RETRY, NACK_TRIES, Layer, Packet, Receiver, Stream

SENT = b"\0\0\0"


def layer_of(kind: str = "video", nack: bool = True) -> Layer:
    receiver = Receiver(1, 1, kind, 90000, 1, nack)
    receiver.mimes = {96: "video/vp8"}
    return receiver.layers[0]


def take(layer: Layer, index: int, payload: bytes = b"\x10\x00") -> Packet | None:
    return layer.accept(index, 96, index * 10, payload, SENT, 127, 1_000_000_000 + index)


KINDS = st.lists(st.sampled_from(["media", "media", "media", "padding", "lost"]), min_size=1, max_size=120)


@given(KINDS, st.integers(0, 2000))
def test_padding_closes_up_and_only_loss_leaves_holes(kinds: list[str], start: int) -> None:
    layer = layer_of()
    places: list[int] = []
    for offset, kind in enumerate(kinds):
        if kind != "lost":
            packet = take(layer, start + offset, b"" if kind == "padding" else b"\x10\x00")
            if kind == "padding":
                assert packet is None
            else:
                assert packet is not None
                places.append(packet.place)
    if places:
        trailing = next((n for n, kind in enumerate(reversed(kinds)) if kind == "media"), 0)
        inner = kinds[kinds.index("media") : len(kinds) - trailing]
        assert places == sorted(set(places))
        assert places[-1] - places[0] + 1 == len(places) + inner.count("lost")


@given(st.integers(0, 1 << 30), st.integers(1, 12))
@settings(max_examples=60)
def test_late_packets_find_their_place(seed: int, reach: int) -> None:
    """Whatever overtakes whatever within ``reach``, places have the order of the numbers and are never given twice."""
    rng = random.Random(seed)
    items = [(index, rng.random() < 0.2) for index in range(100, 220)]
    items[0] = (100, False)
    order = sorted(items[1:], key=lambda item: item[0] + rng.random() * reach)
    layer = layer_of()
    seen: dict[int, int] = {}
    for index, padding in [items[0], *order]:
        packet = take(layer, index, b"" if padding else b"\x10\x00")
        if packet is not None:
            assert packet.place not in seen.values()
            seen[index] = packet.place
    indices = sorted(seen)
    assert [seen[index] for index in indices] == sorted(seen.values())
    assert {index for index, padding in items if not padding} <= set(indices)
    assert max(seen.values()) - min(seen.values()) + 1 == len(seen)  # late padding closed its hole as an empty packet


def test_a_repair_that_comes_too_late_is_dropped_when_its_place_is_gone() -> None:
    layer = layer_of(nack=False)
    first = take(layer, 0)
    assert first is not None
    for index in range(2, CACHE + 50):
        assert take(layer, index) is not None
    assert take(layer, 1) is None  # its slot holds a newer packet
    assert layer.get(first.place) is None
    assert layer.get(layer.highest) is not None


def test_asking_waits_repeats_and_ends() -> None:
    layer = layer_of()
    take(layer, 10)
    take(layer, 13)
    assert layer.due(1.0) == []  # it may still come
    take(layer, 12)
    assert layer.due(1.0 + NACK_DELAY) == [11]
    assert layer.due(1.0 + NACK_DELAY + NACK_RETRY / 2) == []
    now, asked = 1.0 + NACK_DELAY, 1
    while layer.missing:
        now += NACK_RETRY
        asked += len(layer.due(now))
    assert asked == NACK_TRIES
    assert layer.counters.lost == 1


def test_what_is_missing_before_the_first_that_came_is_asked_for_too() -> None:
    layer = layer_of()
    take(layer, 102)
    take(layer, 100)
    layer.due(1.0)
    assert layer.due(2.0) == [101]


def test_a_slow_path_is_asked_less_often() -> None:
    layer = layer_of()
    take(layer, 10)
    take(layer, 12)
    layer.due(0.5)
    assert layer.due(1.0, 0.4) == [11]
    assert layer.due(1.3, 0.4) == []
    assert layer.due(1.4, 0.4) == [11]


def test_sound_is_not_asked_for_unless_negotiated() -> None:
    layer = layer_of("audio", nack=False)
    take(layer, 1)
    take(layer, 9)
    assert not layer.missing


def test_torn_vp8_keeps_its_place_without_content() -> None:
    layer = layer_of()
    take(layer, 1)
    packet = take(layer, 2, b"\x90")
    assert packet is not None
    assert packet.payload == b""
    following = take(layer, 3)
    assert following is not None
    assert following.place == packet.place + 1


def test_another_stream_goes_on_behind_the_first() -> None:
    layer = layer_of()
    assert take(layer, 50_000) is not None
    before = layer.highest
    layer.restart()
    packet = take(layer, 7)
    assert packet is not None
    assert packet.place == before + 1
    assert layer.epoch == 1


def test_counting_follows_the_rfc() -> None:
    """RFC 3550 A.8: with transit differing by 80 ticks each time, the jitter goes to 80; a tenth lost is a tenth."""
    layer = layer_of()
    window = Window()
    stream = Stream(1, layer, False, window)
    for index in range(1000):
        if index % 10 == 5:
            continue
        window.accept(index)
        late = index % 2 * 80
        stream.count(index, index * 3000, (index * 3000 + late) * 1_000_000_000 // 90000)
    report = stream.report(100.0)
    assert 70 <= report.jitter <= 81
    assert report.lost == 100
    assert report.fraction == 25
    assert report.highest == 999
    assert report.dlsr == 0
    stream.sr_at, stream.sr_middle = 99.5, 77
    again = stream.report(100.0)
    assert (again.fraction, again.lsr, again.dlsr) == (0, 77, 32768)


def test_bitrate_is_measured_over_the_time_that_passed() -> None:
    layer = layer_of()
    for index in range(10):
        take(layer, index, b"\x10" + bytes(999))
    layer.measure(2.0)
    assert layer.counters.bitrate == 40_000
    layer.measure(1.0)
    assert layer.counters.bitrate == 0
