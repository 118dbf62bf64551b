"""Payloads to frames: every codec whole, with holes, and with noise."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commhub.media.messages import Codec
from recorder.depacketise import depacketiser, opus_duration
from recorder.frames import Frame
from recorder.reorder import Packet, Reorder
from tests.support import sink_feed
from tests.support.sink_feed import AV1, H264, H265, OPUS, VP8, VP9, Clip

VIDEO = [VP8, VP9, H264, H265, AV1]
RED = Codec("audio/red", 48000, 2)


def packets(clip: Clip, keep: list[bool] | None = None) -> list[Packet]:
    """The clip's packets; those that are not kept are counted as lost by the next one."""
    out: list[Packet] = []
    lost = number = 0
    for stamp, payloads in clip.frames:
        for position, payload in enumerate(payloads):
            if keep is None or keep[number]:
                out.append(Packet(number, stamp, position == len(payloads) - 1, payload, stamp, lost))
                lost = 0
            else:
                lost += 1
            number += 1
    return out


def frames(codec: Codec, sent: list[Packet]) -> list[Frame]:
    taker = depacketiser(codec)
    return [frame for packet in sent for frame in taker.receive(packet)]


@pytest.mark.parametrize("codec", VIDEO, ids=lambda codec: codec.mime)
def test_a_whole_clip_comes_out_whole(codec: Codec) -> None:
    clip = sink_feed.video(codec)
    found = frames(codec, packets(clip))
    assert [frame.time for frame in found] == [stamp for stamp, _ in clip.frames]
    assert found[0].key
    assert found[0].format is not None
    assert (found[0].format.width, found[0].format.height) == (320, 180)
    assert not any(frame.key for frame in found[1:5])


@pytest.mark.parametrize("codec", VIDEO, ids=lambda codec: codec.mime)
@pytest.mark.parametrize("seed", range(5))
def test_behind_a_hole_nothing_counts_before_a_key_frame(codec: Codec, seed: int) -> None:
    clip = sink_feed.video(codec)
    total = sum(len(payloads) for _, payloads in clip.frames)
    hole = random.Random(seed).randrange(total)
    sent = packets(clip, [number != hole for number in range(total)])
    ends = [sum(len(payloads) for _, payloads in clip.frames[: n + 1]) for n in range(len(clip.frames))]
    position = next(n for n, end in enumerate(ends) if hole < end)
    found = frames(codec, sent)
    assert len(found) == position
    # The same once more, and a key frame heals it.
    second = [Packet(p.sequence + total, p.time + clip.length, p.marker, p.payload, p.at, p.lost) for p in packets(clip)]
    again = frames(codec, sent + second)
    assert [frame.time for frame in again[position:]] == [clip.length + stamp for stamp, _ in clip.frames]


