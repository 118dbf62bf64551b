from __future__ import annotations

import asyncio
import math
import struct
from itertools import pairwise

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.scene import tone
from bridges.transcode import FRAME, RATE, Encoder, Transcoder, _Rfc3640
from tests.support import until

AAC = {"config": "1190", "sizelength": "13", "indexlength": "3", "indexdeltalength": "3"}  # 48 kHz stereo


def samples(packets: list[bytes]) -> list[int]:
    """What a listener hears: mono, 48 kHz."""
    decoder = av.CodecContext.create("libopus", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout = RATE, "mono"
    heard: list[int] = []
    for packet in packets:
        for frame in decoder.decode(av.Packet(packet)):
            resampled = av.AudioResampler(format="s16", layout="mono", rate=RATE).resample(frame)
            for part in resampled:
                heard += struct.unpack(f"<{part.samples}h", bytes(part.planes[0])[: part.samples * 2])
    return heard


def loudness(part: list[int]) -> float:
    return math.sqrt(sum(sample * sample for sample in part) / len(part))


def frequency(part: list[int]) -> float:
    crossings = sum(1 for one, later in pairwise(part) if one < 0 <= later)
    return crossings * RATE / len(part)


@pytest.mark.parametrize("size", [160, 320, 1280])
def test_g711_becomes_opus_that_sounds_the_same(size: int) -> None:
    encoder = Encoder("PCMA", 8000, 1, {})
    sound = tone(frequency=500, length=1.0, loudness=0.3) * 2
    out = [each for at in range(0, len(sound), size) for each in encoder.feed(sound[at : at + size], at)]
    times = [time for _, time in out]
    assert times == [FRAME * number for number in range(len(out))]
    assert 95 <= len(out) <= 100  # two seconds in frames of 20 ms, less what still waits
    heard = samples([packet for packet, _ in out])[RATE // 2 : RATE]
    assert frequency(heard) == pytest.approx(500, rel=0.02)
    assert loudness(heard) == pytest.approx(0.3 * 32768 / math.sqrt(2), rel=0.15)


def test_a_pause_of_the_device_stays_a_pause() -> None:
    encoder = Encoder("PCMU", 8000, 1, {})
    before = [time for at in range(0, 8000, 160) for _, time in encoder.feed(bytes(160), at)]
    after = [time for at in range(24_000, 32_000, 160) for _, time in encoder.feed(bytes(160), at)]
    assert after[0] - before[-1] == pytest.approx(2 * RATE, abs=2 * FRAME)
    jitter = [time for at in range(32_010, 40_000, 160) for _, time in encoder.feed(bytes(160), at)]
    assert jitter[0] - after[-1] == FRAME  # a little is not a pause


def test_a_moment_of_the_device_has_one_of_ours() -> None:
    encoder = Encoder("PCMA", 8000, 1, {})
    assert encoder.translate(0) is None
    for at in range(0, 16_000, 160):
        encoder.feed(bytes(160), 1000 + at)
    assert encoder.translate(1000 + 8000) == RATE
    for at in range(32_000, 40_000, 160):  # two seconds of nothing
        encoder.feed(bytes(160), 1000 + at)
    assert encoder.translate(1000 + 40_000) == pytest.approx(5 * RATE, abs=FRAME)


def aac_units() -> tuple[list[bytes], bytes]:
    encoder = av.CodecContext.create("aac", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "stereo", av.AudioFormat("fltp")
    encoder.open()
    units: list[bytes] = []
    for block in range(60):
        frame = av.AudioFrame("fltp", "stereo", 1024)
        frame.sample_rate = RATE
        wave = [0.3 * math.sin(2 * math.pi * 700 * (block * 1024 + number) / RATE) for number in range(1024)]
        for plane in frame.planes:
            plane.update(struct.pack("<1024f", *wave).ljust(plane.buffer_size, b"\0"))
        units += [bytes(packet) for packet in encoder.encode(frame)]
    extradata = encoder.extradata
    assert extradata is not None
    return units, extradata


def rfc3640(units: list[bytes]) -> bytes:
    headers = b"".join((len(unit) << 3).to_bytes(2, "big") for unit in units)
    return (len(headers) * 8).to_bytes(2, "big") + headers + b"".join(units)


def test_aac_becomes_opus() -> None:
    units, config = aac_units()
    encoder = Encoder("MPEG4-GENERIC", RATE, 2, AAC | {"config": config.hex()})
    out = []
    for number in range(0, len(units) - 1, 2):
        out += encoder.feed(rfc3640(units[number : number + 2]), number * 1024)
    heard = samples([packet for packet, _ in out])[RATE // 4 : RATE]
    assert frequency(heard) == pytest.approx(700, rel=0.02)


@pytest.mark.parametrize(
    ("codec", "fmtp"),
    [
        ("G726-32", {}),
        ("MPEG4-GENERIC", {}),
        ("MPEG4-GENERIC", AAC | {"config": "zz"}),
        ("MPEG4-GENERIC", AAC | {"sizelength": "99"}),
    ],
)
def test_sound_that_cannot_be_used(codec: str, fmtp: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        Encoder(codec, 8000, 1, fmtp)


@pytest.mark.parametrize("payload", [b"", b"\0", b"\xff\xff", b"\x00\x10\x00\x10", b"\x00\x10\xff\xff\x00"])
def test_torn_aac(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"^The AAC packet is torn\.$"):
        _Rfc3640(AAC).units(payload)


@given(st.binary(max_size=200))
def test_any_aac_packet(payload: bytes) -> None:
    try:
        units = _Rfc3640(AAC).units(payload)
    except ValueError:
        return
    assert sum(map(len, units)) <= len(payload)


async def test_the_thread_keeps_order_and_survives_garbage() -> None:
    transcoder = Transcoder()
    out: list[tuple[bytes, int]] = []
    feed = transcoder.open("PCMA", 8000, 1, {}, out.extend)
    broken = transcoder.open("MPEG4-GENERIC", RATE, 2, AAC, lambda _: None)
    sound = tone()
    for at in range(0, 8000, 160):
        feed.put(sound[at : at + 160], at)
        broken.put(b"\xff" * 50, at)
        await asyncio.sleep(0)
    await until(lambda: len(out) >= 45)
    assert [time for _, time in out] == [FRAME * number for number in range(len(out))]
    feed.close()
    count = len(out)
    feed.put(sound, 8000)
    await asyncio.sleep(0.05)
    assert len(out) == count
    transcoder.close()


async def test_a_backlog_is_dropped_not_waited_for() -> None:
    transcoder = Transcoder()
    feed = transcoder.open("PCMA", 8000, 1, {}, lambda _: None)
    for at in range(5000):
        feed.put(bytes(160), at * 160)
    assert transcoder.dropped > 0
    transcoder.close()


async def test_a_camera_that_sends_too_much_does_not_silence_another() -> None:
    transcoder = Transcoder()
    out: list[tuple[bytes, int]] = []
    flooding = transcoder.open("PCMA", 8000, 1, {}, lambda _: None)
    feed = transcoder.open("PCMA", 8000, 1, {}, out.extend)
    sound = tone()
    for at in range(0, 8000, 160):
        for _ in range(200):
            flooding.put(bytes(160), at)
        feed.put(sound[at : at + 160], at)
    assert transcoder.dropped > 5000
    await until(lambda: len(out) >= 45)
    transcoder.close()