@pytest.mark.parametrize("codec", [*VIDEO, OPUS, RED], ids=lambda codec: codec.mime)
@given(payloads=st.lists(st.tuples(st.binary(max_size=40), st.booleans(), st.integers(0, 3)), max_size=30))
@settings(max_examples=60, deadline=None)
def test_noise_breaks_nothing(codec: Codec, payloads: list[tuple[bytes, bool, int]]) -> None:
    noise = [Packet(n, n * 100 // 3, marker, payload, 0, lost) for n, (payload, marker, lost) in enumerate(payloads)]
    taker = depacketiser(codec)
    for packet in noise:
        taker.receive(packet)
    if codec in VIDEO:
        clip = sink_feed.video(codec)
        found = [f for p in packets(clip) for f in taker.receive(Packet(p.sequence, p.time + 9000, p.marker, p.payload, 0, 1))]
        assert not found or found[0].key


@pytest.mark.parametrize("codec", VIDEO, ids=lambda codec: codec.mime)
@pytest.mark.parametrize("seed", range(20))
def test_flipped_bits_break_nothing(codec: Codec, seed: int) -> None:
    dice = random.Random(seed)
    taker = depacketiser(codec)
    for packet in packets(sink_feed.video(codec)):
        spoilt = bytearray(packet.payload[: dice.choice([len(packet.payload), dice.randrange(1, len(packet.payload) + 1)])])
        for _ in range(dice.randrange(4)):
            spoilt[dice.randrange(min(len(spoilt), 24))] ^= 1 << dice.randrange(8)
        packet.payload = bytes(spoilt)
        taker.receive(packet)


def test_padding_packets_are_no_frames_and_no_loss() -> None:
    clip = sink_feed.video(VP8)
    sent = packets(clip)
    mixed = [one for packet in sent for one in (packet, Packet(0, packet.time, False, b"", 0))]
    assert len(frames(VP8, mixed)) == len(clip.frames)


@pytest.mark.parametrize("codec", [VP8, H264], ids=lambda codec: codec.mime)
def test_a_sender_without_markers_is_understood_by_its_times(codec: Codec) -> None:
    sent = packets(sink_feed.video(codec))
    for packet in sent:
        packet.marker = False
    assert [frame.data for frame in frames(codec, sent)] == [
        frame.data for frame in frames(codec, packets(sink_feed.video(codec)))
    ][:-1]


def test_parameter_sets_may_come_with_the_description() -> None:
    clip = sink_feed.video(H264)
    first = clip.frames[0][1][0]
    assert first[0] & 0x1F == 24  # STAP-A: SPS, PPS, …
    sets, offset = [], 1
    while offset < len(first):
        size = int.from_bytes(first[offset : offset + 2], "big")
        sets.append(first[offset + 2 : offset + 2 + size])
        offset += 2 + size
    parameters = [nal for nal in sets if nal[0] & 0x1F in (7, 8)]
    rest = [nal for nal in sets if nal[0] & 0x1F not in (7, 8)]
    sent = [Packet(0, 0, False, payload, 0) for payload in [*rest, *clip.frames[0][1][1:]]]
    sent[-1].marker = True
    assert frames(H264, sent) == []  # nothing to decode it with
    told = Codec("video/H264", 90000, fmtp="sprop-parameter-sets=" + ",".join(base64.b64encode(n).decode() for n in parameters))
    (found,) = frames(told, sent)
    assert found.key
    assert found.format is not None
    assert found.format.string == "avc1.42c01f"
    assert depacketiser(Codec("video/H264", 90000, fmtp="sprop-parameter-sets=!,Zw==")).malformed == 2


def test_spatial_layers_of_vp9_are_one_superframe() -> None:
    key = sink_feed.video(VP9).frames[0][1]
    assert len(key) == 1
    structure = bytes([0x30, 0x01, 0x40, 0x00, 0xB4, 0x02, 0x80, 0x01, 0x68])  # two layers: 320x180, 640x360
    low = Packet(0, 0, False, bytes([0x2A | 0x04, 0x00, 0x00]) + structure + key[0][1:], 0)
    high = Packet(1, 0, True, bytes([0x20 | 0x08 | 0x04, 0x03, 0x00]) + b"\x86upper", 0)
    (frame,) = frames(VP9, [low, high])
    assert frame.key
    assert frame.format is not None
    assert (frame.format.width, frame.format.height) == (640, 360)
    size = len(key[0]) - 1
    width = (size.bit_length() + 7) // 8
    marker = 0xC0 | (width - 1) << 3 | 1
    assert frame.data == key[0][1:] + b"\x86upper" + bytes([marker]) + size.to_bytes(width, "little") + (6).to_bytes(
        width, "little"
    ) + bytes([marker])


def test_redundancy_fills_what_was_lost_and_repeats_nothing() -> None:
    clip = sink_feed.opus()
    plain = [payloads[0] for _, payloads in clip.frames]
    sent: list[Packet] = []
    for number, payload in enumerate(plain):
        block = b""
        if number:
            block = bytes([0x80 | 111]) + (960 << 10 | len(plain[number - 1])).to_bytes(3, "big")
        body = block + bytes([111]) + (plain[number - 1] if number else b"") + payload
        sent.append(Packet(number, number * 960, False, body, number * 20_000_000))
    assert [frame.data for frame in frames(RED, sent)] == plain
    kept = [packet for packet in sent if packet.sequence % 7 != 3]
    order = Reorder()
    late = [out for packet in kept for out in order.receive(packet, 0.0)] + order.drain()
    found = frames(RED, late)
    assert [frame.data for frame in found] == plain
    assert [frame.time for frame in found] == [number * 960 for number in range(len(plain))]
    assert [frame.at for frame in found] == [number * 20_000_000 for number in range(len(plain))]


@pytest.mark.parametrize(
    ("head", "samples"),
    [
        (b"", 0),
        (b"\x00", 480),
        (b"\x18", 2880),
        (b"\xf8", 960),
        (b"\xf9", 1920),
        (b"\xfb\x06", 5760),
        (b"\xfb", 0),
        (b"\x60", 480),
    ],
)
def test_how_long_an_opus_packet_lasts(head: bytes, samples: int) -> None:
    assert opus_duration(head) == samples


def test_what_cannot_be_recorded_is_said() -> None:
    with pytest.raises(ValueError, match=r"^audio/PCMA cannot be recorded\.$"):
        depacketiser(Codec("audio/PCMA", 8000))
